// SPDX-License-Identifier: BSL-1.0
//
// Asio's sockets with Coronet's executor: they do what Asio documents, by every completion token.
#include "native_pair.hpp"
#include "which_asio.hpp"

#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/tcp.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <exception>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <fcntl.h>

namespace coronet::asiox::native_tcp_tests {
namespace {

using net::buffer;

// ---- AN1: tokens ----

TEST(asio_native, AN1_a_callback_is_told_what_came) {
    io_context context;
    test::native_pair pair{context};
    std::array<char, 8> bytes{};
    std::string told;
    pair.other.async_read_some(buffer(bytes), [&](error_code error, std::size_t count) {
        if (!error) told.assign(bytes.data(), count);
    });
    pair.one.async_write_some(buffer("abc", 3), [](error_code, std::size_t) {});
    test::run_to_the_end(context);
    EXPECT_EQ(told, "abc");
    EXPECT_GE(context.ring().stats().operations, 2u); // they were the ring's
}

TEST(asio_native, AN1_a_future_is_told_what_came) {
    io_context context;
    test::native_pair pair{context};
    std::array<char, 8> bytes{};
    auto received = pair.other.async_read_some(buffer(bytes), net::use_future);
    auto sent = pair.one.async_write_some(buffer("abcd", 4), net::use_future);
    test::run_to_the_end(context);
    EXPECT_EQ(sent.get(), 4u);
    EXPECT_EQ(received.get(), 4u);
}

net::awaitable<std::string> talk(asiox::tcp::acceptor* listening) {
    auto executor = co_await net::this_coro::executor;
    static_cast<void>(executor);
    asiox::tcp::socket client{listening->get_executor()};
    asiox::tcp::socket server{listening->get_executor()};
    auto accepting = listening->async_accept(server, net::use_future);
    co_await client.async_connect(listening->local_endpoint(), net::use_awaitable);
    co_await server.async_wait(asiox::tcp::socket::wait_write, net::use_awaitable);
    co_await net::async_write(client, buffer("hello", 5), net::use_awaitable);
    std::string text(5, '\0');
    co_await net::async_read(server, buffer(text), net::use_awaitable);
    accepting.get();
    co_return text;
}

TEST(asio_native, AN1_a_coroutine_accepts_connects_waits_reads_and_writes) {
    io_context context;
    const asiox::executor executor{context.get_executor()};
    asiox::tcp::acceptor listening{executor, test::any_port()};
    auto said = net::co_spawn(executor, talk(&listening), net::use_future);
    test::run_to_the_end(context);
    EXPECT_EQ(said.get(), "hello");
}

net::awaitable<error_code> read_into_an_error(asiox::tcp::socket* from) {
    std::array<char, 8> bytes{};
    error_code error;
    co_await from->async_read_some(buffer(bytes), net::redirect_error(net::use_awaitable, error));
    co_return error;
}

TEST(asio_native, AN1_redirect_error_is_told_the_end) {
    io_context context;
    test::native_pair pair{context};
    auto told = net::co_spawn(pair.executor, read_into_an_error(&pair.one), net::use_future);
    pair.other.close();
    test::run_to_the_end(context);
    EXPECT_EQ(told.get(), net::error::eof);
}

TEST(asio_native, AN1_detached_is_told_nothing_and_done_all_the_same) {
    io_context context;
    test::native_pair pair{context};
    pair.one.async_write_some(buffer("x", 1), net::detached);
    test::run_to_the_end(context);
    EXPECT_EQ(pair.other.available(), 1u);
}

// ---- AN5, AN6: sizes ----

TEST(asio_native, AN5_a_read_of_nothing_ends_at_once) {
    io_context context;
    test::native_pair pair{context};
    std::optional<error_code> told;
    const auto note = [&told](error_code error, std::size_t) { told = error; };
    pair.one.async_read_some(net::mutable_buffer(), note);
    EXPECT_FALSE(told.has_value()); // not inside the call
    test::run_to_the_end(context);
    ASSERT_TRUE(told.has_value());
    EXPECT_FALSE(*told);
    told.reset();
    pair.one.async_write_some(net::const_buffer(), note);
    test::run_to_the_end(context);
    ASSERT_TRUE(told.has_value());
    EXPECT_FALSE(*told);
}

TEST(asio_native, AN5_the_end_of_a_stream_is_told_again) {
    io_context context;
    test::native_pair pair{context};
    pair.other.shutdown(asiox::tcp::socket::shutdown_send);
    std::array<char, 8> bytes{};
    for (int i = 0; i < 3; ++i) {
        error_code told;
        pair.one.async_read_some(buffer(bytes), [&told](error_code error, std::size_t) {
            told = error;
        });
        test::run_to_the_end(context);
        EXPECT_EQ(told, net::error::eof);
    }
}

TEST(asio_native, AN6_many_buffers_go_by_64_at_a_time) {
    io_context context;
    test::native_pair pair{context};
    std::string text(100, 'x');
    for (std::size_t i = 0; i < text.size(); ++i)
        text[i] = static_cast<char>('a' + i % 26);
    std::vector<net::const_buffer> parts;
    for (char& each : text)
        parts.emplace_back(&each, 1);
    std::size_t first = 0;
    pair.one.async_write_some(parts, [&first](error_code, std::size_t count) { first = count; });
    test::run_to_the_end(context);
    EXPECT_EQ(first, 64u);
    parts.erase(parts.begin(), parts.begin() + 64);
    net::async_write(pair.one, parts, net::detached);
    std::string received(text.size(), '\0');
    std::vector<net::mutable_buffer> into;
    for (char& each : received)
        into.emplace_back(&each, 1);
    std::size_t all = 0;
    net::async_read(pair.other, into, [&all](error_code, std::size_t count) { all = count; });
    test::run_to_the_end(context);
    EXPECT_EQ(all, text.size());
    EXPECT_EQ(received, text);
}

TEST(asio_native, AN6_composed_operations_work) {
    io_context context;
    test::native_pair pair{context};
    net::async_write(pair.one, buffer("one\ntwo\n", 8), net::detached);
    std::string text;
    std::size_t line = 0;
    net::async_read_until(
        pair.other, net::dynamic_buffer(text), '\n',
        [&line](error_code, std::size_t count) { line = count; }
    );
    test::run_to_the_end(context);
    EXPECT_EQ(text.substr(0, line), "one\n");

    asiox::tcp::acceptor listening{pair.executor, test::any_port()};
    asiox::tcp::socket connecting{pair.executor};
    const std::array<test::tcp::endpoint, 2> targets{
        test::tcp::endpoint{net::ip::address_v4::loopback(), 1}, listening.local_endpoint()};
    std::optional<test::tcp::endpoint> reached;
    net::async_connect(
        connecting, targets,
        [&reached](error_code error, const test::tcp::endpoint& which) {
            if (!error) reached = which;
        }
    );
    test::run_to_the_end(context);
    EXPECT_EQ(reached, targets[1]);
}

TEST(asio_native, a_send_comes_before_the_shutdown_that_follows_it) {
    io_context context;
    test::native_pair pair{context};
    error_code told = net::error::would_block;
    pair.one.async_write_some(buffer("hello", 5), [&told](error_code error, std::size_t) {
        told = error;
    });
    pair.one.shutdown(asiox::tcp::socket::shutdown_send);
    test::run_to_the_end(context);
    EXPECT_FALSE(told);
    EXPECT_EQ(pair.other.available(), 5u);
}

TEST(asio_native, urgent_data_is_waited_for) {
    io_context context;
    test::native_pair pair{context};
    std::array<char, 8> bytes{};
    error_code told = net::error::would_block;
    pair.one.async_receive(
        buffer(bytes), net::socket_base::message_out_of_band,
        [&told](error_code error, std::size_t) { told = error; }
    );
    context.poll();
    EXPECT_EQ(told, net::error::would_block);
    pair.other.send(buffer("!", 1), net::socket_base::message_out_of_band);
    test::run_to_the_end(context);
    EXPECT_FALSE(told);
}

// ---- AN7: moving ----

TEST(asio_native, AN7_a_moved_socket_takes_what_is_pending_along) {
    io_context context;
    test::native_pair pair{context};
    std::array<char, 8> bytes{};
    std::size_t came = 0;
    pair.one.async_read_some(buffer(bytes), [&came](error_code, std::size_t count) {
        came = count;
    });
    context.poll();
    asiox::tcp::socket moved{std::move(pair.one)};
    EXPECT_FALSE(pair.one.is_open()); // NOLINT(bugprone-use-after-move): Asio documents it
    pair.one = std::move(moved);
    pair.other.async_write_some(buffer("abc", 3), net::detached);
    test::run_to_the_end(context);
    EXPECT_EQ(came, 3u);
    error_code cancelled;
    pair.one.async_read_some(buffer(bytes), [&cancelled](error_code error, std::size_t) {
        cancelled = error;
    });
    context.restart();
    context.poll();
    pair.one.cancel();
    test::run_to_the_end(context);
    EXPECT_EQ(cancelled, net::error::operation_aborted);
}

TEST(asio_native, AN7_a_socket_becomes_one_of_another_protocol_but_not_of_another_executor) {
    using generic = net::basic_stream_socket<net::generic::stream_protocol, asiox::executor>;
    io_context context;
    test::native_pair pair{context};
    generic converted{std::move(pair.one)};
    converted.async_write_some(buffer("abc", 3), net::detached);
    test::run_to_the_end(context);
    EXPECT_EQ(pair.other.available(), 3u);
}

// ---- AN9, AN13 ----

TEST(asio_native, AN9_accepted_descriptors_are_closed_on_exec) {
    io_context context;
    const asiox::executor executor{context.get_executor()};
    asiox::tcp::acceptor listening{executor, test::any_port()};
    asiox::tcp::socket client{executor};
    int accepted_flags = 0;
    listening.async_accept([&](error_code, asiox::tcp::socket peer) {
        accepted_flags = ::fcntl(peer.native_handle(), F_GETFD);
    });
    client.async_connect(listening.local_endpoint(), [](error_code) {});
    test::run_to_the_end(context);
    EXPECT_EQ(accepted_flags & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(asio_native, AN13_a_handler_runs_on_its_own_executor_and_never_in_the_call) {
    io_context context;
    net::thread_pool others{1};
    test::native_pair pair{context};
    std::promise<std::thread::id> ran_in;
    pair.one
        .async_write_some(buffer("x", 1), net::bind_executor(others, [&](error_code, std::size_t) {
                              ran_in.set_value(std::this_thread::get_id());
                          }));
    auto where = ran_in.get_future();
    EXPECT_EQ(where.wait_for(std::chrono::seconds{0}), std::future_status::timeout);
    test::run_to_the_end(context);
    EXPECT_NE(where.get(), std::this_thread::get_id());
    others.join();
}

TEST(asio_native, AE11_works_on_a_context_of_asios_own_type) {
    net::io_context context;
    asiox::tcp::acceptor listening{asiox::executor{context.get_executor()}, test::any_port()};
    EXPECT_NE(installed(context), nullptr); // the first of them put it there
    bool came = false;
    listening.async_accept([&came](error_code error, const asiox::tcp::socket&) { came = !error; });
    test::tcp::socket of_asio{context};
    of_asio.async_connect(listening.local_endpoint(), [](error_code) {});
    context.run_for(std::chrono::seconds{10});
    EXPECT_TRUE(came);
}

} // namespace
} // namespace coronet::asiox::native_tcp_tests
