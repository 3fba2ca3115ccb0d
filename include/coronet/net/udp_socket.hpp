// SPDX-License-Identifier: BSL-1.0
//
// Datagrams. Each send is one datagram and each receive takes one; what does not fit the buffer is
// lost, as with recvmsg(2). Owner thread.
#pragma once

#include <coronet/net/basic_socket.hpp>
#include <coronet/net/endpoint.hpp>
#include <coronet/result.hpp>

#include <cstddef>
#include <span>

#include <sys/socket.h>
#include <sys/uio.h>

namespace coronet {

/// A datagram that has come.
struct datagram {
    std::size_t size;       ///< bytes in the buffer
    endpoint from;          ///< who sent it
    bool truncated = false; ///< it was longer than the buffer
};

namespace detail {

class receive_datagram : public awaited_operation {
public:
    receive_datagram(int fd, std::span<std::byte> room) noexcept : fd_(fd), room_(room) {}
    result<datagram> await_resume() const noexcept;

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    void complete(std::int32_t res, std::uint32_t flags) noexcept override;
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "recvmsg"; }
    int fd_;
    std::span<std::byte> room_;
    iovec part_{};
    msghdr message_{};
    sockaddr_storage from_{};
};

class send_datagram : public awaited_operation {
public:
    send_datagram(int fd, std::span<const std::byte> data, const endpoint& to) noexcept
        : fd_(fd), data_(data), to_(to) {}
    result<std::size_t> await_resume() const noexcept { return count(); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] subject on() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "sendmsg"; }
    int fd_;
    std::span<const std::byte> data_;
    endpoint to_;
    iovec part_{};
    msghdr message_{};
};

} // namespace detail

class udp_socket : public basic_socket {
public:
    using basic_socket::basic_socket;

    /// A socket of the family of `at`, bound to it (port 0: the kernel picks one, ask
    /// local_endpoint()).
    ///
    /// Throws std::system_error with the error of socket(2) or bind(2). Thread: any.
    explicit udp_socket(const endpoint& at);

    /// Sets the peer of send() and of whom receive_from() takes datagrams. It does not wait.
    ///
    /// Errors: those of connect(2).
    result<void> connect(const endpoint& peer) noexcept;

    /// Receives one datagram.
    ///
    /// Result: its size, 0 … buffer.size() (0 is a datagram without content), its sender, whether
    /// it was cut. Errors: those of recvmsg(2). Cancel: total. Lifetime: the socket and `buffer`
    /// outlive the await. Thread: owner. Kernel: IORING_OP_RECVMSG.
    [[nodiscard]] auto receive_from(std::span<std::byte> buffer) noexcept {
        return detail::descriptor_operation<detail::receive_datagram>{*this, buffer};
    }
    /// Sends one datagram to `peer`.
    ///
    /// Result: its size.
    /// Errors: those of sendmsg(2).
    /// Cancel: total.
    /// Lifetime: the socket and `buffer` outlive the await.
    /// Thread: owner.
    /// Kernel: IORING_OP_SENDMSG.
    [[nodiscard]] auto send_to(std::span<const std::byte> buffer, const endpoint& peer) noexcept {
        return detail::descriptor_operation<detail::send_datagram>{*this, buffer, peer};
    }
    /// Sends one datagram to the peer of connect(). As send_to().
    [[nodiscard]] auto send(std::span<const std::byte> buffer) noexcept {
        return detail::descriptor_operation<async::send>{*this, buffer};
    }
};

} // namespace coronet
