// SPDX-License-Identifier: BSL-1.0
//
// Timers on the ring: they tell what Asio's own tell, to every completion token, and cost no system
// call.
#include "lib/kernel_filter.hpp"
#include "native_pair.hpp"
#include "support/child_process.hpp"
#include "thread_facts.hpp"
#include "tokens.hpp"
#include "which_asio.hpp"

#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/steady_timer.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coronet::asiox::native_timer_tests {
namespace {

using namespace std::chrono_literals;
using counts = std::vector<std::size_t>;
using plain_timer =
    net::basic_waitable_timer<clock, net::wait_traits<clock>, net::io_context::executor_type>;

/// What a handler is told: 0 for an expiry.
auto note(counts& told) {
    return [&told](error_code error) {
        told.push_back(error == net::error::operation_aborted ? 1 : error ? 2 : 0);
    };
}

// ---- AN10: counts ----

template <class Timer>
counts counts_of_cancelling() {
    io_context context;
    Timer timer{context.get_executor(), 1h};
    counts told;
    for (int i = 0; i < 3; ++i)
        timer.async_wait(note(told));
    told.push_back(10 + timer.cancel_one());
    told.push_back(10 + timer.cancel());
    told.push_back(10 + timer.cancel());
    told.push_back(10 + timer.cancel_one());
    told.push_back(10 + timer.expires_after(2h));
    timer.async_wait(note(told));
    timer.async_wait(note(told));
    told.push_back(10 + timer.expires_at(clock::now() - 1s));
    timer.async_wait(note(told));
    told.push_back(context.run());
    told.push_back(10 + timer.cancel()); // it has expired
    return told;
}

TEST(asio_timer, AN10_counts_what_it_cancels_as_asio_does) {
    EXPECT_EQ(counts_of_cancelling<steady_timer>(), counts_of_cancelling<plain_timer>());
}

/// Two expire at once; the handler of the first cancels the second, whose handler is next.
template <class Timer>
counts counts_of_cancelling_too_late() {
    io_context context;
    counts told;
    const time_point now = clock::now();
    Timer first{context.get_executor(), now - 2s};
    Timer second{context.get_executor(), now - 1s};
    second.async_wait(note(told));
    first.async_wait([&](error_code) { told.push_back(10 + second.cancel()); });
    told.push_back(10 + context.run());
    return told;
}

TEST(asio_timer, AN10_counts_no_wait_whose_handler_is_next_as_asio_does) {
    EXPECT_EQ(
        counts_of_cancelling_too_late<steady_timer>(), counts_of_cancelling_too_late<plain_timer>()
    );
}

TEST(asio_timer, AN10_a_wait_that_was_cancelled_is_aborted_though_its_time_has_come) {
    io_context context;
    counts told;
    steady_timer timer{context.get_executor(), clock::now() - 1h};
    timer.async_wait(note(told));
    timer.async_wait(note(told));
    EXPECT_EQ(timer.cancel_one(), 1u);
    EXPECT_EQ(timer.expires_after(1h), 1u);
    EXPECT_EQ(context.run(), 2u);
    EXPECT_EQ(told, (counts{1, 1}));
}

TEST(asio_timer, AN10_expires_in_the_order_of_time) {
    io_context context;
    std::vector<int> order;
    std::vector<steady_timer> timers;
    const time_point now = clock::now();
    for (const int each : {5, 1, 4, 2, 3}) {
        timers.emplace_back(context.get_executor(), now + each * 2ms);
        timers.back().async_wait([&order, each](error_code) { order.push_back(each); });
    }
    EXPECT_EQ(context.run(), 5u);
    EXPECT_EQ(order, (std::vector{1, 2, 3, 4, 5}));
    EXPECT_GE(clock::now(), now + 10ms);
}

/// The process ends if one of these is called.
bool refuse_what_timers_could_call() {
    bool done = true;
    for (const long each : {SYS_timerfd_settime, SYS_io_uring_enter, SYS_epoll_ctl, SYS_futex})
        done = done && testing::make_kernel_judge(each, SECCOMP_RET_KILL_PROCESS);
    return done && testing::make_kernel_judge(SYS_write, SECCOMP_RET_KILL_PROCESS);
}

[[noreturn]] void set_and_cancel_many() {
    io_context context;
    std::vector<steady_timer> timers;
    for (int i = 0; i < 100'000; ++i)
        timers.emplace_back(context.get_executor());
    if (!refuse_what_timers_could_call()) ::_exit(0); // cannot be had here
    std::size_t cancelled = 0;
    auto expiry = 200'000s; // each is the first to expire
    for (steady_timer& each : timers) {
        each.expires_after(--expiry);
        each.async_wait([](error_code) {});
    }
    for (steady_timer& each : timers)
        cancelled += each.cancel();
    ::_exit(cancelled == timers.size() ? 0 : 1);
}

TEST(asio_timer, AN10_100000_are_set_and_cancelled_without_a_system_call) {
    EXPECT_EXIT(set_and_cancel_many(), ::testing::ExitedWithCode(0), "");
}

TEST(asio_timer, AN10_one_that_is_set_by_another_thread_ends_the_wait_in_the_ring) {
    io_context context;
    auto work = net::make_work_guard(context);
    steady_timer late{context.get_executor(), 1h};
    late.async_wait([](error_code) {});
    std::jthread runner{[&context] { context.run(); }};
    for (int i = 0; i < 200; ++i) {
        steady_timer timer{context.get_executor(), i % 2 ? 0us : 100us};
        auto told = timer.async_wait(net::use_future);
        ASSERT_EQ(told.wait_for(10s), std::future_status::ready);
        EXPECT_NO_THROW(told.get());
    }
    late.cancel();
    work.reset();
}

bool waits_in_the_loop(pid_t thread) {
    const long call = test::waits_in(thread);
    return call == SYS_io_uring_enter || call == SYS_epoll_wait || call == SYS_epoll_pwait2;
}

/// A context that waits learns of the first timer of its life.
TEST(asio_timer, AN10_the_first_one_of_a_context_ends_its_wait) {
    io_context context;
    auto work = net::make_work_guard(context);
    std::atomic<pid_t> thread{0};
    std::jthread runner{[&] {
        thread = ::gettid();
        context.run();
    }};
    net::steady_timer(context.get_executor()).cancel(); // so that there is a loop
    while (thread == 0 || !waits_in_the_loop(thread))
        std::this_thread::yield();
    steady_timer timer{context.get_executor(), 1ms};
    EXPECT_EQ(timer.async_wait(net::use_future).wait_for(10s), std::future_status::ready);
    work.reset();
}

TEST(asio_timer, AN10_each_wait_ends_once_while_threads_set_and_cancel) {
    io_context context;
    auto work = net::make_work_guard(context);
    std::atomic<std::size_t> expired{0};
    std::atomic<std::size_t> aborted{0};
    std::atomic<std::size_t> counted{0};
    constexpr std::size_t rounds = 2000;
    constexpr std::size_t setters = 2;
    std::vector<std::jthread> runners;
    for (int i = 0; i < 2; ++i)
        runners.emplace_back([&context] { context.run(); });
    {
        std::vector<std::jthread> setting;
        for (std::size_t i = 0; i < setters; ++i)
            setting.emplace_back([&] {
                for (std::size_t each = 0; each < rounds; ++each) {
                    steady_timer timer{context.get_executor(), std::chrono::microseconds(each % 7)};
                    timer.async_wait([&](error_code error) { ++(error ? aborted : expired); });
                    if (each % 3 == 0) std::this_thread::yield();
                    counted += timer.cancel();
                }
            });
    }
    work.reset();
    runners.clear();
    EXPECT_EQ(expired + aborted, rounds * setters);
    EXPECT_EQ(aborted, counted);
}

TEST(asio_timer, AN10_waits_for_the_time_of_day_too) {
    io_context context;
    system_timer timer{context.get_executor(), std::chrono::system_clock::now() + 2ms};
    steady_timer late{context.get_executor(), 1h};
    counts told;
    late.async_wait(note(told));
    timer.async_wait([&](error_code error) {
        note(told)(error);
        EXPECT_GE(std::chrono::system_clock::now(), timer.expiry());
        late.cancel();
    });
    context.run();
    EXPECT_EQ(told, (counts{0, 1}));
}

TEST(asio_timer, AN10_a_timer_of_asio_beside_it_is_its_own) {
    io_context context;
    counts told;
    plain_timer other{context, 2ms};
    steady_timer timer{context.get_executor(), 1ms};
    other.async_wait(note(told));
    timer.async_wait(note(told));
    EXPECT_EQ(context.run(), 2u);
    EXPECT_EQ(told, (counts{0, 0}));
}

// ---- AN12: forks ----

TEST(asio_timer, AN12_a_timer_expires_in_both_processes) {
    io_context context;
    counts told;
    steady_timer timer{context.get_executor(), 20ms};
    timer.async_wait(note(told));
    context.poll();
    context.notify_fork(net::io_context::fork_prepare);
    const int child = coronet::test::in_a_child([&] {
        context.notify_fork(net::io_context::fork_child);
        steady_timer own{context.get_executor(), 1ms};
        own.async_wait(note(told));
        context.run_for(10s);
        return told == counts{0, 0} ? 0 : 1;
    });
    context.notify_fork(net::io_context::fork_parent);
    EXPECT_EQ(child, 0);
    context.run();
    EXPECT_EQ(told, counts{0});
}

// ---- AN2: slots ----

TEST(asio_timer, AN2_a_slot_ends_its_wait_and_no_other_and_finds_it_after_a_move) {
    io_context context;
    counts cancelled;
    counts left;
    net::cancellation_signal signal;
    std::optional<steady_timer> first{std::in_place, context.get_executor(), 1h};
    first->async_wait(note(left));
    first->async_wait(net::bind_cancellation_slot(signal.slot(), note(cancelled)));
    first->async_wait(note(left));
    steady_timer moved{std::move(*first)};
    EXPECT_EQ(first->cancel(), 0u); // it is as new
    first.reset();
    signal.emit(net::cancellation_type::total);
    context.poll();
    EXPECT_EQ(cancelled, counts{1});
    EXPECT_EQ(left, counts{});
    signal.emit(net::cancellation_type::total); // too late
    EXPECT_EQ(moved.cancel(), 2u);
    context.run();
    EXPECT_EQ(left, (counts{1, 1}));
}

TEST(asio_timer, AN2_a_slot_that_fires_when_its_timer_is_gone_does_nothing) {
    io_context context;
    net::cancellation_signal signal;
    counts told;
    {
        steady_timer timer{context.get_executor(), 0s};
        timer.async_wait(net::bind_cancellation_slot(signal.slot(), note(told)));
        context.run();
    }
    steady_timer next{context.get_executor(), 1h};
    next.async_wait(note(told));
    signal.emit(net::cancellation_type::terminal);
    context.restart();
    context.poll();
    EXPECT_EQ(told, counts{0});
}

// ---- AN7: moves ----

TEST(asio_timer, AN7_an_assignment_cancels_what_waited_and_brings_what_waits) {
    io_context context;
    counts replaced;
    counts brought;
    steady_timer to{context.get_executor(), 1h};
    to.async_wait(note(replaced));
    steady_timer from{context.get_executor(), 1ms};
    from.async_wait(note(brought));
    to = std::move(from);
    context.run();
    EXPECT_EQ(replaced, counts{1});
    EXPECT_EQ(brought, counts{0});
}

TEST(asio_timer, AN7_may_come_from_another_context) {
    io_context one;
    io_context two;
    counts told;
    steady_timer to{one.get_executor(), 1h};
    to.async_wait(note(told));
    to = steady_timer{two.get_executor(), 1h};
    to.async_wait(note(told));
    EXPECT_EQ(one.run(), 1u);
    EXPECT_EQ(to.cancel(), 1u);
    EXPECT_EQ(two.run(), 1u);
    EXPECT_EQ(told, (counts{1, 1}));
}

// ---- AN1: tokens ----

net::awaitable<std::size_t> first_of(steady_timer* fast, steady_timer* slow) {
    using namespace net::experimental::awaitable_operators;
    auto both = fast->async_wait(net::use_awaitable) || slow->async_wait(net::use_awaitable);
    auto first = co_await std::move(both);
    co_return first.index();
}

net::awaitable<bool> wait_in_every_way(steady_timer* timer) {
    co_await timer->async_wait(net::use_awaitable);
    auto deferred = timer->async_wait(test::deferred);
    co_await std::move(deferred)(net::use_awaitable);
    error_code error = net::error::would_block;
    auto redirected = net::redirect_error(net::use_awaitable, error);
    co_await timer->async_wait(redirected);
    auto as_tuple = test::as_tuple(net::use_awaitable);
    auto told = co_await timer->async_wait(as_tuple);
    co_return !error && !std::get<0>(told);
}

TEST(asio_timer, AN1_every_token_is_told) {
    io_context context;
    const asiox::executor executor{context.get_executor()};
    steady_timer timer{executor, 0s};
    auto waited = net::co_spawn(executor, wait_in_every_way(&timer), net::use_future);
    auto future = timer.async_wait(net::use_future);
    timer.async_wait(net::detached);
    context.run();
    EXPECT_TRUE(waited.get());
    EXPECT_NO_THROW(future.get());
}

/// Their executor is one made of Coronet's.
using timer_by_default = net::use_awaitable_t<asiox::executor>::as_default_on_t<steady_timer>;
using socket_by_default =
    net::use_awaitable_t<asiox::executor>::as_default_on_t<asiox::tcp::socket>;

net::awaitable<std::size_t, asiox::executor> read_by_default(asiox::tcp::socket* from) {
    timer_by_default timer{from->get_executor(), 0s};
    co_await timer.async_wait();
    std::array<char, 8> bytes{};
    socket_by_default socket{std::move(*from)};
    co_return co_await socket.async_read_some(net::buffer(bytes));
}

TEST(asio_timer, AN1_objects_with_a_default_token_are_on_the_ring) {
    io_context context;
    test::native_pair pair{context};
    pair.other.write_some(net::buffer("abc", 3));
    auto read = net::co_spawn(pair.executor, read_by_default(&pair.one), net::use_future);
    context.run();
    EXPECT_EQ(read.get(), 3u);
    using net::detail::io_object_impl;
    using below_it = io_object_impl<
        net::detail::reactive_socket_service<net::ip::tcp>,
        socket_by_default::executor_type>::service_type;
    EXPECT_TRUE((std::is_same_v<below_it, detail::ring_socket_service<net::ip::tcp>>));
}

TEST(asio_timer, AN1_the_one_that_loses_is_cancelled) {
    io_context context;
    const asiox::executor executor{context.get_executor()};
    steady_timer fast{executor, 1ms};
    steady_timer slow{executor, 1h};
    auto first = net::co_spawn(executor, first_of(&fast, &slow), net::use_future);
    context.run_for(10s);
    EXPECT_EQ(first.get(), 0u);
}

TEST(asio_timer, AN13_a_handler_runs_on_its_own_executor_and_not_in_the_call) {
    io_context context;
    net::io_context other;
    bool called = false;
    steady_timer timer{context.get_executor(), 0s};
    timer.async_wait(net::bind_executor(other.get_executor(), [&](error_code) { called = true; }));
    EXPECT_FALSE(called);
    context.run();
    EXPECT_FALSE(called);
    other.run();
    EXPECT_TRUE(called);
}

TEST(asio_timer, waits_in_the_calling_thread) {
    io_context context;
    steady_timer timer{context.get_executor(), 2ms};
    timer.wait();
    EXPECT_GE(clock::now(), timer.expiry());
}

// ---- AN11: the end ----

TEST(asio_timer, AN11_a_context_that_ends_destroys_the_handlers_of_timers) {
    bool called = false;
    auto life = std::make_shared<int>(0);
    net::cancellation_signal outlives;
    {
        io_context context;
        auto timer = std::make_shared<steady_timer>(context.get_executor(), 1h);
        timer->async_wait([&called, timer, life](error_code) { called = true; });
        timer->async_wait([&called, timer, life](error_code) { called = true; });
        context.poll();
        EXPECT_EQ(life.use_count(), 3);
    }
    EXPECT_EQ(life.use_count(), 1);
    EXPECT_FALSE(called);
}

} // namespace
} // namespace coronet::asiox::native_timer_tests
