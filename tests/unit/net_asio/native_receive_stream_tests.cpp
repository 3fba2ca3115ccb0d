// SPDX-License-Identifier: BSL-1.0
//
// One request for all that a peer sends, as operations of Asio's.
#include "native_pair.hpp"
#include "running.hpp"
#include "support/child_process.hpp"
#include "tokens.hpp"
#include "which_asio.hpp"

#include <coronet/coro/task.hpp>
#include <coronet/net/asio/async_run.hpp>
#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/local.hpp>
#include <coronet/net/asio/receive_stream.hpp>
#include <coronet/net/asio/tcp.hpp>
#include <coronet/net/asio/use_coro.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <future>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace coronet::asiox::native_receive_stream_tests {
namespace {

using namespace std::chrono_literals;
using net::buffer;

std::string text_of(const received_buffer& piece) {
    return {reinterpret_cast<const char*>(piece.data()), piece.size()};
}

struct outcome {
    std::optional<error_code> error;
    std::string text;
};
auto note(outcome& told) {
    return [&told](error_code error, const received_buffer& piece) {
        told = {error, text_of(piece)};
    };
}

void send(asiox::tcp::socket& from, std::string_view text) {
    net::write(from, buffer(text.data(), text.size()));
}

/// A context in which nothing happens that nobody has asked for.
class asio_receive_stream : public ::testing::Test {
protected:
    io_context context{1};
    test::native_pair pair{context};
    receive_stream<> incoming{pair.one};

