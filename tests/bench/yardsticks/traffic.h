// SPDX-License-Identifier: BSL-1.0
//
// What the load sends and what must come back: a pattern whose every byte tells its position, or
// HTTP requests whose answers must all be like the first one (the Date value excepted).
#pragma once

#include "common.h"

#include <stdbool.h>

enum { PRIME = 65521 };

static char *pattern, *request, *answer;
static unsigned request_len, answer_len, date_off;

static inline int open_conn(int port) {
    struct sockaddr_in addr = {.sin_family = AF_INET};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) die("socket", errno);
    addr.sin_port = htons((uint16_t)port);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr*)&addr, sizeof(addr)) < 0) die("connect", errno);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static inline void blocking_write(int fd, const char* p, size_t n) {
    while (n) {
        ssize_t r = write(fd, p, n);
        if (r <= 0) die("write", errno);
        p += r;
        n -= (size_t)r;
    }
}

static inline void blocking_read(int fd, char* p, size_t n) {
    while (n) {
        ssize_t r = read(fd, p, n);
        if (r <= 0) die("read", r ? errno : EPIPE);
        p += r;
        n -= (size_t)r;
    }
}

// Learns the length of the answer and the place of its Date value.
static inline void http_probe(int port, int depth) {
    static const char req[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char *end, *p;
    size_t got = 0;
    int fd = open_conn(port);

    request_len = sizeof(req) - 1;
    request = malloc((size_t)request_len * (size_t)depth);
    for (int i = 0; i < depth; i++)
        memcpy(request + (size_t)i * request_len, req, request_len);
    answer = calloc(1, 65536);
    blocking_write(fd, req, request_len);
    while (!(end = strstr(answer, "\r\n\r\n"))) {
        ssize_t r = read(fd, answer + got, 65535 - got);
        if (r <= 0) die("probe", r ? errno : EPIPE);
        got += (size_t)r;
    }
    p = strcasestr(answer, "\r\ncontent-length:");
    if (strncmp(answer, "HTTP/1.1 200", 12) || !p) die("probe: not a sized 200 answer", EPROTO);
    answer_len = (unsigned)(end + 4 - answer) + (unsigned)strtoul(p + 17, NULL, 10);
    if (answer_len > got) blocking_read(fd, answer + got, answer_len - got);
    p = strcasestr(answer, "\r\ndate: ");
    date_off = p && p < end ? (unsigned)(p + 8 - answer) : answer_len;
    close(fd);
}

static inline bool same_answer(const char* p, uint32_t off, uint32_t n) {
    uint32_t date_end = date_off + 29, stop = off + n;

    if (off < date_off) {
        uint32_t m = stop < date_off ? n : date_off - off;
        if (memcmp(p, answer + off, m)) return false;
    }
    if (stop > date_end) {
        uint32_t from = off > date_end ? off : date_end;
        return !memcmp(p + (from - off), answer + from, stop - from);
    }
    return true;
}

// Bytes `off` and on of an answer that may be followed by others.
static inline bool verify_answers(const char* p, uint32_t off, uint32_t n) {
    while (n) {
        uint32_t m = answer_len - off < n ? answer_len - off : n;
        if (!same_answer(p, off, m)) return false;
        p += m;
        n -= m;
        off = 0;
    }
    return true;
}

// The echo of the pattern from `*pos` on; moves `*pos` behind it.
static inline bool verify_echo(const char* p, uint32_t* pos, uint32_t n) {
    while (n) {
        uint32_t m = PRIME - *pos < n ? PRIME - *pos : n;
        if (memcmp(p, pattern + *pos, m)) return false;
        *pos = (*pos + m) % PRIME;
        p += m;
        n -= m;
    }
    return true;
}

// Bytes that repeat after PRIME, long enough to send `batch` bytes from any position.
static inline void make_pattern(size_t batch) {
    size_t span = PRIME + batch;
    uint32_t x = 2463534242u;

    pattern = malloc(span);
    for (size_t i = 0; i < span; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        pattern[i] = i < PRIME ? (char)(x >> 11) : pattern[i - PRIME];
    }
}
