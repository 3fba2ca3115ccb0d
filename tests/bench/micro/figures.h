// SPDX-License-Identifier: BSL-1.0
//
// How the micro programs measure and tell: nanoseconds an operation, the median of several rounds,
// a line `NAME NANOSECONDS` each. Arguments of the program are the names that are wanted.
#pragma once

#include "../yardsticks/program.h"

#include <stdbool.h>

enum { ROUNDS = 5 };

static char** wanted_names; // NULL at the end

// CPU time, of this thread or of all: what others take meanwhile does not count.
static inline uint64_t cpu_ns(clockid_t whose) {
    struct timespec ts;

    clock_gettime(whose, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t cpu_now_ns(void) {
    return cpu_ns(CLOCK_THREAD_CPUTIME_ID);
}

static inline bool wanted(const char* name) {
    for (char** each = wanted_names; *each; each++)
        if (!strcmp(*each, name)) return true;
    return !*wanted_names;
}

static inline void tell(const char* name, double* rounds) {
    printf("%s %.3f\n", name, median(rounds, ROUNDS));
    fflush(stdout);
}
