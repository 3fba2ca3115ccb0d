// SPDX-License-Identifier: BSL-1.0
//
// Asio's coroutines and Coronet's in one program, on one loop. A task of Coronet's accepts, with an
// acceptor of Asio's. Each connection is a coroutine of Asio's: a line names a file, and a task of
// Coronet's reads that on the ring; one that takes longer than a second is given up. Ctrl-C ends
// it all.
#include <coronet/coro/io/file.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/net/asio/async_run.hpp>
#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/use_coro.hpp>

#include <CLI/CLI.hpp>
#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>

namespace {

using asio::use_awaitable;
using asio::ip::tcp;
using coronet::asiox::use_coro;

/// Coronet's.
coronet::task<std::string> contents_of(std::string name) {
    auto opened = co_await coronet::file::open(name.c_str(), O_RDONLY);
    if (!opened) co_return name + ": " + opened.error().message() + "\n";
    std::array<std::byte, 4096> block;
    std::string all;
    for (;;) {
        auto count = co_await opened->read_at(block, all.size());
        if (!count) co_return name + ": " + count.error().message() + "\n";
        if (*count == 0) co_return all;
        all.append(reinterpret_cast<const char*>(block.data()), *count);
    }
}

/// Asio's; it waits for one of Coronet's.
asio::awaitable<void> answer(tcp::socket peer) try {
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer limit{peer.get_executor()};
    std::string lines;
    for (;;) {
        auto buffer = asio::dynamic_buffer(lines, 4096);
        auto size = co_await asio::async_read_until(peer, buffer, '\n', use_awaitable);
        auto file = coronet::asiox::as_operation(contents_of(lines.substr(0, size - 1)));
        lines.erase(0, size);
        limit.expires_after(std::chrono::seconds{1});
        auto first = co_await (std::move(file)(use_awaitable) || limit.async_wait(use_awaitable));
        std::string text = first.index() == 0 ? std::get<0>(first) : "too slow\n";
        co_await asio::async_write(peer, asio::buffer(text), use_awaitable);
    }
} catch (const std::system_error&) { // the peer has gone
}

/// Coronet's; it waits for Asio's acceptor.
coronet::task<void> serve(tcp::acceptor listening) {
    for (;;) {
        auto peer = co_await listening.async_accept(use_coro);
        asio::co_spawn(listening.get_executor(), answer(std::move(peer)), asio::detached);
    }
}

} // namespace

int main(int argc, char** argv) try {
    unsigned short port = 8080;
    CLI::App app{"Sends the files that lines from 127.0.0.1 name"};
    app.add_option("--port", port, "0 picks one")->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    coronet::asiox::io_context context{1};
    tcp::acceptor listening{context, {asio::ip::address_v4::loopback(), port}};
    std::printf("listening on 127.0.0.1:%d\n", listening.local_endpoint().port());
    std::fflush(stdout);

    asio::signal_set ending{context, SIGINT, SIGTERM};
    ending.async_wait([&context](auto, auto) { context.stop(); });
    coronet::asiox::async_run(context, serve(std::move(listening)), [](std::exception_ptr failed) {
        if (failed) std::rethrow_exception(failed); // out of run()
    });
    context.run();
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "asio_bridge: %s\n", error.what());
    return 1;
}
