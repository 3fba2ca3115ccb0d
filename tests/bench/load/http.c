// SPDX-License-Identifier: BSL-1.0
#include "http.h"

#include "load.h"

enum { ANSWER_MAX = 65536, DATE_LEN = 29 };

char* request;
unsigned request_len, answer_len;
static char* answer;
static unsigned date_off; // place of the Date value; answer_len: there is none

void http_probe(int depth) {
    static const char req[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char *end, *p;
    size_t got = 0;
    int fd = open_conn();

    request_len = sizeof(req) - 1;
    request = malloc((size_t)request_len * (size_t)depth);
    for (int i = 0; i < depth; i++)
        memcpy(request + (size_t)i * request_len, req, request_len);
    answer = calloc(1, ANSWER_MAX);
    blocking_write(fd, req, request_len);
    while (!(end = strstr(answer, "\r\n\r\n"))) {
        ssize_t r = read(fd, answer + got, ANSWER_MAX - 1 - got);
        if (r <= 0) die("probe", r ? errno : EPIPE);
        got += (size_t)r;
    }
    p = strcasestr(answer, "\r\ncontent-length:");
    if (strncmp(answer, "HTTP/1.1 200", 12) || !p) die("probe: not a sized 200 answer", EPROTO);
    answer_len = (unsigned)(end + 4 - answer) + (unsigned)strtoul(p + 17, NULL, 10);
    if (answer_len >= ANSWER_MAX) die("probe: the answer is too long", EMSGSIZE);
    if (answer_len > got) blocking_read(fd, answer + got, answer_len - got);
    p = strcasestr(answer, "\r\ndate: ");
    date_off = p && p < end ? (unsigned)(p + 8 - answer) : answer_len;
    close(fd);
}

static bool same_answer(const char* p, uint32_t off, uint32_t n) {
    uint32_t date_end = date_off + DATE_LEN, stop = off + n;

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

bool verify_answers(const char* p, uint32_t off, uint32_t n) {
    while (n) {
        uint32_t m = answer_len - off < n ? answer_len - off : n;
        if (!same_answer(p, off, m)) return false;
        p += m;
        n -= m;
        off = 0;
    }
    return true;
}
