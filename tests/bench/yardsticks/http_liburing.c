// SPDX-License-Identifier: BSL-1.0
//
// Minimal HTTP/1.1 on raw liburing, one thread: finds the end of each request (keep-alive and
// pipelining), answers a fixed 13-byte body. Bodies in requests and "Connection: close" are not
// handled; this is a floor, not a server. Receive modes as in echo_liburing.c.
#include "uring_server.h"

enum { OUT_ANSWERS = 32, ANSWER_MAX = 192, NO_OUT = 0xffff };

struct conn {
    uint32_t owed;   // answers not yet handed to a send
    uint16_t out;    // output buffer in use, or NO_OUT
    uint8_t matched; // bytes of CR LF CR LF seen at the end of the input
    bool open, sending, receiving, dead;
};

static struct conn conns[MAX_CONNS];
static unsigned starved[MAX_CONNS], n_starved;
static char answer[ANSWER_MAX];
static size_t answer_len;
static time_t answer_time;
static char* outs; // pool of output buffers, last used first
static uint16_t free_outs[MAX_CONNS];
static unsigned n_free, n_outs;

static char* out_at(unsigned o) {
    return outs + (size_t)o * OUT_ANSWERS * ANSWER_MAX;
}

static void refresh_answer(void) {
    struct timespec ts;
    struct tm tm;
    char date[32];

    clock_gettime(CLOCK_REALTIME_COARSE, &ts);
    if (ts.tv_sec == answer_time) return;
    answer_time = ts.tv_sec;
    gmtime_r(&ts.tv_sec, &tm);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    answer_len = (size_t)snprintf(
        answer, sizeof(answer),
        "HTTP/1.1 200 OK\r\nServer: yardstick\r\nDate: %s\r\n"
        "Content-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!",
        date
    );
}

// Count the request ends in p[0..n), carrying a partial match between calls.
static unsigned count_ends(struct conn* c, const char* p, size_t n) {
    static const char mark[] = "\r\n\r\n";
    const char* end = p + n;
    unsigned found = 0;

    while (p < end) {
        if (c->matched == 0) {
            p = memchr(p, '\r', (size_t)(end - p));
            if (!p) break;
            c->matched = 1;
            p++;
        } else if (*p == mark[c->matched]) {
            p++;
            if (++c->matched == 4) {
                c->matched = 0;
                found++;
            }
        } else {
            c->matched = 0; // a lone CR is looked at again
        }
    }
    return found;
}

// Hand the owed answers to one send; returns false if there is nothing to send.
static bool send_answers(unsigned c, unsigned flags) {
    struct conn* k = &conns[c];
    unsigned n = k->owed < OUT_ANSWERS ? k->owed : OUT_ANSWERS;
    struct io_uring_sqe* sqe;

    if (k->sending || !n) return false;
    if (k->out == NO_OUT) k->out = n_free ? free_outs[--n_free] : (uint16_t)n_outs++;
    for (unsigned i = 0; i < n; i++)
        memcpy(out_at(k->out) + i * answer_len, answer, answer_len);
    k->owed -= n;
    sqe = get_sqe();
    io_uring_prep_send(sqe, (int)c, out_at(k->out), n * answer_len, MSG_WAITALL | MSG_NOSIGNAL);
    fixed(sqe, flags);
    sqe->user_data = tag(OP_SEND, c, flags & IOSQE_IO_LINK ? 1 : 0);
    k->sending = true;
    return true;
}

static void drop_out(struct conn* k) {
    if (k->out != NO_OUT) free_outs[n_free++] = k->out;
    k->out = NO_OUT;
}

static void begin_recv(unsigned c) {
    conns[c].receiving = true;
    arm_recv(c);
}

static void maybe_close(unsigned c) {
    struct conn* k = &conns[c];

    if (k->open && k->dead && !k->sending && !k->receiving) {
        k->open = false;
        drop_out(k);
        arm_close(c);
    }
}

static void on_recv(unsigned c, int res, unsigned flags) {
    struct conn* k = &conns[c];

    k->receiving = flags & IORING_CQE_F_MORE;
    if (opt.recv == RECV_LINK) { // the send ahead in the link is done
        k->sending = false;
        drop_out(k);
    }
    if (res > 0) {
        bool own = opt.recv > RECV_SELECT;
        unsigned bid = flags >> IORING_CQE_BUFFER_SHIFT;
        if (!k->dead) k->owed += count_ends(k, own ? buf_at(c) : buf_at(bid), (size_t)res);
        if (!own) give_back(bid);
        if (k->dead) {
            maybe_close(c);
            return;
        }
        if (opt.recv == RECV_LINK) {
            if (io_uring_sq_space_left(&ring) < 2)
                io_uring_submit(&ring); // a link must not be split
            bool last = k->owed <= OUT_ANSWERS;
            if (!send_answers(c, last ? IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS : 0) || last)
                begin_recv(c);
            return;
        }
        send_answers(c, 0);
        if (!k->receiving && (opt.recv == RECV_MULTI || !k->sending)) begin_recv(c);
    } else if (res == -ENOBUFS) {
        starved[n_starved++] = c;
    } else {
        k->dead = true;
        maybe_close(c);
    }
}

static void on_send(unsigned c, int res) {
    struct conn* k = &conns[c];

    k->sending = false;
    if (res <= 0) {
        k->dead = true;
        if (k->receiving) arm_shutdown(c);
    }
    if (!k->dead && send_answers(c, 0)) return;
    drop_out(k);
    if (!k->dead && !k->receiving) begin_recv(c);
    maybe_close(c);
}

static void on_cqe(const struct io_uring_cqe* cqe) {
    unsigned c = (unsigned)(cqe->user_data >> 8) & 0xffffffff;

    switch ((enum op)(cqe->user_data & 0xff)) {
    case OP_ACCEPT:
        if (cqe->res >= MAX_CONNS) die("too many connections", EMFILE);
        if (cqe->res >= 0) {
            conns[cqe->res] = (struct conn){.out = NO_OUT, .open = true};
            begin_recv((unsigned)cqe->res);
        }
        if (!(cqe->flags & IORING_CQE_F_MORE)) arm_accept();
        break;
    case OP_RECV:
        on_recv(c, cqe->res, cqe->flags);
        break;
    case OP_SEND:
        if (!(cqe->user_data >> 40)) // a linked send reports through its recv
            on_send(c, cqe->res);
        break;
    case OP_CLOSE:
        break;
    }
}

int main(int argc, char** argv) {
    parse_options(argc, argv);
    outs = map_zero((size_t)MAX_CONNS * OUT_ANSWERS * ANSWER_MAX);
    start_server();
    for (;;) {
        struct io_uring_cqe* cqe;
        unsigned head, n = 0;
        int r = io_uring_submit_and_wait(&ring, (unsigned)opt.wait);

        if (r < 0 && r != -EINTR) die("submit_and_wait", r);
        refresh_answer();
        io_uring_for_each_cqe(&ring, head, cqe) {
            on_cqe(cqe);
            n++;
        }
        io_uring_cq_advance(&ring, n);
        bool any = recycled != 0;
        publish_buffers();
        while (any && n_starved) {
            unsigned c = starved[--n_starved];
            if (conns[c].open && !conns[c].dead) begin_recv(c);
        }
    }
}
