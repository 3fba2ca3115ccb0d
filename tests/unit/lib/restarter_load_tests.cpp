// SPDX-License-Identifier: BSL-1.0
//
// Thousands of operations that are tried again after a pause cost what they do, and no more:
// nothing looks at all of them when one begins its pause, or is given up.
#include "sample_operation.hpp"
#include "scripted_scheduler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <deque>

namespace restarter_load_tests {
namespace {

using namespace std::chrono_literals;
using coronet::duration;
using coronet::testing::sample_operation;
using coronet::testing::scripted_scheduler;

constexpr std::size_t crowd = 8000;
constexpr int few = 50; // in a turn: the driver of the script looks at all that it has

/// What this thread has cost so far: on a crowded machine it may have to wait, which is not ours.
duration used() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

/// The cost of a crowd whose first answer is `res`, and that is cancelled in the turn after it.
duration cost_of_a_crowd_that_gets(int res) {
    scripted_scheduler test;
    std::deque<sample_operation> all;
    const duration before = used();
    while (all.size() < crowd) {
        for (int i = 0; i < few; ++i) {
            test.script.on(IORING_OP_READ).complete(res);
            test.loop.start(all.emplace_back(IORING_OP_READ));
        }
        test.turn();
    }
    for (sample_operation& each : all)
        each.cancel();
    test.turn();
    const duration cost = used() - before;
    for (const sample_operation& each : all)
        EXPECT_TRUE(each.ended());
    return cost;
}

TEST(restarter_load, L23_a_pause_costs_the_same_however_many_there_are) {
    duration without = duration::max();
    duration with = duration::max();
    for (int attempt = 0; attempt < 3; ++attempt) {
        without = std::min(without, cost_of_a_crowd_that_gets(1));
        with = std::min(with, cost_of_a_crowd_that_gets(-ECANCELED));
    }
    // A pause is a few steps more, and an end that is asked for; it is not 8000 steps.
    EXPECT_LE(with, 3 * without) << with.count() << " ns, without a pause " << without.count();
}

} // namespace
} // namespace restarter_load_tests
