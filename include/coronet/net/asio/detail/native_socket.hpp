// SPDX-License-Identifier: BSL-1.0
//
// What is below a socket of Asio's with Coronet's executor, for operations that Asio's classes
// lack: asked for as if it was an option of the socket, which any of them hands to its service.
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/open_descriptor.hpp>
#include <coronet/net/asio/detail/ring_reactor.hpp>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/detail/socket_ops.hpp>
#else
#include <asio/detail/socket_ops.hpp>
#endif

namespace coronet::asiox::detail {

template <class Protocol>
struct native_socket {
    ring_reactor* reactor = nullptr;
    open_descriptor::reference open; // null: it is not open
    int fd = -1;
    asio_detail::socket_ops::state_type state = 0;
    Protocol protocol = typename Protocol::endpoint().protocol();
};

/// `error` is bad_descriptor if it is not open.
template <class Socket>
[[nodiscard]] auto native_of(const Socket& socket, error_code& error) {
    native_socket<typename Socket::protocol_type> told;
    socket.get_option(told, error);
    return told;
}

} // namespace coronet::asiox::detail
