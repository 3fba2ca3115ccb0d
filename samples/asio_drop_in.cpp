// SPDX-License-Identifier: BSL-1.0
//
// A TCP echo server as it is written for Asio. One line makes it Coronet's: the definition of the
// context (and the header of its type). Ctrl-C ends it.
#include <coronet/net/asio/io_context.hpp>

#include <CLI/CLI.hpp>
#include <asio.hpp>

#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <system_error>
#include <utility>

namespace {

using asio::ip::tcp;

asio::awaitable<void> echo(tcp::socket peer) try {
    std::array<char, 2048> buffer;
    for (;;) {
        auto count = co_await peer.async_read_some(asio::buffer(buffer), asio::use_awaitable);
        auto answer = asio::buffer(buffer, count);
        co_await asio::async_write(peer, answer, asio::use_awaitable);
    }
} catch (const std::system_error&) { // the peer has gone
}

asio::awaitable<void> serve(tcp::acceptor listening) {
    for (;;) {
        auto peer = co_await listening.async_accept(asio::use_awaitable);
        asio::co_spawn(listening.get_executor(), echo(std::move(peer)), asio::detached);
    }
}

} // namespace

int main(int argc, char** argv) try {
    unsigned short port = 8080;
    CLI::App app{"A TCP echo server on 127.0.0.1"};
    app.add_option("--port", port, "0 picks one")->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    coronet::asiox::io_context context{1}; // asio::io_context context{1};
    tcp::acceptor listening{context, {asio::ip::address_v4::loopback(), port}};
    std::printf("listening on 127.0.0.1:%d\n", listening.local_endpoint().port());
    std::fflush(stdout);

    asio::signal_set ending{context, SIGINT, SIGTERM};
    ending.async_wait([&context](auto, auto) { context.stop(); });
    asio::co_spawn(context, serve(std::move(listening)), asio::detached);
    context.run();
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "asio_drop_in: %s\n", error.what());
    return 1;
}
