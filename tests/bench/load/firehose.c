// SPDX-License-Identifier: BSL-1.0
//
// Whether one connection that never stops makes others wait: `conns` trickles send a message, take
// its echo and pause; the first half of the measured time they are alone, in the second half one
// more connection sends as fast as its echo comes back. Prints the trickles' latency of both
// halves.
//
// A message is due at a time of its own, and its latency counts from then: a load that is late
// itself does not look like a fast server.
#include "load.h"
#include "ring.h"
#include "server_clocks.h"

enum op { OP_RECV, OP_SEND };
enum { CHUNK = 1 << 16, WINDOW = 1 << 18, BUFFER = 16384 };

struct conn {
    size_t tx_pos, rx_pos;
    uint32_t rx_part;
    uint64_t due; // when the next message is to be sent, or when the outstanding one was
    bool outstanding;
};

static struct conn* conns; // the last one is the firehose
static struct histogram quiet, loud;
static struct histogram* measured; // where latencies go now; NULL: nowhere
static uint64_t now, last_answer, poured, unechoed;
static bool pouring, send_in_flight;
static uint32_t seed = 2463534242u;

static uint64_t some_pause(void) {
    const uint64_t mean = (uint64_t)opt.pause_ms * 1000000u;

    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return mean / 2 + seed % mean;
}

static void send_pattern(unsigned idx, uint32_t n) {
    struct io_uring_sqe* sqe = get_sqe();
    struct conn* c = &conns[idx];

    io_uring_prep_send(sqe, (int)idx, pattern + c->tx_pos, n, MSG_WAITALL | MSG_NOSIGNAL);
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = (uint64_t)idx << 8 | OP_SEND;
    c->tx_pos = (c->tx_pos + n) % PRIME;
}

// Sends the messages that are due; gives the time of the next one.
static uint64_t send_due(void) {
    uint64_t next = now + 1000000000u;

    for (unsigned i = 0; i < (unsigned)opt.conns; i++) {
        struct conn* c = &conns[i];
        if (c->outstanding) continue;
        if (c->due > now) {
            next = c->due < next ? c->due : next;
            continue;
        }
        c->outstanding = true;
        send_pattern(i, (uint32_t)opt.size);
    }
    return next;
}

static void pour(void) {
    if (!pouring || send_in_flight || unechoed + CHUNK > WINDOW) return;
    send_pattern((unsigned)opt.conns, CHUNK);
    unechoed += CHUNK;
    send_in_flight = true;
}

static void on_echo(unsigned idx, const char* p, uint32_t n) {
    struct conn* c = &conns[idx];

    if (!follows_pattern(pattern, (const unsigned char*)p, &c->rx_pos, n)) wrong_answers++;
    last_answer = now;
    if (idx == (unsigned)opt.conns) {
        unechoed -= n;
        if (measured == &loud) poured += n;
        return;
    }
    c->rx_part += n;
    if (c->rx_part < (uint32_t)opt.size) return;
    c->rx_part = 0;
    c->outstanding = false;
    if (measured) histogram_add(measured, now - c->due);
    c->due = now + some_pause();
}

static void arm_recv(unsigned idx) {
    arm_multishot_recv((int)idx, IOSQE_FIXED_FILE, (uint64_t)idx << 8 | OP_RECV);
}

static void on_cqe(const struct io_uring_cqe* cqe) {
    const unsigned idx = (unsigned)(cqe->user_data >> 8);

    if ((cqe->user_data & 0xff) == OP_SEND) {
        if (cqe->res <= 0) die("send", cqe->res ? cqe->res : EPIPE);
        if (idx == (unsigned)opt.conns) send_in_flight = false;
        return;
    }
    if (cqe->res > 0) {
        const unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        on_echo(idx, buffer_at(id), (uint32_t)cqe->res);
        give_back(id);
    } else if (cqe->res != -ENOBUFS) {
        die("recv", cqe->res ? cqe->res : EPIPE);
    }
    if (!(cqe->flags & IORING_CQE_F_MORE)) arm_recv(idx);
}

static void turn(void) {
    struct io_uring_cqe* cqe;
    const uint64_t next = send_due(), wait = next > now ? next - now : 0;
    struct __kernel_timespec limit = {.tv_nsec = (long long)(wait < 50000000 ? wait : 50000000)};
    unsigned head, n = 0;

    pour();
    io_uring_submit_and_wait_timeout(&ring, &cqe, 1, &limit, NULL);
    now = now_ns();
    io_uring_for_each_cqe(&ring, head, cqe) {
        on_cqe(cqe);
        n++;
    }
    io_uring_cq_advance(&ring, n);
    publish_buffers();
    if ((double)(now - last_answer) > opt.stall * 1e9) die("stalled: no answer", ETIME);
}

static void run_for(double secs, struct histogram* into) {
    const uint64_t end = now_ns() + (uint64_t)(secs * 1e9);

    measured = into;
    while (now < end)
        turn();
}

static void begin(void) {
    const int count = opt.conns + 1;
    int r, *fds = malloc(sizeof(int) * (size_t)count);

    set_up_ring();
    conns = calloc((size_t)count, sizeof(*conns));
    for (int i = 0; i < count; i++)
        fds[i] = open_conn();
    if ((r = io_uring_register_files(&ring, fds, (unsigned)count)) < 0) die("register_files", r);
    free(fds);
    provide_buffers((unsigned)count * 2, BUFFER);
    now = last_answer = now_ns();
    for (unsigned i = 0; i < (unsigned)count; i++) {
        conns[i].due = now + some_pause();
        arm_recv(i);
    }
}

void run_firehose(void) {
    begin();
    run_for(opt.warm, NULL);
    run_for(opt.secs / 2, &quiet);
    pouring = true;
    run_for(opt.warm, NULL);
    const struct sample before = take_sample();
    run_for(opt.secs / 2, &loud);
    const struct sample after = take_sample();
    printf(
        "{\"mode\":\"firehose\",\"conns\":%d,\"size\":%d,\"requests\":%llu,\"errors\":%llu,"
        "\"quiet_p50_us\":%.1f,\"quiet_p99_us\":%.1f,\"quiet_p999_us\":%.1f,"
        "\"poured_mib\":%.3f,",
        opt.conns, opt.size, (unsigned long long)loud.total, (unsigned long long)wrong_answers,
        percentile_us(&quiet, 0.5), percentile_us(&quiet, 0.99), percentile_us(&quiet, 0.999),
        (double)poured / (1 << 20)
    );
    print_usage(&before, &after, (double)loud.total, &loud);
    printf("}\n");
}
