// SPDX-License-Identifier: BSL-1.0
//
// What a scheduler can be told at its birth. Every default is the recommended value.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>

namespace coronet {

class sq_group;

/// A kernel thread that picks up submissions, so that submitting makes no system call. It burns a
/// CPU while it is not idle: only where a core can be spared.
struct sqpoll_options {
    std::chrono::milliseconds idle{0}; ///< until the thread sleeps; 0: the kernel's default (1 s)
    int cpu = -1;                      ///< bind the thread to this CPU; -1: anywhere
    std::shared_ptr<sq_group> group{}; ///< share the thread of that group, on its CPU
};

struct scheduler_options {
    unsigned queue_depth = 1024;            ///< submission slots; clamped by the kernel
    std::optional<sqpoll_options> sqpoll{}; ///< set: use a submission thread
    unsigned kernel_workers_bounded = 0;    ///< io-wq maximum for files; 0: the kernel's default
    unsigned kernel_workers_unbounded = 0;  ///< io-wq maximum for the rest; 0: the kernel's default
    bool no_iowait = true;                  ///< waiting for completions is not accounted as iowait
    bool movable_owner = false;             ///< the loop is run by changing threads, one at a time
    std::size_t run_budget = 64; ///< ready items run before the kernel is looked at again
};

} // namespace coronet
