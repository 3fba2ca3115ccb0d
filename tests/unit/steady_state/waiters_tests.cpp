// SPDX-License-Identifier: BSL-1.0
//
// Coroutines that wait for each other take nothing from the heap: neither for a wait, on one
// scheduler or between two, nor for a value in a channel.
#include "allocation_count.hpp"
#include "support/schedulers.hpp"

#include <coronet/coro/channel.hpp>
#include <coronet/coro/event.hpp>
#include <coronet/coro/mutex.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/semaphore.hpp>

#include <gtest/gtest.h>

#include <cstddef>

namespace coronet::waiters_tests {
namespace {

using namespace test;

constexpr int warm_up = 200;
constexpr int rounds = 10'000;

struct ball {
    std::byte weight[64];
};
/// There and back, without room: each send and receive waits for its other half.
struct court {
    channel<ball> there{0}, back{0};
};

task<void> return_balls(court* at) {
    for (;;) {
        const auto came = co_await at->there.receive();
        if (!came) co_return;
        const auto went = co_await at->back.send(*came);
        if (!went) co_return;
    }
}
task<std::size_t> allocations_of_rallies(court* at) {
    std::size_t before = 0;
    const ball served{};
    for (int i = 0; i < warm_up + rounds; ++i) {
        if (i == warm_up) before = allocation_count();
        const auto went = co_await at->there.send(served);
        const auto came = co_await at->back.receive();
        if (!went || !came) co_return std::size_t{999'999};
    }
    const std::size_t made = allocation_count() - before;
    at->there.close();
    co_return made;
}
task<std::size_t> rally_on_one_scheduler(scope children, court* at) {
    children.spawn(return_balls, at);
    co_return co_await allocations_of_rallies(at);
}

TEST(steady_state, of_a_channel_allocates_nothing) {
    court at;
    EXPECT_EQ(run(with_scope(rally_on_one_scheduler, &at)), 0u);
}

TEST(steady_state, of_a_channel_between_two_schedulers_allocates_nothing) {
    court at;
    runtime both{threads(2)};
    auto returning = begin_on(both.at(0), return_balls(&at));
    EXPECT_EQ(sync_wait(both.at(1), allocations_of_rallies(&at)), 0u);
    returning.get();
}

struct shared {
    mutex guarded;
    semaphore permits{1};
    event turn;
    bool over = false;
};

task<void> contend(shared* at) {
    while (!at->over) {
        auto held = co_await at->guarded.lock();
        const auto permitted = co_await at->permits.acquire();
        co_await pause();
        at->permits.release();
        held->unlock();
        at->turn.set();
        permitted.value();
    }
}
task<std::size_t> allocations_of_contention(scope children, shared* at) {
    for (int i = 0; i < 3; ++i)
        children.spawn(contend, at);
    std::size_t before = 0;
    for (int i = 0; i < warm_up + rounds; ++i) {
        if (i == warm_up) before = allocation_count();
        at->turn.reset();
        const auto came = co_await at->turn.wait();
        came.value();
    }
    at->over = true;
    co_return allocation_count() - before;
}

TEST(steady_state, of_locks_permits_and_events_allocates_nothing) {
    shared at;
    EXPECT_EQ(run(with_scope(allocations_of_contention, &at)), 0u);
}

} // namespace
} // namespace coronet::waiters_tests
