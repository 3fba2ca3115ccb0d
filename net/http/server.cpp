// SPDX-License-Identifier: BSL-1.0
//
// The accept loop and the graceful end. Owner thread.
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/net/http/serve.hpp>
#include <coronet/net/http/server.hpp>
#include <coronet/net/tcp_stream.hpp>

#include <algorithm>
#include <new>
#include <utility>

#include <poll.h>

namespace coronet::http {

namespace {

using namespace std::chrono_literals;

constexpr duration pause_min = 10ms;
constexpr duration pause_max = 100ms;

// How long a connection without a request stays when the server ends: a request that is on its way
// to it now is answered rather than dropped.
constexpr duration grace_max = 200ms;

// Errors of accept(2) that come from the connection that was to be accepted: the next one may be
// well. After all others (no descriptor, no memory, ...) an attempt at once would only fail again.
bool is_of_the_peer(std::error_code error) noexcept {
    return error == std::errc::connection_aborted || error == std::errc::protocol_error ||
           error == std::errc::network_down || error == std::errc::host_unreachable ||
           error == std::errc::network_unreachable || error == std::errc::operation_not_permitted;
}

} // namespace

server::server(tcp_listener listener, const router& routes, server_options options)
    : listener_{std::move(listener)},
      service_{routes, std::move(options.service)},
      drain_{options.drain} {}

task<void> server::run() {
    co_await with_scope(serve_all, this);
}

task<void> server::serve_all(scope children, server* self) {
    auto accepting = accept_all(children, self);
    co_await with_stop(self->stop_.get_token(), std::move(accepting));
    auto draining = drain(children, self);
    co_await std::move(draining);
}

task<void> server::accept_all(scope children, server* self) {
    duration pause = pause_min;
    while (true) {
        auto accepted = co_await self->listener_.accept();
        if (accepted) {
            pause = pause_min;
            self->begin_serving(children, std::move(*accepted));
            continue;
        }
        if (accepted.error() == std::errc::operation_canceled) co_return;
        if (is_of_the_peer(accepted.error())) continue;
        auto paused = co_await sleep_for(pause);
        if (!paused) co_return;
        pause = std::min(pause * 2, pause_max);
    }
}

// Without memory for one more connection this one is dropped; the others go on.
void server::begin_serving(scope children, tcp_stream peer) {
    try {
        children.spawn(serve<tcp_stream>, std::move(peer), &service_);
    } catch (const std::bad_alloc&) {
        return;
    }
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
        begin_serving(children, tcp_stream{std::move(accepted)});
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
