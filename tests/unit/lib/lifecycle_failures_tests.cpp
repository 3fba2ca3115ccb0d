// SPDX-License-Identifier: BSL-1.0
//
// Parks and joins that meet starts that fail, schedulers that were never started, forks and threads
// that are the owner between two turns.
#include "call.hpp"
#include "run_until.hpp"

#include <coronet/runtime.hpp>
#include <coronet/scheduler_thread.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace coronet::lifecycle_failures_tests {
namespace {

using namespace std::chrono_literals;
using testing::call;
using testing::patience;

scheduler_thread_options on_no_cpu() {
    scheduler_thread_options options;
    options.cpu = 1023;
    return options;
}

TEST(start_parked, L8_that_fails_leaves_nobody_parked_and_what_was_posted_runs) {
    bool ran = false;
    call item{[&] { ran = true; }};
    {
        scheduler_thread thread{on_no_cpu()};
        ASSERT_TRUE(thread->post(item));
        EXPECT_THROW(static_cast<void>(thread.start_parked()), std::system_error);
        EXPECT_EQ(thread->report().find("parkers"), std::string::npos) << thread->report();
    }
    EXPECT_TRUE(ran);
}

TEST(join, L5_on_the_owners_thread_between_two_turns_would_deadlock) {
    scheduler loop;
    loop.run_once(time_point::min());
    EXPECT_EQ(loop.park().error(), errc::would_deadlock);
    EXPECT_EQ(loop.join().error(), errc::would_deadlock);
    EXPECT_FALSE(loop.may_wait_here());
    loop.shutdown();
    EXPECT_TRUE(loop.join()); // it has ended
}

TEST(join, L5_is_refused_to_no_other_thread_for_a_guard_that_one_before_took) {
    scheduler_thread thread;
    thread.start();
    std::optional<park_guard> guard;
    std::thread{[&] { guard.emplace(std::move(*thread->park())); }}.join();
    for (int i = 0; i < 20; ++i) // threads that get the id of the one that took it
        std::thread{[&] { EXPECT_EQ(thread.join_for(1ms).error(), std::errc::timed_out); }}.join();
    guard.reset();
}

TEST(join, L6_of_a_scheduler_that_was_stopped_before_its_start_returns_whoever_asks) {
    scheduler_thread thread;
    auto waiting = std::async(std::launch::async, [&] { return thread->join_for(patience); });
    thread.stop();
    EXPECT_TRUE(waiting.get());
    EXPECT_TRUE(thread->join_for(patience));
    EXPECT_TRUE(thread.join());
}

TEST(runtime, joins_all_before_it_lets_the_first_go) {
    runtime_options options;
    options.threads = 3;
    runtime threads{options};
    threads.stop();
    EXPECT_TRUE(threads.join());
    for (std::size_t i = 0; i < threads.size(); ++i)
        EXPECT_TRUE(threads.at(i).join_for(0s));
}

// The lock that unparking takes may be held by a thread that the child does not have.
TEST(fork, L11_a_guard_may_be_released_in_the_child) {
    scheduler_thread held;
    scheduler_thread busy;
    held.start();
    busy.start();
    std::atomic<bool> over{false};
    std::thread parking{[&] {
        while (!over)
            EXPECT_TRUE(busy->park());
    }};
    for (int round = 0; round < 200; ++round) {
        auto guard = held->park();
        ASSERT_TRUE(guard);
        const pid_t child = ::fork();
        if (child == 0) {
            ::alarm(20); // a child that hangs is killed
            guard->release();
            ::_exit(0);
        }
        int status = -1;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFEXITED(status)) << "round " << round;
    }
    over = true;
    parking.join();
}

TEST(report, tells_a_thread_that_may_not_look_the_state_only) {
    scheduler_thread thread;
    thread.start();
    EXPECT_EQ(thread->report().find("in flight"), std::string::npos);
    const auto guard = thread->park();
    ASSERT_TRUE(guard);
    EXPECT_NE(thread->report().find("in flight"), std::string::npos);
}

} // namespace
} // namespace coronet::lifecycle_failures_tests
