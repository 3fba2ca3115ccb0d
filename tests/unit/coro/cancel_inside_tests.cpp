// SPDX-License-Identifier: BSL-1.0
//
// A cancel from inside a stop callback, or from inside another cancel: it notes the request and
// returns. Nobody is resumed inside the call, so that the caller may be in the middle of something.
#include "scripted_coroutines.hpp"

#include <coronet/coro/multishot.hpp>
#include <coronet/coro/on_stop.hpp>
#include <coronet/coro/operations.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/this_coroutine.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>

#include <gtest/gtest.h>

#include <array>

namespace coronet::cancel_inside_tests {
namespace {

using namespace std::chrono_literals;

/// Somebody who waits for all kinds of things at once, in a scope.
struct crowd {
    int resumed = 0;
    int resumed_inside = 0; // the call that cancels them
    int calls = 0;
};
task<void> waits_for_an_operation(crowd* in) {
    std::array<std::byte, 8> room;
    const auto read = co_await async::read(7, room);
    static_cast<void>(read);
    ++in->resumed;
}
task<void> waits_for_a_timer(crowd* in) {
    const auto slept = co_await sleep_for(1h);
    static_cast<void>(slept);
    ++in->resumed;
}
task<void> waits_for_a_stream(crowd* in) {
    auto stream = async::accept_multishot(7);
    const auto next = co_await stream.next();
    static_cast<void>(next);
    ++in->resumed;
}
task<void> waits_for_siblings(scope siblings, crowd* in) {
    const auto joined = co_await siblings.join();
    static_cast<void>(joined);
    ++in->resumed;
}

/// Stops the scope of all of them, from wherever it is called.
struct stopping_all {
    scope all;
    crowd* in;
    void operator()() const {
        ++in->calls;
        all.request_stop();
        in->resumed_inside += in->resumed;
    }
};
void spawn_crowd(scope children, crowd* in) {
    children.spawn(waits_for_an_operation, in);
    children.spawn(waits_for_a_timer, in);
    children.spawn(waits_for_a_stream, in);
    children.spawn(waits_for_siblings, children, in);
}
void expect_resumed_outside(const crowd& seen) {
    EXPECT_EQ(seen.calls, 1);
    EXPECT_EQ(seen.resumed_inside, 0);
    EXPECT_EQ(seen.resumed, 4);
}

using cancel_inside = test::scripted_coroutines;

task<void> stopped_in_a_callback(stopping_all stop) {
    const auto token = co_await this_coroutine::stop_token();
    const inplace_stop_callback<stopping_all> callback{token, stop};
    const auto slept = co_await sleep_for(1h);
    static_cast<void>(slept);
}
task<void> crowd_and_a_callback(scope children, crowd* in) {
    spawn_crowd(children, in);
    stopping_all stop{children, in};
    const auto ended = co_await with_timeout(1ms, stopped_in_a_callback(stop));
    static_cast<void>(ended);
}
task<void> in_a_scope(task<void> (*body)(scope, crowd*), crowd* in) {
    co_await with_scope(body, in);
}

TEST_F(cancel_inside, C7_a_stop_callback_resumes_nobody_that_it_cancels) {
    crowd seen;
    finish(in_a_scope(crowd_and_a_callback, &seen));
    expect_resumed_outside(seen);
}

task<void> crowd_and_another_cancel(scope children, crowd* in) {
    spawn_crowd(children, in);
    stopping_all stop{children, in};
    const auto slept = co_await with_timeout(1ms, on_stop(sleep_for(1h), stop));
    static_cast<void>(slept);
}

TEST_F(cancel_inside, C7_another_cancel_resumes_nobody_that_it_cancels) {
    crowd seen;
    finish(in_a_scope(crowd_and_another_cancel, &seen));
    expect_resumed_outside(seen);
}

} // namespace
} // namespace coronet::cancel_inside_tests
