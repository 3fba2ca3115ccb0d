// SPDX-License-Identifier: BSL-1.0
//
// What the server under load has used so far, seen from outside: its CPU clock, its memory, its
// context switches; beside it the machine's idle time, which tells what others took meanwhile.
#pragma once

#include "histogram.h"

#include <stdint.h>

struct sample {
    uint64_t wall, server, self;
    uint64_t utime, stime, csw;
    uint64_t idle, steal;
    uint64_t idle_here; // of the CPU that the load is on
};

// The processes of the server: numbers with commas between. Before the first sample.
void watch_processes(char* list);
struct sample take_sample(void);
// The sum of one number of /proc/PID/status over the server's processes.
unsigned long status_sum(const char* key);
// Kernel memory that cannot be reclaimed, of the whole machine.
unsigned long slab_kb(void);
// Prints what happened between two samples as members of a JSON object, without the braces.
// `units` of work were done; `latency` may be NULL.
void print_usage(
    const struct sample* from, const struct sample* to, double units,
    const struct histogram* latency
);
