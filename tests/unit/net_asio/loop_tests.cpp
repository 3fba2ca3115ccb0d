// SPDX-License-Identifier: BSL-1.0
//
// That a context behaves as Asio's own: where the same script runs on both, what it tells is
// compared.
#include "which_asio.hpp"

#include <coronet/net/asio/io_context.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace coronet::asiox::loop_tests {
namespace {

using namespace std::chrono_literals;
using counts = std::vector<std::size_t>;

template <class Context>
counts turns_of_posts() {
    Context context{1};
    counts told;
    const auto nothing = [] {};
    told.push_back(context.poll()); // stops it, for want of work
    told.push_back(context.stopped());
    context.restart();
    for (int i = 0; i < 5; ++i)
        net::post(context, nothing);
    told.push_back(context.poll_one());
    told.push_back(context.run_one());
    told.push_back(context.run_one_for(1h));
    told.push_back(context.poll());
    told.push_back(context.stopped());
    told.push_back(context.run());
    return told;
}

TEST(asio_loop, AE8_counts_posted_handlers_as_asio_does) {
    EXPECT_EQ(turns_of_posts<io_context>(), turns_of_posts<net::io_context>());
}

template <class Context>
counts turns_of_timers() {
    Context context;
    counts told;
    net::steady_timer timer{context, 20ms};
    net::steady_timer late{context, 1h};
    timer.async_wait([](error_code) {});
    late.async_wait([](error_code) {});
    told.push_back(context.poll());
    told.push_back(context.run_for(1ms));
    told.push_back(context.run_one_for(1h));
    told.push_back(context.run_until(std::chrono::steady_clock::now() + 1ms));
    told.push_back(context.stopped());
    told.push_back(late.cancel());
    told.push_back(context.run());
    told.push_back(context.stopped());
    return told;
}

TEST(asio_loop, AE8_counts_expired_timers_as_asio_does) {
    EXPECT_EQ(turns_of_timers<io_context>(), turns_of_timers<net::io_context>());
}

template <class Context>
std::vector<char> order_of_posts() {
    Context context{1};
    std::vector<char> order;
    const auto note = [&order](char each) { return [&order, each] { order.push_back(each); }; };
    net::post(context, [&] {
        net::post(context, note('c'));
        net::defer(context, note('d'));
        net::dispatch(context, note('a'));
        order.push_back('b');
    });
    net::dispatch(context, note('e')); // from outside: as a post
    context.run();
    return order;
}

TEST(asio_loop, AE3_runs_handlers_in_the_order_of_asio) {
    EXPECT_EQ(order_of_posts<io_context>(), order_of_posts<net::io_context>());
}

TEST(asio_loop, AE6_lets_an_exception_through_and_goes_on) {
    io_context context;
    bool next_ran = false;
    net::post(context, [] { throw std::runtime_error("out"); });
    net::post(context, [&next_ran] { next_ran = true; });
    EXPECT_THROW(context.run(), std::runtime_error);
    EXPECT_FALSE(next_ran);
    EXPECT_EQ(context.run(), 1u);
    EXPECT_TRUE(next_ran);
}

/// The shortest of several times from stop() to the end of run(): what others on the machine add is
/// not ours.
TEST(asio_loop, AE7_stop_ends_a_run_that_waits_within_10_ms) {
    io_context context;
    const auto work = net::make_work_guard(context);
    auto shortest = clock::duration::max();
    for (int i = 0; i < 20; ++i) {
        context.restart();
        std::optional<time_point> ended;
        std::thread runner{[&] {
            context.run();
            ended = clock::now();
        }};
        std::this_thread::sleep_for(1ms); // into the wait, mostly
        const time_point asked = clock::now();
        context.stop();
        runner.join();
        shortest = std::min(shortest, *ended - asked);
    }
    EXPECT_LT(shortest, 10ms);
}

TEST(asio_loop, AE7_goes_on_after_a_stop_with_what_was_begun) {
    io_context context;
    test::tcp::acceptor listening{context, test::any_port()};
    test::tcp::socket accepted{context};
    test::tcp::socket connecting{context};
    bool came = false;
    listening.async_accept(accepted, [&came](error_code error) { came = !error; });
    net::post(context, [&context] { context.stop(); });
    EXPECT_EQ(context.run(), 1u);
    EXPECT_EQ(context.run(), 0u); // still stopped
    context.restart();
    connecting.connect(listening.local_endpoint());
    EXPECT_EQ(context.run(), 1u);
    EXPECT_TRUE(came);
}

TEST(asio_loop, AE9_runs_what_eight_threads_post_and_is_woken_seldom) {
    constexpr unsigned threads = 8;
    constexpr unsigned posts = 100'000 / threads;
    io_context context;
    auto work = net::make_work_guard(context);
    unsigned ran = 0; // by the one thread in run()
    std::atomic<unsigned> posting{threads};
    std::vector<std::jthread> posters;
    for (unsigned i = 0; i < threads; ++i)
        posters.emplace_back([&] {
            for (unsigned each = 0; each < posts; ++each)
                net::post(context, [&ran] { ++ran; });
            if (--posting == 0) work.reset();
        });
    context.run();
    EXPECT_EQ(ran, threads * posts);
    EXPECT_LT(context.ring().stats().wakes, threads * posts / 10);
}

TEST(asio_loop, AE10_a_handler_that_posts_itself_keeps_no_timer_waiting) {
    io_context context;
    bool over = false;
    std::function<void()> again = [&] {
        if (!over) net::post(context, again);
    };
    again();
    auto shortest = clock::duration::max();
    for (int i = 0; i < 10; ++i) {
        over = false;
        net::steady_timer timer{context, 1ms};
        const time_point begin = clock::now();
        timer.async_wait([&](error_code) {
            shortest = std::min(shortest, clock::now() - begin);
            over = true;
        });
        again();
        context.run();
        context.restart();
    }
    EXPECT_LT(shortest, 1ms + 5ms);
}

TEST(asio_loop, a_context_is_destroyed_with_operations_in_flight) {
    bool called = false;
    {
        io_context context;
        test::tcp::acceptor listening{context, test::any_port()};
        listening.async_accept([&called](error_code, test::tcp::socket) { called = true; });
        context.poll();
    }
    EXPECT_FALSE(called);
}

} // namespace
} // namespace coronet::asiox::loop_tests
