// SPDX-License-Identifier: BSL-1.0
//
// A scope ends when its body and all children have, whatever ended them.
#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_any.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace coronet::scope_tests {
namespace {

using namespace std::chrono_literals;

struct record {
    int ended = 0;
    int cancelled = 0;
    std::size_t size = 0;
    std::error_code body;
};

task<void> child(duration delay, record* seen) {
    const auto slept = co_await sleep_for(delay);
    ++(slept ? seen->ended : seen->cancelled);
}
task<void> failing_child(duration delay, std::string why) {
    const auto slept = co_await sleep_for(delay);
    static_cast<void>(slept);
    throw std::runtime_error(why);
}

/// Runs `body` in a scope and gives what it gives.
template <class Body, class... Arguments>
auto in_scope(Body body, Arguments... arguments)
    -> task<typename std::invoke_result_t<Body, scope, Arguments...>::value_type> {
    co_return co_await with_scope(body, arguments...);
}

task<int> leave_at_once(scope children, record* seen) {
    for (int i = 0; i < 3; ++i)
        children.spawn(child, 5ms, seen);
    seen->size = children.size();
    co_return 7;
}

TEST(with_scope, ends_after_the_last_child_and_gives_what_the_body_gave) {
    record seen;
    EXPECT_EQ(run(in_scope(leave_at_once, &seen)), 7);
    EXPECT_EQ(seen.size, 3u);
    EXPECT_EQ(seen.ended, 3);
}

task<std::unique_ptr<int>> childless(scope) {
    co_return std::make_unique<int>(2);
}

TEST(with_scope, needs_no_children) {
    EXPECT_EQ(*run(in_scope(childless)), 2);
}

task<void> join_twice(scope children, record* seen) {
    children.spawn(child, 5ms, seen);
    children.spawn(child, 1ms, seen);
    const auto joined = co_await children.join();
    seen->body = joined.error();
    seen->size = children.size() + static_cast<std::size_t>(seen->ended) * 10;
    const auto again = co_await children.join();
    again.value();
}

TEST(scope, join_waits_until_no_child_is_left) {
    record seen;
    run(in_scope(join_twice, &seen));
    EXPECT_EQ(seen.body, std::error_code{});
    EXPECT_EQ(seen.size, 20u); // two had ended, none was left
}

task<void> stop_children(scope children, record* seen) {
    children.spawn(child, 1h, seen);
    children.spawn(child, 1h, seen);
    children.request_stop();
    const auto joined = co_await children.join();
    joined.value();
    children.spawn(child, 1h, seen); // too late to begin anything
    const auto slept = co_await sleep_for(1ms);
    seen->body = slept.error();
}

TEST(scope, request_stop_cancels_the_children_and_not_the_body) {
    record seen;
    run(in_scope(stop_children, &seen));
    EXPECT_EQ(seen.cancelled, 3);
    EXPECT_EQ(seen.body, std::error_code{});
}

task<void> give_up_joining(scope children, record* seen) {
    children.spawn(child, 20ms, seen);
    const auto first = co_await when_any(children.join(), sleep_for(1ms));
    seen->body = std::get<0>(first.results).error();
    seen->size = children.size();
}

TEST(scope, join_that_is_cancelled_leaves_the_children_alone) {
    record seen;
    run(in_scope(give_up_joining, &seen));
    EXPECT_EQ(seen.body, std::errc::operation_canceled);
    EXPECT_EQ(seen.size, 1u);
    EXPECT_EQ(seen.ended, 1);
}

// ---- failures ----

task<void> with_a_failing_child(scope children, record* seen) {
    children.spawn(child, 1h, seen);
    children.spawn(failing_child, 1ms, "child");
    const auto slept = co_await sleep_for(1h);
    seen->body = slept.error();
}

TEST(with_scope, stops_body_and_siblings_when_a_child_fails_and_rethrows) {
    record seen;
    try {
        run(in_scope(with_a_failing_child, &seen));
        FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& thrown) {
        EXPECT_STREQ(thrown.what(), "child");
    }
    EXPECT_EQ(seen.cancelled, 1);
    EXPECT_EQ(seen.body, std::errc::operation_canceled);
}

task<void> failing_body(scope children, record* seen) {
    children.spawn(child, 1h, seen);
    const auto slept = co_await sleep_for(1ms);
    slept.value();
    throw std::runtime_error("body");
}

TEST(with_scope, stops_the_children_when_its_body_fails_and_rethrows) {
    record seen;
    EXPECT_THROW(run(in_scope(failing_body, &seen)), std::runtime_error);
    EXPECT_EQ(seen.cancelled, 1);
}

task<void> two_failing_children(scope children) {
    children.spawn(failing_child, 1h, "second"); // cancelled by the first, and fails all the same
    children.spawn(failing_child, 1ms, "first");
    co_return;
}

TEST(with_scope, rethrows_the_first_of_several_exceptions) {
    try {
        run(in_scope(two_failing_children));
        FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& thrown) {
        EXPECT_STREQ(thrown.what(), "first");
    }
}

task<void> body_fails_before_its_child(scope children) {
    children.spawn(failing_child, 1h, "child");
    throw std::runtime_error("body");
    co_return;
}
task<void> child_fails_before_its_body(scope children) {
    children.spawn(failing_child, 1ms, "child");
    const auto slept = co_await sleep_for(1h);
    static_cast<void>(slept);
    throw std::runtime_error("body");
}
std::string what_of(task<void> failing) {
    try {
        run(std::move(failing));
    } catch (const std::runtime_error& thrown) {
        return thrown.what();
    }
    return {};
}

TEST(with_scope, rethrows_what_failed_first_of_body_and_child) {
    EXPECT_EQ(what_of(in_scope(body_fails_before_its_child)), "body");
    EXPECT_EQ(what_of(in_scope(child_fails_before_its_body)), "child");
}

// ---- many, and from children ----

task<void> spread(scope children, int levels, record* seen) {
    ++seen->ended;
    if (levels == 0) co_return;
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    children.spawn(spread, children, levels - 1, seen);
    children.spawn(spread, children, levels - 1, seen);
}
task<void> spread_from_body(scope children, record* seen) {
    children.spawn(spread, children, 9, seen);
    co_return;
}

TEST(scope, lets_children_spawn_more_although_the_body_has_ended) {
    record seen;
    run(in_scope(spread_from_body, &seen));
    EXPECT_EQ(seen.ended, 1023);
}

task<void> crowd(scope children, int count, record* seen) {
    for (int i = 0; i < count; ++i)
        children.spawn(child, 1ms, seen);
    const auto joined = co_await children.join();
    joined.value();
}

TEST(scope, holds_ten_thousand_children) {
    record seen;
    run(in_scope(crowd, 10'000, &seen));
    EXPECT_EQ(seen.ended, 10'000);
}

// ---- cancelled from outside ----

task<void> endless(scope children, record* seen) {
    children.spawn(child, 1h, seen);
    children.spawn(child, 1h, seen);
    const auto joined = co_await children.join();
    seen->body = joined.error();
}
task<std::error_code> limited(record* seen) {
    const auto ended = co_await with_timeout(5ms, with_scope(endless, seen));
    co_return ended.error();
}

TEST(with_scope, cancels_body_and_children_when_it_is_cancelled) {
    record seen;
    EXPECT_EQ(run(limited(&seen)), std::error_code{}); // void: it ended, and says nothing else
    EXPECT_EQ(seen.cancelled, 2);
    EXPECT_EQ(seen.body, std::errc::operation_canceled);
}

task<void> stopped_before(record* seen) {
    inplace_stop_source source;
    source.request_stop();
    co_await with_stop(source.get_token(), with_scope(endless, seen));
}

TEST(with_scope, runs_in_a_stopped_branch_but_its_awaits_do_not_begin) {
    record seen;
    run(stopped_before(&seen));
    EXPECT_EQ(seen.cancelled, 2);
    EXPECT_EQ(seen.body, std::errc::operation_canceled);
}

} // namespace
} // namespace coronet::scope_tests
