// SPDX-License-Identifier: BSL-1.0
//
// Closed loop over TCP: every connection keeps `depth` messages outstanding; a new one is sent for
// each one answered. With --requests-per-connection a connection has one message outstanding and
// lives for that many of them:
//   connecting → talking     the socket is connected
//   talking    → finishing   the last answer has come: the sending side is shut down
//   finishing  → connecting  the server has closed its side, too; a new socket takes the place
// A server that forgets to close thus stalls the load.
#include "http.h"
#include "load.h"
#include "ring.h"
#include "server_clocks.h"

enum op { OP_RECV, OP_SEND, OP_CONNECT, OP_SILENT };
enum { BUFFER_MIN = 256, BUFFER_MAX = 16384 };

struct conn {
    int fd;                // in the ring's table, unless connections come and go
    size_t tx_pos, rx_pos; // position in the pattern (echo)
    uint32_t rx_part;      // bytes of the current answer already seen
    uint32_t to_send;      // messages waiting for the send in flight
    uint32_t send_len;     // bytes of the send in flight, 0 if none
    uint32_t t_head, t_tail;
    int left;        // requests that this connection still has
    bool finishing;  // no answer is expected any more
    uint64_t* stamp; // send times, a ring of `depth` entries
    uint64_t done;
};

static struct conn* conns;
static struct histogram latency;
static struct sockaddr_in server;
static uint64_t now, connections;
static bool measuring, closed;

static bool churns(void) {
    return opt.requests_per_connection != 0;
}

static uint64_t tag(enum op op, unsigned idx) {
    return (uint64_t)idx << 8 | op;
}

static void on_conn(struct io_uring_sqe* sqe, enum op op, unsigned idx) {
    if (!churns()) sqe->flags |= IOSQE_FIXED_FILE;
    if (op == OP_SILENT) sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = tag(op, idx);
}

static void arm_recv(unsigned idx) {
    arm_multishot_recv(conns[idx].fd, churns() ? 0 : IOSQE_FIXED_FILE, tag(OP_RECV, idx));
}

static void send_more(unsigned idx) {
    struct conn* c = &conns[idx];
    struct io_uring_sqe* sqe;
    const void* from;

    if (c->send_len || !c->to_send) return;
    for (uint32_t i = 0; i < c->to_send; i++) {
        c->stamp[c->t_tail] = now;
        c->t_tail = c->t_tail + 1 == (uint32_t)opt.depth ? 0 : c->t_tail + 1;
    }
    if (opt.http) {
        c->send_len = c->to_send * request_len;
        from = request;
    } else {
        c->send_len = c->to_send * (uint32_t)opt.size;
        from = pattern + c->tx_pos;
        c->tx_pos = (c->tx_pos + c->send_len) % PRIME;
    }
    c->to_send = 0;
    sqe = get_sqe();
    io_uring_prep_send(sqe, c->fd, from, c->send_len, MSG_WAITALL | MSG_NOSIGNAL);
    on_conn(sqe, OP_SEND, idx);
}

static void begin_connection(unsigned idx) {
    struct io_uring_sqe* sqe = get_sqe();
    struct conn* c = &conns[idx];

    c->fd = open_socket(SOCK_STREAM);
    c->left = opt.requests_per_connection;
    c->finishing = false;
    io_uring_prep_connect(sqe, c->fd, (struct sockaddr*)&server, sizeof(server));
    on_conn(sqe, OP_CONNECT, idx);
}

static void end_connection(unsigned idx) {
    struct io_uring_sqe* sqe = get_sqe();

    io_uring_prep_close(sqe, conns[idx].fd);
    on_conn(sqe, OP_SILENT, idx);
    if (measuring) connections++;
    begin_connection(idx);
}

static void finish_sending(unsigned idx) {
    struct io_uring_sqe* sqe = get_sqe();

    conns[idx].finishing = true;
    io_uring_prep_shutdown(sqe, conns[idx].fd, SHUT_WR);
    on_conn(sqe, OP_SILENT, idx);
}

static void count_answer(struct conn* c) {
    const uint64_t sent = c->stamp[c->t_head];

    c->t_head = c->t_head + 1 == (uint32_t)opt.depth ? 0 : c->t_head + 1;
    if (!measuring) return;
    c->done++;
    histogram_add(&latency, now - sent);
}

static bool right(struct conn* c, const char* p, uint32_t n) {
    if (opt.no_verify) return true;
    if (c->finishing) return false; // nothing was asked for
    if (opt.http) return verify_answers(p, c->rx_part, n);
    return follows_pattern(pattern, (const unsigned char*)p, &c->rx_pos, n);
}

static void on_data(unsigned idx, const char* p, uint32_t n) {
    struct conn* c = &conns[idx];
    const uint32_t unit = opt.http ? answer_len : (uint32_t)opt.size;

    if (!right(c, p, n)) wrong_answers++;
    c->rx_part += n;
    while (c->rx_part >= unit) {
        c->rx_part -= unit;
        count_answer(c);
        if (churns() && --c->left == 0) {
            finish_sending(idx);
            return;
        }
        c->to_send++;
    }
    send_more(idx);
}

