// SPDX-License-Identifier: BSL-1.0
//
// The ring of the load and its provided buffers. File-static: each kind of load is one file.
#pragma once

#include "load.h"

#include <liburing.h>

#include <sys/mman.h>

static struct io_uring ring;
static struct io_uring_buf_ring* buffer_ring;
static char* buffers;
static unsigned buffer_count, buffer_size, given_back;

static inline struct io_uring_sqe* get_sqe(void) {
    struct io_uring_sqe* sqe;

    while (!(sqe = io_uring_get_sqe(&ring)))
        io_uring_submit(&ring);
    return sqe;
}

static inline void* map_zero(size_t n) {
    void* p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) die("mmap", errno);
    return p;
}

static inline char* buffer_at(unsigned id) {
    return buffers + (size_t)id * buffer_size;
}

static inline void give_back(unsigned id) {
    io_uring_buf_ring_add(
        buffer_ring, buffer_at(id), buffer_size, (unsigned short)id,
        io_uring_buf_ring_mask(buffer_count), (int)given_back++
    );
}

static inline void publish_buffers(void) {
    if (!given_back) return;
    io_uring_buf_ring_advance(buffer_ring, (int)given_back);
    given_back = 0;
}

static inline void set_up_ring(void) {
    struct io_uring_params p = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                 IORING_SETUP_CLAMP,
        .cq_entries = 65536};
    int r = io_uring_queue_init_params(4096, &ring, &p);

    if (r < 0) die("io_uring_queue_init", r);
    io_uring_register_ring_fd(&ring);
}

// At least `wanted` buffers, and a power of two.
static inline void provide_buffers(unsigned wanted, unsigned size) {
    struct io_uring_buf_reg reg = {0};
    int r;

    buffer_size = size;
    for (buffer_count = 128; buffer_count < wanted && buffer_count < 32768; buffer_count *= 2)
        ;
    buffer_ring = map_zero(buffer_count * sizeof(struct io_uring_buf));
    buffers = map_zero((size_t)buffer_count * buffer_size);
    io_uring_buf_ring_init(buffer_ring);
    reg.ring_addr = (uint64_t)(uintptr_t)buffer_ring;
    reg.ring_entries = buffer_count;
    if ((r = io_uring_register_buf_ring(&ring, &reg, 0)) < 0) die("register_buf_ring", r);
    for (unsigned i = 0; i < buffer_count; i++)
        give_back(i);
    publish_buffers();
}

static inline void arm_multishot_recv(int fd, unsigned flags, uint64_t tag) {
    struct io_uring_sqe* sqe = get_sqe();

    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT | flags;
    sqe->buf_group = 0;
    sqe->user_data = tag;
}
