// SPDX-License-Identifier: BSL-1.0
//
// Bytes in one direction on raw liburing, one thread, one operation at a time on a connection, in
// pieces of 64 KiB. A connection begins with a letter and a number of bytes: `G` has that much of
// the pattern sent, `P` has it received, compared, and answered with `y` or `n`.
#include "pattern.h"
#include "program.h"

#include <liburing.h>

enum { PIECE = 1 << 16, MAX_CONNS = 64, HEAD = 9 };
enum state { HEADING, GIVING, TAKING, JUDGING };

struct conn {
    enum state state;
    uint64_t left;
    size_t pos; // in the pattern
    bool right;
    char verdict;
    unsigned char* buffer;
};

static struct io_uring ring;
static struct conn conns[MAX_CONNS];
static unsigned char pattern[PRIME + PIECE];

static void go_on(int fd) {
    struct conn* c = &conns[fd];
    struct io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    const size_t n = c->left < PIECE ? (size_t)c->left : PIECE;

    sqe->user_data = 0;
    switch (c->state) {
    case HEADING:
        io_uring_prep_recv(sqe, fd, c->buffer, HEAD, MSG_WAITALL);
        break;
    case TAKING:
        io_uring_prep_recv(sqe, fd, c->buffer, n, 0);
        break;
    case GIVING:
        io_uring_prep_send(sqe, fd, pattern + c->pos, n, MSG_WAITALL | MSG_NOSIGNAL);
        break;
    case JUDGING:
        c->verdict = c->right ? 'y' : 'n';
        io_uring_prep_send(sqe, fd, &c->verdict, 1, MSG_NOSIGNAL);
        break;
    }
    sqe->user_data = (uint64_t)fd;
}

// What comes after `res` bytes of the present operation; false: nothing.
static bool advance(struct conn* c, int res) {
    if (res <= 0) return false;
    switch (c->state) {
    case HEADING:
        if (res != HEAD) return false;
        memcpy(&c->left, c->buffer + 1, sizeof(c->left));
        c->state = c->buffer[0] == 'G' ? GIVING : TAKING;
        return true;
    case GIVING:
        c->pos = (c->pos + (size_t)res) % PRIME;
        c->left -= (uint64_t)res;
        return c->left != 0;
    case TAKING:
        c->right = c->right && follows_pattern(pattern, c->buffer, &c->pos, (size_t)res);
        c->left -= (uint64_t)res;
        if (c->left == 0) c->state = JUDGING;
        return true;
    case JUDGING:
        return false;
    }
    return false;
}

static void begin(int fd) {
    if (fd >= MAX_CONNS) die("too many connections", EMFILE);
    unsigned char* buffer = conns[fd].buffer ? conns[fd].buffer : malloc(PIECE);
    conns[fd] = (struct conn){.right = true, .buffer = buffer};
    go_on(fd);
}

static void arm_accept(int listener) {
    struct io_uring_sqe* sqe = io_uring_get_sqe(&ring);

    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    sqe->user_data = UINT64_MAX;
}

static void on_cqe(const struct io_uring_cqe* cqe, int listener) {
    if (cqe->user_data == UINT64_MAX) {
        if (cqe->res >= 0) begin(cqe->res);
        if (!(cqe->flags & IORING_CQE_F_MORE)) arm_accept(listener);
        return;
    }
    const int fd = (int)cqe->user_data;
    if (advance(&conns[fd], cqe->res))
        go_on(fd);
    else
        close(fd);
}

int main(int argc, char** argv) {
    struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    int r, listener = listen_tcp(argc > 1 ? atoi(argv[1]) : 9000);

    signal(SIGPIPE, SIG_IGN);
    fill_pattern(pattern, sizeof(pattern));
    if ((r = io_uring_queue_init_params(256, &ring, &p)) < 0) die("io_uring_queue_init", r);
    io_uring_register_ring_fd(&ring);
    arm_accept(listener);
    for (;;) {
        struct io_uring_cqe* cqe;
        unsigned head, n = 0;

        r = io_uring_submit_and_wait(&ring, 1);
        if (r < 0 && r != -EINTR) die("submit_and_wait", r);
        io_uring_for_each_cqe(&ring, head, cqe) {
            on_cqe(cqe, listener);
            n++;
        }
        io_uring_cq_advance(&ring, n);
    }
}
