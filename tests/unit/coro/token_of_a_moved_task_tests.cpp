// SPDX-License-Identifier: BSL-1.0
//
// The token of a task that runs away from home: stopped with its awaits, whether the scheduler that
// started it asks for that or the one where it is.
#include "support/schedulers.hpp"
#include "support/watchdog.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/schedule.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/this_coroutine.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/scheduler_thread.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace coronet::token_of_a_moved_task_tests {
namespace {

using namespace std::chrono_literals;

struct two_threads {
    scheduler_thread home;
    scheduler_thread other;
    std::atomic<bool> arrived{false};

    two_threads() {
        home.start();
        other.start();
    }
    template <class T>
    T finish(std::future<T> running) {
        T value = running.get();
        home.stop();
        other.stop();
        EXPECT_TRUE(home.join());
        EXPECT_TRUE(other.join());
        return value;
    }
    void stop_other_when_it_is_there() {
        arrived.wait(false);
        other.stop();
    }
    void there() {
        arrived = true;
        arrived.notify_one();
    }
};

struct seen_stop {
    std::error_code await;
    bool token_stopped = false;
};
task<seen_stop> wait_here(two_threads* threads, inplace_stop_token token) {
    threads->there();
    const auto slept = co_await sleep_for(1h);
    co_return seen_stop{slept.error(), token.stop_requested()};
}
void expect_stopped(const seen_stop& seen) {
    EXPECT_EQ(seen.await, std::errc::operation_canceled);
    EXPECT_TRUE(seen.token_stopped);
}

task<seen_stop> take_token_there(two_threads* threads) {
    const auto token = co_await this_coroutine::stop_token();
    co_return co_await wait_here(threads, token);
}
task<seen_stop> run_there(two_threads* threads) {
    auto seen = co_await run_on(*threads->other, take_token_there, threads);
    co_return seen.value();
}

TEST(stop_token, is_stopped_with_the_awaits_by_the_end_of_the_scheduler_that_run_on_went_to) {
    two_threads threads;
    auto running = test::begin_on(*threads.home, run_there(&threads));
    threads.stop_other_when_it_is_there();
    expect_stopped(threads.finish(std::move(running)));
}

task<seen_stop> move_with_a_token(two_threads* threads) {
    const auto token = co_await this_coroutine::stop_token();
    const auto went = co_await schedule_on(*threads->other);
    went.value();
    co_return co_await wait_here(threads, token);
}

TEST(stop_token, that_was_taken_at_home_is_stopped_by_the_end_of_the_scheduler_gone_to) {
    two_threads threads;
    auto running = test::begin_on(*threads.home, move_with_a_token(&threads));
    threads.stop_other_when_it_is_there();
    expect_stopped(threads.finish(std::move(running)));
}

task<int> poll_the_token(two_threads* threads) {
    const auto token = co_await this_coroutine::stop_token();
    threads->there();
    int turns = 0;
    for (; !token.stop_requested(); ++turns) {
        const auto slept = co_await sleep_for(1ms);
        static_cast<void>(slept);
    }
    co_return turns;
}
task<int> poll_there(two_threads* threads) {
    auto turns = co_await run_on(*threads->other, poll_the_token, threads);
    co_return turns.value();
}

TEST(stop_token, ends_a_loop_that_asks_nothing_else_so_that_the_scheduler_ends) {
    two_threads threads;
    const test::watchdog guard{[&] { return threads.other->report(); }};
    auto running = test::begin_on(*threads.home, poll_there(&threads));
    threads.stop_other_when_it_is_there();
    EXPECT_GE(threads.finish(std::move(running)), 0);
}

// ---- whom it does not reach, and from where ----

struct family {
    two_threads threads;
    seen_stop moved;
    std::atomic<bool> back{false};
    bool sibling_stopped = true;
};
task<void> moves(family* all) {
    all->moved = co_await move_with_a_token(&all->threads);
    all->back = true;
}
task<void> stays(family* all) {
    const auto token = co_await this_coroutine::stop_token();
    while (!all->back) {
        const auto slept = co_await sleep_for(100us);
        slept.value();
    }
    all->sibling_stopped = token.stop_requested();
}
task<int> both(family* all) {
    const auto ended = co_await when_all(moves(all), stays(all));
    static_cast<void>(ended);
    co_return 0;
}

TEST(stop_token, of_a_sibling_at_home_is_not_stopped_with_that_of_one_that_went_away) {
    family all;
    auto running = test::begin_on(*all.threads.home, both(&all));
    all.threads.stop_other_when_it_is_there();
    all.threads.finish(std::move(running));
    expect_stopped(all.moved);
    EXPECT_FALSE(all.sibling_stopped);
}

task<bool> called_on_this_thread(two_threads* threads) {
    const auto token = co_await this_coroutine::stop_token();
    std::thread::id called_on;
    const inplace_stop_callback callback{
        token, [&called_on] { called_on = std::this_thread::get_id(); }};
    const auto seen = co_await wait_here(threads, token);
    static_cast<void>(seen);
    co_return called_on == std::this_thread::get_id();
}
task<bool> called_there(two_threads* threads) {
    auto called = co_await run_on(*threads->other, called_on_this_thread, threads);
    co_return called.value();
}

TEST(stop_token, calls_back_on_the_thread_of_the_scheduler_that_was_stopped) {
    two_threads threads;
    auto running = test::begin_on(*threads.home, called_there(&threads));
    threads.stop_other_when_it_is_there();
    EXPECT_TRUE(threads.finish(std::move(running)));
}

task<bool> compute(two_threads*) {
    const auto token = co_await this_coroutine::stop_token();
    const auto deadline = clock::now() + 10s;
    while (!token.stop_requested())
        if (clock::now() > deadline) co_return false;
    co_return true;
}
task<bool> compute_there(two_threads* threads) {
    auto stopped = co_await with_timeout(1ms, run_on(*threads->other, compute, threads));
    co_return stopped.value();
}

TEST(stop_token, tells_a_stop_from_home_to_one_that_computes_elsewhere_and_awaits_nothing) {
    two_threads threads;
    auto running = test::begin_on(*threads.home, compute_there(&threads));
    EXPECT_TRUE(threads.finish(std::move(running)));
}

} // namespace
} // namespace coronet::token_of_a_moved_task_tests
