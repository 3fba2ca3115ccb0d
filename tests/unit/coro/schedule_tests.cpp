// SPDX-License-Identifier: BSL-1.0
//
// Going to other schedulers and coming back, and what happens when they end meanwhile. Stops that
// meet a moving task are in tests/races.
#include "support/spin.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/schedule.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/runtime.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>

namespace coronet::schedule_tests {
namespace {

using namespace std::chrono_literals;

runtime_options threads(std::size_t count) {
    runtime_options options;
    options.threads = count;
    return options;
}

// ---- schedule_on ----

task<bool> there_and_back(scheduler* other) {
    scheduler* home = scheduler::current();
    const auto went = co_await schedule_on(*other);
    const bool there = scheduler::current() == other;
    const auto came = co_await schedule_on(*home);
    co_return went&& there&& came&& scheduler::current() == home;
}

TEST(schedule_on, continues_on_the_other_scheduler) {
    runtime others{threads(1)};
    EXPECT_TRUE(run(there_and_back(&others.at(0))));
}

task<bool> to_itself() {
    scheduler* home = scheduler::current();
    const auto went = co_await schedule_on(*home);
    co_return went&& scheduler::current() == home;
}

TEST(schedule_on, the_same_scheduler_is_a_pause) {
    EXPECT_TRUE(run(to_itself()));
}

task<scheduler*> goes_and_ends(scheduler* other) {
    const auto went = co_await schedule_on(*other);
    went.value();
    co_return scheduler::current();
}
task<bool> awaits_one_that_moves(scheduler* other) {
    const scheduler* ended_at = co_await goes_and_ends(other);
    co_return ended_at == other&& scheduler::current() == other;
}

TEST(schedule_on, moves_those_who_wait_too) {
    runtime others{threads(1)};
    EXPECT_TRUE(run(awaits_one_that_moves(&others.at(0))));
}

task<void> child_moves(scheduler* other, std::atomic<int>* ended) {
    const auto went = co_await schedule_on(*other);
    went.value();
    const auto turn = co_await async::nop(); // an operation of the other ring
    static_cast<void>(turn);
    ++*ended;
}
task<bool> spawn_movers(scope children, scheduler* other, std::atomic<int>* ended) {
    scheduler* home = scheduler::current();
    for (int i = 0; i < 100; ++i)
        children.spawn(child_moves, other, ended);
    const auto joined = co_await children.join();
    co_return joined&& scheduler::current() == home&&* ended == 100;
}
task<bool> scope_of_movers(scheduler* other, std::atomic<int>* ended) {
    co_return co_await with_scope(spawn_movers, other, ended);
}

TEST(schedule_on, a_child_that_moves_away_comes_home_to_end) {
    runtime others{threads(1)};
    std::atomic<int> ended{0};
    EXPECT_TRUE(run(scope_of_movers(&others.at(0), &ended)));
}

task<std::error_code> go(scheduler* other) {
    const auto went = co_await schedule_on(*other);
    if (went || scheduler::current() == other) co_return std::error_code{};
    co_return went.error();
}

TEST(schedule_on, a_stopped_scheduler_is_refused) {
    runtime gone{threads(1)};
    gone.stop();
    EXPECT_TRUE(gone.join());
    EXPECT_EQ(run(go(&gone.at(0))), errc::stopped);
}

task<std::error_code> go_with(inplace_stop_token token, scheduler* other) {
    co_return co_await with_stop(token, go(other));
}

TEST(schedule_on, does_not_begin_in_a_stopped_branch) {
    runtime others{threads(1)};
    inplace_stop_source source;
    source.request_stop();
    EXPECT_EQ(run(go_with(source.get_token(), &others.at(0))), std::errc::operation_canceled);
}

task<result<void>> sleep_there(scheduler* other) {
    const auto went = co_await schedule_on(*other);
    if (!went) co_return went.error();
    co_return co_await sleep_for(1h);
}
task<std::error_code> sleep_there_within(scheduler* other, duration limit) {
    const auto ended = co_await with_timeout(limit, sleep_there(other));
    co_return ended.error();
}

TEST(schedule_on, a_stop_follows_to_the_other_scheduler) {
    runtime others{threads(1)};
    EXPECT_EQ(run(sleep_there_within(&others.at(0), 20ms)), std::errc::timed_out);
}

task<void> stop_after(duration delay, runtime* which) {
    const auto slept = co_await sleep_for(delay);
    slept.value();
    which->stop();
}
task<std::error_code> sleep_there_and_stop_it(runtime* others) {
    auto guest = with_timeout(1h, sleep_there(&others->at(0)));
    const auto both = co_await when_all(std::move(guest), stop_after(5ms, others));
    co_return std::get<0>(both).error();
}

TEST(schedule_on, a_scheduler_that_is_stopped_cancels_its_guests) {
    runtime others{threads(1)};
    EXPECT_EQ(run(sleep_there_and_stop_it(&others)), std::errc::operation_canceled);
}

// ---- run_on ----

task<int> doubled_there(const scheduler* where, std::unique_ptr<int> given) {
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    co_return scheduler::current() == where ? 2 * *given : 0;
}
task<result<int>> double_on(scheduler* other) {
    scheduler* home = scheduler::current();
    auto done = co_await run_on(*other, doubled_there, other, std::make_unique<int>(21));
    if (scheduler::current() != home) co_return std::errc::state_not_recoverable;
    co_return done;
}

TEST(run_on, runs_the_task_there_and_resumes_here) {
    runtime others{threads(1)};
    EXPECT_EQ(*run(double_on(&others.at(0))), 42);
}

task<result<int>> double_here() {
    scheduler* home = scheduler::current();
    co_return co_await run_on(*home, doubled_there, home, std::make_unique<int>(21));
}

TEST(run_on, the_same_scheduler_runs_the_task_there) {
    EXPECT_EQ(*run(double_here()), 42);
}

task<void> failing() {
    throw std::runtime_error("there");
    co_return;
}
task<void> fail_on(scheduler* other) {
    const auto done = co_await run_on(*other, failing);
    static_cast<void>(done);
}

TEST(run_on, brings_exceptions_home) {
    runtime others{threads(1)};
    EXPECT_THROW(run(fail_on(&others.at(0))), std::runtime_error);
}

task<int> counted(std::shared_ptr<int> argument) {
    co_return *argument;
}
task<std::error_code> run_counted_on(scheduler* other, std::shared_ptr<int> argument) {
    const auto done = co_await run_on(*other, counted, argument);
    co_return done.error();
}

TEST(run_on, a_stopped_scheduler_is_refused_and_the_task_freed) {
    runtime gone{threads(1)};
    gone.stop();
    EXPECT_TRUE(gone.join());
    const auto argument = std::make_shared<int>(1);
    EXPECT_EQ(run(run_counted_on(&gone.at(0), argument)), errc::stopped);
    EXPECT_EQ(argument.use_count(), 1);
}

task<result<void>> sleep_long() {
    co_return co_await sleep_for(1h);
}
task<std::error_code> sleep_on_within(scheduler* other, duration limit) {
    const auto slept = co_await with_timeout(limit, run_on(*other, sleep_long));
    co_return slept.error();
}

TEST(run_on, is_ended_there_by_a_time_limit_here) {
    runtime others{threads(1)};
    EXPECT_EQ(run(sleep_on_within(&others.at(0), 10ms)), std::errc::timed_out);
}

task<int> ping_pong(scheduler* other, int depth) {
    if (depth == 0) co_return 0;
    scheduler* here = scheduler::current();
    auto below = co_await run_on(*other, ping_pong, here, depth - 1);
    co_return below.value() + 1;
}

TEST(run_on, nests_back_and_forth) {
    runtime others{threads(1)};
    EXPECT_EQ(run(ping_pong(&others.at(0), 200)), 200);
}

// ---- the other scheduler ends ----

task<void> keep_going_there(runtime* others) {
    for (;;) {
        const auto went = co_await run_on(others->at(0), sleep_long);
        if (!went) co_return;
    }
}
task<void> many_guests(scope children, runtime* others) {
    for (int i = 0; i < 50; ++i)
        children.spawn(keep_going_there, others);
    co_return;
}
task<void> scope_of_guests(runtime* others) {
    co_await with_scope(many_guests, others);
}

TEST(run_on, ends_everything_when_the_other_scheduler_is_stopped_at_any_time) {
    for (int round = 0; round < 50; ++round) {
        runtime others{threads(1)};
        std::thread stopper{[&others, round] {
            test::spin(round * 2'000);
            others.stop();
        }};
        run(scope_of_guests(&others));
        stopper.join();
    }
}

TEST(run_on, ends_everything_when_both_schedulers_are_stopped_at_once) {
    for (int round = 0; round < 50; ++round) {
        runtime both{threads(2)};
        std::thread stopper{[&both, round] {
            test::spin(round * 2'000);
            both.stop();
        }};
        try {
            sync_wait(both.at(1), scope_of_guests(&both));
        } catch (const std::system_error& thrown) {
            EXPECT_EQ(thrown.code(), errc::stopped); // it came too late
        }
        stopper.join();
    }
}

} // namespace
} // namespace coronet::schedule_tests
