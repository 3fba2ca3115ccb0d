// SPDX-License-Identifier: BSL-1.0
//
// An open connection in its steady state takes nothing from the heap: neither for its operations,
// nor for tasks that it awaits, nor for time limits, nor for going to another scheduler and back.
#include "round_trips.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/schedule.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/net/unix_stream.hpp>
#include <coronet/runtime.hpp>

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <utility>

namespace coronet::echo_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

TEST(allocation_count, sees_allocations) {
    const auto before = allocation_count();
    auto* volatile seen = new int{1};
    delete seen;
    EXPECT_EQ(allocation_count() - before, 1u);
}

task<transfer> echo_once(unix_stream* peer, message* buffer) {
    const auto received = co_await with_timeout(10s, peer->read_exactly(*buffer));
    if (!received) co_return received;
    co_return co_await with_timeout(10s, peer->write_all(*buffer));
}
task<void> echo(unix_stream* peer) {
    message buffer;
    for (;;) {
        const auto done = co_await echo_once(peer, &buffer);
        if (!done) co_return;
    }
}

task<bool> round_trip(unix_stream* peer, message* buffer) {
    const auto sent = co_await peer->write_all(*buffer);
    const auto received = co_await peer->read_exactly(*buffer);
    co_return sent&& received;
}

TEST(steady_state, of_an_echo_connection_allocates_nothing) {
    auto pair = unix_stream::pair();
    ASSERT_TRUE(pair);
    auto served = echo(&pair->second);
    EXPECT_EQ(run(allocations_of_both(round_trip, std::move(served), &pair->first)), 0u);
}

// ---- structured concurrency ----

task<void> child() {
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
}
task<void> three_children(scope children) {
    for (int i = 0; i < 3; ++i)
        children.spawn(child);
    const auto joined = co_await children.join();
    static_cast<void>(joined);
}
task<void> everything_once() {
    co_await with_scope(three_children);
    const auto both = co_await when_all(child(), child());
    static_cast<void>(both);
    const auto limited = co_await with_timeout(10s, child());
    static_cast<void>(limited);
}
task<std::size_t> allocations_of_everything() {
    std::size_t before = 0;
    for (int i = 0; i < warm_up + rounds; ++i) {
        if (i == warm_up) before = allocation_count();
        co_await everything_once();
    }
    co_return allocation_count() - before;
}

TEST(steady_state, of_scopes_and_limits_allocates_nothing) {
    EXPECT_EQ(run(allocations_of_everything()), 0u);
}

// ---- frames that end on another thread ----

task<int> answer() {
    co_return 1;
}
task<std::size_t> allocations_of_visits(scheduler* other) {
    std::size_t before = 0;
    for (int i = 0; i < warm_up + rounds; ++i) {
        if (i == warm_up) before = allocation_count();
        const auto got = co_await run_on(*other, answer);
        if (!got) co_return std::size_t{999'999};
    }
    co_return allocation_count() - before;
}

TEST(steady_state, of_tasks_that_run_on_another_scheduler_allocates_nothing) {
    runtime_options options;
    options.threads = 1;
    runtime others{options};
    // The two threads race for a frame that is on its way home: now and then a second one is made.
    EXPECT_LE(run(allocations_of_visits(&others.at(0))), 20u);
}

} // namespace
} // namespace coronet::echo_tests
