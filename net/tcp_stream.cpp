// SPDX-License-Identifier: BSL-1.0
#include "connected_socket.hpp"

#include <coronet/net/tcp_stream.hpp>

#include <utility>

namespace coronet {

task<result<tcp_stream>> tcp_stream::connect(endpoint peer) {
    auto connected = co_await detail::connected_socket(peer);
    if (!connected) co_return connected.error();
    co_return tcp_stream{std::move(*connected)};
}

} // namespace coronet
