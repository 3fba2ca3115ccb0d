// SPDX-License-Identifier: BSL-1.0
//
// Ring set-up shared by the raw liburing servers: options, accept, buffers. One thread owns the
// ring; everything here is file-static, because each server is one translation unit.
#pragma once

#include "program.h"

#include <liburing.h>

#include <getopt.h>
#include <stdbool.h>
#include <sys/mman.h>

enum { MAX_CONNS = 32768 };
enum recv_mode { RECV_MULTI, RECV_SELECT, RECV_ONESHOT, RECV_LINK };
enum op { OP_ACCEPT, OP_RECV, OP_SEND, OP_CLOSE };

static struct {
    int port, size, bufs, wait, sq_cpu;
    enum recv_mode recv;
    bool direct, poll_first, plain_fd;
    unsigned setup;
} opt = {9000,       2048,  256,   1,     -1,
         RECV_MULTI, false, false, false, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};

static struct io_uring ring;
static struct io_uring_buf_ring* br;
static char* bufs;
static unsigned recycled;
static int listener;

static void usage(const char* name) {
    fprintf(
        stderr,
        "usage: %s [--port P] [--size B] [--recv multi|select|oneshot|link] [--direct]\n"
        "  [--ring defer|coop|plain|sqpoll] [--bufs N] [--wait N] [--poll-first] [--plain-fd] "
        "[--sq-cpu C]\n",
        name
    );
    exit(2);
}

static void parse_options(int argc, char** argv) {
    static const struct option longopts[] = {{"port", 1, 0, 'p'},
                                             {"size", 1, 0, 's'},
                                             {"recv", 1, 0, 'r'},
                                             {"direct", 0, 0, 'd'},
                                             {"ring", 1, 0, 'R'},
                                             {"bufs", 1, 0, 'b'},
                                             {"wait", 1, 0, 'w'},
                                             {"poll-first", 0, 0, 'f'},
                                             {"plain-fd", 0, 0, 'F'},
                                             {"sq-cpu", 1, 0, 'C'},
                                             {0, 0, 0, 0}};
    int o;

    while ((o = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
        switch (o) {
        case 'p':
            opt.port = atoi(optarg);
            break;
        case 's':
            opt.size = atoi(optarg);
            break;
        case 'b':
            opt.bufs = atoi(optarg);
            break;
        case 'w':
            opt.wait = atoi(optarg);
            break;
        case 'd':
            opt.direct = true;
            break;
        case 'f':
            opt.poll_first = true;
            break;
        case 'F':
            opt.plain_fd = true;
            break;
        case 'C':
            opt.sq_cpu = atoi(optarg);
            break;
        case 'r':
            opt.recv = !strcmp(optarg, "multi")     ? RECV_MULTI
                       : !strcmp(optarg, "select")  ? RECV_SELECT
                       : !strcmp(optarg, "oneshot") ? RECV_ONESHOT
                                                    : RECV_LINK;
            break;
        case 'R':
            opt.setup =
                !strcmp(optarg, "defer")  ? IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN
                : !strcmp(optarg, "coop") ? IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN
                : !strcmp(optarg, "sqpoll") ? IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_SQPOLL
                                            : 0;
            break;
        default:
            usage(argv[0]);
        }
    }
    if (opt.bufs & (opt.bufs - 1)) die("--bufs must be a power of two", EINVAL);
}

static inline struct io_uring_sqe* get_sqe(void) {
    struct io_uring_sqe* sqe;

    while (!(sqe = io_uring_get_sqe(&ring)))
        io_uring_submit(&ring);
    return sqe;
}

static inline uint64_t tag(enum op op, unsigned conn, unsigned bid) {
    return (uint64_t)bid << 40 | (uint64_t)conn << 8 | op;
}

static inline void fixed(struct io_uring_sqe* sqe, unsigned more) {
    sqe->flags |= (opt.direct ? IOSQE_FIXED_FILE : 0) | more;
}

static inline char* buf_at(unsigned bid) {
    return bufs + (size_t)bid * (size_t)opt.size;
}

// Queue a provided buffer for reuse; published once per batch.
static inline void give_back(unsigned bid) {
    io_uring_buf_ring_add(
        br, buf_at(bid), (unsigned)opt.size, (unsigned short)bid,
        io_uring_buf_ring_mask((unsigned)opt.bufs), (int)recycled++
    );
}

static inline void publish_buffers(void) {
    if (recycled) {
        io_uring_buf_ring_advance(br, (int)recycled);
        recycled = 0;
    }
}

static void arm_accept(void) {
    struct io_uring_sqe* sqe = get_sqe();

    if (opt.direct)
        io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, 0);
    else
        io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    sqe->user_data = tag(OP_ACCEPT, 0, 0);
}

