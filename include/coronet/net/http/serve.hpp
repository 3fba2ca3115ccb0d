// SPDX-License-Identifier: BSL-1.0
//
// The loop of one connection on a stream of any type: it does what the connection says is next,
// one operation with a time limit at a time. Owner thread. Not a server: it accepts nothing.
//
// Where the stream gives pieces there are two loops. The outer one, serve(), waits for a request
// and holds as little as that takes; the inner one, converse(), has the state of the connection
// and lives from the first piece to when nothing is left to say.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/net/http/buffer.hpp>
#include <coronet/net/http/connection.hpp>
#include <coronet/net/http/service.hpp>
#include <coronet/net/http/transport.hpp>
#include <coronet/net/receive_stream.hpp>
#include <coronet/net/stream_socket.hpp>
#include <coronet/received_buffer.hpp>
#include <coronet/result.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <system_error>
#include <utility>

#include <sys/socket.h>

namespace coronet::http {

namespace detail {

/// A stream that gives what it receives in pieces, for as long as it is asked to.
template <class Stream>
concept gives_pieces = requires(Stream stream) {
    { stream.receive(receive_options{}) } -> std::same_as<receive_stream>;
};

/// What a peer may send ahead while it is not listened to (it does not take its answers, or a
/// handler waits) stays in buffers that others might need: not much of it.
inline constexpr std::size_t window_of_pieces = 16 * 1024;

/// A stream for the awaits of handlers.
template <class Stream>
class stream_transport final : public transport {
public:
    /// `pieces`: what the stream gives, if it does.
    stream_transport(Stream& stream, receive_stream* pieces) noexcept
        : stream_{stream}, pieces_{pieces} {}

