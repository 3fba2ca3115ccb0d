// SPDX-License-Identifier: BSL-1.0
//
// Asio's signal sets on a context with a ring. A process has one disposition for each signal, and
// Asio counts its sets of all contexts and queues what comes for each of them: that stays Asio's.
// Its signal handler writes to a pipe, whose other end is in Asio's epoll set, which the ring
// polls. Here is only what puts the ring below the context before Asio's own loop could be there.
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/on_ring.hpp>
#include <coronet/net/asio/executor.hpp>

#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/detail/io_object_impl.hpp>
#include <boost/asio/detail/signal_set_service.hpp>
#else
#include <asio/detail/io_object_impl.hpp>
#include <asio/detail/signal_set_service.hpp>
#endif

namespace coronet::asiox::detail {

class signals_on_ring final : private over_ring, public asio_detail::signal_set_service {
public:
    inline static asio_detail::service_id<signals_on_ring> id; // another service than its base

    explicit signals_on_ring(net::execution_context& context)
        : over_ring(context), asio_detail::signal_set_service(context) {}
};

} // namespace coronet::asiox::detail

#if defined(CORONET_ASIO_USE_BOOST)
namespace boost::asio::detail {
#else
namespace asio::detail {
#endif

template <::coronet::asiox::native_executor Executor>
class io_object_impl<signal_set_service, Executor>
    : public io_object_impl<::coronet::asiox::detail::signals_on_ring, Executor> {
    using base = io_object_impl<::coronet::asiox::detail::signals_on_ring, Executor>;

public:
    using base::base;
};

} // namespace asio::detail
