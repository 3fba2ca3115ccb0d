// SPDX-License-Identifier: BSL-1.0
//
// The ring under the context of a service. A base of the service that comes before those which
// would make Asio's own loop.
#pragma once

#include <coronet/net/asio/detail/ring_reactor.hpp>
#include <coronet/net/asio/io_context.hpp>

namespace coronet::asiox::detail {

/// Puts a ring under `context` if there is none yet. Throws as install() does.
[[nodiscard]] inline ring_reactor& reactor_under(net::execution_context& context) {
    try {
        if (!installed(context)) install(context);
    } catch (const net::service_already_exists&) {
        if (!installed(context)) throw; // else another thread has just done so
    }
    return static_cast<ring_reactor&>(net::use_service<asio_detail::epoll_reactor>(context));
}

class on_ring {
protected:
    /// As reactor_under().
    explicit on_ring(net::execution_context& context) : reactor_(reactor_under(context)) {}
    [[nodiscard]] ring_reactor& ring() const noexcept { return reactor_; }

private:
    ring_reactor& reactor_;
};

} // namespace coronet::asiox::detail
