// SPDX-License-Identifier: BSL-1.0
//
// Turns of a scheduler until something has happened, with a deadline.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace coronet::testing {

inline constexpr std::chrono::seconds patience{20};

/// Runs turns until `happened()`. A failure of the test if that takes longer than `patience`.
template <class Condition>
void run_until(scheduler& loop, Condition happened) {
    const time_point deadline = clock::now() + patience;
    while (!happened()) {
        loop.run_once(clock::now() + std::chrono::milliseconds{20});
        if (clock::now() < deadline) continue;
        FAIL() << "it has not happened";
    }
}

/// The same without a loop: what other threads do.
template <class Condition>
[[nodiscard]] bool wait_until(Condition happened) {
    const time_point deadline = clock::now() + patience;
    while (!happened()) {
        if (clock::now() > deadline) return false;
        std::this_thread::yield();
    }
    return true;
}

} // namespace coronet::testing
