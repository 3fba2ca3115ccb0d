// SPDX-License-Identifier: BSL-1.0
//
// Bytes that tell where they belong: what one side of a connection sends so that the other can see
// whether all of it came, once and in order.
#pragma once

#include "support/quiet.hpp"

#include <coronet/net/receive_stream.hpp>
#include <coronet/net/stream_socket.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

#include <sys/socket.h>

namespace coronet::test {

inline run_options with_buffers(unsigned count, unsigned max, std::size_t size = 2048) {
    run_options options = quiet();
    options.scheduler.receive_buffers.count = count;
    options.scheduler.receive_buffers.max = max;
    options.scheduler.receive_buffers.size = size;
    return options;
}

/// Byte `at` of what all senders send.
inline std::byte byte_at(std::size_t at) {
    return static_cast<std::byte>((at * 2654435761U) >> 13);
}
inline std::vector<std::byte> pattern(std::size_t from, std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = byte_at(from + i);
    return bytes;
}
inline std::string_view text_of(const received_buffer& piece) {
    return {reinterpret_cast<const char*>(piece.data()), piece.size()};
}
inline void give(const stream_socket& to, std::string_view text) {
    EXPECT_EQ(::send(to.native_handle(), text.data(), text.size(), 0), std::ssize(text));
}

/// Sends so much in pieces of odd sizes, then finishes.
template <class Stream>
task<bool> send_pattern(Stream* to, std::size_t total) {
    std::size_t size = 1;
    for (std::size_t at = 0; at < total;) {
        const auto piece = pattern(at, std::min(size, total - at));
        const auto sent = co_await to->write_all(std::span<const std::byte>(piece));
        if (!sent) co_return false;
        at += piece.size();
        size = size * 5 % 70'001 + 1;
    }
    const auto finished = co_await to->shutdown(shutdown_of::sending);
    co_return finished.has_value();
}
struct received {
    std::size_t bytes = 0;
    bool in_order = true;
    std::error_code error;
    friend bool operator==(const received&, const received&) = default;
};
inline void check(received& so_far, const received_buffer& piece) {
    for (const std::byte each : piece.bytes())
        so_far.in_order = so_far.in_order && each == byte_at(so_far.bytes++);
}
/// All, until the peer has finished.
inline task<received> receive_pattern(stream_socket* from, receive_options options = {}) {
    received so_far;
    auto incoming = from->receive(options);
    for (;;) {
        const auto piece = co_await incoming.next();
        so_far.error = piece.error();
        if (!piece || piece->empty()) co_return so_far;
        check(so_far, *piece);
    }
}

} // namespace coronet::test
