// SPDX-License-Identifier: BSL-1.0
//
// What the server under load has used so far, seen from outside: its CPU clock, its memory, its
// context switches; beside it the machine's idle time, which tells what others took meanwhile.
#pragma once

#include "common.h"

enum { MAX_PIDS = 64 };

struct sample {
    uint64_t wall, server, self;
    uint64_t utime, stime, csw;
    uint64_t idle, steal;
};

static pid_t pids[MAX_PIDS];
static int n_pids;

static inline void read_stat(pid_t pid, struct sample* s) {
    char path[64], line[4096], *p;
    unsigned long u = 0, k = 0;
    FILE* f;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (!(f = fopen(path, "r"))) return;
    if (fgets(line, sizeof(line), f) && (p = strrchr(line, ')')) &&
        sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &u, &k) == 2) {
        s->utime += u;
        s->stime += k;
    }
    fclose(f);
}

// The sum of one number of /proc/PID/status over the server's processes.
static inline unsigned long status_sum(const char* key) {
    unsigned long sum = 0, v;
    char path[64], line[256], fmt[64];

    snprintf(fmt, sizeof(fmt), "%s: %%lu", key);
    for (int i = 0; i < n_pids; i++) {
        snprintf(path, sizeof(path), "/proc/%d/status", pids[i]);
        FILE* f = fopen(path, "r");
        if (!f) continue;
        while (fgets(line, sizeof(line), f))
            if (sscanf(line, fmt, &v) == 1) sum += v;
        fclose(f);
    }
    return sum;
}

static inline void read_machine(struct sample* s) {
    unsigned long idle, waiting, steal;
    char line[512];
    FILE* f = fopen("/proc/stat", "r");

    if (!f) return;
    if (fgets(line, sizeof(line), f) &&
        sscanf(line, "cpu %*u %*u %*u %lu %lu %*u %*u %lu", &idle, &waiting, &steal) == 3) {
        s->idle = idle + waiting;
        s->steal = steal;
    }
    fclose(f);
}

static inline struct sample take_sample(void) {
    struct sample s = {0};
    struct timespec ts;
    clockid_t clk;

    for (int i = 0; i < n_pids; i++) {
        if (clock_getcpuclockid(pids[i], &clk) == 0 && clock_gettime(clk, &ts) == 0)
            s.server += (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
        read_stat(pids[i], &s);
    }
    s.csw = status_sum("voluntary_ctxt_switches");
    read_machine(&s);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    s.self = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
    s.wall = now_ns();
    return s;
}

// Kernel memory that cannot be reclaimed, of the whole machine.
static inline unsigned long slab_kb(void) {
    unsigned long v, sum = 0;
    char line[256];
    FILE* f = fopen("/proc/meminfo", "r");

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "SUnreclaim: %lu", &v) == 1) sum = v;
    if (f) fclose(f);
    return sum;
}
