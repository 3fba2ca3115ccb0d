// SPDX-License-Identifier: BSL-1.0
//
// A server that echoes lines, with Asio's own classes on the ring: its sockets, its timers (one for
// each connection, which closes it when it has been idle) and its signals. Ctrl-C ends it.
#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/signal_set.hpp>
#include <coronet/net/asio/steady_timer.hpp>
#include <coronet/net/asio/tcp.hpp>

#include <CLI/CLI.hpp>
#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <system_error>
#include <utility>
#include <variant>

namespace {

using namespace asio::experimental::awaitable_operators;
using coronet::asiox::tcp;
using std::chrono::milliseconds;

constexpr std::size_t line_max = 4096;

asio::awaitable<void> echo(tcp::socket peer, milliseconds idle_max) try {
    coronet::asiox::steady_timer idle{peer.get_executor()};
    std::string text;
    for (;;) {
        idle.expires_after(idle_max);
        auto line = asio::dynamic_buffer(text, line_max);
        std::error_code error; // an error of the read ends the wait, too
        auto told = asio::redirect_error(asio::use_awaitable, error);
        auto either =
            asio::async_read_until(peer, line, '\n', told) || idle.async_wait(asio::use_awaitable);
        auto first = co_await std::move(either);
        if (error || first.index() == 1) co_return;
        const std::size_t length = std::get<0>(first);
        auto answer = asio::buffer(text, length);
        co_await asio::async_write(peer, answer, asio::use_awaitable);
        text.erase(0, length);
    }
} catch (const std::system_error&) { // the peer has gone
}

asio::awaitable<void> serve(tcp::acceptor listening, milliseconds idle_max) {
    for (;;) {
        auto peer = co_await listening.async_accept(asio::use_awaitable);
        auto connection = echo(std::move(peer), idle_max);
        asio::co_spawn(listening.get_executor(), std::move(connection), asio::detached);
    }
}

} // namespace

int main(int argc, char** argv) try {
    unsigned short port = 8080;
    unsigned idle_max = 60'000;
    CLI::App app{"A TCP server on 127.0.0.1 that echoes lines"};
    app.add_option("--port", port, "0 picks one")->capture_default_str();
    app.add_option("--idle", idle_max, "milliseconds until a silent peer is left")
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    coronet::asiox::io_context context{1};
    const coronet::asiox::executor executor{context.get_executor()};
    tcp::acceptor listening{executor, {asio::ip::address_v4::loopback(), port}};
    std::printf("listening on 127.0.0.1:%d\n", listening.local_endpoint().port());
    std::fflush(stdout);

    coronet::asiox::signal_set ending{executor, SIGINT, SIGTERM};
    ending.async_wait([&context](auto, auto) { context.stop(); });
    asio::co_spawn(executor, serve(std::move(listening), milliseconds{idle_max}), asio::detached);
    context.run();
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "asio_native: %s\n", error.what());
    return 1;
}
