// SPDX-License-Identifier: BSL-1.0
//
// TCP on the ring, by Asio's own classes: all their members and every completion token work as they
// are documented there. Only the type of their executor is another, and what is asynchronous is an
// operation of the ring.
//
//     coronet::asiox::io_context context;
//     coronet::asiox::tcp::acceptor listening{context.get_executor(), endpoint};
//
// Not as with Asio's default executor: a read after the end of the stream tells it again; a
// cancelled operation may have succeeded all the same, and then says so. A socket cannot become one
// of any_io_executor.
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/native_objects.hpp>
#include <coronet/net/asio/executor.hpp>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>
#else
#include <asio/basic_socket_acceptor.hpp>
#include <asio/basic_stream_socket.hpp>
#include <asio/ip/basic_resolver.hpp>
#include <asio/ip/tcp.hpp>
#endif

namespace coronet::asiox {

struct tcp {
    using protocol = net::ip::tcp;
    using endpoint = protocol::endpoint;
    using socket = net::basic_stream_socket<protocol, executor>;
    using acceptor = net::basic_socket_acceptor<protocol, executor>;
    using resolver = net::ip::basic_resolver<protocol, executor>;
};

} // namespace coronet::asiox