    /// What comes next.
    outcome next() {
        outcome told;
        incoming.async_receive(note(told));
        test::run_to_the_end(context);
        return told;
    }
    /// The ring has some turns, whatever waits for it.
    void look() {
        const auto work = net::make_work_guard(context);
        context.restart();
        context.run_for(20ms);
    }
};

TEST_F(asio_receive_stream, gives_what_the_peer_sends_and_then_its_end_each_time) {
    send(pair.other, "one");
    EXPECT_EQ(next().text, "one");
    send(pair.other, "two");
    EXPECT_EQ(next().text, "two");
    pair.other.close();
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(next().error, net::error::eof);
}

TEST_F(asio_receive_stream, keeps_what_comes_when_nobody_asks) {
    send(pair.other, "a");
    EXPECT_EQ(next().text, "a"); // from here on it is the kernel's
    for (const char* each : {"b", "c", "d"}) {
        send(pair.other, each);
        look();
    }
    EXPECT_EQ(pair.one.available(), 0u);
    EXPECT_EQ(next().text, "b");
    EXPECT_EQ(next().text, "c");
    EXPECT_EQ(next().text, "d");
}

TEST_F(asio_receive_stream, serves_several_in_their_order) {
    std::array<outcome, 3> told;
    for (auto& each : told)
        incoming.async_receive(note(each));
    for (const char* each : {"1", "2", "3"}) {
        look();
        send(pair.other, each);
    }
    test::run_to_the_end(context);
    EXPECT_EQ(told[0].text, "1");
    EXPECT_EQ(told[1].text, "2");
    EXPECT_EQ(told[2].text, "3");
}

TEST_F(asio_receive_stream, AN2_a_slot_ends_its_operation_and_no_other_and_nothing_is_lost) {
    std::array<outcome, 3> told;
    std::array<net::cancellation_signal, 3> signals;
    for (std::size_t i = 0; i < told.size(); ++i)
        incoming.async_receive(net::bind_cancellation_slot(signals[i].slot(), note(told[i])));
    look();
    signals[0].emit(net::cancellation_type::total);
    signals[1].emit(net::cancellation_type::terminal);
    look();
    EXPECT_EQ(told[0].error, net::error::operation_aborted);
    EXPECT_EQ(told[1].error, net::error::operation_aborted);
    EXPECT_FALSE(told[2].error);
    send(pair.other, "for the third");
    test::run_to_the_end(context);
    EXPECT_EQ(told[2].text, "for the third");
    signals[2].emit(net::cancellation_type::total); // too late
    send(pair.other, "and on");
    EXPECT_EQ(next().text, "and on");
}

TEST_F(asio_receive_stream, AN2_that_is_cancelled_in_its_first_turn_begins_again) {
    outcome first;
    outcome second;
    net::cancellation_signal signal;
    incoming.async_receive(net::bind_cancellation_slot(signal.slot(), note(first)));
    context.poll(); // the ring's first turn
    signal.emit(net::cancellation_type::total);
    incoming.async_receive(note(second));
    send(pair.other, "second");
    test::run_to_the_end(context);
    EXPECT_EQ(first.error, net::error::operation_aborted);
    EXPECT_EQ(second.text, "second");
}

TEST_F(asio_receive_stream, AN3_cancel_ends_all_that_wait_and_nothing_is_lost) {
    for (const bool of_the_socket : {false, true}) {
        std::array<outcome, 2> told;
        for (auto& each : told)
            incoming.async_receive(note(each));
        look();
        of_the_socket ? pair.one.cancel() : incoming.cancel();
        test::run_to_the_end(context);
        for (const auto& each : told)
            EXPECT_EQ(each.error, net::error::operation_aborted);
        send(pair.other, "kept");
        EXPECT_EQ(next().text, "kept");
    }
}

TEST_F(asio_receive_stream, AN3_close_of_its_socket_ends_it_and_the_peer_is_told) {
    std::array<outcome, 2> told;
    for (auto& each : told)
        incoming.async_receive(note(each));
    look();
    pair.one.close();
    std::array<char, 1> byte{};
    error_code error;
    pair.other.read_some(buffer(byte), error);
    EXPECT_EQ(error, net::error::eof);
    test::run_to_the_end(context);
    for (const auto& each : told)
        EXPECT_EQ(each.error, net::error::operation_aborted);
    EXPECT_EQ(next().error, net::error::bad_descriptor);
}

TEST_F(asio_receive_stream, AN4_takes_nothing_of_the_next_socket_of_its_number) {
    send(pair.other, "x");
    EXPECT_EQ(next().text, "x");
    const int number = pair.one.native_handle();
    pair.one.close();
    test::native_pair second{context};
    asiox::tcp::socket& reused = second.one.native_handle() == number ? second.one : second.other;
    asiox::tcp::socket& peer = &reused == &second.one ? second.other : second.one;
    send(peer, "not for you");
    look();
    EXPECT_EQ(next().error, net::error::bad_descriptor);
    EXPECT_EQ(reused.available(), 11u);
}

TEST_F(asio_receive_stream, AN7_goes_on_when_its_socket_and_it_are_moved) {
    outcome told;
    incoming.async_receive(note(told));
    look();
    asiox::tcp::socket moved{std::move(pair.one)};
    receive_stream<> also{std::move(incoming)};
    send(pair.other, "moved");
    test::run_to_the_end(context);
    EXPECT_EQ(told.text, "moved");
    incoming = std::move(also);
    send(pair.other, "back");
    EXPECT_EQ(next().text, "back");
}

TEST_F(asio_receive_stream, that_is_destroyed_ends_what_waits_and_leaves_the_socket) {
    outcome told;
    {
        receive_stream<> dropped{pair.one};
        dropped.async_receive(note(told));
        look();
    }
    test::run_to_the_end(context);
    EXPECT_EQ(told.error, net::error::operation_aborted);
    send(pair.other, "read by hand");
    std::array<char, 20> bytes{};
    EXPECT_EQ(pair.one.read_some(buffer(bytes)), 12u);
}

TEST_F(asio_receive_stream, that_is_destroyed_ends_what_is_begun_on_it_later) {
    outcome told;
    auto gone = std::make_unique<receive_stream<>>(pair.one);
    auto later = gone->async_receive(test::deferred);
    gone.reset();
    std::move(later)(note(told));
    test::run_to_the_end(context);
    EXPECT_EQ(told.error, net::error::operation_aborted);
}

TEST_F(asio_receive_stream, of_a_closed_socket_throws) {
    pair.one.close();
    EXPECT_THROW(receive_stream<>{pair.one}, system_error);
}

TEST_F(asio_receive_stream, gives_pieces_that_outlive_their_context) {
    std::vector<received_buffer> kept;
    {
        io_context own{1};
        test::native_pair connected{own};
        receive_stream here{connected.one};
        for (int i = 0; i < 3; ++i) {
            send(connected.other, "piece");
            here.async_receive([&](error_code, received_buffer piece) {
                kept.push_back(std::move(piece));
            });
            test::run_to_the_end(own);
        }
    }
    for (const auto& each : kept)
        EXPECT_EQ(text_of(each), "piece");
}

TEST_F(asio_receive_stream, AN11_is_destroyed_with_its_context) {
    auto held = std::make_shared<int>();
    bool called = false;
    {
        io_context own{1};
        auto connected = std::make_unique<test::native_pair>(own);
        auto here = std::make_unique<receive_stream<>>(connected->one);
        receive_stream<>& stream = *here;
        // The stream and its socket are the handler's, as in a session.
        stream.async_receive([&called, held, connected = std::move(connected),
                              here = std::move(here)](error_code, const received_buffer&) {
            called = true;
        });
        own.run_for(20ms);
    }
    EXPECT_FALSE(called);
    EXPECT_EQ(held.use_count(), 1);
}

/// All buffers of the ring are out.
class asio_starving_stream : public ::testing::Test {
protected:
    static scheduler_options two_buffers() {
        scheduler_options options;
        options.receive_buffers.count = options.receive_buffers.max = 2;
        return options;
    }
    io_context context{1, two_buffers()};
    test::native_pair pair{context};
    receive_stream<> incoming{pair.one};
    std::vector<received_buffer> taken;

