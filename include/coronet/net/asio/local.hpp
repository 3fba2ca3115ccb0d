// SPDX-License-Identifier: BSL-1.0
//
// Unix domain sockets on the ring, by Asio's own classes (see tcp.hpp).
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/native_objects.hpp>
#include <coronet/net/asio/executor.hpp>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/basic_datagram_socket.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/local/datagram_protocol.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#else
#include <asio/basic_datagram_socket.hpp>
#include <asio/basic_socket_acceptor.hpp>
#include <asio/basic_stream_socket.hpp>
#include <asio/local/datagram_protocol.hpp>
#include <asio/local/stream_protocol.hpp>
#endif

namespace coronet::asiox {

struct local_stream {
    using protocol = net::local::stream_protocol;
    using endpoint = protocol::endpoint;
    using socket = net::basic_stream_socket<protocol, executor>;
    using acceptor = net::basic_socket_acceptor<protocol, executor>;
};

struct local_datagram {
    using protocol = net::local::datagram_protocol;
    using endpoint = protocol::endpoint;
    using socket = net::basic_datagram_socket<protocol, executor>;
};

} // namespace coronet::asiox
