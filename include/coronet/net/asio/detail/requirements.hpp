// SPDX-License-Identifier: BSL-1.0
//
// What Coronet's loop below Asio needs of Asio; whoever cannot have it is told here why. A guest
// (coronet::asiox::guest) needs none of it.
#pragma once

#include <coronet/net/asio/config.hpp>

// 1.22: where a scheduler's task can be another one.
#if CORONET_ASIO_VERSION < 102200
#error "Coronet's loop needs Asio 1.22, or Boost 1.78; a coronet::asiox::guest does not"
#endif

// The default is made by ASIO_HAS_IO_URING together with ASIO_DISABLE_EPOLL.
#if defined(ASIO_HAS_IO_URING_AS_DEFAULT) || defined(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT)
#error "Coronet's loop replaces Asio's epoll: do not make Asio's own io_uring the default"
#elif defined(ASIO_DISABLE_EPOLL) || defined(BOOST_ASIO_DISABLE_EPOLL)
#error "Coronet's loop replaces Asio's epoll: do not define ASIO_DISABLE_EPOLL"
#endif
