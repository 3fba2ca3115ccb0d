// SPDX-License-Identifier: BSL-1.0
//
// The first of several awaits: the others are cancelled and awaited, and what they achieved all the
// same is told.
#include "support/pairs.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/when_any.hpp>

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <stdexcept>

namespace coronet::when_any_tests {
namespace {

using namespace std::chrono_literals;
using test::pipe_pair;

task<result<int>> result_after(duration delay, int value) {
    const auto slept = co_await sleep_for(delay);
    if (!slept) co_return slept.error();
    co_return value;
}

task<any_of<result<int>, result<int>, result<void>>> race() {
    co_return co_await when_any(result_after(1h, 1), result_after(1ms, 2), sleep_for(1h));
}

TEST(when_any, tells_which_was_first_and_cancels_the_others) {
    const auto ended = run(race());
    EXPECT_EQ(ended.index, 1u);
    EXPECT_EQ(std::get<0>(ended.results).error(), std::errc::operation_canceled);
    EXPECT_EQ(*std::get<1>(ended.results), 2);
    EXPECT_EQ(std::get<2>(ended.results).error(), std::errc::operation_canceled);
}

task<result<int>> finishing_all_the_same(int value) {
    const auto slept = co_await sleep_for(1h);
    static_cast<void>(slept);
    co_return value;
}
task<any_of<result<int>, result<void>>> loser_achieves() {
    co_return co_await when_any(finishing_all_the_same(5), sleep_for(1ms));
}

TEST(when_any, keeps_what_a_loser_achieved) {
    const auto ended = run(loser_achieves());
    EXPECT_EQ(ended.index, 1u);
    EXPECT_EQ(*std::get<0>(ended.results), 5);
}

task<std::size_t> two_reads(const pipe_pair* first, const pipe_pair* second) {
    std::array<std::byte, 4> one;
    std::array<std::byte, 4> two;
    const auto ended = co_await when_any(
        async::read(first->reader.get(), one), async::read(second->reader.get(), two)
    );
    std::size_t total = 0;
    if (std::get<0>(ended.results)) total += *std::get<0>(ended.results);
    if (std::get<1>(ended.results)) total += *std::get<1>(ended.results);
    co_return total + test::drain(first->reader.get()) + test::drain(second->reader.get());
}

TEST(when_any, loses_no_byte_of_two_reads_that_are_ready_at_once) {
    const pipe_pair first;
    const pipe_pair second;
    ASSERT_EQ(::write(first.writer.get(), "ab", 2), 2);
    ASSERT_EQ(::write(second.writer.get(), "cd", 2), 2);
    EXPECT_EQ(run(two_reads(&first, &second)), 4u);
}

task<void> nothing() {
    co_return;
}
task<std::unique_ptr<int>> boxed(int value) {
    co_return std::make_unique<int>(value);
}
task<any_of<result<void>, result<std::unique_ptr<int>>>> values_become_results() {
    co_return co_await when_any(nothing(), boxed(3));
}

TEST(when_any, makes_results_of_values) {
    const auto ended = run(values_become_results());
    EXPECT_EQ(ended.index, 0u);
    EXPECT_TRUE(std::get<0>(ended.results));
    ASSERT_TRUE(std::get<1>(ended.results)); // it did not look whether it was cancelled
    EXPECT_EQ(**std::get<1>(ended.results), 3);
}

task<int> failing() {
    throw std::runtime_error("fails");
    co_return 0;
}
task<void> error_of_a_long_sleep(std::error_code* seen) {
    const auto slept = co_await sleep_for(1h);
    *seen = slept.error();
}
task<std::error_code> failure_is_first() {
    std::error_code other;
    try {
        const auto ended = co_await when_any(failing(), error_of_a_long_sleep(&other));
        static_cast<void>(ended);
    } catch (const std::runtime_error&) {
        co_return other;
    }
    co_return std::error_code{};
}

TEST(when_any, rethrows_an_exception_after_all_have_ended) {
    EXPECT_EQ(run(failure_is_first()), std::errc::operation_canceled);
}

task<any_of<result<void>>> only_one() {
    co_return co_await when_any(sleep_for(1ms));
}

TEST(when_any, of_one_gives_that_one) {
    EXPECT_TRUE(std::get<0>(run(only_one()).results));
}

task<any_of<result<void>, result<void>>> stopped_by(inplace_stop_token token) {
    co_return co_await with_stop(token, when_any(sleep_for(1h), sleep_for(2h)));
}

TEST(when_any, cancels_all_when_it_is_cancelled) {
    inplace_stop_source source;
    source.request_stop();
    const auto ended = run(stopped_by(source.get_token()));
    EXPECT_EQ(std::get<0>(ended.results).error(), std::errc::operation_canceled);
    EXPECT_EQ(std::get<1>(ended.results).error(), std::errc::operation_canceled);
}

task<int> nested() {
    const auto outer =
        co_await when_any(when_any(result_after(1h, 1), result_after(1h, 2)), result_after(1ms, 3));
    if (outer.index != 1) co_return 0;
    const auto& inner = *std::get<0>(outer.results);
    if (std::get<0>(inner.results).error() != std::errc::operation_canceled) co_return -1;
    co_return *std::get<1>(outer.results);
}

TEST(when_any, cancels_a_nested_when_any) {
    EXPECT_EQ(run(nested()), 3);
}

task<std::error_code> error_of_a_sleep(duration delay) {
    const auto slept = co_await sleep_for(delay);
    co_return slept.error();
}
task<std::error_code> code_of_the_second() {
    const auto first = co_await when_any(sleep_for(1ms), error_of_a_sleep(1h));
    co_return std::get<1>(first.results);
}

TEST(when_any, gives_an_error_code_as_it_is) {
    EXPECT_EQ(run(code_of_the_second()), std::errc::operation_canceled);
}

} // namespace
} // namespace coronet::when_any_tests