// The server has closed a connection: the end of the run, or an error.
static void lost(const char* what, int err) {
    if (!opt.until_close) die(what, err);
    closed = true;
}

static void on_recv(unsigned idx, const struct io_uring_cqe* cqe) {
    if (cqe->res > 0) {
        const unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        on_data(idx, buffer_at(id), (uint32_t)cqe->res);
        give_back(id);
    } else if (cqe->res == 0 && conns[idx].finishing) {
        end_connection(idx);
        return;
    } else if (cqe->res != -ENOBUFS) {
        lost("recv", cqe->res ? cqe->res : EPIPE);
        return;
    }
    if (!(cqe->flags & IORING_CQE_F_MORE)) arm_recv(idx);
}

static void on_cqe(const struct io_uring_cqe* cqe) {
    const unsigned idx = (unsigned)(cqe->user_data >> 8);
    struct conn* c = &conns[idx];

    switch ((enum op)(cqe->user_data & 0xff)) {
    case OP_RECV:
        on_recv(idx, cqe);
        break;
    case OP_SEND:
        if (cqe->res != (int)c->send_len) {
            lost("send", cqe->res < 0 ? cqe->res : EPIPE);
            break;
        }
        c->send_len = 0;
        send_more(idx);
        break;
    case OP_CONNECT:
        if (cqe->res < 0) die("connect", cqe->res);
        arm_recv(idx);
        c->to_send = 1;
        send_more(idx);
        break;
    case OP_SILENT: // success makes no completion
        die("shutdown or close", cqe->res);
        break;
    }
}

static void register_connections(void) {
    int r, *fds = malloc(sizeof(int) * (size_t)opt.conns);

    for (int i = 0; i < opt.conns; i++) {
        fds[i] = open_conn();
        conns[i].fd = i;
    }
    if ((r = io_uring_register_files(&ring, fds, (unsigned)opt.conns)) < 0)
        die("register_files", r);
    free(fds);
}

static void begin(void) {
    const unsigned unit = (opt.http ? answer_len : (unsigned)opt.size) * (unsigned)opt.depth;

    server = server_address();
    conns = calloc((size_t)opt.conns, sizeof(*conns));
    set_up_ring();
    if (!churns()) register_connections();
    provide_buffers(
        (unsigned)opt.conns * 2, unit < BUFFER_MIN   ? BUFFER_MIN
                                 : unit > BUFFER_MAX ? BUFFER_MAX
                                                     : unit
    );
    now = now_ns();
    for (unsigned i = 0; i < (unsigned)opt.conns; i++) {
        struct conn* c = &conns[i];
        c->stamp = calloc((size_t)opt.depth, sizeof(uint64_t));
        c->tx_pos = c->rx_pos = i * 7919u % PRIME;
        if (churns()) {
            begin_connection(i);
            continue;
        }
        arm_recv(i);
        c->to_send = (uint32_t)opt.depth;
        send_more(i);
    }
}

static void report(const struct sample* before, const struct sample* after) {
    uint64_t least = UINT64_MAX, most = 0;

    for (int i = 0; i < opt.conns; i++) {
        least = conns[i].done < least ? conns[i].done : least;
        most = conns[i].done > most ? conns[i].done : most;
    }
    printf(
        "{\"mode\":\"%s\",\"conns\":%d,\"size\":%u,\"depth\":%d,\"requests\":%llu,"
        "\"connections\":%llu,\"errors\":%llu,\"least_per_conn\":%llu,\"most_per_conn\":%llu,",
        opt.http ? "http" : "echo", opt.conns, opt.http ? answer_len : (unsigned)opt.size,
        opt.depth, (unsigned long long)latency.total, (unsigned long long)connections,
        (unsigned long long)wrong_answers, (unsigned long long)least, (unsigned long long)most
    );
    print_usage(before, after, (double)latency.total, &latency);
    printf("}\n");
}

void run_closed_loop(void) {
    const long long second = 1000000000, stall = (long long)(opt.stall * 1e9);
    struct sample before = {0}, after;

    begin();
    uint64_t t0 = now + (uint64_t)(opt.warm * 1e9), t1 = UINT64_MAX;
    for (;;) {
        struct io_uring_cqe* cqe;
        struct __kernel_timespec limit = {.tv_sec = stall / second, .tv_nsec = stall % second};
        unsigned head, n = 0;
        int r = io_uring_submit_and_wait_timeout(&ring, &cqe, 1, &limit, NULL);

        if (r == -ETIME) die("stalled: no answer", ETIME);
        now = now_ns();
        if (!measuring && now >= t0) {
            before = take_sample();
            now = now_ns();
            t1 = now + (uint64_t)(opt.secs * 1e9);
            measuring = true;
        } else if (measuring && (closed || now >= t1)) {
            break;
        }
        io_uring_for_each_cqe(&ring, head, cqe) {
            on_cqe(cqe);
            n++;
        }
        io_uring_cq_advance(&ring, n);
        publish_buffers();
    }
    after = take_sample();
    report(&before, &after);
}
