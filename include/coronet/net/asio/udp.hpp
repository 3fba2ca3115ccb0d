// SPDX-License-Identifier: BSL-1.0
//
// UDP on the ring, by Asio's own classes (see tcp.hpp).
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/native_objects.hpp>
#include <coronet/net/asio/executor.hpp>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/basic_datagram_socket.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/udp.hpp>
#else
#include <asio/basic_datagram_socket.hpp>
#include <asio/ip/basic_resolver.hpp>
#include <asio/ip/udp.hpp>
#endif

namespace coronet::asiox {

struct udp {
    using protocol = net::ip::udp;
    using endpoint = protocol::endpoint;
    using socket = net::basic_datagram_socket<protocol, executor>;
    using resolver = net::ip::basic_resolver<protocol, executor>;
};

} // namespace coronet::asiox
