// SPDX-License-Identifier: BSL-1.0
//
// Sending without a copy: the kernel sends from the program's memory, and has it until the peer has
// acknowledged the last byte. For a connection with much to say (some 10 KiB at once and more), to
// another machine: on loopback the kernel copies all the same.
//
//     std::size_t sent = co_await async_send_zero_copy(socket, buffer(page), use_awaitable);
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/native_socket.hpp>
#include <coronet/net/asio/detail/ring_op.hpp>
#include <coronet/net/asio/detail/socket_requests.hpp>
#include <coronet/net/asio/executor.hpp>
#include <coronet/net/zero_copy.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/async_result.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/detail/buffer_sequence_adapter.hpp>
#else
#include <asio/async_result.hpp>
#include <asio/basic_stream_socket.hpp>
#include <asio/detail/buffer_sequence_adapter.hpp>
#endif

namespace coronet::asiox {

namespace detail {

/// A send_request that lends its memory, and sends all of it: MSG_WAITALL leaves that to the
/// kernel, which stops at an error, though; what is left is sent again, and tells which.
template <class Sequence>
class zero_copy_request final : public moves_bytes {
public:
    static constexpr std::string_view name = "send_zc";
    zero_copy_request(int fd, const Sequence& buffers)
        : send_(fd, buffers, MSG_WAITALL), size_(send_.size()) {}

    void prepare(io_uring_sqe& sqe) noexcept {
        send_.prepare(sqe, done_);
        lent_.request(sqe);
    }
    /// Whether nothing is left to send after this result.
    [[nodiscard]] bool is_all(std::int32_t res) const noexcept {
        return res >= 0 && done_ + static_cast<std::size_t>(res) >= size_;
    }
    [[nodiscard]] bool goes_on(std::int32_t res) noexcept {
        if (res <= 0 || is_all(res) || lent_.hung_up()) return false;
        moved(done_ += static_cast<std::size_t>(res));
        return true;
    }
    [[nodiscard]] operation::subject on() const noexcept { return send_.on(); }
    [[nodiscard]] coronet::detail::lent_to_peer& lent() noexcept { return lent_; }
    void finish(std::int32_t res, error_code& error) noexcept {
        moved(done_ + static_cast<std::size_t>(res));
        if (!is_all(res) || lent_.hung_up()) error = net::error::operation_aborted;
    }

private:
    send_request<Sequence> send_;
    std::size_t size_;
    std::size_t done_ = 0; // by requests before this one
    coronet::detail::lent_to_peer lent_;
};

/// Begins one.
template <class Socket>
class zero_copy_initiation {
public:
    using executor_type = typename Socket::executor_type;
    explicit zero_copy_initiation(Socket& socket) noexcept : socket_(&socket) {}
    [[nodiscard]] executor_type get_executor() const noexcept { return socket_->get_executor(); }

    template <class Handler, class Buffers>
    void operator()(Handler&& handler, const Buffers& buffers) const {
        using adapter = asio_detail::buffer_sequence_adapter<net::const_buffer, Buffers>;
        std::decay_t<Handler> mine(std::forward<Handler>(handler));
        error_code refusal;
        const auto native = native_of(*socket_, refusal);
        const bool at_once = refusal || adapter::all_empty(buffers);
        initiate(
            *native.reactor, native.open, zero_copy_request<Buffers>(native.fd, buffers), mine,
            get_executor(), at_once, refusal
        );
    }

private:
    Socket* socket_;
};

} // namespace detail

/// Sends all of `buffers`, or the first 64 of them, without a copy, where the kernel can; else it
/// copies. The memory is the kernel's until the handler is called, also after a cancellation or the
/// end of the socket.
///
/// Result: void(error_code, std::size_t): the number of bytes, all if there is no error.
/// Errors: those of send(2); operation_aborted after a cancellation: then some may have been sent.
/// Cancel: each kind. What the kernel has taken it keeps until the peer has acknowledged it; if
/// that takes longer than a second, the connection is reset.
/// Lifetime: the socket may be moved, or closed: its number is given back to the kernel when the
/// last such send has ended.
/// Thread: as with the socket's own operations; sends are done in the order of their beginning.
/// Kernel: IORING_OP_SEND_ZC, 6.0, and IORING_OP_SENDMSG_ZC, 6.1; IORING_OP_SEND before.
template <
    class Protocol, native_executor Executor, class Buffers,
    class Token = net::default_completion_token_t<Executor>>
auto async_send_zero_copy(
    net::basic_stream_socket<Protocol, Executor>& socket, const Buffers& buffers,
    Token&& token = Token()
) {
    using socket_type = net::basic_stream_socket<Protocol, Executor>;
    return net::async_initiate<Token, void(error_code, std::size_t)>(
        detail::zero_copy_initiation<socket_type>(socket), token, buffers
    );
}

} // namespace coronet::asiox
