// SPDX-License-Identifier: BSL-1.0
//
// Where Asio's descriptors find Coronet's service (see native_objects.hpp).
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/ring_descriptor_service.hpp>
#include <coronet/net/asio/executor.hpp>

#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/detail/io_object_impl.hpp>
#include <boost/asio/detail/reactive_descriptor_service.hpp>
namespace boost::asio::detail {
#else
#include <asio/detail/io_object_impl.hpp>
#include <asio/detail/reactive_descriptor_service.hpp>
namespace asio::detail {
#endif

template <::coronet::asiox::native_executor Executor>
class io_object_impl<reactive_descriptor_service, Executor>
    : public io_object_impl<::coronet::asiox::detail::ring_descriptor_service, Executor> {
    using base = io_object_impl<::coronet::asiox::detail::ring_descriptor_service, Executor>;

public:
    using base::base;
    template <class Other, class OtherExecutor>
    io_object_impl(io_object_impl<Other, OtherExecutor>&& other) : base(std::move(other)) {}
};

} // namespace asio::detail
