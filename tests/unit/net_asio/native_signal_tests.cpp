// SPDX-License-Identifier: BSL-1.0
//
// Signal sets with Coronet's executor: what they tell is what Asio's own tell.
#include "tokens.hpp"
#include "which_asio.hpp"

#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/signal_set.hpp>

#include <gtest/gtest.h>

#include <csignal>
#include <cstddef>
#include <tuple>
#include <utility>
#include <vector>

namespace coronet::asiox::native_signal_tests {
namespace {

/// -1 for a wait that was aborted.
auto note(std::vector<int>& told) {
    return [&told](error_code error, int signal) { told.push_back(error ? -1 : signal); };
}

/// Two sets of one signal, a third of another context; one signal comes before anybody waits.
template <class Set>
std::vector<int> what_sets_are_told() {
    io_context context;
    io_context another;
    std::vector<int> told;
    Set one{context.get_executor(), SIGUSR1, SIGUSR2};
    Set two{context.get_executor(), SIGUSR1};
    Set elsewhere{another.get_executor(), SIGUSR1};
    ::raise(SIGUSR1);
    ::raise(SIGUSR2);
    one.async_wait(note(told));
    one.async_wait(note(told));
    one.async_wait(note(told));
    two.async_wait(note(told));
    elsewhere.async_wait(note(told));
    while (told.size() < 3)
        context.run_one();
    told.push_back(100);
    another.run();
    one.cancel();
    context.run();
    told.push_back(200);
    one.remove(SIGUSR2);
    two.clear();
    two.async_wait(note(told));
    ::raise(SIGUSR1);
    one.async_wait(note(told));
    context.restart();
    context.run_one();
    two.cancel();
    context.run();
    return told;
}

TEST(asio_signals, AN1_several_sets_of_several_contexts_are_told_as_by_asio) {
    using plain_set = net::basic_signal_set<net::io_context::executor_type>;
    const auto told = what_sets_are_told<signal_set>();
    EXPECT_EQ(told, what_sets_are_told<plain_set>());
    EXPECT_EQ(told.size(), 9u);
}

net::awaitable<int> wait_in_every_way(signal_set* signals) {
    ::raise(SIGUSR1);
    int first = co_await signals->async_wait(net::use_awaitable);
    ::raise(SIGUSR1);
    error_code error = net::error::would_block;
    auto redirected = net::redirect_error(net::use_awaitable, error);
    int second = co_await signals->async_wait(redirected);
    ::raise(SIGUSR1);
    auto as_tuple = test::as_tuple(net::use_awaitable);
    auto third = co_await signals->async_wait(as_tuple);
    ::raise(SIGUSR1);
    auto deferred = signals->async_wait(test::deferred);
    int fourth = co_await std::move(deferred)(net::use_awaitable);
    co_return error ? -1 : first + second + std::get<1>(third) + fourth;
}

TEST(asio_signals, AN1_every_token_is_told) {
    io_context context;
    signal_set signals{context.get_executor(), SIGUSR1};
    auto waited =
        net::co_spawn(context.get_executor(), wait_in_every_way(&signals), net::use_future);
    context.run();
    EXPECT_EQ(waited.get(), 4 * SIGUSR1);
    ::raise(SIGUSR1);
    auto future = signals.async_wait(net::use_future);
    context.restart();
    context.run();
    EXPECT_EQ(future.get(), SIGUSR1);
}

TEST(asio_signals, AN2_a_slot_ends_its_wait_and_no_other) {
    io_context context;
    signal_set signals{context.get_executor(), SIGUSR1};
    std::vector<int> cancelled;
    std::vector<int> left;
    net::cancellation_signal signal;
    signals.async_wait(net::bind_cancellation_slot(signal.slot(), note(cancelled)));
    signals.async_wait(note(left));
    context.poll();
    signal.emit(net::cancellation_type::total);
    context.poll();
    EXPECT_EQ(cancelled, std::vector{-1});
    EXPECT_EQ(left, std::vector<int>{});
    ::raise(SIGUSR1);
    context.run();
    EXPECT_EQ(left, std::vector{SIGUSR1});
}

TEST(asio_signals, AN11_a_context_that_ends_with_a_wait_calls_no_handler) {
    std::vector<int> told;
    {
        io_context context;
        signal_set signals{context.get_executor(), SIGUSR1};
        signals.async_wait(note(told));
        context.poll();
    }
    EXPECT_TRUE(told.empty());
}

TEST(asio_signals, AE12_the_first_of_a_plain_context_installs_the_ring) {
    net::io_context context;
    const signal_set signals{asiox::executor{context.get_executor()}, SIGUSR1};
    EXPECT_NE(installed(context), nullptr);
}

} // namespace
} // namespace coronet::asiox::native_signal_tests
