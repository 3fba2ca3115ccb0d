// SPDX-License-Identifier: BSL-1.0
//
// One connection, one direction, a given number of MiB. The connection begins with a letter and the
// number of bytes: `G` has the server send that much of the pattern; `P` has it receive that much,
// check it and answer `y`. Requests are MiB here, so that CPU per request is CPU per MiB.
//
// Plain blocking calls: one connection gives a ring nothing to batch, and the server's side is what
// is measured.
#include "load.h"
#include "server_clocks.h"

enum { CHUNK = 1 << 18 };

static void ask(int fd, char what, uint64_t bytes) {
    char head[1 + sizeof(bytes)] = {what};

    memcpy(head + 1, &bytes, sizeof(bytes));
    blocking_write(fd, head, sizeof(head));
}

static void take(int fd, uint64_t bytes) {
    unsigned char* got = malloc(CHUNK);
    size_t pos = 0;

    while (bytes) {
        const ssize_t n = read(fd, got, bytes < CHUNK ? (size_t)bytes : CHUNK);
        if (n <= 0) die("read", n ? errno : EPIPE);
        if (!opt.no_verify && !follows_pattern(pattern, got, &pos, (size_t)n)) wrong_answers++;
        bytes -= (uint64_t)n;
    }
    free(got);
}

static void give(int fd, uint64_t bytes) {
    size_t pos = 0;
    char verdict;

    while (bytes) {
        const size_t n = bytes < CHUNK ? (size_t)bytes : CHUNK;
        blocking_write(fd, (const char*)pattern + pos, n);
        pos = (pos + n) % PRIME;
        bytes -= n;
    }
    blocking_read(fd, &verdict, 1);
    if (verdict != 'y') wrong_answers++;
}

static void stream(uint64_t bytes) {
    int fd = open_conn();

    ask(fd, opt.kind == LOAD_SOURCE ? 'G' : 'P', bytes);
    if (opt.kind == LOAD_SOURCE)
        take(fd, bytes);
    else
        give(fd, bytes);
    close(fd);
}

void run_stream(void) {
    const uint64_t mib = (uint64_t)opt.mib;
    struct sample before, after;

    stream((mib + 15) / 16 << 20); // to warm up
    before = take_sample();
    stream(mib << 20);
    after = take_sample();
    printf(
        "{\"mode\":\"%s\",\"conns\":1,\"requests\":%llu,\"errors\":%llu,",
        opt.kind == LOAD_SOURCE ? "source" : "sink", (unsigned long long)mib,
        (unsigned long long)wrong_answers
    );
    print_usage(&before, &after, (double)mib, NULL);
    printf("}\n");
}
