// SPDX-License-Identifier: BSL-1.0
//
// Completion tokens that were experimental before Asio 1.23.
#pragma once

#include "which_asio.hpp"

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/experimental/awaitable_operators.hpp>
#if CORONET_ASIO_VERSION < 102300
#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/experimental/deferred.hpp>
#endif
#else
#include <asio/experimental/awaitable_operators.hpp>
#if CORONET_ASIO_VERSION < 102300
#include <asio/experimental/as_tuple.hpp>
#include <asio/experimental/deferred.hpp>
#endif
#endif

namespace coronet::asiox::test {

#if CORONET_ASIO_VERSION < 102300
using net::experimental::as_tuple;
using net::experimental::deferred;
#else
using net::as_tuple;
using net::deferred;
#endif

} // namespace coronet::asiox::test
