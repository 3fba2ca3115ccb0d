// SPDX-License-Identifier: BSL-1.0
//
// What the ring itself costs: NOPs one and 32 at a time, and a hop between two threads by ring
// message, eventfd and futex, both sides blocking, on one CPU and on two.
#include "figures.h"

#include <liburing.h>

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

enum way { FUTEX, EVENTFD, MSG_RING };

struct side {
    struct io_uring ring;
    int eventfd, cpu;
    _Atomic int word;
    struct side* peer;
};

static struct side sides[2];
static enum way way;
static int hops;
static pthread_barrier_t ready;

static void open_ring(struct io_uring* r) {
    struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    int e = io_uring_queue_init_params(256, r, &p);

    if (e < 0) die("io_uring_queue_init", e);
    io_uring_register_ring_fd(r);
}

static double nops(unsigned batch) {
    const unsigned total = 1u << 17;
    struct io_uring r;

    open_ring(&r);
    const uint64_t t0 = cpu_now_ns();
    for (unsigned i = 0; i < total; i += batch) {
        struct io_uring_cqe* cqe;
        unsigned head, n = 0;
        for (unsigned j = 0; j < batch; j++)
            io_uring_prep_nop(io_uring_get_sqe(&r));
        io_uring_submit_and_wait(&r, batch);
        io_uring_for_each_cqe(&r, head, cqe) n++;
        io_uring_cq_advance(&r, n);
    }
    const double each = (double)(cpu_now_ns() - t0) / total;
    io_uring_queue_exit(&r);
    return each;
}

static void tell_nops(const char* name, unsigned batch) {
    double v[ROUNDS];

    if (!wanted(name)) return;
    for (int k = 0; k < ROUNDS; k++)
        v[k] = nops(batch);
    tell(name, v);
}

static void await_message(struct side* me) {
    struct io_uring_cqe* cqe;
    int e;

    while ((e = io_uring_submit_and_wait(&me->ring, 1)) < 0)
        if (e != -EINTR) die("submit_and_wait", e);
    if (io_uring_peek_cqe(&me->ring, &cqe)) die("no completion", EIO);
    if (cqe->res < 0) die("completion", cqe->res);
    io_uring_cqe_seen(&me->ring, cqe);
}

static void await_hop(struct side* me, int turn) {
    uint64_t x;

    switch (way) {
    case FUTEX:
        while (atomic_load(&me->word) < turn)
            syscall(SYS_futex, &me->word, FUTEX_WAIT_PRIVATE, turn - 1, NULL, NULL, 0);
        break;
    case EVENTFD:
        if (read(me->eventfd, &x, sizeof(x)) != sizeof(x)) die("eventfd", errno);
        break;
    case MSG_RING:
        await_message(me);
        break;
    }
}

static void hop(struct side* me, int turn) {
    struct side* to = me->peer;
    struct io_uring_sqe* sqe;
    const uint64_t one = 1;

    switch (way) {
    case FUTEX:
        atomic_store(&to->word, turn);
        syscall(SYS_futex, &to->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
        break;
    case EVENTFD:
        if (write(to->eventfd, &one, sizeof(one)) != sizeof(one)) die("eventfd", errno);
        break;
    case MSG_RING: // rides on the next submit_and_wait of this side
        sqe = io_uring_get_sqe(&me->ring);
        io_uring_prep_msg_ring(sqe, to->ring.ring_fd, 0, 1, 0);
        sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
        break;
    }
}

static void* play(void* arg) {
    struct side* me = arg;
    const bool first = me == &sides[0];

    pin_cpu(me->cpu);
    open_ring(&me->ring);
    pthread_barrier_wait(&ready);
    for (int turn = 1; turn <= hops; turn++) {
        if (first) hop(me, turn);
        await_hop(me, turn);
        if (!first) hop(me, turn);
    }
    io_uring_submit(&me->ring);
    pthread_barrier_wait(&ready); // measured until here
    pthread_barrier_wait(&ready);
    io_uring_queue_exit(&me->ring);
    return NULL;
}

// On one CPU the two take turns, and their CPU time is what a hop costs; on two it is the time that
// passes.
static uint64_t hop_clock(int cpu_b) {
    return cpu_b ? now_ns() : cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static double one_hop(int cpu_b) {
    pthread_t t[2];

    pthread_barrier_init(&ready, NULL, 3);
    for (int i = 0; i < 2; i++) {
        sides[i].peer = &sides[!i];
        sides[i].cpu = i ? cpu_b : 0;
        sides[i].eventfd = eventfd(0, 0);
        sides[i].word = 0;
        pthread_create(&t[i], NULL, play, &sides[i]);
    }
    pthread_barrier_wait(&ready);
    const uint64_t t0 = hop_clock(cpu_b);
    pthread_barrier_wait(&ready);
    const double each = (double)(hop_clock(cpu_b) - t0) / (2.0 * hops);
    pthread_barrier_wait(&ready);
    for (int i = 0; i < 2; i++) {
        pthread_join(t[i], NULL);
        close(sides[i].eventfd);
    }
    pthread_barrier_destroy(&ready);
    return each;
}

static void tell_hop(const char* name, enum way how, int cpu_b, int count) {
    double v[ROUNDS];

    if (!wanted(name)) return;
    way = how;
    hops = count;
    for (int k = 0; k < ROUNDS; k++)
        v[k] = one_hop(cpu_b);
    tell(name, v);
}

int main(int argc, char** argv) {
    wanted_names = argv + (argc > 0);
    pin_cpu(0);
    tell_nops("nop_1", 1);
    tell_nops("nop_32", 32);
    tell_hop("wake_one_cpu", MSG_RING, 0, 10000);
    tell_hop("wake_two_cpus", MSG_RING, 1, 4000);
    tell_hop("wake_eventfd_one_cpu", EVENTFD, 0, 10000);
    tell_hop("wake_futex_one_cpu", FUTEX, 0, 10000);
}
