// SPDX-License-Identifier: BSL-1.0
//
// A TCP connection. Owner thread.
#pragma once

#include <coronet/coro/task.hpp>
#include <coronet/net/endpoint.hpp>
#include <coronet/net/stream_socket.hpp>
#include <coronet/result.hpp>

namespace coronet {

class tcp_stream : public stream_socket {
public:
    using stream_socket::stream_socket;

    /// Connects to `peer`, with TCP_NODELAY.
    ///
    /// Errors: those of socket(2) and connect(2).
    /// Cancel: total: no stream comes of it.
    /// Thread: owner.
    /// Kernel: IORING_OP_CONNECT.
    [[nodiscard]] static task<result<tcp_stream>> connect(endpoint peer);
};

} // namespace coronet
