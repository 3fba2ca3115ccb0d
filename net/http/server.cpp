// SPDX-License-Identifier: BSL-1.0
//
// The accept loop and the graceful end. Owner thread.
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/net/accept_all.hpp>
#include <coronet/net/http/serve.hpp>
#include <coronet/net/http/server.hpp>
#include <coronet/net/tcp_stream.hpp>

#include <algorithm>
#include <utility>

#include <poll.h>

namespace coronet::http {

namespace {

using namespace std::chrono_literals;

// How long a connection without a request stays when the server ends: a request that is on its way
// to it now is answered rather than dropped.
constexpr duration grace_max = 200ms;

} // namespace

server::server(tcp_listener listener, const router& routes, server_options options)
    : listener_{std::move(listener)},
      service_{routes, std::move(options.service)},
      drain_{options.drain} {}

task<void> server::run() {
    co_await with_scope(serve_all, this);
}

task<void> server::serve_all(scope children, server* self) {
    auto accepting = accept_all(children, &self->listener_, serve<tcp_stream>, &self->service_);
    const auto ended = co_await with_stop(self->stop_.get_token(), std::move(accepting));
    static_cast<void>(ended); // asked to, or the listener has been shut down
    auto draining = drain(children, self);
    co_await std::move(draining);
}

// Connections that the kernel has completed but accept has not taken yet may have sent a request:
// closing the listener would reset them.
void server::accept_backlog(scope children) {
    const int fd = listener_.native_handle();
    while (true) {
        pollfd waiting{fd, POLLIN, 0};
        if (::poll(&waiting, 1, 0) != 1) return;
        unique_fd accepted{::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC)};
        if (!accepted) return;
        coronet::detail::spawn_or_close(
            children, tcp_stream{std::move(accepted)}, serve<tcp_stream>, &service_
        );
    }
}

// stopping: every answer is its connection's last
//  → after a short while: connections without a request end
//  → after the drain time: everything else is cancelled
task<void> server::drain(scope children, server* self) {
    const time_point deadline = coronet::detail::later(clock::now(), self->drain_);
    self->service_.begin_stop();
    self->accept_backlog(children);
    auto closing = self->listener_.close();
    [[maybe_unused]] auto closed = co_await std::move(closing);
    const duration grace = std::min<duration>(grace_max, self->drain_ / 2);
    auto ended = co_await with_timeout(grace, children.join());
    if (ended) co_return;
    self->service_.end_idle_connections();
    ended = co_await with_timeout(deadline, children.join());
    if (!ended) children.request_stop();
}

} // namespace coronet::http
