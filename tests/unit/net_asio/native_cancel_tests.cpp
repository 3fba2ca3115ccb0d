// SPDX-License-Identifier: BSL-1.0
//
// The ends of operations on the ring's sockets: by slots, by cancel(), by close(), and by the end
// of their context.
#include "native_pair.hpp"
#include "outcome.hpp"
#include "support/rounds.hpp"
#include "which_asio.hpp"

#include <coronet/coro/task.hpp>
#include <coronet/net/asio/async_run.hpp>
#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/tcp.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace coronet::asiox::native_cancel_tests {
namespace {

using namespace std::chrono_literals;
using net::buffer;

using test::note;
using test::outcome;

class asio_cancel : public ::testing::TestWithParam<net::cancellation_type> {};

TEST_P(asio_cancel, AN2_a_slot_ends_its_operation_and_no_other) {
    io_context context;
    test::native_pair pair{context};
    std::array<char, 8> first{};
    std::array<char, 8> second{};
    outcome cancelled;
    outcome left;
    net::cancellation_signal signal;
    pair.one.async_read_some(
        buffer(first), net::bind_cancellation_slot(signal.slot(), note(cancelled))
    );
    pair.one.async_read_some(buffer(second), note(left));
    context.poll();
    signal.emit(GetParam());
    context.run_for(100ms);
    ASSERT_TRUE(cancelled.error.has_value());
    EXPECT_EQ(*cancelled.error, net::error::operation_aborted);
    EXPECT_FALSE(left.error.has_value());
    pair.other.async_write_some(buffer("abc", 3), net::detached);
    test::run_to_the_end(context);
    EXPECT_EQ(left.count, 3u);
}

INSTANTIATE_TEST_SUITE_P(
    types, asio_cancel,
    ::testing::Values(
        net::cancellation_type::terminal, net::cancellation_type::partial,
        net::cancellation_type::total
    )
);

TEST(asio_native_cancel, AN2_a_slot_that_fires_too_late_does_nothing_to_the_next_operation) {
    io_context context{1};
    test::native_pair pair{context};
    std::array<char, 8> bytes{};
    long aborted = 0;
    net::cancellation_signal signal;
    const int rounds = coronet::test::rounds(10'000, 1'000'000);
    for (int i = 0; i < rounds; ++i) {
        pair.one.async_read_some(
            buffer(bytes),
            net::bind_cancellation_slot(
                signal.slot(), [&](error_code error, std::size_t) { aborted += error ? 1 : 0; }
            )
        );
        pair.other.write_some(buffer("x", 1));
        context.restart();
        context.run();
        // It has ended, and its memory is the next one's.
        outcome next;
        pair.one.async_read_some(buffer(bytes), note(next));
        signal.emit(net::cancellation_type::total);
        pair.other.write_some(buffer("y", 1));
        context.restart();
        context.run();
        if (!next.error || *next.error) ++aborted;
    }
    EXPECT_EQ(aborted, 0);
}

/// Cancels all reads of a context that is not its own.
task<void> cancels(std::array<net::cancellation_signal, 200>* signals, std::barrier<>* begin) {
    begin->arrive_and_wait(); // each has its ring now
    for (net::cancellation_signal& each : *signals)
        each.emit(net::cancellation_type::total);
    co_return;
}

/// One of two contexts, each run by a thread, whose tasks cancel what is the other's.
struct mutual_canceller {
    io_context context;
    test::native_pair pair{context};
    std::array<net::cancellation_signal, 200> signals;
    std::atomic<std::size_t> aborted = 0;
    char byte{};

    void read() {
        for (net::cancellation_signal& each : signals)
            pair.one.async_read_some(
                buffer(&byte, 1), net::bind_cancellation_slot(
                                      each.slot(),
                                      [this](error_code error, std::size_t) {
                                          if (error == net::error::operation_aborted) ++aborted;
                                      }
                                  )
            );
    }
};

TEST(asio_native_cancel, AN2_tasks_of_two_contexts_cancel_each_others_operations) {
    mutual_canceller one;
    mutual_canceller other;
    std::barrier begin{2};
    one.read();
    other.read();
    async_run(one.context, cancels(&other.signals, &begin), net::detached);
    async_run(other.context, cancels(&one.signals, &begin), net::detached);
    {
        const std::jthread thread{[&] { one.context.run_for(10s); }};
        other.context.run_for(10s);
    }
    EXPECT_EQ(one.aborted, one.signals.size());
    EXPECT_EQ(other.aborted, other.signals.size());
}

TEST(asio_native_cancel, AN3_what_was_cancelled_takes_nothing_from_a_blocking_read) {
    io_context context;
    test::native_pair pair{context};
    std::array<char, 8> bytes{};
    outcome cancelled;
    pair.one.async_read_some(buffer(bytes), note(cancelled));
    context.poll();
    pair.one.cancel();
    pair.other.write_some(buffer("x", 1));
    EXPECT_EQ(pair.one.read_some(buffer(bytes)), 1u);
    test::run_to_the_end(context);
    EXPECT_EQ(cancelled.error, net::error::operation_aborted);
}

/// Takes the lock in a turn of the ring.
task<void> locks(std::mutex* mutex, std::atomic<bool>* waits, bool* locked) {
    *waits = true;
    const time_point limit = clock::now() + 10s;
    while (!(*locked = mutex->try_lock()) && clock::now() < limit)
        std::this_thread::yield();
    if (*locked) mutex->unlock();
    co_return;
}

TEST(asio_native_cancel, AN3_closing_does_not_wait_for_what_runs_in_the_ring) {
    io_context context;
    test::native_pair pair{context};
    std::array<char, 8> bytes{};
    outcome ended;
    pair.one.async_read_some(buffer(bytes), note(ended));
    context.poll();
    std::mutex mutex;
    std::atomic<bool> waits = false;
    bool locked = false;
    mutex.lock();
    async_run(context, locks(&mutex, &waits, &locked), net::detached);
    std::jthread thread{[&] { context.run_for(10s); }};
    while (!waits)
        std::this_thread::yield();
    pair.one.shutdown(net::socket_base::shutdown_send);
    pair.one.cancel();
    pair.one.close();
    mutex.unlock();
    thread.join();
    EXPECT_TRUE(locked);
    ASSERT_TRUE(ended.error.has_value());
    EXPECT_EQ(pair.other.read_some(buffer(bytes), *ended.error), 0u);
    EXPECT_EQ(*ended.error, net::error::eof);
}

TEST(asio_native_cancel, AN3_cancel_ends_all_that_is_pending) {
    io_context context;
    test::native_pair pair{context};
    std::array<std::array<char, 8>, 3> bytes{};
    std::array<outcome, 3> told;
    for (std::size_t i = 0; i < told.size(); ++i)
        pair.one.async_read_some(buffer(bytes[i]), note(told[i]));
    context.poll();
    pair.one.cancel();
    test::run_to_the_end(context);
    for (const outcome& each : told) {
        ASSERT_TRUE(each.error.has_value());
        EXPECT_EQ(*each.error, net::error::operation_aborted);
    }
}

TEST(asio_native_cancel, AN3_the_peer_sees_the_end_within_10_ms_of_a_close) {
    auto shortest = clock::duration::max();
    for (int i = 0; i < 5; ++i) {
        io_context context;
        test::native_pair pair{context};
        std::array<char, 8> bytes{};
        outcome told;
        pair.one.async_read_some(buffer(bytes), note(told));
        context.poll();
        const time_point closed = clock::now();
        pair.one.close();
        error_code end;
        pair.other.read_some(buffer(bytes), end); // blocks
        shortest = std::min(shortest, clock::now() - closed);
        EXPECT_EQ(end, net::error::eof);
        test::run_to_the_end(context);
        ASSERT_TRUE(told.error.has_value());
        EXPECT_EQ(*told.error, net::error::operation_aborted);
    }
    EXPECT_LT(shortest, 10ms);
}

TEST(asio_native_cancel, AN3_a_port_is_free_after_its_acceptor_has_been_closed) {
    io_context context;
    const asiox::executor executor{context.get_executor()};
    asiox::tcp::acceptor listening{executor, test::any_port()};
    const auto where = listening.local_endpoint();
    error_code told;
    listening.async_accept([&told](error_code error, const asiox::tcp::socket&) { told = error; });
    context.poll();
    listening.close();
    EXPECT_NO_THROW((asiox::tcp::acceptor{executor, where, false}));
    test::run_to_the_end(context);
    EXPECT_EQ(told, net::error::operation_aborted);
}

/// Begun, closed, and another one opened under the same number, before the kernel has seen
/// anything.
TEST(
    asio_native_cancel, AN4_a_number_that_is_used_again_never_gets_what_was_meant_for_the_old_one
) {
    io_context context;
    for (int i = 0; i < 100; ++i) {
        test::native_pair pair{context};
        std::array<char, 8> bytes{};
        outcome old;
        outcome fresh;
        const int number = pair.one.native_handle();
        pair.one.async_read_some(buffer(bytes), note(old));
        pair.one.close();
        test::native_pair next{context};
        ASSERT_TRUE(next.one.native_handle() == number || next.other.native_handle() == number);
        std::array<char, 8> mine{};
        auto& reused = next.one.native_handle() == number ? next.one : next.other;
        auto& peer = next.one.native_handle() == number ? next.other : next.one;
        peer.write_some(buffer("abc", 3));
        reused.async_read_some(buffer(mine), note(fresh));
        test::run_to_the_end(context);
        ASSERT_TRUE(old.error && fresh.error);
        EXPECT_EQ(*old.error, net::error::operation_aborted);
        EXPECT_EQ(fresh.count, 3u);
    }
}

TEST(asio_native_cancel, AN3_works_while_another_thread_waits_in_the_ring) {
    io_context context;
    auto work = net::make_work_guard(context);
    test::native_pair pair{context};
    std::jthread runner{[&context] { context.run(); }};
    std::array<char, 8> bytes{};
    for (int i = 0; i < 1000; ++i) {
        auto told = pair.one.async_read_some(buffer(bytes), net::use_future);
        pair.one.cancel();
        EXPECT_THROW(told.get(), system_error);
    }
    auto last = pair.one.async_read_some(buffer(bytes), net::use_future);
    pair.one.close();
    EXPECT_THROW(last.get(), system_error);
    error_code end;
    pair.other.read_some(buffer(bytes), end);
    EXPECT_EQ(end, net::error::eof);
    work.reset();
}

TEST(asio_native_cancel, AN3_a_cancel_does_not_overtake_what_it_is_for) {
    io_context context;
    test::native_pair pair{context};
    const auto strand = net::make_strand(pair.executor);
    std::array<char, 8> bytes{};
    long aborted = 0;
    constexpr long rounds = 20'000;
    std::function<void()> next = [&] {
        pair.one.async_read_some(
            buffer(bytes), net::bind_executor(
                               strand,
                               [&](error_code error, std::size_t) {
                                   if (error == net::error::operation_aborted && ++aborted < rounds)
                                       next();
                               }
                           )
        );
        pair.one.cancel();
    };
    net::post(strand, next);
    std::jthread other{[&context] { context.run_for(30s); }};
    context.run_for(30s);
    EXPECT_EQ(aborted, rounds);
}

TEST(asio_native_cancel, AN3_a_close_keeps_the_linger_that_was_set) {
    io_context context;
    test::native_pair pair{context};
    std::array<char, 8> bytes{};
    outcome told;
    pair.one.set_option(net::socket_base::linger{true, 0});
    pair.one.async_read_some(buffer(bytes), note(told));
    context.poll();
    pair.one.close();
    error_code end;
    pair.other.read_some(buffer(bytes), end);
    EXPECT_EQ(end, net::error::connection_reset);
}

TEST(asio_native_cancel, a_read_goes_on_after_its_thread_has_ended) {
    io_context context;
    test::native_pair pair{context};
    std::array<char, 8> bytes{};
    outcome told;
    std::thread{[&] {
        pair.one.async_read_some(buffer(bytes), note(told));
        context.run_for(1ms); // submits it
    }}.join();
    pair.other.write_some(buffer("abc", 3));
    test::run_to_the_end(context);
    EXPECT_EQ(told.count, 3u);
}

TEST(asio_native_cancel_on_a_ring, AN4_a_submission_thread_has_seen_what_is_closed) {
    scheduler_options options;
    options.driver = driver_choice::io_uring;
    options.sqpoll.emplace();
    io_context context{1, options};
    for (int i = 0; i < 100; ++i) {
        test::native_pair pair{context};
        std::array<char, 8> bytes{};
        outcome old;
        const int number = pair.one.native_handle();
        pair.one.async_read_some(buffer(bytes), note(old));
        pair.one.close();
        test::native_pair next{context};
        auto& peer = next.one.native_handle() == number ? next.other : next.one;
        peer.write_some(buffer("secret", 6));
        while (!old.error && context.run_one_for(10s) > 0) {
        }
        ASSERT_TRUE(old.error.has_value());
        EXPECT_EQ(*old.error, net::error::operation_aborted);
        context.restart();
    }
}

/// Counts those that live.
class counted {
public:
    explicit counted(int& alive) : alive_(&alive) { ++alive; }
    counted(const counted& other) : alive_(other.alive_) { ++*alive_; }
    counted& operator=(const counted&) = delete;
    ~counted() { --*alive_; }

private:
    int* alive_;
};

TEST(asio_native_cancel, AN11_a_context_that_ends_destroys_handlers_and_calls_none) {
    int alive = 0;
    bool called = false;
    auto bytes = std::make_unique<std::array<char, 64>>();
    bytes->fill('g');
    net::io_context other;
    std::optional<test::tcp::socket> outside; // writes when our context has ended
    {
        io_context context;
        const asiox::executor executor{context.get_executor()};
        asiox::tcp::acceptor listening{executor, test::any_port()};
        outside.emplace(other);
        outside->connect(listening.local_endpoint());
        auto socket = std::make_shared<asiox::tcp::socket>(executor);
        listening.accept(*socket);
        socket->async_read_some(
            buffer(*bytes),
            [&called, socket, life = counted{alive}](error_code, std::size_t) { called = true; }
        );
        listening.async_accept([&called,
                                life = counted{alive}](error_code, const asiox::tcp::socket&) {
            called = true;
        });
        context.poll();
        EXPECT_EQ(alive, 2);
    }
    EXPECT_EQ(alive, 0);
    EXPECT_FALSE(called);
    error_code ignored;
    outside->write_some(buffer("late", 4), ignored);
    EXPECT_TRUE(std::ranges::all_of(*bytes, [](char each) { return each == 'g'; }));
}

} // namespace
} // namespace coronet::asiox::native_cancel_tests
