// SPDX-License-Identifier: BSL-1.0
//
// Signals, by Asio's own class (see tcp.hpp). They come through Asio's own pipe and its epoll set,
// which the ring polls: no thread is added, and the queues of signals are Asio's.
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/native_signals.hpp>
#include <coronet/net/asio/executor.hpp>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/basic_signal_set.hpp>
#else
#include <asio/basic_signal_set.hpp>
#endif

namespace coronet::asiox {

using signal_set = net::basic_signal_set<executor>;

} // namespace coronet::asiox
