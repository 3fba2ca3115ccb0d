// SPDX-License-Identifier: BSL-1.0
//
// Sleeping: not shorter than asked for, in order of time, and ended early by a stop.
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/when_any.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace coronet::sleep_tests {
namespace {

using namespace std::chrono_literals;

task<duration> measured(duration delay) {
    const auto begin = clock::now();
    const auto slept = co_await sleep_for(delay);
    slept.value();
    co_return clock::now() - begin;
}

TEST(sleep_for, lasts_at_least_as_long_as_asked_for) {
    EXPECT_GE(run(measured(20ms)), 20ms);
}

TEST(sleep_for, of_nothing_or_less_ends_at_once) {
    EXPECT_LT(run(measured(0s)), 5s);
    EXPECT_LT(run(measured(-1h)), 5s);
}

task<bool> until(time_point deadline) {
    const auto slept = co_await sleep_until(deadline);
    slept.value();
    co_return clock::now() >= deadline;
}

TEST(sleep_until, ends_when_the_time_has_come) {
    EXPECT_TRUE(run(until(clock::now() + 20ms)));
    EXPECT_TRUE(run(until(clock::now() - 1h)));
}

task<void> note_after(duration delay, int number, std::vector<int>* order) {
    const auto slept = co_await sleep_for(delay);
    slept.value();
    order->push_back(number);
}

task<void> start_unordered(scope children, std::vector<int>* order) {
    children.spawn(note_after, 30ms, 3, order);
    children.spawn(note_after, 10ms, 1, order);
    children.spawn(note_after, 20ms, 2, order);
    co_return;
}

TEST(sleep_for, ends_in_the_order_of_time) {
    std::vector<int> order;
    run([](std::vector<int>* into) -> task<void> {
        co_await with_scope(start_unordered, into);
    }(&order));
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

task<std::error_code> beaten() {
    const auto first = co_await when_any(sleep_for(1h), sleep_for(1ms));
    co_return std::get<0>(first.results).error();
}

TEST(sleep_for, ends_early_with_operation_canceled_when_a_sibling_was_first) {
    EXPECT_EQ(run(beaten()), std::errc::operation_canceled);
}

task<std::error_code> forever_but(inplace_stop_token token) {
    const auto slept = co_await with_stop(token, sleep_for(duration::max()));
    co_return slept.error();
}

TEST(sleep_for, does_not_begin_in_a_stopped_branch) {
    inplace_stop_source source;
    source.request_stop();
    EXPECT_EQ(run(forever_but(source.get_token())), std::errc::operation_canceled);
}

TEST(sleep_until, before_the_clock_began_ends_at_once) {
    EXPECT_TRUE(run(until(time_point{} - 1h)));
    EXPECT_TRUE(run(until(time_point::min() + 1ns)));
}

} // namespace
} // namespace coronet::sleep_tests
