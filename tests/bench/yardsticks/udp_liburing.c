// SPDX-License-Identifier: BSL-1.0
//
// UDP echo on raw liburing, one thread: `PORT multi` has one multishot recvmsg into provided
// buffers, `PORT oneshot [SLOTS]` a recvmsg for each slot, followed by the slot's sendmsg.
#include "program.h"

#include <liburing.h>

#include <stdbool.h>
#include <sys/mman.h>

enum { BUFFERS = 256, SIZE = 2304 }; // a datagram, its sender and a header
enum op { OP_RECV, OP_SEND };

struct slot { // a message on its way out; one-shot: in, and out again
    struct msghdr message;
    struct iovec part;
    struct sockaddr_in peer;
};

static struct io_uring ring;
static struct io_uring_buf_ring* br;
static char* bufs;
static struct slot slots[BUFFERS];
static struct msghdr shape = {.msg_namelen = sizeof(struct sockaddr_in)}; // of the multishot
static int fd;
static unsigned slot_count = 8;

static struct io_uring_sqe* get_sqe(void) {
    struct io_uring_sqe* sqe;

    while (!(sqe = io_uring_get_sqe(&ring)))
        io_uring_submit(&ring);
    return sqe;
}

static char* buf_at(unsigned id) {
    return bufs + (size_t)id * SIZE;
}

static void give_back(unsigned id) {
    io_uring_buf_ring_add(
        br, buf_at(id), SIZE, (unsigned short)id, io_uring_buf_ring_mask(BUFFERS), 0
    );
    io_uring_buf_ring_advance(br, 1);
}

static void submit(struct io_uring_sqe* sqe, enum op op, unsigned id) {
    sqe->user_data = (uint64_t)id << 8 | op;
}

static void arm_multishot(void) {
    struct io_uring_sqe* sqe = get_sqe();

    io_uring_prep_recvmsg_multishot(sqe, fd, &shape, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    submit(sqe, OP_RECV, 0);
}

static void send_slot(unsigned id, void* bytes, size_t size) {
    struct slot* s = &slots[id];
    struct io_uring_sqe* sqe = get_sqe();

    s->part = (struct iovec){bytes, size};
    s->message = (struct msghdr
    ){.msg_name = &s->peer, .msg_namelen = sizeof(s->peer), .msg_iov = &s->part, .msg_iovlen = 1};
    io_uring_prep_sendmsg(sqe, fd, &s->message, 0);
    submit(sqe, OP_SEND, id);
}

static void recv_slot(unsigned id) {
    struct slot* s = &slots[id];
    struct io_uring_sqe* sqe = get_sqe();

    s->part = (struct iovec){buf_at(id), SIZE};
    s->message = (struct msghdr
    ){.msg_name = &s->peer, .msg_namelen = sizeof(s->peer), .msg_iov = &s->part, .msg_iovlen = 1};
    io_uring_prep_recvmsg(sqe, fd, &s->message, 0);
    submit(sqe, OP_RECV, id);
}

static void on_multishot(const struct io_uring_cqe* cqe) {
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        const unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        struct io_uring_recvmsg_out* got = io_uring_recvmsg_validate(buf_at(id), cqe->res, &shape);
        if (!got) die("recvmsg", EPROTO);
        memcpy(&slots[id].peer, io_uring_recvmsg_name(got), sizeof(slots[id].peer));
        send_slot(
            id, io_uring_recvmsg_payload(got, &shape),
            io_uring_recvmsg_payload_length(got, cqe->res, &shape)
        );
    } else if (cqe->res != -ENOBUFS) {
        die("recvmsg", cqe->res);
    }
    if (!(cqe->flags & IORING_CQE_F_MORE)) arm_multishot();
}

static void on_cqe(const struct io_uring_cqe* cqe, bool multishot) {
    const unsigned id = (unsigned)(cqe->user_data >> 8);
    const bool received = (cqe->user_data & 0xff) == OP_RECV;

    if (multishot && received)
        on_multishot(cqe);
    else if (multishot)
        give_back(id);
    else if (received && cqe->res >= 0)
        send_slot(id, buf_at(id), (size_t)cqe->res);
    else
        recv_slot(id);
}

static void set_up(bool multishot) {
    struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    struct io_uring_buf_reg reg = {.ring_entries = BUFFERS};
    int r = io_uring_queue_init_params(1024, &ring, &p);

    if (r < 0) die("io_uring_queue_init", r);
    io_uring_register_ring_fd(&ring);
    bufs = aligned_alloc(4096, (size_t)BUFFERS * SIZE);
    br = aligned_alloc(4096, 4096 + BUFFERS * sizeof(struct io_uring_buf));
    if (!bufs || !br) die("aligned_alloc", ENOMEM);
    if (!multishot) {
        for (unsigned i = 0; i < slot_count; i++)
            recv_slot(i);
        return;
    }
    io_uring_buf_ring_init(br);
    reg.ring_addr = (uint64_t)(uintptr_t)br;
    if ((r = io_uring_register_buf_ring(&ring, &reg, 0)) < 0) die("register_buf_ring", r);
    for (unsigned i = 0; i < BUFFERS; i++)
        give_back(i);
    arm_multishot();
}

int main(int argc, char** argv) {
    const bool multishot = argc < 3 || strcmp(argv[2], "oneshot") != 0;

    if (argc > 3) slot_count = (unsigned)atoi(argv[3]);
    if (slot_count < 1 || slot_count > BUFFERS) die("slots", EINVAL);
    fd = bind_udp(argc > 1 ? atoi(argv[1]) : 9000);
    set_up(multishot);
    for (;;) {
        struct io_uring_cqe* cqe;
        unsigned head, n = 0;
        int r = io_uring_submit_and_wait(&ring, 1);

        if (r < 0 && r != -EINTR) die("submit_and_wait", r);
        io_uring_for_each_cqe(&ring, head, cqe) {
            on_cqe(cqe, multishot);
            n++;
        }
        io_uring_cq_advance(&ring, n);
    }
}