    void take(int count) {
        for (int i = 0; i < count; ++i) {
            send(pair.other, "taken");
            incoming.async_receive([this](error_code, received_buffer piece) {
                taken.push_back(std::move(piece));
            });
            test::run_to_the_end(context);
        }
    }
};

TEST_F(asio_starving_stream, goes_on_when_another_thread_gives_a_buffer_back) {
    take(2);
    ASSERT_EQ(taken.size(), 2u);
    outcome told;
    incoming.async_receive(note(told));
    send(pair.other, "more");
    std::thread elsewhere{[&] { taken.clear(); }};
    test::run_to_the_end(context);
    elsewhere.join();
    EXPECT_EQ(told.text, "more");
}

TEST_F(asio_starving_stream, AN11_is_destroyed_with_its_context) {
    take(2);
    auto held = std::make_shared<int>();
    incoming.async_receive([held](error_code, const received_buffer&) { ADD_FAILURE(); });
    send(pair.other, "more");
    context.restart();
    context.poll();
    taken.clear();
}

// ---- its handlers ----

net::awaitable<std::string> read_all(receive_stream<>* from) {
    std::string all;
    for (;;) {
        error_code error;
        auto piece = co_await from->async_receive(net::redirect_error(net::use_awaitable, error));
        if (error) co_return all;
        all += text_of(piece);
    }
}

TEST_F(asio_receive_stream, AN1_has_every_token) {
    send(pair.other, "future");
    auto future = incoming.async_receive(net::use_future);
    test::run_to_the_end(context);
    EXPECT_EQ(text_of(future.get()), "future");

    send(pair.other, "deferred");
    auto deferred = incoming.async_receive(test::deferred);
    outcome told;
    std::move(deferred)(note(told));
    test::run_to_the_end(context);
    EXPECT_EQ(told.text, "deferred");

    incoming.async_receive(net::detached);
    send(pair.other, "detached");
    test::run_to_the_end(context);

    std::string all;
    net::co_spawn(context, read_all(&incoming), [&](std::exception_ptr, std::string text) {
        all = std::move(text);
    });
    send(pair.other, "awaited");
    pair.other.close();
    test::run_to_the_end(context);
    EXPECT_EQ(all, "awaited");
}

task<std::string> read_one(receive_stream<>* from) {
    const received_buffer piece = co_await from->async_receive(use_coro);
    co_return text_of(piece);
}

TEST_F(asio_receive_stream, AN1_is_awaited_by_a_task) {
    auto told = async_run(context, read_one(&incoming), net::use_future);
    send(pair.other, "task");
    test::run_to_the_end(context);
    EXPECT_EQ(told.get(), "task");
}

TEST_F(asio_receive_stream, AN13_calls_its_handler_in_its_executor) {
    auto strand = net::make_strand(context);
    bool inside = false;
    incoming.async_receive(net::bind_executor(strand, [&](error_code, const received_buffer&) {
        inside = strand.running_in_this_thread();
    }));
    send(pair.other, "x");
    test::run_to_the_end(context);
    EXPECT_TRUE(inside);
}

TEST_F(asio_receive_stream, brings_a_mebibyte_as_it_was_sent) {
    std::string wanted(1 << 20, '\0');
    for (std::size_t i = 0; i < wanted.size(); ++i)
        wanted[i] = static_cast<char>(i * 31 + (i >> 9));
    net::async_write(pair.other, buffer(wanted), [&](error_code, std::size_t) {
        pair.other.close();
    });
    std::string all;
    net::co_spawn(context, read_all(&incoming), [&](std::exception_ptr, std::string text) {
        all = std::move(text);
    });
    test::run_to_the_end(context);
    EXPECT_TRUE(all == wanted);
}

TEST_F(asio_receive_stream, AN12_of_both_processes_goes_on_after_a_fork) {
    outcome told;
    incoming.async_receive(note(told));
    look();
    context.notify_fork(net::io_context::fork_prepare);
    const int child = coronet::test::in_a_child([&] {
        context.notify_fork(net::io_context::fork_child);
        send(pair.other, "child"); // whoever of the two is first reads it
        pair.other.shutdown(asiox::tcp::socket::shutdown_send);
        test::run_to_the_end(context);
        return told.error ? 0 : 1;
    });
    context.notify_fork(net::io_context::fork_parent);
    test::run_to_the_end(context);
    EXPECT_EQ(child, 0);
    EXPECT_TRUE(told.error);
}

TEST_F(asio_receive_stream, AN12_what_was_kept_is_told_by_both_processes) {
    send(pair.other, "a");
    EXPECT_EQ(next().text, "a");
    send(pair.other, "kept");
    look();
    context.notify_fork(net::io_context::fork_prepare);
    const int child = coronet::test::in_a_child([&] {
        context.notify_fork(net::io_context::fork_child);
        if (next().text != "kept") return 1;
        pair.other.shutdown(asiox::tcp::socket::shutdown_send);
        return next().error == net::error::eof ? 0 : 2;
    });
    context.notify_fork(net::io_context::fork_parent);
    EXPECT_EQ(child, 0);
    EXPECT_EQ(next().text, "kept");
    EXPECT_EQ(next().error, net::error::eof);
}

TEST_F(asio_starving_stream, AN12_goes_on_in_a_forked_child) {
    take(2);
    outcome told;
    incoming.async_receive(note(told));
    send(pair.other, "more");
    context.restart();
    context.poll();
    context.notify_fork(net::io_context::fork_prepare);
    const int child = coronet::test::in_a_child([&] {
        context.notify_fork(net::io_context::fork_child);
        test::run_to_the_end(context);
        return told.text == "more" ? 0 : 1;
    });
    context.notify_fork(net::io_context::fork_parent);
    EXPECT_EQ(child, 0);
}

// ---- several threads ----

/// Sends back what comes, and keeps itself alive while it waits.
class echo_session : public std::enable_shared_from_this<echo_session> {
public:
    explicit echo_session(asiox::tcp::socket peer) : peer_{std::move(peer)} {}
    void receive() {
        incoming_.async_receive([self =
                                     shared_from_this()](error_code error, received_buffer piece) {
            if (!error) self->answer(std::move(piece));
        });
    }

private:
    void answer(received_buffer piece) {
        piece_ = std::move(piece);
        net::async_write(
            peer_, buffer(piece_.data(), piece_.size()),
            [self = shared_from_this()](error_code error, std::size_t) {
                if (!error) self->receive();
            }
        );
    }
    asiox::tcp::socket peer_;
    receive_stream<> incoming_{peer_};
    received_buffer piece_;
};

net::awaitable<void> ask(asiox::tcp::socket* server, int rounds, std::atomic<int>* answered) {
    std::array<char, 64> bytes{};
    for (int i = 0; i < rounds; ++i) {
        bytes.fill(static_cast<char>('a' + i % 26));
        co_await net::async_write(*server, buffer(bytes), net::use_awaitable);
        std::array<char, 64> back{};
        co_await net::async_read(*server, buffer(back), net::use_awaitable);
        if (back == bytes) ++*answered;
    }
    server->close();
}

TEST(asio_receive_stream_threads, AL8_echoes_many_connections_on_four_threads) {
    constexpr int connections = 100;
    constexpr int rounds = 50;
    io_context context;
    asiox::executor executor{context.get_executor()};
    std::list<test::native_pair> pairs;
    std::atomic<int> answered{0};
    for (int i = 0; i < connections; ++i) {
        auto& pair = pairs.emplace_back(context);
        std::make_shared<echo_session>(std::move(pair.other))->receive();
        net::co_spawn(net::make_strand(context), ask(&pair.one, rounds, &answered), net::detached);
    }
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] { context.run(); });
    }
    EXPECT_EQ(answered, connections * rounds);
}

