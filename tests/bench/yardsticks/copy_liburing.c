// SPDX-License-Identifier: BSL-1.0
//
// Copies a file on raw liburing: FROM TO, eight pieces of 256 KiB in flight, each read and then
// written at its place; the contents are on the device when it ends.
#include "program.h"

#include <liburing.h>

#include <stdbool.h>
#include <sys/stat.h>

enum { PIECES = 8, PIECE = 1 << 18 };

struct piece {
    char* bytes;
    uint64_t at;        // in the file
    unsigned len, done; // of this piece; done: written
    bool writing;
};

static struct io_uring ring;
static int from, to;
static uint64_t size, next;
static unsigned in_flight;

static void submit(struct piece* p) {
    struct io_uring_sqe* sqe = io_uring_get_sqe(&ring);

    if (p->writing)
        io_uring_prep_write(sqe, to, p->bytes + p->done, p->len - p->done, p->at + p->done);
    else
        io_uring_prep_read(sqe, from, p->bytes, p->len, p->at);
    io_uring_sqe_set_data(sqe, p);
    in_flight++;
}

static void begin(struct piece* p) {
    if (next >= size) return;
    p->at = next;
    p->len = size - next < PIECE ? (unsigned)(size - next) : PIECE;
    p->done = 0;
    p->writing = false;
    next += p->len;
    submit(p);
}

static void on_done(struct piece* p, int res) {
    in_flight--;
    if (res <= 0) die(p->writing ? "write" : "read", res ? res : EIO);
    if (!p->writing) {
        if ((unsigned)res != p->len) die("read: a short one", EIO);
        p->writing = true;
        submit(p);
        return;
    }
    p->done += (unsigned)res;
    if (p->done < p->len)
        submit(p);
    else
        begin(p);
}

static void open_both(const char* source, const char* target) {
    struct stat about;

    from = open(source, O_RDONLY | O_CLOEXEC);
    if (from < 0 || fstat(from, &about) < 0) die(source, errno);
    size = (uint64_t)about.st_size;
    to = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, about.st_mode & 0777);
    if (to < 0) die(target, errno);
}

int main(int argc, char** argv) {
    struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    static struct piece pieces[PIECES];
    int r;

    if (argc != 3) {
        fprintf(stderr, "usage: copy_liburing FROM TO\n");
        return 2;
    }
    open_both(argv[1], argv[2]);
    if ((r = io_uring_queue_init_params(64, &ring, &p)) < 0) die("io_uring_queue_init", r);
    for (int i = 0; i < PIECES; i++) {
        pieces[i].bytes = aligned_alloc(4096, PIECE);
        begin(&pieces[i]);
    }
    while (in_flight) {
        struct io_uring_cqe* cqe;

        r = io_uring_submit_and_wait(&ring, 1);
        if (r < 0 && r != -EINTR) die("submit_and_wait", r);
        while (io_uring_peek_cqe(&ring, &cqe) == 0) {
            struct piece* done = io_uring_cqe_get_data(cqe);
            const int res = cqe->res;
            io_uring_cqe_seen(&ring, cqe);
            on_done(done, res);
        }
    }
    if (fsync(to) < 0) die("fsync", errno);
    return 0;
}
