// SPDX-License-Identifier: BSL-1.0
//
// A connection of unix(7) stream sockets. Owner thread.
#pragma once

#include <coronet/coro/task.hpp>
#include <coronet/net/endpoint.hpp>
#include <coronet/net/stream_socket.hpp>
#include <coronet/result.hpp>

#include <utility>

namespace coronet {

class unix_stream : public stream_socket {
public:
    using stream_socket::stream_socket;

    /// Connects to `peer`; waits while the listener's backlog is full.
    ///
    /// Errors: those of socket(2) and connect(2).
    /// Cancel: total: no stream comes of it.
    /// Thread: owner.
    /// Kernel: IORING_OP_CONNECT.
    [[nodiscard]] static task<result<unix_stream>> connect(endpoint peer);

    /// Two streams that are each other's peer.
    ///
    /// Errors: those of socketpair(2).
    /// Thread: any.
    [[nodiscard]] static result<std::pair<unix_stream, unix_stream>> pair();
};

} // namespace coronet