/// Each kind of request that ends something at once, while another thread waits in the ring.
TEST(asio_receive_stream_threads, AN3_what_another_thread_cancels_is_told_at_once) {
    io_context context;
    auto work = net::make_work_guard(context);
    test::native_pair pair{context};
    receive_stream incoming{pair.one};
    std::array<char, 1> byte{};
    std::array<char, 1> also{};
    const test::running loop{context};
    const auto is_told = [](std::future<error_code> told) {
        ASSERT_EQ(told.wait_for(5s), std::future_status::ready);
        EXPECT_EQ(told.get(), net::error::operation_aborted);
    };
    for (const bool of_the_socket : {false, true}) {
        std::promise<error_code> told;
        incoming.async_receive([&](error_code error, const received_buffer&) {
            told.set_value(error);
        });
        ASSERT_TRUE(test::comes_to_wait(loop.thread_id()));
        of_the_socket ? pair.one.cancel() : incoming.cancel();
        is_told(told.get_future());
    }
    // One that has not had its turn.
    std::promise<error_code> told;
    net::cancellation_signal signal;
    pair.other.async_read_some(buffer(byte), [](error_code, std::size_t) {});
    pair.other.async_read_some(
        buffer(also),
        net::bind_cancellation_slot(
            signal.slot(), [&](error_code error, std::size_t) { told.set_value(error); }
        )
    );
    ASSERT_TRUE(test::comes_to_wait(loop.thread_id()));
    signal.emit(net::cancellation_type::terminal);
    is_told(told.get_future());
}

