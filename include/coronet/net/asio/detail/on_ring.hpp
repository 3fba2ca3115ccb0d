// SPDX-License-Identifier: BSL-1.0
//
// The ring under the context of a service. A base of the service that comes before those which
// would make Asio's own loop.
#pragma once

#include <coronet/net/asio/detail/open_descriptor.hpp>
#include <coronet/net/asio/detail/ring_reactor.hpp>
#include <coronet/net/asio/io_context.hpp>
#include <coronet/unique_fd.hpp>

#include <fcntl.h>

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

    /// Asks all that is in flight on `open` to end, and hands that to the kernel: at once, or soon
    /// if another thread owns the ring.
    void cancel_all(const open_descriptor::reference& open) {
        if (open->surely_idle()) return;
        const auto cancel = [open, &ring = reactor_] {
            open->cancel_all();
            ring.submit();
        };
        if (!reactor_.try_as_owner(cancel)) reactor_.soon_as_owner(cancel);
    }
    /// The same, for ever: its number is to be closed, by `after`. That is called after(true) at
    /// once, or after(false) soon.
    template <class Function>
    void leave(const open_descriptor::reference& open, const Function& after) {
        if (open->surely_idle()) return after(true);
        const auto end = [open, &ring = reactor_] {
            open->leave();
            ring.submit();
        };
        if (!reactor_.try_as_owner([&] { end(), after(true); }))
            reactor_.soon_as_owner([end, after] { end(), after(false); });
    }
    /// The same of one that somebody else has from now on, having waited to become the owner.
    void leave_to_others(const open_descriptor::reference& open, int number) {
        if (open->surely_idle()) return;
        reactor_.as_owner([&] {
            open->leave();
            reactor_.submit();
            if (open->lends()) open->keep(unique_fd{::fcntl(number, F_DUPFD_CLOEXEC, 0)}, true);
        });
    }

private:
    ring_reactor& reactor_;
};

/// The same for what works as well without: a base of services of Asio's own that would make its
/// loop, where Coronet's is to be.
class over_ring {
protected:
    explicit over_ring(net::execution_context& context) {
        using asio_detail::epoll_reactor;
        const bool has_loop = net::has_service<asio_detail::scheduler>(context);
        if (!has_loop || net::has_service<epoll_reactor>(context)) return;
        try {
            install(context);
        } catch (const net::service_already_exists&) { // another thread has just done so
        }
    }
};

} // namespace coronet::asiox::detail
