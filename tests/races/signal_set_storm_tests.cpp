// SPDX-License-Identifier: BSL-1.0
//
// Property: a signal_set with a reader survives a storm of signals: none that queues (a real-time
// signal) is lost, and of the others each that is pending is delivered at least once.
#include "support/rounds.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/signal_set.hpp>
#include <coronet/coro/timeout.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <iostream>
#include <thread>
#include <vector>

#include <signal.h>
#include <unistd.h>

namespace coronet {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t sender_count = 4;

struct counts {
    std::array<long, 65> seen{};
    long queued = 0; // real-time signals to come
    bool in_time = true;
};

void send(int number) {
    // EAGAIN: too many are queued for this user; the reader makes room.
    while (::sigqueue(::getpid(), number, {}) < 0 && errno == EAGAIN)
        std::this_thread::yield();
}

long real_time_signals(const counts& of) {
    return of.seen[static_cast<std::size_t>(SIGRTMIN)] +
           of.seen[static_cast<std::size_t>(SIGRTMIN + 1)];
}
bool any_pending() {
    sigset_t pending;
    ::sigpending(&pending);
    return ::sigismember(&pending, SIGUSR1) == 1 || ::sigismember(&pending, SIGUSR2) == 1;
}

task<void> count_signals(const signal_set* signals, counts* into) {
    while (real_time_signals(*into) < into->queued || any_pending()) {
        const auto got = co_await with_timeout(20s, signals->wait());
        if (!got) {
            into->in_time = false;
            co_return;
        }
        ++into->seen[static_cast<std::size_t>(*got)];
    }
}

/// Two plain kinds and two that queue.
void storm(long rounds_each) {
    std::vector<std::thread> senders;
    for (std::size_t each = 0; each < sender_count; ++each)
        senders.emplace_back([rounds_each] {
            for (long i = 0; i < rounds_each; ++i) {
                send(SIGUSR1);
                send(SIGRTMIN);
                send(SIGUSR2);
                send(SIGRTMIN + 1);
            }
        });
    for (auto& each : senders)
        each.join();
    send(SIGRTMIN); // the last of all: no plain signal comes after it
}

task<result<int>> next_of(const signal_set* signals) {
    co_return co_await with_timeout(20s, signals->wait());
}

TEST(signal_set, takes_a_storm_of_several_kinds_and_loses_none_that_queues) {
    const long rounds_each = test::rounds(1'000, 50'000); // 4 signals a round, 4 threads
    const signal_set signals{SIGUSR1, SIGUSR2, SIGRTMIN, SIGRTMIN + 1};
    counts all;
    all.queued = rounds_each * 2 * static_cast<long>(sender_count) + 1;
    std::thread weather{storm, rounds_each};
    run(count_signals(&signals, &all));
    weather.join();
    std::cout << "queued " << real_time_signals(all) << ", SIGUSR1 " << all.seen[SIGUSR1]
              << ", SIGUSR2 " << all.seen[SIGUSR2] << '\n';
    EXPECT_TRUE(all.in_time);
    EXPECT_EQ(real_time_signals(all), all.queued);
    EXPECT_GT(all.seen[SIGUSR1], 0);
    EXPECT_GT(all.seen[SIGUSR2], 0);

    // Nothing is pending now: what comes next is delivered, each kind once.
    send(SIGUSR1);
    send(SIGUSR2);
    const auto first = run(next_of(&signals));
    const auto second = run(next_of(&signals));
    ASSERT_TRUE(first && second);
    EXPECT_EQ(*first + *second, SIGUSR1 + SIGUSR2);
    EXPECT_FALSE(any_pending());
}

} // namespace
} // namespace coronet
