// SPDX-License-Identifier: BSL-1.0
#include "connected_socket.hpp"

#include <coronet/net/unix_stream.hpp>

#include <cerrno>

#include <sys/socket.h>

namespace coronet {

task<result<unix_stream>> unix_stream::connect(endpoint peer) {
    auto connected = co_await detail::connected_socket(peer);
    if (!connected) co_return connected.error();
    co_return unix_stream{std::move(*connected)};
}

result<std::pair<unix_stream, unix_stream>> unix_stream::pair() {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return std::error_code{errno, std::generic_category()};
    return std::pair{unix_stream{unique_fd{fds[0]}}, unix_stream{unique_fd{fds[1]}}};
}

} // namespace coronet
