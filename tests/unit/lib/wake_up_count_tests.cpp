// SPDX-License-Identifier: BSL-1.0
//
// What it costs to wake other schedulers: one wake-up a turn and target, however much is posted,
// and none for who is awake.
#include "../support/script.hpp"
#include "ring_loop.hpp"

#include <coronet/scheduler.hpp>
#include <coronet/scheduler_thread.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <future>
#include <string>

namespace wake_up_count_tests {
namespace {

using namespace coronet::testing;
using coronet::driver_choice;
using coronet::scheduler;
using coronet::scheduler_thread;
using coronet::scheduler_thread_options;

/// The other driver's wake-ups leave at once.
scheduler_thread_options on_a_ring() {
    scheduler_thread_options wanted;
    wanted.scheduler.driver = driver_choice::io_uring;
    return wanted;
}

/// A scheduler that notes, whenever something has arrived, how often it has been woken by then.
class target {
public:
    target() : thread_(on_a_ring()) { thread_.start(); }
    void wait_until_asleep() {
        ASSERT_TRUE(wait_until([&] {
            return thread_->report().find("sleeping") != std::string::npos;
        }));
    }
    void post() {
        EXPECT_TRUE(thread_->post(items_.emplace_back([this] {
            wakes_ = thread_->stats().wakes;
            ++arrived_;
        })));
    }
    /// Wake-ups until the last of `count` items ran.
    std::uint64_t wakes_when_arrived(std::size_t count) {
        EXPECT_TRUE(wait_until([&] { return arrived_ == count; }));
        return wakes_;
    }
    scheduler& operator*() const { return *thread_; }

private:
    std::deque<call> items_;
    std::atomic<std::size_t> arrived_{0};
    std::uint64_t wakes_ = 0; // written by its thread before `arrived_`
    scheduler_thread thread_;
};

constexpr std::size_t posts = 100;

TEST(wake_up_count, is_one_for_all_that_a_turn_posts_to_a_sleeper) {
    scheduler_thread sender{on_a_ring()};
    target sleeper;
    sender.start();
    sleeper.wait_until_asleep();
    on(*sender, [&] {
        for (std::size_t i = 0; i < posts; ++i)
            sleeper.post();
    });
    EXPECT_EQ(sleeper.wakes_when_arrived(posts), 1U);
}

TEST(wake_up_count, is_one_for_each_of_several_sleepers_whatever_the_order) {
    scheduler_thread sender{on_a_ring()};
    target first, second;
    sender.start();
    first.wait_until_asleep();
    second.wait_until_asleep();
    on(*sender, [&] {
        for (std::size_t i = 0; i < posts; ++i)
            for (target* each : {&first, &second})
                each->post();
    });
    EXPECT_EQ(first.wakes_when_arrived(posts), 1U);
    EXPECT_EQ(second.wakes_when_arrived(posts), 1U);
}

TEST(wake_up_count, is_none_for_who_is_awake) {
    scheduler_thread sender{on_a_ring()};
    target busy;
    sender.start();
    std::promise<void> holds, free;
    call holding{[&] {
        holds.set_value();
        free.get_future().wait();
    }};
    busy.wait_until_asleep();
    ASSERT_TRUE((*busy).post(holding)); // that wakes it
    holds.get_future().wait();
    on(*sender, [&] {
        for (std::size_t i = 0; i < posts; ++i)
            busy.post();
    });
    free.set_value();
    EXPECT_EQ(busy.wakes_when_arrived(posts), 1U);
}

#ifdef CORONET_HOOKS
TEST(wake_up_count, is_one_for_all_that_a_thread_posts_before_the_sleeper_has_looked) {
    coronet::test::script play;
    target sleeper;
    sleeper.wait_until_asleep();
    auto& woken = play.hold(coronet::test::point::entered, &*sleeper);
    for (std::size_t i = 0; i < posts; ++i)
        sleeper.post();
    woken.wait();
    woken.release();
    EXPECT_EQ(sleeper.wakes_when_arrived(posts), 1U);
}
#endif

} // namespace
} // namespace wake_up_count_tests
