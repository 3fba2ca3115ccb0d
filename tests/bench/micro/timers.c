// SPDX-License-Identifier: BSL-1.0
//
// Cancelling one of many timers and arming it again: a 4-ary heap and a hashed wheel in user space,
// and one kernel timeout for each timer.
#include "figures.h"

#include <liburing.h>

enum { SLOTS = 65536, MANY = 100000 };

struct timer {
    uint64_t when;
    uint32_t place;
    struct timer *next, **link; // in the wheel
};

struct entry {
    uint64_t when;
    struct timer* timer;
};

static struct timer timers[MANY];
static struct entry heap[MANY];
static struct timer* wheel[SLOTS];
static uint32_t heap_len, seed = 12345;

static uint32_t random_number(void) {
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

static uint64_t some_deadline(void) {
    return (uint64_t)(random_number() % 60000) * 1000000u;
}

static void put(uint32_t i, struct entry e) {
    heap[i] = e;
    e.timer->place = i;
}

static void sift_up(uint32_t i, struct entry e) {
    for (; i && heap[(i - 1) / 4].when > e.when; i = (i - 1) / 4)
        put(i, heap[(i - 1) / 4]);
    put(i, e);
}

static void sift_down(uint32_t i, struct entry e) {
    for (;;) {
        uint32_t first = 4 * i + 1, least = first;
        const uint32_t stop = first + 4 < heap_len ? first + 4 : heap_len;
        if (first >= heap_len) break;
        for (uint32_t c = first + 1; c < stop; c++)
            if (heap[c].when < heap[least].when) least = c;
        if (heap[least].when >= e.when) break;
        put(i, heap[least]);
        i = least;
    }
    put(i, e);
}

static void heap_add(struct timer* t) {
    sift_up(heap_len++, (struct entry){t->when, t});
}

static void heap_remove(struct timer* t) {
    const struct entry last = heap[--heap_len];
    const uint32_t i = t->place;

    if (i == heap_len) return;
    if (i && heap[(i - 1) / 4].when > last.when)
        sift_up(i, last);
    else
        sift_down(i, last);
}

static void wheel_add(struct timer* t) {
    struct timer** slot = &wheel[(t->when >> 20) % SLOTS];

    t->next = *slot;
    if (t->next) t->next->link = &t->next;
    t->link = slot;
    *slot = t;
}

static void wheel_remove(struct timer* t) {
    *t->link = t->next;
    if (t->next) t->next->link = t->link;
}

static double churn(void (*add)(struct timer*), void (*drop)(struct timer*)) {
    const uint32_t ops = 1u << 18;

    heap_len = 0;
    memset(wheel, 0, sizeof(wheel));
    for (uint32_t i = 0; i < MANY; i++) {
        timers[i].when = some_deadline();
        add(&timers[i]);
    }
    const uint64_t t0 = cpu_now_ns();
    for (uint32_t i = 0; i < ops; i++) {
        struct timer* t = &timers[random_number() % MANY];
        drop(t);
        t->when = some_deadline();
        add(t);
    }
    return (double)(cpu_now_ns() - t0) / ops;
}

// 32 pairs of a removal and a new timeout to a submission.
static double kernel_churn(void) {
    enum { OPS = 64 };
    static uint64_t ids[MANY];
    struct __kernel_timespec ts = {.tv_sec = 1000};
    struct io_uring_params p = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
        .cq_entries = 4096};
    struct io_uring ring;
    uint64_t next_id = 1;
    int r = io_uring_queue_init_params(256, &ring, &p);

    if (r < 0) die("io_uring_queue_init", r);
    for (uint32_t i = 0; i < MANY; i++) {
        struct io_uring_sqe* sqe = io_uring_get_sqe(&ring);
        ts.tv_sec = 1000 + random_number() % 60000;
        io_uring_prep_timeout(sqe, &ts, 0, 0);
        sqe->user_data = ids[i] = next_id++;
        if (i % 32 == 31) io_uring_submit(&ring);
    }
    io_uring_submit(&ring);
    const uint64_t t0 = cpu_now_ns();
    for (int i = 0; i < OPS; i += 32) {
        for (int j = 0; j < 32; j++) {
            uint64_t* id = &ids[random_number() % MANY];
            struct io_uring_sqe* sqe = io_uring_get_sqe(&ring);
            io_uring_prep_timeout_remove(sqe, *id, 0);
            sqe = io_uring_get_sqe(&ring);
            io_uring_prep_timeout(sqe, &ts, 0, 0);
            sqe->user_data = *id = next_id++;
        }
        io_uring_submit_and_wait(&ring, 64); // a removal and its victim, 32 times
        io_uring_cq_advance(&ring, io_uring_cq_ready(&ring));
    }
    const double each = (double)(cpu_now_ns() - t0) / OPS;
    io_uring_queue_exit(&ring);
    return each;
}

int main(int argc, char** argv) {
    double v[ROUNDS];

    wanted_names = argv + (argc > 0);
    pin_cpu(0);
    if (wanted("timer")) {
        for (int k = 0; k < ROUNDS; k++)
            v[k] = churn(heap_add, heap_remove);
        tell("timer", v);
    }
    if (wanted("timer_wheel")) {
        for (int k = 0; k < ROUNDS; k++)
            v[k] = churn(wheel_add, wheel_remove);
        tell("timer_wheel", v);
    }
    if (wanted("timer_kernel")) {
        v[0] = kernel_churn();
        printf("timer_kernel %.3f\n", v[0]);
    }
}
