// SPDX-License-Identifier: BSL-1.0
//
// Timers on the ring, by Asio's own class (see tcp.hpp): the first one to expire bounds the wait in
// the ring. Setting one and cancelling it is no system call.
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/native_timers.hpp>
#include <coronet/net/asio/executor.hpp>

#include <chrono>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/wait_traits.hpp>
#else
#include <asio/basic_waitable_timer.hpp>
#include <asio/wait_traits.hpp>
#endif

namespace coronet::asiox {

template <class Clock>
using waitable_timer = net::basic_waitable_timer<Clock, net::wait_traits<Clock>, executor>;

using steady_timer = waitable_timer<std::chrono::steady_clock>;
/// Of the time of day, which may be set while it waits: that is seen after five minutes at most.
using system_timer = waitable_timer<std::chrono::system_clock>;

} // namespace coronet::asiox
