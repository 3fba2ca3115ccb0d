// SPDX-License-Identifier: BSL-1.0
//
// What Asio's acceptors ask the ring for (ring_op.hpp says what a request is), and how a connection
// becomes a socket's.
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/prepare.hpp>
#include <coronet/net/asio/detail/socket_requests.hpp>
#include <coronet/operation.hpp>

#include <cerrno>
#include <cstdint>
#include <new>
#include <string_view>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/detail/bind_handler.hpp>
#include <boost/asio/detail/socket_holder.hpp>
#include <boost/asio/detail/socket_ops.hpp>
#else
#include <asio/detail/bind_handler.hpp>
#include <asio/detail/socket_holder.hpp>
#include <asio/detail/socket_ops.hpp>
#endif

namespace coronet::asiox::detail {

/// `socket` has the connection `held` then, if it takes it.
template <class Socket, class Protocol>
void give_connection(
    asio_detail::socket_holder& held, Socket& socket, const Protocol& protocol, error_code& error
) {
    try {
        socket.assign(protocol, held.get(), error);
    } catch (const std::bad_alloc&) {
        error = net::error::no_memory;
    }
    if (!error) held.release();
}

/// It went away before it was accepted.
[[nodiscard]] inline bool is_lost_connection(std::int32_t res) noexcept {
    return res == -ECONNABORTED || res == -EPROTO;
}

/// The descriptor of a connection, until somebody has it.
template <class Protocol>
class accepting {
    using endpoint = typename Protocol::endpoint;

public:
    static constexpr std::string_view name = "accept";
    accepting(int fd, asio_detail::socket_ops::state_type state, endpoint* peer) noexcept
        : fd_(fd),
          tells_aborted_((state & asio_detail::socket_ops::enable_connection_aborted) != 0),
          peer_(peer) {}

    void prepare(io_uring_sqe& sqe) noexcept {
        size_ = peer_ ? static_cast<socklen_t>(peer_->capacity()) : 0;
        prepare_accept(sqe, fd_, peer_ ? peer_->data() : nullptr, peer_ ? &size_ : nullptr);
    }
    [[nodiscard]] operation::subject on() const noexcept { return {fd_, POLLIN}; }
    /// A connection that went away before it was accepted is nobody's concern, as a rule.
    [[nodiscard]] bool goes_on(std::int32_t res) const noexcept {
        return !tells_aborted_ && is_lost_connection(res);
    }
    void finish(std::int32_t res, error_code&) noexcept { accepted_ = res; }

protected:
    /// `socket` has it then, if it takes it.
    template <class Socket>
    void give_to(Socket& socket, const Protocol& protocol, error_code& error) {
        asio_detail::socket_holder held(std::exchange(accepted_, asio_detail::invalid_socket));
        if (held.get() == asio_detail::invalid_socket) return;
        if (peer_) peer_->resize(size_);
        give_connection(held, socket, protocol, error);
    }

    accepting(accepting&& other) noexcept
        : fd_(other.fd_),
          tells_aborted_(other.tells_aborted_),
          accepted_(std::exchange(other.accepted_, asio_detail::invalid_socket)),
          peer_(other.peer_) {}
    ~accepting() { asio_detail::socket_holder(accepted_).reset(); }

private:
    int fd_;
    bool tells_aborted_;
    int accepted_ = asio_detail::invalid_socket;
    endpoint* peer_;
    socklen_t size_ = 0;
};

/// Into a socket of the caller's.
template <class Protocol, class Socket>
class accept_request final : public tells_error, public accepting<Protocol> {
public:
    accept_request(
        int fd, asio_detail::socket_ops::state_type state, Socket& socket, const Protocol& protocol,
        typename Protocol::endpoint* peer
    )
        : accepting<Protocol>(fd, state, peer), socket_(socket), protocol_(protocol) {}
    void deliver(error_code& error) { this->give_to(socket_, protocol_, error); }

private:
    Socket& socket_;
    Protocol protocol_;
};

/// Into a new one, which the handler is given.
template <class Protocol, class Socket>
class move_accept_request final : public accepting<Protocol> {
public:
    template <class Executor>
    move_accept_request(
        int fd, asio_detail::socket_ops::state_type state, const Executor& executor,
        const Protocol& protocol, typename Protocol::endpoint* peer
    )
        : accepting<Protocol>(fd, state, peer), socket_(executor), protocol_(protocol) {}
    void deliver(error_code& error) { this->give_to(socket_, protocol_, error); }
    template <class Handler>
    auto bind(Handler& handler, const error_code& error) {
        return asio_detail::move_binder2<Handler, error_code, Socket>(
            0, std::move(handler), error, std::move(socket_)
        );
    }

private:
    Socket socket_;
    Protocol protocol_;
};

} // namespace coronet::asiox::detail
