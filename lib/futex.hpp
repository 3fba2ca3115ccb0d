// SPDX-License-Identifier: BSL-1.0
//
// Sleeping on a word until it changes, with a deadline, which std::atomic::wait does not take
// (futex(2)).
#pragma once

#include <coronet/clock.hpp>

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdint>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coronet::futex {

/// Sleeps while `word` is `seen`, until wake() or `deadline`; returns early for any reason.
inline void
wait(std::atomic<std::uint32_t>& word, std::uint32_t seen, time_point deadline) noexcept {
    using namespace std::chrono;
    const auto left = std::max(deadline.time_since_epoch(), duration::zero());
    const auto whole = duration_cast<seconds>(left);
    const timespec until{whole.count(), (left - whole).count()};
    // With a bit set the time is a point of CLOCK_MONOTONIC, not a length.
    ::syscall(
        SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, seen,
        deadline == time_point::max() ? nullptr : &until, nullptr, FUTEX_BITSET_MATCH_ANY
    );
}

/// Wakes all who sleep on `word`. They have seen the change or will; it may be gone already.
inline void wake_all(std::atomic<std::uint32_t>& word) noexcept {
    ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

} // namespace coronet::futex
