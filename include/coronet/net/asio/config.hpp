// SPDX-License-Identifier: BSL-1.0
//
// Which Asio this program uses: the standalone one, or Boost's where CORONET_ASIO_USE_BOOST is
// defined (in every file of the program alike). `asiox::net` is that one's namespace; what differs
// between the two is here and nowhere else.
#pragma once

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/detail/config.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/version.hpp>
#include <boost/system/system_error.hpp>
#define CORONET_ASIO_VERSION BOOST_ASIO_VERSION
#else
#include <asio/detail/config.hpp>
#include <asio/error.hpp>
#include <asio/error_code.hpp>
#include <asio/system_error.hpp>
#include <asio/version.hpp>
#define CORONET_ASIO_VERSION ASIO_VERSION
#endif

#if defined(ASIO_NO_EXCEPTIONS) || defined(BOOST_ASIO_NO_EXCEPTIONS) || !defined(__cpp_exceptions)
#error "coronet::asio needs exceptions: do not compile with -fno-exceptions"
#endif

// The memory of an operation comes from its handler's associated allocator: Asio's macro for that.
// And the namespace, outside of Asio's, of what tells whether a handler continues another one.
#if defined(CORONET_ASIO_USE_BOOST)
#define CORONET_ASIO_HANDLER_PTR(type) BOOST_ASIO_DEFINE_HANDLER_PTR(type)
#if defined(BOOST_ASIO_VERSIONED_NAME)
#define CORONET_ASIO_CONTINUATION_HELPERS BOOST_ASIO_VERSIONED_NAME(handler_cont_helpers)
#else
#define CORONET_ASIO_CONTINUATION_HELPERS boost_asio_handler_cont_helpers
#endif
#else
#define CORONET_ASIO_HANDLER_PTR(type) ASIO_DEFINE_HANDLER_PTR(type)
#if defined(ASIO_VERSIONED_NAME)
#define CORONET_ASIO_CONTINUATION_HELPERS ASIO_VERSIONED_NAME(handler_cont_helpers)
#else
#define CORONET_ASIO_CONTINUATION_HELPERS asio_handler_cont_helpers
#endif
#endif

#if defined(CORONET_ASIO_USE_BOOST)
namespace coronet::asiox {
namespace net = ::boost::asio;
using error_code = ::boost::system::error_code;
using system_error = ::boost::system::system_error;
} // namespace coronet::asiox
#else
namespace coronet::asiox {
namespace net = ::asio;
using error_code = ::asio::error_code;
using system_error = ::asio::system_error;
} // namespace coronet::asiox
#endif
