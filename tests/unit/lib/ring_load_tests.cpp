// SPDX-License-Identifier: BSL-1.0
//
// The scheduler on the kernel's ring under load: queues that are too small, and fairness.
#include "ring_loop.hpp"

#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <thread>
#include <vector>

namespace ring_load_tests {
namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::clock;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::time_point;

// ---- full queues ----

TEST(scheduler_on_a_ring, completes_10000_operations_started_in_one_turn_with_8_slots) {
    scheduler_options options;
    options.queue_depth = 8; // and 64 completions: they overflow
    scheduler loop{options};
    std::deque<sample_operation> nops(10'000);
    std::size_t ended = 0;
    call start_all{[&] {
        for (auto& each : nops) {
            each.at_end = [&] { ++ended; };
            loop.start(each);
        }
    }};
    loop.ready(start_all);
    run_until(loop, [&] { return ended == nops.size(); });
    for (const auto& each : nops)
        ASSERT_EQ(each.results, (std::vector{0}));
    EXPECT_EQ(loop.in_flight_count(), 0U);
}

TEST(scheduler_on_a_ring, loses_no_completion_and_no_cancel_when_completions_overflow) {
    constexpr std::size_t count = 400;
    scheduler_options options;
    options.queue_depth = 8;
    scheduler loop{options};
    std::vector<empty_pipe> pipes(count);
    std::vector<char> bytes(count);
    std::deque<sample_operation> reads;
    std::size_t ended = 0;
    for (std::size_t i = 0; i < count; ++i) {
        reads.push_back(read_of(pipes[i], bytes[i]));
        reads.back().at_end = [&] { ++ended; };
        loop.start(reads.back());
    }
    for (int turn = 0; turn < 100; ++turn)
        loop.run_once(time_point::min());
    EXPECT_EQ(ended, 0U);
    for (std::size_t i = 0; i < count; ++i) {
        if (i % 2 == 0)
            reads[i].cancel();
        else
            pipes[i].write();
    }
    run_until(loop, [&] { return ended == count; });
    for (std::size_t i = 0; i < count; ++i)
        ASSERT_EQ(reads[i].results, (std::vector{i % 2 == 0 ? -ECANCELED : 1})) << i;
}

// ---- fairness ----

/// How long a timer, a posted item and a completion wait at most while 1000 items requeue
/// themselves.
coronet::duration slowest_service() {
    scheduler loop;
    bool over = false;
    std::deque<call> busy;
    for (std::size_t i = 0; i < 1000; ++i)
        loop.ready(busy.emplace_back([&, i] {
            if (!over) loop.ready(busy[i]);
        }));
    for (int turn = 0; turn < 50; ++turn)
        loop.run_once(time_point::min());

    const time_point begin = clock::now();
    coronet::duration slowest{};
    int served = 0;
    const auto note = [&] {
        slowest = std::max(slowest, clock::now() - begin);
        ++served;
    };
    empty_pipe source;
    char byte;
    sample_operation read = read_of(source, byte);
    read.at_end = note;
    loop.start(read);
    coronet::testing::alarm timer{note};
    loop.arm(timer, 1ms);
    call posted{note};
    std::thread other{[&] {
        source.write();
        EXPECT_TRUE(loop.post(posted));
    }};
    run_until(loop, [&] { return served == 3; });
    other.join();
    over = true;
    while (loop.outstanding_work() != 0)
        loop.run_once(time_point::min());
    return slowest;
}

TEST(scheduler_on_a_ring, L23_serves_timers_posts_and_completions_within_50_ms_however_busy_it_is) {
    // On a crowded machine one try may be late for reasons that are not ours.
    coronet::duration best = coronet::duration::max();
    for (int attempt = 0; attempt < 5 && best > 50ms; ++attempt)
        best = std::min(best, slowest_service());
    EXPECT_LE(best, 50ms);
}

} // namespace
} // namespace ring_load_tests