static void arm_recv(unsigned conn) {
    struct io_uring_sqe* sqe = get_sqe();

    if (opt.recv == RECV_MULTI)
        io_uring_prep_recv_multishot(sqe, (int)conn, NULL, 0, 0);
    else
        io_uring_prep_recv(
            sqe, (int)conn, opt.recv == RECV_SELECT ? NULL : buf_at(conn), (size_t)opt.size, 0
        );
    fixed(sqe, opt.recv <= RECV_SELECT ? IOSQE_BUFFER_SELECT : 0);
    sqe->buf_group = 0;
    if (opt.poll_first) sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    sqe->user_data = tag(OP_RECV, conn, 0);
}

static void arm_close(unsigned conn) {
    struct io_uring_sqe* sqe = get_sqe();

    if (opt.direct)
        io_uring_prep_close_direct(sqe, conn);
    else
        io_uring_prep_close(sqe, (int)conn);
    sqe->user_data = tag(OP_CLOSE, conn, 0);
}

static void arm_shutdown(unsigned conn) {
    struct io_uring_sqe* sqe = get_sqe();

    io_uring_prep_shutdown(sqe, (int)conn, SHUT_RDWR);
    fixed(sqe, 0);
    sqe->user_data = tag(OP_CLOSE, conn, 0);
}

static void* map_zero(size_t n) {
    void* p =
        mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED) die("mmap", errno);
    return p;
}

static void start_server(void) {
    struct io_uring_params p = {
        .flags = opt.setup | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP, .cq_entries = 32768};
    int r;

    if ((opt.setup & IORING_SETUP_SQPOLL) && opt.sq_cpu >= 0) {
        p.flags |= IORING_SETUP_SQ_AFF;
        p.sq_thread_cpu = (unsigned)opt.sq_cpu;
    }
    signal(SIGPIPE, SIG_IGN);
    raise_nofile();
    listener = listen_tcp(opt.port);
    if ((r = io_uring_queue_init_params(2048, &ring, &p)) < 0) die("io_uring_queue_init", r);
    if (!opt.plain_fd) io_uring_register_ring_fd(&ring);
    if (opt.direct && (r = io_uring_register_files_sparse(&ring, 16384)) < 0)
        die("register_files_sparse", r);
    if (opt.recv <= RECV_SELECT) {
        struct io_uring_buf_reg reg = {.ring_entries = (unsigned)opt.bufs};
        br = map_zero((size_t)opt.bufs * sizeof(struct io_uring_buf));
        bufs = map_zero((size_t)opt.bufs * (size_t)opt.size);
        io_uring_buf_ring_init(br);
        reg.ring_addr = (uint64_t)(uintptr_t)br;
        if ((r = io_uring_register_buf_ring(&ring, &reg, 0)) < 0) die("register_buf_ring", r);
        for (int i = 0; i < opt.bufs; i++)
            give_back((unsigned)i);
        publish_buffers();
    } else {
        bufs = map_zero((size_t)MAX_CONNS * (size_t)opt.size);
    }
    arm_accept();
}
