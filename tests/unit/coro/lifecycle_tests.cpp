// SPDX-License-Identifier: BSL-1.0
//
// Waiting, in a coroutine, for another scheduler to stand still or to end.
#include "lib/call.hpp"
#include "lib/run_until.hpp"

#include <coronet/coro/lifecycle.hpp>
#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/schedule.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/this_coroutine.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/scheduler_thread.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>
#include <string>
#include <thread>

#include <unistd.h>

namespace coronet::lifecycle_tests {
namespace {

using namespace std::chrono_literals;
using testing::call;
using testing::wait_until;

/// Keeps a scheduler's thread inside one item.
class occupied {
public:
    explicit occupied(scheduler& loop) {
        EXPECT_TRUE(loop.post(busy_));
        begun_.get_future().wait();
    }
    void end() { go_on_.set_value(); }

private:
    std::promise<void> begun_;
    std::promise<void> go_on_;
    call busy_{[this] {
        begun_.set_value();
        go_on_.get_future().wait();
    }};
};

// ---- async_park ----

task<bool> holds_it(scheduler* other, std::atomic<int>* runs, call* item) {
    auto guard = co_await async_park(*other);
    if (!guard) co_return false;
    const bool posted = other->post(*item);
    const auto slept = co_await sleep_for(10ms); // its chance to run what it must not
    co_return posted&& slept&&* runs == 0;
}

TEST(async_park, holds_the_other_scheduler_until_the_guard_is_gone) {
    scheduler_thread other;
    other.start();
    std::atomic<int> runs{0};
    call item{[&] { ++runs; }};
    EXPECT_TRUE(run(holds_it(&*other, &runs, &item)));
    EXPECT_TRUE(wait_until([&] { return runs == 1; }));
}

task<std::error_code> park_own() {
    scheduler& here = co_await this_coroutine::scheduler();
    const auto guard = co_await async_park(here);
    co_return guard.error();
}
task<std::error_code> park_other(scheduler* other) {
    const auto guard = co_await async_park(*other);
    co_return guard.error();
}
task<std::error_code> join_own() {
    scheduler& here = co_await this_coroutine::scheduler();
    const auto ended = co_await async_join(here);
    co_return ended.error();
}

TEST(async_park, L5_of_the_own_scheduler_would_deadlock) {
    EXPECT_EQ(run(park_own()), errc::would_deadlock);
    EXPECT_EQ(run(join_own()), errc::would_deadlock);
}

TEST(async_park, L2_is_refused_by_a_scheduler_that_does_not_run) {
    scheduler_thread other;
    EXPECT_EQ(run(park_other(&*other)), errc::stopped);
    other.start();
    other.stop();
    ASSERT_TRUE(other.join());
    EXPECT_EQ(run(park_other(&*other)), errc::stopped);
}

task<std::error_code> park_with_a_limit(scheduler* other) {
    const auto guard = co_await with_timeout(5ms, async_park(*other));
    co_return guard.error();
}

TEST(async_park, gives_up_when_its_time_has_passed_and_leaves_nothing_behind) {
    scheduler_thread other;
    other.start();
    occupied busy{*other};
    EXPECT_EQ(run(park_with_a_limit(&*other)), std::errc::timed_out);
    busy.end();
    const auto guard = other->park();
    EXPECT_TRUE(guard);
}

task<int> both_granted(scheduler* other) {
    auto first = co_await async_park(*other);
    auto second = co_await async_park(*other); // it is parked already
    co_return (first ? 1 : 0) + (second ? 1 : 0);
}

TEST(async_park, nests) {
    scheduler_thread other;
    other.start();
    EXPECT_EQ(run(both_granted(&*other)), 2);
    const auto guard = other->park();
    EXPECT_TRUE(guard);
}

task<std::error_code> park_and_pause(scheduler* other) {
    auto guard = co_await async_park(*other);
    const auto error = guard.error();
    const auto slept = co_await sleep_for(1ms);
    EXPECT_TRUE(slept);
    co_return error;
}

// Each would stand still while it holds the next one: the last to ask is refused.
TEST(async_park, L5_in_a_circle_would_deadlock_and_is_refused_to_one) {
    constexpr std::size_t count = 3;
    for (int round = 0; round < 100; ++round) {
        std::array<scheduler_thread, count> ring;
        for (auto& each : ring)
            each.start();
        std::array<std::future<std::error_code>, count> answers;
        for (std::size_t i = 0; i < count; ++i)
            answers[i] = std::async(std::launch::async, [&, i] {
                return sync_wait(*ring[i], park_and_pause(&*ring[(i + 1) % count]));
            });
        for (auto& each : answers) {
            const auto error = each.get();
            EXPECT_TRUE(!error || error == errc::would_deadlock) << error.message();
        }
    }
}

// ---- async_join ----

task<std::error_code> join_other(scheduler* other) {
    const auto ended = co_await async_join(*other);
    co_return ended.error();
}

TEST(async_join, resumes_when_the_other_scheduler_has_ended) {
    scheduler_thread other;
    other.start();
    occupied busy{*other};
    std::atomic<bool> joined{false};
    auto waiting = std::async(std::launch::async, [&] {
        EXPECT_EQ(run(join_other(&*other)), std::error_code{});
        joined = true;
    });
    other.stop();
    EXPECT_FALSE(joined);
    busy.end();
    waiting.get();
    EXPECT_EQ(run(join_other(&*other)), std::error_code{}); // long over
}

task<std::error_code> join_with_a_limit(scheduler* other) {
    const auto ended = co_await with_timeout(5ms, async_join(*other));
    co_return ended.error();
}

TEST(async_join, gives_up_when_its_time_has_passed) {
    scheduler_thread other;
    other.start();
    EXPECT_EQ(run(join_with_a_limit(&*other)), std::errc::timed_out);
}

task<std::error_code> join_while_it_is_held(scheduler* other) {
    auto guard = co_await async_park(*other);
    const auto ended = co_await async_join(*other);
    co_return ended.error();
}

TEST(async_join, L5_with_a_guard_held_would_deadlock) {
    scheduler_thread other;
    other.start();
    EXPECT_EQ(run(join_while_it_is_held(&*other)), errc::would_deadlock);
}

task<void> stop_and_join(scheduler_thread* other) {
    other->stop();
    const auto ended = co_await async_join(**other);
    EXPECT_TRUE(ended);
}

TEST(async_join, meets_the_end_in_every_order) {
    for (int round = 0; round < 200; ++round) {
        scheduler_thread other;
        other.start();
        run(stop_and_join(&other));
    }
}

// ---- cancelled more than once, and a start that fails ----

task<void> join_there(scheduler* never_ending) {
    const auto ended = co_await async_join(*never_ending);
    EXPECT_FALSE(ended);
}
task<void> pause() {
    const auto slept = co_await sleep_for(1h);
    EXPECT_FALSE(slept);
}
task<void> many_pauses(scope children, scheduler* never_ending, std::promise<void>* begun) {
    for (int i = 0; i < 1000; ++i)
        children.spawn(pause);
    children.spawn(join_there, never_ending);
    const auto turned = co_await sleep_for(1ms);
    EXPECT_TRUE(turned);
    begun->set_value();
}
task<void> with_many_pauses(scheduler* never_ending, std::promise<void>* begun) {
    co_await with_scope(many_pauses, never_ending, begun);
}

task<void> pauses_on(scheduler* away, scheduler* never_ending, std::promise<void>* begun) {
    const auto done = co_await run_on(*away, with_many_pauses, never_ending, begun);
    EXPECT_TRUE(done);
}

// More is ready than one turn runs, and the end asks everything anew before each turn.
TEST(async_join, that_is_asked_to_end_again_and_again_ends_once) {
    scheduler_thread never_ending;
    never_ending.start();
    scheduler_thread home;
    scheduler_thread away;
    home.start();
    away.start();
    std::promise<void> begun;
    auto over = std::async(std::launch::async, [&] {
        sync_wait(*home, pauses_on(&*away, &*never_ending, &begun));
    });
    begun.get_future().wait();
    away.stop();
    over.get();
    EXPECT_TRUE(away.join());
}

// ---- cancelling under park ----

task<std::error_code> read_until(inplace_stop_token token, int fd, std::promise<void>* reading) {
    std::array<std::byte, 1> buffer{};
    reading->set_value();
    const auto got = co_await with_stop(token, async::read(fd, buffer));
    co_return got.error();
}

TEST(park, L10_a_cancel_that_is_asked_for_meanwhile_is_carried_out_by_the_owner_afterwards) {
    std::array<int, 2> silent{};
    ASSERT_EQ(::pipe(silent.data()), 0);
    scheduler_thread thread;
    thread.start();
    inplace_stop_source source;
    std::promise<void> reading;
    auto ended = std::async(std::launch::async, [&] {
        return sync_wait(*thread, read_until(source.get_token(), silent[0], &reading));
    });
    reading.get_future().wait();
    auto guard = thread->park();
    ASSERT_TRUE(guard);
    const auto before = thread->stats();
    source.request_stop();
    EXPECT_EQ(ended.wait_for(20ms), std::future_status::timeout); // nobody else may do it
    EXPECT_EQ(thread->stats().cancels_sent, before.cancels_sent);
    EXPECT_EQ(thread->stats().enters, before.enters);
    guard->release();
    EXPECT_EQ(ended.get(), std::errc::operation_canceled);
    ::close(silent[0]);
    ::close(silent[1]);
}

// ---- what a stuck program tells ----

TEST(report, names_operation_descriptor_age_and_place) {
    std::array<int, 2> silent{};
    ASSERT_EQ(::pipe(silent.data()), 0);
    scheduler_thread thread;
    thread.start();
    std::promise<void> reading;
    inplace_stop_source source;
    auto ended = std::async(std::launch::async, [&] {
        return sync_wait(*thread, read_until(source.get_token(), silent[0], &reading));
    });
    reading.get_future().wait();
    std::string told;
    {
        const auto guard = thread->park();
        ASSERT_TRUE(guard);
        told = thread->report();
    }
    EXPECT_NE(told.find("parked"), std::string::npos) << told;
    EXPECT_NE(told.find("read on descriptor " + std::to_string(silent[0])), std::string::npos)
        << told;
    EXPECT_NE(told.find("awaited at "), std::string::npos) << told;
    source.request_stop();
    EXPECT_EQ(ended.get(), std::errc::operation_canceled);
    ::close(silent[0]);
    ::close(silent[1]);
}

} // namespace
} // namespace coronet::lifecycle_tests
