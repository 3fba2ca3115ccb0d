// SPDX-License-Identifier: BSL-1.0
//
// Bytes in one direction on Asio, one thread, as stream_liburing.c has them: `G` and a number of
// bytes has that much of the pattern sent, `P` has it received, compared, and answered with `y` or
// `n`. Usage: stream_asio PORT
#include "pattern.h"

#include <asio.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

using asio::use_awaitable;
using asio::ip::tcp;

static constexpr std::size_t piece = 65536;
static std::array<unsigned char, PRIME + piece> pattern;

static asio::awaitable<void> give(tcp::socket* peer, std::uint64_t left) {
    std::size_t at = 0;
    while (left > 0) {
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece));
        co_await asio::async_write(*peer, asio::buffer(pattern.data() + at, size), use_awaitable);
        at = (at + size) % PRIME;
        left -= size;
    }
}

static asio::awaitable<void> take(tcp::socket* peer, std::uint64_t left) {
    std::vector<unsigned char> buffer(piece);
    std::size_t at = 0;
    bool right = true;
    while (left > 0) {
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece));
        const std::size_t got =
            co_await peer->async_read_some(asio::buffer(buffer.data(), size), use_awaitable);
        right = right && follows_pattern(pattern.data(), buffer.data(), &at, got);
        left -= got;
    }
    const char verdict = right ? 'y' : 'n';
    co_await asio::async_write(*peer, asio::buffer(&verdict, 1), use_awaitable);
}

static asio::awaitable<void> serve_one(tcp::socket peer) {
    std::array<char, 9> head;
    std::uint64_t bytes = 0;
    try {
        co_await asio::async_read(peer, asio::buffer(head), use_awaitable);
        std::memcpy(&bytes, head.data() + 1, sizeof(bytes));
        if (head[0] == 'G')
            co_await give(&peer, bytes);
        else
            co_await take(&peer, bytes);
    } catch (const std::exception&) {
    }
}

static asio::awaitable<void> listen(tcp::acceptor acceptor) {
    for (;;) {
        tcp::socket peer = co_await acceptor.async_accept(use_awaitable);
        asio::co_spawn(acceptor.get_executor(), serve_one(std::move(peer)), asio::detached);
    }
}

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    fill_pattern(pattern.data(), pattern.size());
    const auto port = static_cast<unsigned short>(std::atoi(argv[1]));
    asio::io_context context(1);
    tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), port});
    asio::co_spawn(context, listen(std::move(acceptor)), asio::detached);
    context.run();
}
