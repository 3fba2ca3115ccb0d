// SPDX-License-Identifier: BSL-1.0
//
// The loop of one connection on a stream of any type: it does what the connection says is next,
// one operation with a time limit at a time. Owner thread. Not a server: it accepts nothing.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/net/http/connection.hpp>
#include <coronet/net/http/service.hpp>
#include <coronet/net/http/transport.hpp>
#include <coronet/net/stream_socket.hpp>
#include <coronet/result.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <utility>

#include <sys/socket.h>

namespace coronet::http {

namespace detail {

/// A stream for the awaits of handlers.
template <class Stream>
class stream_transport final : public transport {
public:
    explicit stream_transport(Stream& stream) noexcept : stream_{stream} {}

    task<result<std::size_t>> receive(std::span<std::byte> room, duration timeout) override {
        auto received = co_await with_timeout(timeout, stream_.read_some(room));
        co_return received;
    }

    task<result<void>> send(std::span<const std::byte> data, duration timeout) override {
        while (!data.empty()) {
            auto sent = co_await with_timeout(timeout, stream_.write_some(data));
            if (!sent) co_return sent.error();
            data = data.subspan(*sent);
        }
        co_return result<void>();
    }

    void stop_receiving() noexcept override { ::shutdown(stream_.native_handle(), SHUT_RD); }

private:
    Stream& stream_;
};

// The peer is told of an exception by a status, or by the end of the connection.
inline task<void> handle(connection* asked) {
    bool failed = false;
    try {
        auto answered = asked->call_handler();
        co_await std::move(answered);
    } catch (...) {
        failed = true;
    }
    asked->handler_ended(failed);
}

// Closing while the peer still sends would reset the connection and could destroy the last answer
// before the peer has read it (RFC 9112, 9.6). So: end our side, and drop what comes for a while.
template <class Stream>
task<void> take_leave(Stream* stream, connection* finished, service* shared) {
    auto ended = co_await stream->shutdown(shutdown_of::sending);
    if (!ended) co_return;
    const time_point deadline =
        coronet::detail::later(clock::now(), shared->options().timeouts.linger);
    std::uint64_t left = shared->options().limits.linger_max;
    const auto room = finished->room();
    while (left > 0) {
        auto dropped = co_await with_timeout(deadline, stream->read_some(room));
        if (!dropped || *dropped == 0) co_return;
        left -= std::min<std::uint64_t>(left, *dropped);
    }
}

} // namespace detail

/// Serves one connection until it ends: by the peer, by an error, by a limit of time, or after the
/// answer that is its last.
///
/// Stream has read_some, write_some, shutdown and native_handle, as tcp_stream has.
/// Errors: none; whatever goes wrong ends the connection.
/// Cancel: terminal. Requests in progress are not answered; see server for a graceful end.
/// Lifetime: `shared` outlives the await.
template <class Stream>
task<void> serve(Stream stream, service* shared) {
    detail::stream_transport<Stream> transport{stream};
    try {
        connection state{*shared, transport};
        auto step = state.next();
        while (step < connection::step::finish) {
            if (step == connection::step::receive) {
                const auto room = state.room();
                const duration limit = state.receive_timeout();
                auto count = co_await with_timeout(limit, stream.read_some(room));
                state.received(count);
            } else if (step == connection::step::send) {
                const auto pending = state.pending();
                const duration limit = state.send_timeout();
                auto count = co_await with_timeout(limit, stream.write_some(pending));
                state.sent(count);
            } else {
                auto handled = detail::handle(&state);
                co_await std::move(handled);
            }
            step = state.next();
        }
        if (step == connection::step::finish) {
            auto leaving = detail::take_leave(&stream, &state, shared);
            co_await std::move(leaving);
        }
    } catch (const std::bad_alloc&) {
        co_return; // this connection ends, the others go on
    }
}

} // namespace coronet::http
