// SPDX-License-Identifier: BSL-1.0
//
// Where Asio's timers find Coronet's service (see native_objects.hpp).
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/ring_timer_service.hpp>
#include <coronet/net/asio/executor.hpp>

#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/detail/deadline_timer_service.hpp>
#include <boost/asio/detail/io_object_impl.hpp>
namespace boost::asio::detail {
#else
#include <asio/detail/deadline_timer_service.hpp>
#include <asio/detail/io_object_impl.hpp>
namespace asio::detail {
#endif

template <class Traits, ::coronet::asiox::native_executor Executor>
class io_object_impl<deadline_timer_service<Traits>, Executor>
    : public io_object_impl<::coronet::asiox::detail::ring_timer_service<Traits>, Executor> {
    using base = io_object_impl<::coronet::asiox::detail::ring_timer_service<Traits>, Executor>;

public:
    using base::base;
    template <class Other, class OtherExecutor>
    io_object_impl(io_object_impl<Other, OtherExecutor>&& other) : base(std::move(other)) {}
};

} // namespace asio::detail
