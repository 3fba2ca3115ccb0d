// SPDX-License-Identifier: BSL-1.0
//
// Asio's functions, where this program has them compiled separately: with the same defaults.
// clang-format off: it comes before any header of Asio's
#include <coronet/net/asio/default_native.hpp>
// clang-format on

#if defined(BOOST_ASIO_SEPARATE_COMPILATION)
#include <boost/asio/impl/src.hpp>
#elif defined(ASIO_SEPARATE_COMPILATION)
#include <asio/impl/src.hpp>
#endif
