// SPDX-License-Identifier: BSL-1.0
//
// Accepts connections on one scheduler and serves each with the same routes, until it is asked to
// stop; then it ends gracefully: what is in progress is answered, the last answer of a connection
// says so. One server for each scheduler (and a listener with SO_REUSEPORT for each) serves with
// several threads. Owner thread, but for request_stop. Not a scheduler's stop: that cancels.
#pragma once

#include <coronet/coro/scope.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/net/http/router.hpp>
#include <coronet/net/http/service.hpp>
#include <coronet/net/tcp_listener.hpp>
#include <coronet/stop_token.hpp>

#include <chrono>

namespace coronet::http {

struct server_options {
    service_options service{};
    /// For a graceful end; then the rest is cancelled.
    std::chrono::nanoseconds drain = std::chrono::seconds{10};
};

class server {
public:
    /// `routes` outlives the server.
    server(tcp_listener listener, const router& routes, server_options options = {});
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    /// Serves until request_stop, then until the last connection has ended. Awaited once.
    ///
    /// Errors: none; where descriptors or memory are short, connections wait until something comes
    /// free (accept_backoff). It ends as after request_stop when the listener has been shut down.
    /// Cancel: ends all connections at once.
    /// Lifetime: the server outlives the await.
    /// Thread: owner; the listener belongs to this scheduler.
    [[nodiscard]] task<void> run();

    /// Asks for the graceful end.
    ///
    /// Thread: any.
    void request_stop() noexcept { stop_.request_stop(); }

private:
    static task<void> serve_all(scope children, server* self);
    static task<void> drain(scope children, server* self);
    void accept_backlog(scope children);

    tcp_listener listener_;
    service service_;
    std::chrono::nanoseconds drain_;
    inplace_stop_source stop_;
};

} // namespace coronet::http
