// SPDX-License-Identifier: BSL-1.0
//
// Where Asio's front ends find Coronet's services: an object whose executor is Coronet's has its
// implementation replaced, under the same front end.
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/ring_socket_service.hpp>
#include <coronet/net/asio/executor.hpp>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/detail/io_object_impl.hpp>
namespace boost::asio::detail {
#else
#include <asio/detail/io_object_impl.hpp>
namespace asio::detail {
#endif

template <class Protocol, ::coronet::asiox::native_executor Executor>
class io_object_impl<reactive_socket_service<Protocol>, Executor>
    : public io_object_impl<::coronet::asiox::detail::ring_socket_service<Protocol>, Executor> {
    using base = io_object_impl<::coronet::asiox::detail::ring_socket_service<Protocol>, Executor>;

public:
    using base::base;
    template <class Other, class OtherExecutor>
    io_object_impl(io_object_impl<Other, OtherExecutor>&& other) : base(std::move(other)) {}
};

} // namespace asio::detail
