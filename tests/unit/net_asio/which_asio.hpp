// SPDX-License-Identifier: BSL-1.0
//
// The Asio that these tests are compiled with, whole.
#pragma once

#include <coronet/net/asio/config.hpp>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio.hpp>
#else
#include <asio.hpp>
#endif

namespace coronet::asiox::test {

using tcp = net::ip::tcp;

inline tcp::endpoint any_port() {
    return {net::ip::address_v4::loopback(), 0};
}

} // namespace coronet::asiox::test

#if defined(CORONET_ASIO_USE_BOOST)
#define CORONET_ASIO_UNSAFE BOOST_ASIO_CONCURRENCY_HINT_UNSAFE
#else
#define CORONET_ASIO_UNSAFE ASIO_CONCURRENCY_HINT_UNSAFE
#endif
