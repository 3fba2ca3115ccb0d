// SPDX-License-Identifier: BSL-1.0
//
// Opens the connections, uses each once, and reports the server's memory while they are idle.
#include "http.h"
#include "load.h"
#include "server_clocks.h"

static void use_once(int fd, char* got) {
    const unsigned sent = opt.http ? request_len : (unsigned)opt.size;
    const unsigned unit = opt.http ? answer_len : (unsigned)opt.size;

    blocking_write(fd, opt.http ? request : (const char*)pattern, sent);
    blocking_read(fd, got, unit);
    if (opt.http ? !verify_answers(got, 0, unit) : memcmp(got, pattern, unit) != 0) wrong_answers++;
}

void run_idle(void) {
    const unsigned long slab = slab_kb(), rss = status_sum("VmRSS");
    char* got = malloc(opt.http ? answer_len : (unsigned)opt.size);

    for (int i = 0; i < opt.conns; i++)
        use_once(open_conn(), got);
    free(got);
    usleep(500000); // what the server does late belongs to it, too
    printf(
        "{\"mode\":\"idle\",\"conns\":%d,\"errors\":%llu,\"rss_kb\":%lu,\"rss_before_kb\":%lu,"
        "\"hwm_kb\":%lu,\"slab_growth_kb\":%ld}\n",
        opt.conns, (unsigned long long)wrong_answers, status_sum("VmRSS"), rss, status_sum("VmHWM"),
        (long)(slab_kb() - slab)
    );
}
