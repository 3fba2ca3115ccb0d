// SPDX-License-Identifier: BSL-1.0
//
// What a time limit is called when it has ended several things at once, or a sequence; and what
// came in time, in part or in the end, which it does not hide.
#include <coronet/coro/async_generator.hpp>
#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/coro/when_any.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace coronet::timeout_of_many_tests {
namespace {

using namespace std::chrono_literals;

// ---- when_all and when_any ----

task<transfer> transfer_of(std::size_t bytes) {
    const auto slept = co_await sleep_for(1h);
    co_return transfer{bytes, slept.error()};
}
task<std::error_code> code_of_a_sleep() {
    const auto slept = co_await sleep_for(1h);
    co_return slept.error();
}

task<std::error_code> limit_of_all_kinds() {
    const auto all =
        co_await with_timeout(1ms, when_all(sleep_for(1h), transfer_of(0), code_of_a_sleep()));
    co_return all.error();
}
task<std::error_code> limit_of_any() {
    const auto first = co_await with_timeout(
        1ms, when_any(sleep_for(1h), transfer_of(0), when_any(sleep_for(1h), code_of_a_sleep()))
    );
    co_return first.error();
}
task<result<void>> slept() {
    co_return co_await sleep_for(1h);
}
task<std::error_code> limit_of_a_vector() {
    std::vector<task<result<void>>> jobs;
    jobs.push_back(slept());
    jobs.push_back(slept());
    const auto all = co_await with_timeout(1ms, when_all(std::move(jobs)));
    co_return all.error();
}

TEST(with_timeout, names_the_limit_when_it_has_ended_all_of_several) {
    EXPECT_EQ(run(limit_of_all_kinds()), std::errc::timed_out);
    EXPECT_EQ(run(limit_of_any()), std::errc::timed_out);
    EXPECT_EQ(run(limit_of_a_vector()), std::errc::timed_out);
}

task<result<std::tuple<result<void>, result<void>>>> limit_of_one_that_is_done() {
    co_return co_await with_timeout(5ms, when_all(sleep_for(1h), async::nop()));
}
task<result<std::tuple<result<void>, transfer>>> limit_of_one_that_is_half_done() {
    co_return co_await with_timeout(1ms, when_all(sleep_for(1h), transfer_of(3)));
}

TEST(with_timeout, gives_the_results_of_several_if_one_of_them_came_in_time) {
    const auto done = run(limit_of_one_that_is_done());
    ASSERT_TRUE(done);
    EXPECT_EQ(std::get<0>(*done).error(), std::errc::operation_canceled);
    EXPECT_TRUE(std::get<1>(*done));
    const auto half = run(limit_of_one_that_is_half_done());
    ASSERT_TRUE(half);
    EXPECT_EQ(std::get<1>(*half).bytes, 3U);
}

task<std::tuple<>> nothing() {
    const auto slept_long = co_await sleep_for(1h);
    static_cast<void>(slept_long);
    co_return std::tuple<>{};
}
task<std::error_code> limit_of_nothing() {
    const auto none = co_await with_timeout(1ms, nothing());
    co_return none.error();
}

TEST(with_timeout, takes_no_results_at_all_for_a_success) {
    EXPECT_EQ(run(limit_of_nothing()), std::error_code{});
}

task<std::error_code> stopped_within_a_limit(inplace_stop_token token) {
    const auto all =
        co_await with_stop(token, with_timeout(1h, when_all(sleep_for(1h), sleep_for(1h))));
    if (!all) co_return all.error();
    co_return std::get<0>(*all).error();
}

TEST(with_timeout, says_nothing_of_the_limit_when_another_stop_has_ended_several) {
    inplace_stop_source source;
    source.request_stop();
    EXPECT_EQ(run(stopped_within_a_limit(source.get_token())), std::errc::operation_canceled);
}

// ---- sequences ----

async_generator<int> quick_then_slow() {
    for (int i = 0;; ++i) {
        const auto paused = co_await sleep_for(i < 2 ? 0ms : 1h);
        if (!paused) co_return;
        co_yield i;
    }
}
struct sequence {
    std::vector<int> elements;
    std::error_code error;
    std::error_code after;
};
task<sequence> all_within(duration limit) {
    sequence seen;
    auto each = quick_then_slow();
    for (;;) {
        const auto next = co_await with_timeout(limit, each.next());
        seen.error = next.error();
        if (!next || !*next) break;
        seen.elements.push_back(**next);
    }
    const auto after = co_await with_timeout(0s, each.next());
    seen.after = after.error();
    co_return seen;
}

TEST(
    with_timeout, names_the_limit_when_it_has_ended_a_sequence_and_not_when_that_has_ended_before
) {
    const auto seen = run(all_within(20ms));
    EXPECT_EQ(seen.elements, (std::vector{0, 1}));
    EXPECT_EQ(seen.error, std::errc::timed_out);
    EXPECT_EQ(seen.after, std::error_code{}); // it has ended: that is told, whatever the limit
}

async_generator<int> stubborn() {
    const auto paused = co_await sleep_for(1h);
    static_cast<void>(paused);
    co_yield 7;
}
task<result<std::optional<int>>> stubborn_within(duration limit) {
    auto each = stubborn();
    co_return co_await with_timeout(limit, each.next());
}

TEST(with_timeout, gives_the_element_of_a_sequence_that_made_one_although_cancelled) {
    EXPECT_EQ(**run(stubborn_within(1ms)), 7);
}

async_generator<int> empty() {
    co_return;
}
task<result<std::optional<int>>> empty_within(duration limit) {
    auto each = empty();
    co_return co_await with_timeout(limit, each.next());
}

TEST(with_timeout, gives_the_end_of_a_sequence_as_it_is_within_the_limit) {
    const auto end = run(empty_within(1h));
    ASSERT_TRUE(end);
    EXPECT_FALSE(*end);
}

task<std::error_code> sequence_that_loses() {
    auto each = quick_then_slow();
    for (int i = 0; i < 2; ++i) {
        const auto element = co_await each.next();
        static_cast<void>(element);
    }
    const auto first = co_await when_any(async::nop(), each.next());
    co_return std::get<1>(first.results).error();
}

TEST(when_any, tells_that_a_sequence_was_cancelled_and_not_that_it_ended) {
    EXPECT_EQ(run(sequence_that_loses()), std::errc::operation_canceled);
}

} // namespace
} // namespace coronet::timeout_of_many_tests
