// SPDX-License-Identifier: BSL-1.0
//
// A ring in a context of Asio's that cannot have Coronet's loop: one that runs already, whose
// sockets are there already, or of an Asio that is too old for it (down to 1.18, Boost's 1.74). The
// context goes on as it is; Coronet's operations and coroutines get their turns as its handlers do.
//
//     coronet::asiox::guest guest{context};
//     sync_wait(guest.ring(), task());        // from another thread
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/guest_loop.hpp>
#include <coronet/options.hpp>
#include <coronet/scheduler.hpp>

#include <memory>

namespace coronet::asiox {

/// A scheduler that an io_context runs, whichever loop that has.
///
/// The context's run() returns when nothing is left to do, as ever; what Coronet has in flight
/// there keeps it, and a guest without any does not: for what others post to it then, the context
/// needs a work guard. What a turn throws, run() throws; the next one tries again.
///
/// Thread: made and used from any. Its end is waited for: it cancels what is in flight. It is not
/// ended by a task of its own; and with options that do not say `movable_owner`, only by the one
/// thread that has run the context since.
/// While a task of its own waits for an operation of the context, the end runs the context's
/// handlers, as poll() does: on a thread that runs it, or when nobody else seems to (a handler has
/// waited for half a second). In one of these, the guest may go; that does not wait for the end.
/// Lifetime: it may end before its context or after it. When the context is destroyed first, its
/// scheduler ends then.
class guest {
public:
    /// Errors: throws std::system_error if the ring cannot be set up.
    explicit guest(net::io_context& host, const scheduler_options& options = for_any_thread())
        : loop_(std::make_shared<detail::guest_loop>(host, options)) {
        loop_->begin();
    }
    ~guest() { loop_->leave(); }
    guest(const guest&) = delete;
    guest& operator=(const guest&) = delete;

    /// Its loop is the context's. After something was begun on it outside of its own turns (in a
    /// handler of Asio's, say) it needs a wake().
    [[nodiscard]] scheduler& ring() noexcept { return loop_->ring(); }

    /// Options for a context that several threads run.
    [[nodiscard]] static scheduler_options for_any_thread() {
        scheduler_options options;
        options.movable_owner = true;
        return options;
    }

private:
    std::shared_ptr<detail::guest_loop> loop_;
};

} // namespace coronet::asiox
