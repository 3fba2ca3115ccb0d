// SPDX-License-Identifier: BSL-1.0
//
// Coronet's tasks as operations of Asio's, with any token.
#include "native_pair.hpp"
#include "support/schedulers.hpp"
#include "tokens.hpp"
#include "which_asio.hpp"

#include <coronet/coro/event.hpp>
#include <coronet/coro/operations.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/net/asio/async_run.hpp>
#include <coronet/net/asio/executor.hpp>
#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/use_coro.hpp>
#include <coronet/unique_fd.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <unistd.h>

namespace coronet::asiox::bridge_run_tests {
namespace {

using namespace std::chrono_literals;
using namespace net::experimental::awaitable_operators;
using net::use_awaitable;
using test::deferred;

task<std::unique_ptr<int>> slow_number(int number) {
    const auto slept = co_await sleep_for(1ms);
    co_return slept ? std::make_unique<int>(number) : nullptr;
}
task<void> slow_nothing() {
    const auto slept = co_await sleep_for(1ms);
    static_cast<void>(slept);
}
task<void> fails() {
    co_await slow_nothing();
    throw std::out_of_range("failed");
}

// ---- tokens ----

TEST(asio_async_run, AD3_a_callback_is_told_the_value_or_the_exception) {
    io_context context;
    int number = 0;
    std::exception_ptr thrown;
    bool done = false;
    async_run(context, slow_number(4), [&](std::exception_ptr, std::unique_ptr<int> given) {
        number = *given;
    });
    async_run(context, fails(), [&](std::exception_ptr error) { thrown = std::move(error); });
    async_run(context, slow_nothing(), [&](std::exception_ptr error) { done = !error; });
    async_run(context, slow_nothing(), net::detached);
    async_run(context, sleep_for(1ms), net::detached); // what is awaited, and no task
    context.run_for(10s);
    EXPECT_EQ(number, 4);
    EXPECT_TRUE(done);
    EXPECT_THROW(std::rethrow_exception(thrown), std::out_of_range);
}

TEST(asio_async_run, AD3_a_future_is_given_its_result_by_another_thread) {
    io_context context;
    auto work = net::make_work_guard(context);
    std::jthread runner{[&context] { context.run(); }};
    for (int i = 0; i < 20; ++i) {
        auto number = async_run(context, slow_number(i), net::use_future);
        EXPECT_EQ(*number.get(), i);
    }
    auto failed = async_run(context, fails(), net::use_future);
    EXPECT_THROW(failed.get(), std::out_of_range);
    work.reset();
}

/// Everything that an asio::awaitable can do with a task.
net::awaitable<std::string> all_ways() {
    const auto here = co_await net::this_coro::executor;
    auto first = co_await as_operation(slow_number(1))(use_awaitable);
    auto second = co_await async_run(here, slow_number(2), use_awaitable);
    auto later = async_run(here, slow_number(3), deferred);
    auto third = co_await std::move(later)(use_awaitable);
    std::string all = std::to_string(*first) + std::to_string(*second) + std::to_string(*third);
#if CORONET_ASIO_VERSION >= 103000
    auto fourth = co_await as_operation(slow_number(4));
    all += std::to_string(*fourth);
#else
    all += "4";
#endif
    try {
        co_await as_operation(fails())(use_awaitable);
    } catch (const std::out_of_range& error) {
        all += error.what();
    }
    co_return all;
}

TEST(asio_async_run, AD3_a_task_can_be_awaited_in_asios_coroutines) {
    io_context context;
    std::string said;
    net::co_spawn(context, all_ways(), [&](std::exception_ptr, std::string all) {
        said = std::move(all);
    });
    context.run_for(10s);
    EXPECT_EQ(said, "1234failed");
}

// ---- cancellation ----

struct pipe_pair {
    pipe_pair() {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        reader = unique_fd(ends[0]);
        writer = unique_fd(ends[1]);
    }
    unique_fd reader, writer;
};

/// An operation of the ring.
task<void> reads_from(const pipe_pair* pipe, std::error_code* ended) {
    std::array<std::byte, 8> bytes{};
    const auto received = co_await async::read(pipe->reader.get(), bytes);
    *ended = received.error();
}

net::awaitable<std::size_t> reads_or_waits(const pipe_pair* pipe, std::error_code* ended) {
    const auto here = co_await net::this_coro::executor;
    net::steady_timer timer(here, 5ms);
    auto read = as_operation(reads_from(pipe, ended))(use_awaitable);
    const auto first = co_await (std::move(read) || timer.async_wait(use_awaitable));
    co_return first.index();
}

TEST(asio_async_run, AD3_losing_against_another_operation_cancels_what_it_has_on_the_ring) {
    io_context context;
    const pipe_pair pipe;
    std::error_code ended;
    std::size_t first = 9;
    net::co_spawn(context, reads_or_waits(&pipe, &ended), [&](std::exception_ptr, std::size_t i) {
        first = i;
    });
    context.run_for(10s);
    EXPECT_EQ(first, 1u);
    EXPECT_EQ(ended, std::errc::operation_canceled);
    EXPECT_LE(context.ring().in_flight_count(), 1u); // the watch of the epoll set
}

net::awaitable<int> both() {
    auto one = as_operation(slow_number(1))(use_awaitable);
    auto other = as_operation(slow_number(2))(use_awaitable);
    const auto numbers = co_await (std::move(one) && std::move(other));
    co_return *std::get<0>(numbers) + *std::get<1>(numbers);
}

TEST(asio_async_run, AD3_tasks_can_be_awaited_together) {
    io_context context;
    int sum = 0;
    net::co_spawn(context, both(), [&](std::exception_ptr, int given) { sum = given; });
    context.run_for(10s);
    EXPECT_EQ(sum, 3);
}

#if CORONET_ASIO_VERSION >= 103100
TEST(asio_async_run, AD3_a_task_and_an_await_can_be_limited_by_cancel_after) {
    io_context context;
    const pipe_pair pipe;
    std::error_code ended;
    async_run(context, reads_from(&pipe, &ended), net::cancel_after(1ms, net::detached));
    context.run_for(10s);
    EXPECT_EQ(ended, std::errc::operation_canceled);
}
#endif

task<void> stays(const pipe_pair* pipe, std::atomic<bool>* begun) {
    begun->store(true);
    std::error_code ended;
    co_await reads_from(pipe, &ended);
}

TEST(asio_async_run, AD3_a_slot_may_fire_from_any_thread_and_at_any_time) {
    io_context context;
    auto work = net::make_work_guard(context);
    std::jthread runner{[&context] { context.run(); }};
    const pipe_pair pipe;
    for (int i = 0; i < 200; ++i) {
        net::cancellation_signal signal;
        std::atomic<bool> begun{false};
        std::atomic<int> over{0};
        const auto note = [&over](std::exception_ptr) { ++over; };
        async_run(context, stays(&pipe, &begun), net::bind_cancellation_slot(signal.slot(), note));
        if (i % 2 == 0) // else it may not have begun
            while (!begun)
                std::this_thread::yield();
        signal.emit(net::cancellation_type::total);
        while (over == 0)
            std::this_thread::yield();
        signal.emit(net::cancellation_type::total); // it is over
        EXPECT_EQ(over, 1);
    }
    work.reset();
}

// ---- where it runs, and what counts ----

TEST(asio_async_run, AD3_the_handler_runs_on_its_executor_and_not_in_the_initiation) {
    io_context context;
    net::io_context other;
    bool called = false;
    const auto note = [&](std::exception_ptr) {
        called = other.get_executor().running_in_this_thread();
    };
    async_run(context, slow_nothing(), net::bind_executor(other, note));
    EXPECT_FALSE(called);
    context.run_for(10s);
    EXPECT_FALSE(called);
    other.run();
    EXPECT_TRUE(called);
}

task<bool> is_in_ring_of(io_context* context) {
    co_return scheduler::current() == &context->ring();
}

TEST(asio_async_run, AD3_works_with_every_kind_of_executor) {
    io_context context;
    int in_ring = 0;
    const auto note = [&](std::exception_ptr, bool in) { in_ring += in ? 1 : 0; };
    async_run(net::any_io_executor(context.get_executor()), is_in_ring_of(&context), note);
    async_run(net::make_strand(context), is_in_ring_of(&context), note);
    async_run(executor(context.get_executor()), is_in_ring_of(&context), note);
    context.run_for(10s);
    EXPECT_EQ(in_ring, 3);
}

TEST(asio_async_run, AD3_installs_the_ring_where_there_is_none) {
    net::thread_pool pool(2);
    std::optional<int> number;
    async_run(pool, slow_number(5), [&](std::exception_ptr, std::unique_ptr<int> given) {
        number = *given;
    });
    pool.join();
    EXPECT_EQ(number, 5);
}

TEST(asio_async_run, AD3_a_task_counts_as_work_while_it_runs) {
    io_context context;
    bool over = false;
    async_run(context, slow_nothing(), [&](std::exception_ptr) { over = true; });
    EXPECT_EQ(context.run(), 1u); // nothing else keeps it
    EXPECT_TRUE(over);
}

task<int> awaits_elsewhere(io_context* other) {
    const auto number = co_await async_run(*other, slow_number(6), use_coro);
    co_return *number;
}

TEST(asio_async_run, AD3_a_task_of_another_context_can_be_awaited) {
    io_context context;
    io_context other;
    auto work = net::make_work_guard(other);
    std::jthread runner{[&other] { other.run(); }};
    int number = 0;
    async_run(context, awaits_elsewhere(&other), [&](std::exception_ptr, int given) {
        number = given;
    });
    context.run_for(10s);
    EXPECT_EQ(number, 6);
    work.reset();
}

TEST(asio_async_run, AD3_many_threads_may_run_what_many_threads_have_begun) {
    io_context context;
    auto work = net::make_work_guard(context);
    std::atomic<int> over{0};
    constexpr int each = 200;
    {
        std::vector<std::jthread> runners(3);
        for (auto& runner : runners)
            runner = std::jthread{[&context] { context.run(); }};
        {
            std::vector<std::jthread> beginners(3);
            for (auto& beginner : beginners)
                beginner = std::jthread{[&] {
                    for (int i = 0; i < each; ++i)
                        async_run(context, slow_nothing(), [&](std::exception_ptr) { ++over; });
                }};
        }
        work.reset();
    }
    EXPECT_EQ(over, 3 * each);
}

} // namespace
} // namespace coronet::asiox::bridge_run_tests