TEST(asio_receive_stream_threads, is_used_and_destroyed_while_another_one_runs_the_context) {
    io_context context;
    auto work = net::make_work_guard(context);
    std::jthread runner{[&] { context.run(); }};
    for (int i = 0; i < 200; ++i) {
        test::native_pair pair{context};
        std::promise<error_code> told;
        {
            receive_stream here{pair.one};
            here.async_receive([&](error_code error, const received_buffer&) {
                told.set_value(error);
            });
            if (i % 3 == 0) send(pair.other, "x");
            if (i % 3 == 1) here.cancel();
            if (i % 3 == 2) pair.one.close();
        }
        const error_code error = told.get_future().get();
        EXPECT_TRUE(!error || error == net::error::operation_aborted) << error.message();
    }
    work.reset();
}

TEST(asio_receive_stream_local, is_of_local_sockets_too) {
    io_context context{1};
    asiox::executor executor{context.get_executor()};
    local_stream::socket one{executor};
    local_stream::socket other{executor};
    net::local::connect_pair(one, other);
    receive_stream incoming{one};
    outcome told;
    incoming.async_receive(note(told));
    net::write(other, buffer("local", 5));
    test::run_to_the_end(context);
    EXPECT_EQ(told.text, "local");
}

} // namespace
} // namespace coronet::asiox::native_receive_stream_tests
