// SPDX-License-Identifier: BSL-1.0
//
// Bytes in one direction, as yardsticks/stream_liburing.c has them: `G` and a number of bytes has
// that much of the pattern sent, `P` has it received, compared, and answered with `y` or `n`. For
// benchmarks; it ends when it is killed. Usage: stream_server PORT [auto|epoll]
#include "yardsticks/pattern.h"

#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/net/tcp_listener.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace coronet;

constexpr std::size_t piece = std::size_t{64} * 1024;

using pattern_bytes = std::array<unsigned char, PRIME + piece>;

pattern_bytes make_pattern() {
    pattern_bytes made;
    fill_pattern(made.data(), made.size());
    return made;
}

const pattern_bytes pattern = make_pattern();

task<void> give(tcp_stream* peer, std::uint64_t left) {
    const auto all = std::as_bytes(std::span{pattern});
    std::size_t at = 0;
    while (left > 0) {
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece));
        const auto part = all.subspan(at, size);
        const auto sent = co_await peer->write_all(part);
        if (!sent) co_return;
        at = (at + size) % PRIME;
        left -= size;
    }
}

task<void> take(tcp_stream* peer, std::uint64_t left) {
    std::vector<unsigned char> buffer(piece);
    std::size_t at = 0;
    bool right = true;
    while (left > 0) {
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece));
        const auto room = std::as_writable_bytes(std::span{buffer}).first(size);
        const auto received = co_await peer->read_some(room);
        if (!received || *received == 0) co_return;
        right = right && follows_pattern(pattern.data(), buffer.data(), &at, *received);
        left -= *received;
    }
    const std::array verdict{std::byte{static_cast<unsigned char>(right ? 'y' : 'n')}};
    const auto sent = co_await peer->write_all(verdict);
    if (!sent) std::fprintf(stderr, "stream_server: the peer is gone\n");
}

task<void> serve_one(tcp_stream peer) {
    std::array<std::byte, 9> head;
    const auto received = co_await peer.read_exactly(head);
    if (!received) co_return;
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, head.data() + 1, sizeof(bytes));
    auto job = head[0] == std::byte{'G'} ? give(&peer, bytes) : take(&peer, bytes);
    co_await std::move(job);
}

task<void> serve(scope connections, tcp_listener listener) {
    for (;;) {
        auto accepted = co_await listener.accept();
        if (!accepted) throw std::system_error{accepted.error(), "accept"};
        connections.spawn(serve_one, std::move(*accepted));
    }
}

task<void> listen(endpoint where) {
    tcp_listener listener(where);
    co_await with_scope(serve, std::move(listener));
}

} // namespace

int main(int argc, char** argv) try {
    const std::string port = argc > 1 ? argv[1] : "8080";
    run_options options;
    options.handle_signals = false;
    if (argc > 2 && std::string_view{argv[2]} == "epoll")
        options.scheduler.driver = driver_choice::epoll;
    run(listen(endpoint::parse("127.0.0.1:" + port).value()), options);
} catch (const std::exception& error) {
    std::fprintf(stderr, "stream_server: %s\n", error.what());
    return 1;
}
