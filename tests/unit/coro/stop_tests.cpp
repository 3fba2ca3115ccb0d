// SPDX-License-Identifier: BSL-1.0
//
// Tokens: stopped before, while and after what they stop, by any thread. Property of the races:
// what with_stop() awaits ends exactly once, and the token may be stopped at any instant of it.
#include "support/spin.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <thread>

namespace coronet::stop_tests {
namespace {

using namespace std::chrono_literals;

task<int> turns_until_stopped() {
    for (int turns = 0;; ++turns) {
        const auto slept = co_await sleep_for(100us);
        if (!slept) co_return turns;
    }
}
task<int> turns_with(inplace_stop_token token) {
    co_return co_await with_stop(token, turns_until_stopped());
}

TEST(with_stop, runs_the_task_without_its_awaits_when_the_token_was_stopped_before) {
    inplace_stop_source source;
    source.request_stop();
    EXPECT_EQ(run(turns_with(source.get_token())), 0);
}

task<std::error_code> slept_with(inplace_stop_token token, duration delay) {
    const auto slept = co_await with_stop(token, sleep_for(delay));
    co_return slept.error();
}

TEST(with_stop, never_stops_by_an_empty_token) {
    EXPECT_EQ(run(slept_with({}, 1ms)), std::error_code{});
}

TEST(with_stop, takes_a_token_that_is_never_stopped) {
    inplace_stop_source source;
    EXPECT_EQ(run(slept_with(source.get_token(), 1ms)), std::error_code{});
}

task<int> stops_itself(inplace_stop_source* source) {
    source->request_stop();
    // The stop travels by message: it is not here yet, but it will be.
    const auto slept = co_await sleep_for(1h);
    co_return slept ? 0 : 1;
}
task<int> stopped_by_itself(inplace_stop_source* source) {
    co_return co_await with_stop(source->get_token(), stops_itself(source));
}

TEST(with_stop, can_be_stopped_from_inside) {
    inplace_stop_source source;
    EXPECT_EQ(run(stopped_by_itself(&source)), 1);
}

task<int> stops_itself_and_ends(inplace_stop_source* source) {
    source->request_stop();
    co_return 5;
}
task<int> ended_with_a_stop_under_way(inplace_stop_source* source) {
    co_return co_await with_stop(source->get_token(), stops_itself_and_ends(source));
}

TEST(with_stop, ends_only_after_the_request_has_arrived) {
    inplace_stop_source source;
    EXPECT_EQ(run(ended_with_a_stop_under_way(&source)), 5);
}

task<void> failing() {
    throw std::runtime_error("own");
    co_return;
}
task<void> failing_with(inplace_stop_token token) {
    co_await with_stop(token, failing());
}

TEST(with_stop, lets_exceptions_through) {
    inplace_stop_source source;
    EXPECT_THROW(run(failing_with(source.get_token())), std::runtime_error);
}

task<std::error_code> nested(inplace_stop_token outer, inplace_stop_token inner) {
    const auto slept = co_await with_stop(outer, with_stop(inner, sleep_for(1h)));
    co_return slept.error();
}

TEST(with_stop, obeys_each_of_two_nested_tokens) {
    for (const bool outer : {true, false}) {
        inplace_stop_source first;
        inplace_stop_source second;
        std::thread stopper{[&] { (outer ? first : second).request_stop(); }};
        EXPECT_EQ(
            run(nested(first.get_token(), second.get_token())), std::errc::operation_canceled
        );
        stopper.join();
    }
}

task<std::error_code> limited(inplace_stop_token token) {
    const auto slept = co_await with_timeout(1ms, with_stop(token, sleep_for(1h)));
    co_return slept.error();
}

TEST(with_stop, is_ended_by_a_time_limit_around_it) {
    inplace_stop_source source;
    EXPECT_EQ(run(limited(source.get_token())), std::errc::timed_out);
}

// ---- races ----

struct tally {
    int stopped = 0;
    int done = 0;
    int other = 0;
};

/// Each round: a stop from another thread, with a varying lead, against the end of `delay`.
task<tally> stop_against_end(int rounds, duration delay) {
    tally seen;
    for (int round = 0; round < rounds; ++round) {
        auto source = std::make_unique<inplace_stop_source>();
        std::thread stopper{[from = source.get(), round] {
            test::spin(round % 64 * 100);
            from->request_stop();
        }};
        const auto slept = co_await with_stop(source->get_token(), sleep_for(delay));
        if (slept)
            ++seen.done;
        else
            ++(slept.error() == std::errc::operation_canceled ? seen.stopped : seen.other);
        stopper.join(); // it may still be inside request_stop(), and the group is gone
    }
    co_return seen;
}

TEST(with_stop, ends_once_when_a_stop_meets_the_end) {
    const int rounds = 2'000;
    const auto seen = run(stop_against_end(rounds, 50us));
    EXPECT_EQ(seen.stopped + seen.done, rounds);
    EXPECT_EQ(seen.other, 0);
}

TEST(with_stop, ends_once_when_a_stop_meets_an_immediate_end) {
    const int rounds = 500;
    const auto seen = run(stop_against_end(rounds, 0us));
    EXPECT_EQ(seen.stopped + seen.done, rounds);
}

task<int> many_stops(int rounds) {
    int stopped = 0;
    for (int round = 0; round < rounds; ++round) {
        auto source = std::make_unique<inplace_stop_source>();
        const auto ask = [from = source.get()] { from->request_stop(); };
        std::array<std::thread, 3> stoppers{std::thread{ask}, std::thread{ask}, std::thread{ask}};
        const auto slept = co_await with_stop(source->get_token(), sleep_for(1h));
        if (!slept) ++stopped;
        for (auto& each : stoppers)
            each.join();
    }
    co_return stopped;
}

TEST(with_stop, is_stopped_once_by_several_threads) {
    EXPECT_EQ(run(many_stops(200)), 200);
}

} // namespace
} // namespace coronet::stop_tests
