// SPDX-License-Identifier: BSL-1.0
//
// What is below a shield is not stopped by anything around it, but by the end of its scheduler; and
// behind it the coroutine is as stopped as it would have been.
#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/schedule.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/shield.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/this_coroutine.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_any.hpp>
#include <coronet/runtime.hpp>

#include <gtest/gtest.h>

#include <stdexcept>

#include <signal.h>

namespace coronet::shield_tests {
namespace {

using namespace std::chrono_literals;

struct seen_errors {
    std::error_code inside;
    std::error_code behind;
    bool own_token_stopped = false;
};

/// Returns when `outer` is stopped, and then awaits: what a stop that came here would have refused.
task<std::error_code> outlast(inplace_stop_token outer) {
    const auto deadline = clock::now() + 10s;
    while (!outer.stop_requested()) {
        const auto slept = co_await sleep_for(100us);
        if (!slept) co_return slept.error();
        if (clock::now() > deadline) throw std::logic_error("no stop came");
    }
    const auto done = co_await async::nop();
    co_return done.error();
}
task<void> shielded_then_not(seen_errors* seen) {
    const auto token = co_await this_coroutine::stop_token();
    seen->inside = co_await shield(outlast(token));
    const auto slept = co_await sleep_for(1h);
    seen->behind = slept.error();
}

void expect_held(const seen_errors& seen) {
    EXPECT_EQ(seen.inside, std::error_code{});
    EXPECT_EQ(seen.behind, std::errc::operation_canceled);
}

task<void> under_a_limit(seen_errors* seen) {
    const auto ended = co_await with_timeout(1ms, shielded_then_not(seen));
    static_cast<void>(ended);
}

TEST(shield, holds_against_a_time_limit_and_leaves_what_is_behind_it_stopped) {
    seen_errors seen;
    run(under_a_limit(&seen));
    expect_held(seen);
}

task<void> under_a_stopped_token(seen_errors* seen) {
    inplace_stop_source source;
    source.request_stop();
    co_await with_stop(source.get_token(), shielded_then_not(seen));
}

TEST(shield, lets_awaits_begin_in_a_branch_that_was_stopped_before) {
    seen_errors seen;
    run(under_a_stopped_token(&seen));
    expect_held(seen);
}

task<void> beside_a_quicker_one(seen_errors* seen) {
    const auto first = co_await when_any(async::nop(), shielded_then_not(seen));
    static_cast<void>(first);
}

TEST(shield, holds_against_a_sibling_that_was_first) {
    seen_errors seen;
    run(beside_a_quicker_one(&seen));
    expect_held(seen);
}

task<void> stopped_child(scope children, seen_errors* seen) {
    children.spawn(shielded_then_not, seen);
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    children.request_stop();
}
task<void> in_a_stopped_scope(seen_errors* seen) {
    co_await with_scope(stopped_child, seen);
}

TEST(shield, holds_against_a_stop_of_its_scope) {
    seen_errors seen;
    run(in_a_stopped_scope(&seen));
    expect_held(seen);
}

task<std::error_code> one_operation(inplace_stop_token token) {
    const auto done = co_await with_stop(token, shield(async::nop()));
    co_return done.error();
}

TEST(shield, takes_a_single_operation) {
    inplace_stop_source source;
    source.request_stop();
    EXPECT_EQ(run(one_operation(source.get_token())), std::error_code{});
}

task<void> nested(scope children, seen_errors* seen, inplace_stop_token outer) {
    children.spawn(
        [](seen_errors* into, inplace_stop_token token) -> task<void> {
            into->inside = co_await with_timeout(1h, outlast(token));
        },
        seen, outer
    );
    co_return;
}
task<void> groups_below(seen_errors* seen) {
    const auto token = co_await this_coroutine::stop_token();
    co_await shield(with_scope(nested, seen, token));
}
task<void> limited_groups_below(seen_errors* seen) {
    const auto ended = co_await with_timeout(0s, groups_below(seen));
    static_cast<void>(ended);
}

TEST(shield, covers_scopes_and_limits_below_it) {
    seen_errors seen{std::make_error_code(std::errc::state_not_recoverable), {}};
    run(limited_groups_below(&seen));
    EXPECT_EQ(seen.inside, std::error_code{});
}

task<result<void>> with_a_limit_inside() {
    const auto ended = co_await shield(with_timeout(1ms, sleep_for(1h)));
    co_return ended;
}

TEST(shield, lets_a_limit_inside_it_do_its_work) {
    EXPECT_EQ(run(with_a_limit_inside()).error(), std::errc::timed_out);
}

task<void> failing() {
    throw std::runtime_error("own");
    co_return;
}
task<void> failing_inside() {
    co_await shield(failing());
}

TEST(shield, lets_exceptions_through) {
    EXPECT_THROW(run(failing_inside()), std::runtime_error);
}

// ---- its token ----

task<bool> token_is_stopped() {
    const auto token = co_await this_coroutine::stop_token();
    co_return token.stop_requested();
}
task<bool> token_in_a_stopped_branch(inplace_stop_token stopped) {
    co_return co_await with_stop(stopped, shield(token_is_stopped()));
}

TEST(shield, has_a_token_of_its_own_that_nothing_outside_stops) {
    inplace_stop_source source;
    source.request_stop();
    EXPECT_FALSE(run(token_in_a_stopped_branch(source.get_token())));
}

// ---- the end of the scheduler ----

task<void> drained_inside(seen_errors* seen) {
    const auto token = co_await this_coroutine::stop_token();
    scheduler::current()->stop();
    const auto slept = co_await sleep_for(1h);
    seen->inside = slept.error();
    seen->own_token_stopped = token.stop_requested();
}
task<void> drained(seen_errors* seen) {
    co_await shield(drained_inside(seen));
}

TEST(shield, is_cancelled_with_its_token_when_its_scheduler_is_stopped) {
    seen_errors seen;
    run(drained(&seen));
    EXPECT_EQ(seen.inside, std::errc::operation_canceled);
    EXPECT_TRUE(seen.own_token_stopped);
}

task<std::error_code> begun_after_the_end() {
    scheduler::current()->stop();
    const auto waited = co_await sleep_for(1h); // the drain is what ends it
    static_cast<void>(waited);
    const auto done = co_await shield(sleep_for(1h));
    co_return done.error();
}

TEST(shield, that_begins_while_the_scheduler_ends_is_cancelled_too) {
    EXPECT_EQ(run(begun_after_the_end()), std::errc::operation_canceled);
}

task<void> outlasts_there(seen_errors* seen) {
    co_await shielded_then_not(seen);
}
task<void> on_another_scheduler(scheduler* other, seen_errors* seen) {
    const auto ended = co_await with_timeout(1ms, run_on(*other, outlasts_there, seen));
    static_cast<void>(ended);
}

TEST(shield, holds_on_another_scheduler) {
    runtime_options options;
    options.threads = 1;
    runtime others{options};
    seen_errors seen;
    run(on_another_scheduler(&others.at(0), &seen));
    expect_held(seen);
}

task<void> stops_where_it_was_begun(inplace_stop_token outer, seen_errors* seen) {
    seen->inside = co_await outlast(outer);
    scheduler::current()->stop();
    const auto slept = co_await sleep_for(1h);
    seen->behind = slept.error();
}
task<void> shielded_away_from_home(scheduler* other, seen_errors* seen) {
    const auto token = co_await this_coroutine::stop_token();
    scheduler* const home = scheduler::current();
    const auto moved = co_await schedule_on(*other);
    static_cast<void>(moved);
    home->stop();
    co_await shield(stops_where_it_was_begun(token, seen));
}

TEST(shield, holds_up_the_end_of_its_branch_s_home_and_ends_with_the_scheduler_it_was_begun_on) {
    runtime_options options;
    options.threads = 1;
    runtime others{options};
    seen_errors seen;
    run(shielded_away_from_home(&others.at(0), &seen));
    expect_held(seen);
}

// ---- signals ----

task<void> interrupted(seen_errors* seen) {
    ::raise(SIGINT);
    co_await shielded_then_not(seen);
}

TEST(shield, is_not_reached_by_a_signal_that_ends_run) {
    seen_errors seen;
    run(interrupted(&seen));
    expect_held(seen);
}

task<void> interrupt_again(inplace_stop_token outer) {
    const auto error = co_await outlast(outer);
    if (!error) ::raise(SIGTERM);
    const auto slept = co_await sleep_for(1h);
    static_cast<void>(slept);
}
task<void> interrupted_twice() {
    const auto token = co_await this_coroutine::stop_token();
    ::raise(SIGTERM);
    co_await shield(interrupt_again(token));
}

TEST(shield, is_ended_with_the_program_by_a_second_signal) {
    EXPECT_EXIT(run(interrupted_twice()), ::testing::KilledBySignal(SIGTERM), "");
}

} // namespace
} // namespace coronet::shield_tests