    task<result<std::size_t>> receive(buffer* into, duration timeout) override {
        if constexpr (gives_pieces<Stream>) {
            if (copied_ < copied_max) {
                auto piece = co_await with_timeout(timeout, pieces_->next());
                co_return append(into, piece);
            }
            if (!direct_) {
                auto rest = end_pieces(into);
                const std::size_t count = co_await std::move(rest);
                if (count > 0) co_return count;
            }
        }
        const auto room = into->room();
        auto count = co_await with_timeout(timeout, stream_.read_some(room));
        if (count) into->commit(*count);
        co_return count;
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

    /// The body is over: what follows comes in pieces again.
    void body_ended() noexcept {
        direct_ = false;
        copied_ = 0;
    }

private:
    // So much of a body is copied out of its pieces. Then it is bulk: the pieces are asked to end,
    // and once nothing of them is left the kernel writes to where the body is wanted.
    static constexpr std::size_t copied_max = 16 * 1024;

    // Gives what had come before they ended. (The end of the data is told again by each receive.)
    task<std::size_t> end_pieces(buffer* into) {
        direct_ = true;
        pieces_->cancel();
        std::size_t count = 0;
        while (true) {
            auto piece = co_await pieces_->next();
            if (!piece || piece->empty()) co_return count;
            auto taken = append(into, piece);
            count += *taken;
        }
    }

    result<std::size_t> append(buffer* into, const result<received_buffer>& piece) {
        if (!piece) return piece.error();
        into->append({reinterpret_cast<const char*>(piece->data()), piece->size()});
        copied_ += piece->size();
        return piece->size();
    }

    Stream& stream_;
    receive_stream* pieces_;
    std::size_t copied_ = 0;
    bool direct_ = false;
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
task<void>
take_leave(Stream* stream, receive_stream* pieces, connection* finished, service* shared) {
    auto ended = co_await stream->shutdown(shutdown_of::sending);
    if (!ended) co_return;
    const time_point deadline =
        coronet::detail::later(clock::now(), shared->options().timeouts.linger);
    std::uint64_t left = shared->options().limits.linger_max;
    while (left > 0) {
        std::size_t dropped = 0;
        if constexpr (gives_pieces<Stream>) {
            auto piece = co_await with_timeout(deadline, pieces->next());
            if (piece) dropped = piece->size();
        } else {
            const auto room = finished->room();
            auto count = co_await with_timeout(deadline, stream->read_some(room));
            if (count) dropped = *count;
        }
        if (dropped == 0) co_return;
        left -= std::min<std::uint64_t>(left, dropped);
    }
}

/// What is left of a connection while nothing of a request has come: its place in the service's
/// list, and whether it goes on.
class session final : public listed_connection {
public:
    explicit session(int fd) noexcept : fd_{fd} {}
    void end_if_idle() noexcept override { ::shutdown(fd_, SHUT_RD); }

    [[nodiscard]] bool over() const noexcept { return over_; }
    void end() noexcept { over_ = true; }

private:
    int fd_;
    bool over_ = false;
};

/// Where from, and for how long, a loop waits for a piece. (Built in a function, so that no frame
/// holds what it is built from.)
inline auto next_piece(receive_stream& pieces, duration limit) noexcept {
    return with_timeout(limit, pieces.next());
}
inline auto first_piece(receive_stream& pieces, const service& shared) noexcept {
    return next_piece(pieces, shared.options().timeouts.idle);
}

/// The loop while there is something to do. Where the stream gives pieces `first` is one, and it
/// ends as soon as nothing has to be remembered of the connection; else it ends with that.
template <class Stream>
task<void> converse(
    Stream* stream, receive_stream* pieces, service* shared, session* whole,
    result<received_buffer>* first
) {
    stream_transport<Stream> transport{*stream, pieces};
    connection state{*shared, transport};
    if (first) state.received_piece(std::move(*first));
    auto step = state.next();
    while (step < connection::step::finish) {
        if (step == connection::step::send) {
            const auto pending = state.pending();
            const duration limit = state.send_timeout();
            auto count = co_await with_timeout(limit, stream->write_some(pending));
            state.sent(count);
        } else if (step == connection::step::call) {
            auto handled = handle(&state);
            co_await std::move(handled);
            transport.body_ended();
        } else if constexpr (gives_pieces<Stream>) {
            if (state.blank()) co_return;
            const duration limit = state.receive_timeout();
            auto piece = co_await next_piece(*pieces, limit);
            state.received_piece(std::move(piece));
        } else {
            const auto room = state.room();
            const duration limit = state.receive_timeout();
            auto count = co_await with_timeout(limit, stream->read_some(room));
            state.received(count);
        }
        step = state.next();
    }
    whole->end();
    if (step == connection::step::close) co_return;
    auto leaving = take_leave(stream, pieces, &state, shared);
    co_await std::move(leaving);
}

} // namespace detail

/// Serves one connection until it ends: by the peer, by an error, by a limit of time, or after the
/// answer that is its last.
///
/// Stream has read_some, write_some, shutdown and native_handle, as tcp_stream has. If it has
/// receive(), too, an idle connection holds no buffer and next to nothing else.
/// Errors: none; whatever goes wrong ends the connection.
/// Cancel: terminal. Requests in progress are not answered; see server for a graceful end.
/// Lifetime: `shared` outlives the await.
template <class Stream>
task<void> serve(Stream stream, service* shared) {
    detail::session whole{stream.native_handle()};
    try {
        auto talk = detail::converse<Stream>(&stream, nullptr, shared, &whole, nullptr);
        co_await std::move(talk);
    } catch (const std::bad_alloc&) {
        co_return; // this connection ends, the others go on
    }
}

// This frame is what an idle connection costs: it waits for the first piece of a request, and holds
// no more than that takes.
template <detail::gives_pieces Stream>
task<void> serve(Stream stream, service* shared) {
    detail::session whole{stream.native_handle()};
    try {
        receive_stream pieces = stream.receive(receive_options{detail::window_of_pieces});
        while (!whole.over()) {
            shared->admit(whole);
            auto piece = co_await detail::first_piece(pieces, *shared);
            whole.unlink();
            if (!piece || piece->empty()) co_return;
            auto talk = detail::converse(&stream, &pieces, shared, &whole, &piece);
            co_await std::move(talk);
        }
    } catch (const std::bad_alloc&) {
        co_return; // this connection ends, the others go on
    }
}

} // namespace coronet::http
