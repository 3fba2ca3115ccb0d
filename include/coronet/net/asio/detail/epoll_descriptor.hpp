// SPDX-License-Identifier: BSL-1.0
//
// The descriptor of Asio's epoll set.
#pragma once

#include <coronet/net/asio/config.hpp>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/detail/epoll_reactor.hpp>
#else
#include <asio/detail/epoll_reactor.hpp>
#endif

namespace coronet::asiox::detail {

namespace asio_detail = net::detail;

/// Asio tells nobody the descriptor of its epoll set. Naming a private member is allowed in an
/// explicit instantiation, and there alone.
template <class Tag, typename Tag::type Member>
struct exposed {
    friend constexpr typename Tag::type member(Tag) noexcept { return Member; }
};
struct epoll_descriptor {
    using type = int asio_detail::epoll_reactor::*;
    friend constexpr type member(epoll_descriptor) noexcept;
};
template struct exposed<epoll_descriptor, &asio_detail::epoll_reactor::epoll_fd_>;

} // namespace coronet::asiox::detail
