// SPDX-License-Identifier: BSL-1.0
//
// Coronet's loop under a program written for asio::io_context: its sockets, timers, signal sets and
// posts work as they did, in the same number of threads, but what their thread waits in is a ring.
// On that ring run Coronet's own operations and coroutines, too, and the objects of
// <coronet/net/asio/tcp.hpp> and its neighbours.
//
//     coronet::asiox::io_context context;   // was: asio::io_context context;
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/ring_reactor.hpp>
#include <coronet/options.hpp>
#include <coronet/scheduler.hpp>

#include <concepts>
#include <memory>
#include <stdexcept>
#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#else
#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>
#endif

namespace coronet::asiox {

/// Thrown by install().
class reactor_in_use final : public net::service_already_exists {
public:
    [[nodiscard]] const char* what() const noexcept override {
        return "coronet::asiox::install: this context has a loop already: install before its first "
               "socket, timer, signal set or descriptor";
    }
};

/// The scheduler under `context`; null if there is none. Any thread.
[[nodiscard]] inline scheduler* installed(net::execution_context& context) {
    using reactor = net::detail::epoll_reactor;
    if (!net::has_service<reactor>(context)) return nullptr;
    auto* ours = dynamic_cast<detail::ring_reactor*>(&net::use_service<reactor>(context));
    return ours ? &ours->ring() : nullptr;
}

/// Puts a scheduler under `context`, an io_context or a thread_pool that has no socket, timer,
/// signal set or descriptor yet.
///
/// Result: the scheduler. Its loop is the context's: it is run, stopped and destroyed by that.
/// Errors: throws, and leaves `context` as it was: reactor_in_use; std::invalid_argument for
/// another kind of context; std::system_error if the ring cannot be set up (where the driver is
/// chosen automatically, Coronet's epoll driver takes its place instead).
/// Lifetime: of the context. A fork is told to notify_fork(), as ever.
inline scheduler& install(net::execution_context& context, const scheduler_options& options = {}) {
    using reactor = net::detail::epoll_reactor;
    if (!net::has_service<net::detail::scheduler>(context))
        throw std::invalid_argument("coronet::asiox::install: neither an io_context nor a "
                                    "thread_pool: such a context has no loop");
    if (net::has_service<reactor>(context)) throw reactor_in_use{};
    auto made = std::make_unique<detail::ring_reactor>(context, options);
    detail::ring_reactor& reached = *made;
    net::add_service<reactor>(context, made.get());
    static_cast<void>(made.release()); // it is the context's
    return reached.ring();
}

/// An asio::io_context with Coronet's loop: of that type, and with all its members and no other
/// state, so that whoever takes an asio::io_context& takes it.
class io_context : public net::io_context {
public:
    /// Takes what asio::io_context's constructors take. Throws what they throw and
    /// std::system_error if the ring cannot be set up.
    template <class... Arguments>
    requires std::constructible_from<net::io_context, Arguments...>
    explicit io_context(Arguments&&... arguments)
        : net::io_context(std::forward<Arguments>(arguments)...) {
        install(*this);
    }
    io_context(int concurrency_hint, const scheduler_options& options)
        : net::io_context(concurrency_hint) {
        install(*this, options);
    }

    /// The scheduler that its threads run.
    [[nodiscard]] scheduler& ring() { return *installed(*this); }
};

} // namespace coronet::asiox
