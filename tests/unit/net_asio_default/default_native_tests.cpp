// SPDX-License-Identifier: BSL-1.0
//
// A program as it is written for Asio, whose objects are on the ring by one header.
// clang-format off: it comes before any header of Asio's
#include <coronet/net/asio/default_native.hpp>
// clang-format on

#include "net_asio/which_asio.hpp"

#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/steady_timer.hpp>
#include <coronet/net/asio/tcp.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace coronet::asiox::default_native_tests {
namespace {

using namespace std::chrono_literals;
using tcp = net::ip::tcp;

static_assert(std::is_same_v<tcp::socket, asiox::tcp::socket>);
static_assert(std::is_same_v<tcp::acceptor, asiox::tcp::acceptor>);
static_assert(std::is_same_v<tcp::resolver, asiox::tcp::resolver>);
static_assert(std::is_same_v<net::steady_timer, asiox::steady_timer>);
static_assert(std::is_same_v<net::ip::udp::socket::executor_type, asiox::executor>);
static_assert(std::is_same_v<net::local::stream_protocol::socket::executor_type, asiox::executor>);

net::awaitable<std::string> talk() {
    const auto executor = co_await net::this_coro::executor;
    tcp::acceptor listening{executor, test::any_port()};
    tcp::socket client{executor};
    client.connect(listening.local_endpoint());
    tcp::socket server = co_await listening.async_accept(net::use_awaitable);
    net::steady_timer timer{executor, 1ms};
    co_await timer.async_wait(net::use_awaitable);
    co_await net::async_write(client, net::buffer("hello", 5), net::use_awaitable);
    std::string text(5, '\0');
    auto into = net::buffer(text);
    co_await net::async_read(server, into, net::use_awaitable);
    co_return text;
}

TEST(asio_by_default, AN1_a_program_of_asio_runs_on_the_ring_of_a_plain_context) {
    net::io_context context;
    auto said = net::co_spawn(context, talk(), net::use_future);
    context.run();
    EXPECT_EQ(said.get(), "hello");
    ASSERT_NE(installed(context), nullptr);
    EXPECT_GE(installed(context)->stats().operations, 3u);
}

TEST(asio_by_default, AE12_signals_and_descriptors_that_come_first_make_no_other_loop) {
    {
        net::io_context context;
        const net::signal_set signals{context, SIGUSR1};
        EXPECT_NE(installed(context), nullptr);
        const tcp::socket socket{context};
    }
    net::io_context context;
    const net::posix::stream_descriptor descriptor{context};
    EXPECT_NE(installed(context), nullptr);
    const tcp::socket socket{context};
}

TEST(asio_by_default, AE12_the_loop_that_is_there_stays) {
    net::io_context context;
    net::use_service<net::detail::epoll_reactor>(context);
    const net::basic_signal_set<net::any_io_executor> signals{context, SIGUSR1};
    EXPECT_EQ(installed(context), nullptr);
    EXPECT_THROW(tcp::socket{context}, reactor_in_use);
}

TEST(asio_by_default, AE2_an_executor_that_is_hidden_is_found_and_a_strand_is_not_lost) {
    net::io_context context;
    const net::any_io_executor plain = context.get_executor();
    const net::any_io_executor native = asiox::executor{context.get_executor()};
    EXPECT_EQ(asiox::executor{plain}, asiox::executor{native});
    const net::any_io_executor tracked =
        net::prefer(plain, net::execution::outstanding_work.tracked);
    EXPECT_EQ(asiox::executor{tracked}, asiox::executor{native});
    const net::any_io_executor strand = net::make_strand(context);
    EXPECT_THROW(tcp::socket{strand}, net::execution::bad_executor);
}

/// Each has a context of its own, inside Asio.
TEST(asio_by_default, iostreams_talk) {
    net::io_context context;
    tcp::acceptor listening{context, test::any_port()};
    std::jthread client{[where = listening.local_endpoint()] {
        tcp::iostream stream{where};
        stream.expires_after(10s);
        stream << "line\n" << std::flush;
    }};
    tcp::iostream accepted{listening.accept()};
    std::string line;
    EXPECT_TRUE(std::getline(accepted, line));
    EXPECT_EQ(line, "line");
}

} // namespace
} // namespace coronet::asiox::default_native_tests
