// SPDX-License-Identifier: BSL-1.0
//
// TCP echo on raw liburing, one thread: the floor a framework is held to.
//   multi    multishot recv into a provided-buffer ring, send from that buffer
//   select   one-shot recv into a provided buffer
//   oneshot  one-shot recv into the connection's own buffer, then send, then recv
//   link     as oneshot, the next recv linked behind the send: one CQE per message
// Sends of one connection never overlap, so bytes keep their order.
#include "uring_server.h"

enum { NONE = 0xffff };

struct conn {
    uint16_t head, tail; // buffers waiting to be echoed
    bool open, sending, receiving, starved, dead;
};

static struct conn conns[MAX_CONNS];
static struct {
    int len;
    uint16_t next;
} meta[65536]; // per provided buffer
static unsigned starved[MAX_CONNS], n_starved;

static void send_buffer(unsigned c, unsigned bid) {
    struct io_uring_sqe* sqe = get_sqe();

    io_uring_prep_send(sqe, (int)c, buf_at(bid), (size_t)meta[bid].len, MSG_WAITALL | MSG_NOSIGNAL);
    fixed(sqe, 0);
    sqe->user_data = tag(OP_SEND, c, bid);
    conns[c].sending = true;
}

static void maybe_close(unsigned c) {
    struct conn* k = &conns[c];

    if (k->open && k->dead && !k->sending && !k->receiving) {
        k->open = false;
        arm_close(c);
    }
}

static void begin_recv(unsigned c) {
    conns[c].receiving = true;
    arm_recv(c);
}

static void push(unsigned c, unsigned bid) {
    struct conn* k = &conns[c];

    if (!k->sending) {
        send_buffer(c, bid);
        return;
    }
    meta[bid].next = NONE;
    if (k->head == NONE)
        k->head = (uint16_t)bid;
    else
        meta[k->tail].next = (uint16_t)bid;
    k->tail = (uint16_t)bid;
}

static void on_recv_buffer(unsigned c, int res, unsigned flags) {
    struct conn* k = &conns[c];

    k->receiving = flags & IORING_CQE_F_MORE;
    if (res > 0) {
        unsigned bid = flags >> IORING_CQE_BUFFER_SHIFT;
        meta[bid].len = res;
        if (k->dead)
            give_back(bid);
        else
            push(c, bid);
        if (opt.recv == RECV_MULTI && !k->receiving && !k->dead) begin_recv(c);
    } else if (res == -ENOBUFS) {
        k->starved = true;
        starved[n_starved++] = c;
    } else {
        k->dead = true;
    }
    maybe_close(c);
}

static void on_send_buffer(unsigned c, unsigned bid, int res) {
    struct conn* k = &conns[c];

    k->sending = false;
    give_back(bid);
    if (res != meta[bid].len) {
        for (; k->head != NONE; k->head = meta[k->head].next)
            give_back(k->head);
        k->dead = true;
        if (k->receiving) arm_shutdown(c);
    } else if (k->head != NONE) {
        unsigned next = k->head;
        k->head = meta[next].next;
        send_buffer(c, next);
    } else if (opt.recv == RECV_SELECT && !k->dead) {
        begin_recv(c);
    }
    maybe_close(c);
}

// The connection's own buffer: one operation at a time.
static void on_recv_own(unsigned c, int res) {
    struct io_uring_sqe* sqe;

    if (res <= 0) {
        arm_close(c);
        return;
    }
    if (io_uring_sq_space_left(&ring) < 2) io_uring_submit(&ring); // a link must not be split
    sqe = get_sqe();
    io_uring_prep_send(sqe, (int)c, buf_at(c), (size_t)res, MSG_WAITALL | MSG_NOSIGNAL);
    fixed(sqe, opt.recv == RECV_LINK ? IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS : 0);
    sqe->user_data = tag(OP_SEND, c, 0);
    if (opt.recv == RECV_LINK) arm_recv(c);
}

static void on_cqe(const struct io_uring_cqe* cqe) {
    unsigned c = (unsigned)(cqe->user_data >> 8) & 0xffffffff;

    switch ((enum op)(cqe->user_data & 0xff)) {
    case OP_ACCEPT:
        if (cqe->res >= MAX_CONNS) die("too many connections", EMFILE);
        if (cqe->res >= 0) {
            conns[cqe->res] = (struct conn){.head = NONE, .tail = NONE, .open = true};
            begin_recv((unsigned)cqe->res);
        }
        if (!(cqe->flags & IORING_CQE_F_MORE)) arm_accept();
        break;
    case OP_RECV:
        if (opt.recv <= RECV_SELECT)
            on_recv_buffer(c, cqe->res, cqe->flags);
        else
            on_recv_own(c, cqe->res);
        break;
    case OP_SEND:
        if (opt.recv <= RECV_SELECT)
            on_send_buffer(c, (unsigned)(cqe->user_data >> 40), cqe->res);
        else if (opt.recv == RECV_ONESHOT)
            cqe->res > 0 ? arm_recv(c) : arm_close(c);
        break;
    case OP_CLOSE:
        break;
    }
}

int main(int argc, char** argv) {
    parse_options(argc, argv);
    start_server();
    for (;;) {
        struct io_uring_cqe* cqe;
        unsigned head, n = 0;
        int r = io_uring_submit_and_wait(&ring, (unsigned)opt.wait);

        if (r < 0 && r != -EINTR) die("submit_and_wait", r);
        io_uring_for_each_cqe(&ring, head, cqe) {
            on_cqe(cqe);
            n++;
        }
        io_uring_cq_advance(&ring, n);
        if (opt.recv <= RECV_SELECT) {
            bool any = recycled != 0;
            publish_buffers();
            while (any && n_starved) {
                unsigned c = starved[--n_starved];
                conns[c].starved = false;
                if (conns[c].open && !conns[c].dead) begin_recv(c);
            }
        }
    }
}
