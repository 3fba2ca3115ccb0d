// SPDX-License-Identifier: BSL-1.0
//
// Closed loop over UDP: each socket keeps `depth` datagrams outstanding. A datagram begins with its
// number and goes on with the pattern from a place that the number tells, so every byte of an
// answer is checked whatever order answers come in. One that has not come back after LOSS_MS is
// counted as lost and another one is sent for it; an answer that comes later still is counted, too.
#include "load.h"
#include "ring.h"
#include "server_clocks.h"

enum { OP_RECV, OP_SEND, LOSS_MS = 200, HEAD = sizeof(uint64_t) };

struct slot {
    uint64_t number; // of the datagram that is outstanding
    uint64_t sent;   // when
    char* bytes;
};

struct peer {
    uint64_t next; // number
    struct slot* slots;
};

static struct peer* peers;
static struct histogram latency;
static uint64_t now, last_answer, lost, late;
static bool measuring;

static size_t place_of(uint64_t number) {
    return number * 7919u % PRIME;
}

static void send_in(unsigned idx, unsigned at) {
    struct peer* p = &peers[idx];
    struct slot* s = &p->slots[at];
    struct io_uring_sqe* sqe = get_sqe();

    // The number tells the slot, too.
    s->number = p->next++ * (uint64_t)opt.depth + at;
    s->sent = now;
    memcpy(s->bytes, &s->number, HEAD);
    memcpy(s->bytes + HEAD, pattern + place_of(s->number), (size_t)opt.size - HEAD);
    io_uring_prep_send(sqe, (int)idx, s->bytes, (size_t)opt.size, 0);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = (uint64_t)idx << 8 | OP_SEND;
}

static bool right(const char* p, uint32_t n, uint64_t number) {
    size_t pos = place_of(number);

    return n == (uint32_t)opt.size &&
           follows_pattern(pattern, (const unsigned char*)p + HEAD, &pos, n - HEAD);
}

static void on_datagram(unsigned idx, const char* p, uint32_t n) {
    uint64_t number = 0;

    if (n >= HEAD) memcpy(&number, p, HEAD);
    if (n < HEAD || !right(p, n, number)) {
        wrong_answers++;
        return;
    }
    const unsigned at = (unsigned)(number % (uint64_t)opt.depth);
    struct slot* s = &peers[idx].slots[at];
    if (s->number != number) { // given up before
        late++;
        return;
    }
    last_answer = now;
    if (measuring) histogram_add(&latency, now - s->sent);
    send_in(idx, at);
}

static void replace_lost(void) {
    static uint64_t next_look;

    if (now < next_look) return;
    next_look = now + LOSS_MS * 1000000ull / 4;
    for (unsigned i = 0; i < (unsigned)opt.conns; i++)
        for (unsigned at = 0; at < (unsigned)opt.depth; at++) {
            if (now - peers[i].slots[at].sent < LOSS_MS * 1000000ull) continue;
            lost++;
            send_in(i, at);
        }
    if ((double)(now - last_answer) > opt.stall * 1e9) die("stalled: no answer", ETIME);
}

static void arm_recv(unsigned idx) {
    arm_multishot_recv((int)idx, IOSQE_FIXED_FILE, (uint64_t)idx << 8 | OP_RECV);
}

static void on_cqe(const struct io_uring_cqe* cqe) {
    const unsigned idx = (unsigned)(cqe->user_data >> 8);

    if ((cqe->user_data & 0xff) == OP_SEND) die("send", cqe->res); // success is silent
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        const unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        on_datagram(idx, buffer_at(id), (uint32_t)cqe->res);
        give_back(id);
    } else if (cqe->res < 0 && cqe->res != -ENOBUFS) {
        die("recv", cqe->res);
    }
    if (!(cqe->flags & IORING_CQE_F_MORE)) arm_recv(idx);
}

static void open_peers(void) {
    const struct sockaddr_in to = server_address();
    int r, *fds = malloc(sizeof(int) * (size_t)opt.conns);

    for (int i = 0; i < opt.conns; i++) {
        fds[i] = open_socket(SOCK_DGRAM);
        if (connect(fds[i], (const struct sockaddr*)&to, sizeof(to)) < 0) die("connect", errno);
    }
    if ((r = io_uring_register_files(&ring, fds, (unsigned)opt.conns)) < 0)
        die("register_files", r);
    free(fds);
}

static void begin(void) {
    if (opt.size < HEAD) die("--size of datagrams is 8 at least", EINVAL);
    set_up_ring();
    open_peers();
    provide_buffers((unsigned)(opt.conns * opt.depth) * 2, (unsigned)opt.size + 64);
    peers = calloc((size_t)opt.conns, sizeof(*peers));
    now = last_answer = now_ns();
    for (unsigned i = 0; i < (unsigned)opt.conns; i++) {
        peers[i].slots = calloc((size_t)opt.depth, sizeof(struct slot));
        arm_recv(i);
        for (unsigned at = 0; at < (unsigned)opt.depth; at++) {
            peers[i].slots[at].bytes = malloc((size_t)opt.size);
            send_in(i, at);
        }
    }
}

static void report(const struct sample* before, const struct sample* after) {
    printf(
        "{\"mode\":\"udp\",\"conns\":%d,\"size\":%d,\"depth\":%d,\"requests\":%llu,\"errors\":%llu,"
        "\"lost\":%llu,\"late\":%llu,",
        opt.conns, opt.size, opt.depth, (unsigned long long)latency.total,
        (unsigned long long)wrong_answers, (unsigned long long)lost, (unsigned long long)late
    );
    print_usage(before, after, (double)latency.total, &latency);
    printf("}\n");
}

void run_datagrams(void) {
    struct sample before = {0}, after;

    begin();
    uint64_t t0 = now + (uint64_t)(opt.warm * 1e9), t1 = UINT64_MAX;
    for (;;) {
        struct io_uring_cqe* cqe;
        struct __kernel_timespec limit = {.tv_nsec = LOSS_MS * 1000000 / 4};
        unsigned head, n = 0;

        io_uring_submit_and_wait_timeout(&ring, &cqe, 1, &limit, NULL);
        now = now_ns();
        if (!measuring && now >= t0) {
            before = take_sample();
            now = now_ns();
            t1 = now + (uint64_t)(opt.secs * 1e9);
            measuring = true;
        } else if (measuring && now >= t1) {
            break;
        }
        io_uring_for_each_cqe(&ring, head, cqe) {
            on_cqe(cqe);
            n++;
        }
        io_uring_cq_advance(&ring, n);
        publish_buffers();
        replace_lost();
    }
    after = take_sample();
    report(&before, &after);
}
