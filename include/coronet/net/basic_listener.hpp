// SPDX-License-Identifier: BSL-1.0
//
// A socket that connections come from. TCP and unix listeners differ in the stream that they give.
// Owner thread.
#pragma once

#include <coronet/net/accept_multishot.hpp>
#include <coronet/net/basic_socket.hpp>
#include <coronet/net/endpoint.hpp>
#include <coronet/result.hpp>
#include <coronet/unique_fd.hpp>

#include <utility>

namespace coronet {

struct listen_options {
    int backlog = 4096; ///< connections that wait to be accepted; clamped by net.core.somaxconn
    bool reuse_address =
        true; ///< bind although connections of an earlier listener linger (SO_REUSEADDR)
    bool reuse_port =
        false; ///< several listeners share the port, one for each scheduler (SO_REUSEPORT)
    bool no_delay = true; ///< accepted TCP streams send at once (TCP_NODELAY)
};

namespace detail {

[[nodiscard]] unique_fd listening_socket(const endpoint& at, const listen_options& options);

/// async::accept that gives a stream.
template <class Stream>
class accept_stream : public async::accept {
public:
    using async::accept::accept;
    result<Stream> await_resume() const noexcept {
        auto accepted = async::accept::await_resume();
        if (!accepted) return accepted.error();
        return Stream{std::move(*accepted)};
    }
};

} // namespace detail

template <class Stream>
class basic_listener : public basic_socket {
public:
    using stream_type = Stream;
    using basic_socket::basic_socket;

    /// Binds to `at` and listens. With port 0 the kernel picks one: ask local_endpoint().
    ///
    /// Throws std::system_error with the error of socket(2), bind(2) or listen(2). Thread: any.
    explicit basic_listener(const endpoint& at, const listen_options& options = {})
        : basic_socket(detail::listening_socket(at, options)) {}

    /// Waits for the next connection.
    ///
    /// Errors: those of accept(2). With EMFILE, ENFILE, ENOBUFS and ENOMEM the connection stays in
    /// the backlog, and the next attempt fails at once: see accept_all(), or accept_backoff.
    /// Cancel: total: a connection that was not accepted stays in the backlog.
    /// Lifetime: the listener outlives the await.
    /// Thread: owner.
    /// Kernel: IORING_OP_ACCEPT.
    [[nodiscard]] auto accept() noexcept {
        return detail::descriptor_operation<detail::accept_stream<Stream>>{*this};
    }

    /// Connections as they come, by one request for all of them: `co_await connections.next()`
    /// gives a stream. They are accepted also while nobody asks for the next one.
    ///
    /// Errors of next(): as accept(); bad_file_descriptor when the listener has been closed.
    /// Cancel: what was accepted before is delivered; what was not stays in the backlog.
    /// Lifetime: the listener outlives the stream. close() of either ends the request and waits for
    /// it; without, it ends some time after the stream was destroyed, and a listener that is
    /// destroyed meanwhile is bound until then.
    /// Thread: owner.
    /// Kernel: IORING_OP_ACCEPT with IORING_ACCEPT_MULTISHOT, 5.19; a request a connection before.
    [[nodiscard]] multishot_stream<Stream> accept_multishot() {
        return detail::make_multishot<Stream, detail::socket_accept_multishot>(*this);
    }
};

} // namespace coronet
