// SPDX-License-Identifier: BSL-1.0
//
// The loop of a server: a task for each connection. It knows which errors of accept(2) mean a
// pause, which the next attempt, and which the end. Owner thread.
#pragma once

#include <coronet/coro/scope.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/net/accept_backoff.hpp>

#include <new>
#include <system_error>
#include <utility>

namespace coronet {

namespace detail {

/// Without memory for one more connection that one is closed; the others go on.
template <class Stream, class Function, class... Arguments>
void spawn_or_close(
    const scope& children, Stream&& peer, const Function& serve, const Arguments&... arguments
) {
    try {
        children.spawn(serve, std::forward<Stream>(peer), arguments...);
    } catch (const std::bad_alloc&) {
        return;
    }
}

} // namespace detail

/// Accepts connections of `*from` and starts the task `serve(stream, arguments...)` for each,
/// beside the others in `children`. Where descriptors or memory are short it waits until something
/// comes free (accept_backoff); connections wait in the backlog meanwhile.
///
/// Result: why it has ended: std::errc::operation_canceled; bad_file_descriptor or invalid_argument
/// when the listener has been closed or shut down; errc::closed of a listener_share.
/// Cancel: total: connections that were not accepted stay in the backlog; the children go on.
/// Lifetime: the listener outlives the await. Function and arguments are copied for each
/// connection.
/// Thread: owner.
template <class Listener, class Function, class... Arguments>
task<std::error_code>
accept_all(scope children, Listener* from, Function serve, Arguments... arguments) {
    accept_backoff backoff;
    for (;;) {
        auto accepted = co_await from->accept();
        if (accepted) {
            backoff.accepted();
            detail::spawn_or_close(children, std::move(*accepted), serve, arguments...);
            continue;
        }
        auto pausing = backoff.after(accepted.error());
        const auto ended = co_await std::move(pausing);
        if (ended) co_return ended;
    }
}

} // namespace coronet
