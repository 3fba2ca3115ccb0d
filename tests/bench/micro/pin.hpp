// SPDX-License-Identifier: BSL-1.0
//
// Puts the calling thread on one CPU.
#pragma once

#include <cstddef>

#include <sched.h>

inline void pin(std::size_t cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    ::sched_setaffinity(0, sizeof(set), &set);
}
