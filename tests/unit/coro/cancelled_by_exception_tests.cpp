// SPDX-License-Identifier: BSL-1.0
//
// Tasks that use value(): a stop makes them throw operation_canceled. For who asked them to end
// that is their end and no failure; what others achieved stays. Every other exception is one.
#include "delayed.hpp"
#include "support/pairs.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/coro/when_any.hpp>

#include <gtest/gtest.h>

#include <array>
#include <stdexcept>
#include <vector>

#include <unistd.h>

namespace coronet::cancelled_by_exception_tests {
namespace {

using namespace std::chrono_literals;

using test::nothing_after;
using test::value_after;

task<result<int>> result_after(duration delay, int value) {
    co_return co_await value_after(delay, value);
}
task<transfer> transfer_after(duration delay) {
    co_await nothing_after(delay);
    co_return transfer{1};
}
/// Not what a stop has done to it: it throws this by itself.
task<void> gives_up() {
    throw std::system_error(std::make_error_code(std::errc::operation_canceled));
    co_return;
}
/// A failure, and a late one: in the end of an hour that a stop has shortened.
task<void> breaks_when_stopped() {
    const auto slept = co_await sleep_for(1h);
    static_cast<void>(slept);
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    throw std::logic_error("broken");
}
std::error_code thrown_by(task<void> job) {
    try {
        run(std::move(job));
    } catch (const std::system_error& thrown) {
        return thrown.code();
    }
    return {};
}

// ---- when_any ----

task<std::size_t> read_or_throw(int fd, std::span<std::byte> room) {
    const auto got = co_await async::read(fd, room);
    co_return got.value();
}
task<any_of<result<std::size_t>, result<std::size_t>>>
first_of_two(const test::pipe_pair* quiet, const test::pipe_pair* full) {
    std::array<std::byte, 8> one{};
    std::array<std::byte, 8> other{};
    co_return co_await when_any(
        read_or_throw(quiet->reader.get(), one), read_or_throw(full->reader.get(), other)
    );
}

TEST(when_any, keeps_what_the_winner_has_read_when_the_loser_throws_that_it_was_cancelled) {
    const test::pipe_pair quiet;
    const test::pipe_pair full;
    ASSERT_EQ(::write(full.writer.get(), "x", 1), 1);
    const auto ended = run(first_of_two(&quiet, &full));
    EXPECT_EQ(ended.index, 1U);
    EXPECT_EQ(std::get<1>(ended.results).value(), 1U);
    EXPECT_EQ(std::get<0>(ended.results).error(), std::errc::operation_canceled);
}

task<void> race_of_all_kinds(std::vector<std::error_code>* errors) {
    const auto ended =
        co_await when_any(async::nop(), nothing_after(1h), result_after(1h, 1), transfer_after(1h));
    const auto& [first, nothing, tells, part] = ended.results;
    errors->assign({first.error(), nothing.error(), tells.error(), part.error});
}

TEST(when_any, tells_the_cancellation_of_each_kind_of_task_in_its_result) {
    std::vector<std::error_code> errors;
    run(race_of_all_kinds(&errors));
    const auto cancelled = std::make_error_code(std::errc::operation_canceled);
    EXPECT_EQ(errors, (std::vector{std::error_code{}, cancelled, cancelled, cancelled}));
}

task<void> race_with_one_that_breaks() {
    const auto ended = co_await when_any(breaks_when_stopped(), async::nop());
    static_cast<void>(ended);
}
TEST(when_any, still_throws_what_else_a_loser_throws) {
    EXPECT_THROW(run(race_with_one_that_breaks()), std::logic_error);
}

task<void> race_with_one_that_gives_up() {
    const auto ended = co_await when_any(gives_up(), nothing_after(1h));
    static_cast<void>(ended);
}
TEST(when_any, still_throws_a_cancellation_that_nobody_asked_for) {
    EXPECT_EQ(thrown_by(race_with_one_that_gives_up()), std::errc::operation_canceled);
}

// ---- when_all ----

task<void> all_that_can_tell(inplace_stop_token token, std::vector<std::error_code>* errors) {
    const auto all = co_await with_stop(
        token, when_all(result_after(1h, 1), transfer_after(1h), result_after(1h, 2))
    );
    const auto& [one, part, other] = all;
    errors->assign({one.error(), part.error, other.error()});
}

TEST(when_all, that_is_cancelled_keeps_the_results_of_tasks_that_throw_it) {
    inplace_stop_source source;
    source.request_stop();
    std::vector<std::error_code> errors;
    run(all_that_can_tell(source.get_token(), &errors));
    EXPECT_EQ(errors, std::vector(3, std::make_error_code(std::errc::operation_canceled)));
}

task<void> vector_that_can_tell(inplace_stop_token token, std::vector<std::error_code>* errors) {
    std::vector<task<result<int>>> jobs;
    jobs.push_back(result_after(1h, 1));
    jobs.push_back(result_after(1h, 2));
    const auto all = co_await with_stop(token, when_all(std::move(jobs)));
    for (const auto& each : all)
        errors->push_back(each.error());
}

TEST(when_all, of_a_vector_that_is_cancelled_keeps_the_results_of_tasks_that_throw_it) {
    inplace_stop_source source;
    source.request_stop();
    std::vector<std::error_code> errors;
    run(vector_that_can_tell(source.get_token(), &errors));
    EXPECT_EQ(errors, std::vector(2, std::make_error_code(std::errc::operation_canceled)));
}

task<void> one_that_cannot_tell(inplace_stop_token token) {
    const auto all = co_await with_stop(token, when_all(result_after(1h, 1), nothing_after(1h)));
    static_cast<void>(all);
}

TEST(when_all, that_is_cancelled_throws_it_for_a_task_that_cannot_tell) {
    inplace_stop_source source;
    source.request_stop();
    EXPECT_EQ(thrown_by(one_that_cannot_tell(source.get_token())), std::errc::operation_canceled);
}

task<void> cancelled_and_broken(inplace_stop_token token) {
    const auto all = co_await with_stop(token, when_all(nothing_after(1h), breaks_when_stopped()));
    static_cast<void>(all);
}
task<void> cancelled_and_broken_vector(inplace_stop_token token) {
    std::vector<task<void>> jobs;
    jobs.push_back(nothing_after(1h));
    jobs.push_back(breaks_when_stopped());
    const auto all = co_await with_stop(token, when_all(std::move(jobs)));
    static_cast<void>(all);
}

TEST(when_all, throws_a_failure_rather_than_a_cancellation_that_came_before) {
    inplace_stop_source source;
    source.request_stop();
    EXPECT_THROW(run(cancelled_and_broken(source.get_token())), std::logic_error);
    EXPECT_THROW(run(cancelled_and_broken_vector(source.get_token())), std::logic_error);
}

// ---- scopes ----

struct scope_record {
    std::error_code joined;
    std::error_code body;
};
task<int> stops_its_children(scope children, scope_record* seen) {
    children.spawn(nothing_after, 1h);
    children.spawn(nothing_after, 1h);
    const auto turn = co_await async::nop();
    turn.value();
    children.request_stop();
    const auto joined = co_await children.join();
    seen->joined = joined.error();
    const auto slept = co_await sleep_for(1ms);
    seen->body = slept.error();
    co_return 7;
}
task<int> scope_of_stopped_children(scope_record* seen) {
    co_return co_await with_scope(stops_its_children, seen);
}

TEST(scope, request_stop_leaves_the_body_alone_also_if_children_throw_that_they_were_cancelled) {
    scope_record seen;
    EXPECT_EQ(run(scope_of_stopped_children(&seen)), 7);
    EXPECT_EQ(seen.joined, std::error_code{});
    EXPECT_EQ(seen.body, std::error_code{});
}

task<void> stops_one_that_breaks(scope children) {
    children.spawn(breaks_when_stopped);
    const auto turn = co_await async::nop();
    turn.value();
    children.request_stop();
}
task<void> child_that_gives_up(scope children) {
    children.spawn(gives_up);
    co_return;
}
task<void> cancelled_beside_a_child_that_breaks(scope children) {
    children.spawn(breaks_when_stopped);
    co_await nothing_after(1h);
}
task<void> in_scope(task<void> (*body)(scope), inplace_stop_token token) {
    co_await with_stop(token, with_scope(body));
}

TEST(with_scope, still_throws_what_else_a_stopped_child_throws) {
    EXPECT_THROW(run(in_scope(stops_one_that_breaks, {})), std::logic_error);
}
TEST(with_scope, still_throws_a_cancellation_that_nobody_asked_for) {
    EXPECT_EQ(thrown_by(in_scope(child_that_gives_up, {})), std::errc::operation_canceled);
}
TEST(with_scope, throws_a_failure_of_a_child_rather_than_the_cancellation_of_its_body) {
    inplace_stop_source source;
    source.request_stop();
    const auto job = [&] {
        run(in_scope(cancelled_beside_a_child_that_breaks, source.get_token()));
    };
    EXPECT_THROW(job(), std::logic_error);
}

} // namespace
} // namespace coronet::cancelled_by_exception_tests
