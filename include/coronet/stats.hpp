// SPDX-License-Identifier: BSL-1.0
//
// Counters of one scheduler since its start. Written and read on the owner thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coronet {

struct worker_stats {
    std::size_t workers = 0;         ///< threads, now
    std::uint64_t created = 0;       ///< threads created
    std::uint64_t retried = 0;       ///< attempts that failed and were repeated
    std::uint64_t failed = 0;        ///< attempts after which it was given up
    std::uint64_t notifications = 0; ///< signals sent to interrupt blocking calls
};

struct scheduler_stats {
    std::size_t in_flight = 0;           ///< operations that have not completed, now
    std::uint64_t operations = 0;        ///< operations started
    std::uint64_t turns = 0;             ///< turns of the loop
    std::uint64_t enters = 0;            ///< calls of io_uring_enter or epoll_wait
    std::uint64_t sleeps = 0;            ///< turns that waited
    std::uint64_t wakes = 0;             ///< wake-ups that other threads sent
    std::uint64_t cancels_sent = 0;      ///< cancel requests handed to the driver
    std::uint64_t cancels_resent = 0;    ///< of these, repetitions
    std::uint64_t cancels_not_found = 0; ///< cancel answers -ENOENT
    std::uint64_t cancels_running = 0;   ///< cancel answers -EALREADY
    std::uint64_t spurious_cancels =
        0;                      ///< -ECANCELED that nobody asked for (a kernel worker failed)
    std::uint64_t restarts = 0; ///< operations submitted again after an interruption
    std::uint64_t zero_copy_sends = 0;        ///< that the kernel took by reference, and gave back
    std::uint64_t zero_copy_sends_copied = 0; ///< of these, those that it had to copy all the same
    worker_stats workers{};                   ///< of its pool
};

} // namespace coronet
