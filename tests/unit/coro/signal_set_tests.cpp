// SPDX-License-Identifier: BSL-1.0
//
// Signals as awaits.
#include <coronet/coro/run.hpp>
#include <coronet/coro/signal_set.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>

#include <gtest/gtest.h>

#include <system_error>

#include <signal.h>
#include <unistd.h>

namespace coronet::signal_set_tests {
namespace {

using namespace std::chrono_literals;

bool is_blocked(int number) {
    sigset_t now;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
    return ::sigismember(&now, number) == 1;
}

task<result<int>> next_of(const signal_set* signals) {
    co_return co_await signals->wait();
}
task<result<int>> next_within(const signal_set* signals, duration limit) {
    co_return co_await with_timeout(limit, signals->wait());
}

TEST(signal_set, gives_a_signal_that_came_before) {
    const signal_set signals{SIGUSR1, SIGUSR2};
    ::raise(SIGUSR2);
    EXPECT_EQ(*run(next_of(&signals)), SIGUSR2);
}

task<void> raise_soon(int number) {
    const auto slept = co_await sleep_for(1ms);
    slept.value();
    ::kill(::getpid(), number);
}
task<result<int>> wait_while_raised(const signal_set* signals) {
    const auto both = co_await when_all(signals->wait(), raise_soon(SIGUSR1));
    co_return std::get<0>(both);
}

TEST(signal_set, gives_a_signal_that_comes_while_it_waits) {
    const signal_set signals{SIGUSR1};
    EXPECT_EQ(*run(wait_while_raised(&signals)), SIGUSR1);
}

TEST(signal_set, leaves_a_signal_pending_that_nobody_took) {
    const signal_set signals{SIGUSR1};
    EXPECT_EQ(run(next_within(&signals, 1ms)).error(), std::errc::timed_out);
    ::raise(SIGUSR1);
    EXPECT_EQ(*run(next_of(&signals)), SIGUSR1);
}

TEST(signal_set, gives_several_signals_one_after_the_other) {
    const signal_set signals{SIGUSR1, SIGUSR2};
    ::raise(SIGUSR1);
    ::raise(SIGUSR2);
    const int first = *run(next_of(&signals));
    const int second = *run(next_of(&signals));
    EXPECT_EQ(first + second, SIGUSR1 + SIGUSR2);
    EXPECT_EQ(run(next_within(&signals, 1ms)).error(), std::errc::timed_out);
}

TEST(signal_set, blocks_its_signals_while_it_lives) {
    {
        const signal_set signals{SIGUSR1};
        EXPECT_TRUE(is_blocked(SIGUSR1));
        EXPECT_FALSE(is_blocked(SIGUSR2));
    }
    EXPECT_FALSE(is_blocked(SIGUSR1));
}

TEST(signal_set, leaves_those_blocked_that_were_blocked_before) {
    const signal_set outer{SIGUSR1};
    { const signal_set inner{SIGUSR1, SIGUSR2}; }
    EXPECT_TRUE(is_blocked(SIGUSR1));
    EXPECT_FALSE(is_blocked(SIGUSR2));
}

TEST(signal_set, refuses_a_number_that_is_no_signal) {
    EXPECT_THROW((signal_set{SIGUSR1, 1234}), std::system_error);
    EXPECT_FALSE(is_blocked(SIGUSR1));
}

} // namespace
} // namespace coronet::signal_set_tests
