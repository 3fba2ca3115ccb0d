// SPDX-License-Identifier: BSL-1.0
#include "connected_socket.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/net/socket_options.hpp>

#include <utility>

namespace coronet::detail {

task<result<unique_fd>> connected_socket(endpoint peer) {
    auto created = co_await async::socket(peer.family(), SOCK_STREAM);
    if (!created) co_return created.error();
    unique_fd fd = std::move(*created);
    if (peer.family() != AF_UNIX) {
        const auto set = set_option(fd.get(), no_delay{true});
        if (!set) co_return set.error();
    }
    const auto connected = co_await async::connect(fd.get(), peer.data(), peer.size());
    if (!connected) co_return connected.error();
    co_return fd;
}

} // namespace coronet::detail
