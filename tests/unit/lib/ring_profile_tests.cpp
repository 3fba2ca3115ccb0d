// SPDX-License-Identifier: BSL-1.0
//
// The scheduler on rings that are set up in other ways: for an owner that may move, and with a
// submission thread.
#include "ring_loop.hpp"

#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <deque>
#include <future>
#include <thread>
#include <vector>

namespace ring_profile_tests {
namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::clock;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::sqpoll_options;
using coronet::time_point;

// ---- ownership ----

TEST(scheduler_on_a_ring, L24_is_handed_from_thread_to_thread_when_its_owner_may_move) {
    scheduler_options options;
    options.movable_owner = true;
    scheduler loop{options};
    empty_pipe source;
    char byte;
    sample_operation read = read_of(source, byte);
    int runs = 0;
    call item{[&] { ++runs; }};
    for (int round = 0; round < 20; ++round) {
        std::thread owner{[&] {
            if (round == 0) loop.start(read);
            ASSERT_TRUE(loop.post(item));
            run_until(loop, [&] { return runs == round + 1; });
        }};
        owner.join();
    }
    source.write(); // the thread that began the read is long gone
    run_until(loop, [&] { return read.ended(); });
    EXPECT_EQ(read.results, (std::vector{1}));
}

TEST(scheduler_on_a_ring, is_woken_after_it_was_handed_to_another_thread) {
    scheduler_options options;
    options.movable_owner = true;
    scheduler loop{options};
    std::thread{[&] { loop.run_once(time_point::min()); }}.join();
    for (int round = 0; round < 20; ++round) {
        const time_point begin = clock::now();
        std::thread other{[&] { loop.wake(); }};
        loop.run_once(begin + patience);
        other.join();
        ASSERT_LT(clock::now() - begin, patience / 2);
        loop.run_once(time_point::min());
    }
}

// ---- a submission thread ----

void exercise(scheduler& loop) {
    running thread{loop};
    empty_pipe source;
    char byte = 0;
    for (int round = 0; round < 50; ++round) {
        std::promise<void> ended;
        sample_operation read = read_of(source, byte);
        read.at_end = [&] { ended.set_value(); };
        on(loop, [&] { loop.start(read); });
        source.write();
        ASSERT_EQ(ended.get_future().wait_for(patience), std::future_status::ready);
        ASSERT_EQ(read.end(), 1);
    }
}

scheduler_options with_submission_thread() {
    scheduler_options options;
    options.sqpoll = sqpoll_options{1ms, -1, nullptr};
    return options;
}

TEST(scheduler_on_a_ring, works_with_a_submission_thread) {
    scheduler loop{with_submission_thread()};
    exercise(loop);
}

TEST(scheduler_on_a_ring, wakes_a_submission_thread_that_has_fallen_asleep) {
    scheduler loop{with_submission_thread()};
    for (int round = 0; round < 30; ++round) {
        const time_point pause_end = clock::now() + 5ms; // five times its idle time
        while (clock::now() < pause_end)
            loop.run_once(pause_end);
        sample_operation nop;
        loop.start(nop);
        run_until(loop, [&] { return nop.ended(); });
        ASSERT_TRUE(nop.ended());
    }
}

TEST(scheduler_on_a_ring, cancels_what_blocks_a_kernel_worker_of_a_submission_thread) {
    scheduler_options options;
    options.sqpoll = sqpoll_options{};
    cancel_what_blocks_a_worker(options);
}

TEST(scheduler_on_a_ring, runs_posted_items_with_a_submission_thread) {
    scheduler loop{with_submission_thread()};
    post_from_threads(loop);
}

TEST(scheduler_on_a_ring, fills_the_queue_of_a_submission_thread_without_losing_anything) {
    scheduler_options options = with_submission_thread();
    options.queue_depth = 8;
    scheduler loop{options};
    std::deque<sample_operation> nops(2'000);
    std::size_t ended = 0;
    for (auto& each : nops) {
        each.at_end = [&] { ++ended; };
        loop.start(each);
    }
    run_until(loop, [&] { return ended == nops.size(); });
}

} // namespace
} // namespace ring_profile_tests
