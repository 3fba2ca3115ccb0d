// SPDX-License-Identifier: BSL-1.0
//
// Submission entries of the operations of Asio's objects. (liburing's functions that fill them are
// inline; this keeps them out of programs.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <sys/socket.h>
#include <sys/uio.h>

struct io_uring_sqe;

namespace coronet::asiox::detail {

void prepare_receive(io_uring_sqe& sqe, int fd, void* into, std::size_t size, int flags) noexcept;
void prepare_send(
    io_uring_sqe& sqe, int fd, const void* from, std::size_t size, int flags
) noexcept;
void prepare_receive(io_uring_sqe& sqe, int fd, msghdr& message, int flags) noexcept;
void prepare_send(io_uring_sqe& sqe, int fd, const msghdr& message, int flags) noexcept;
void prepare_accept(io_uring_sqe& sqe, int fd, sockaddr* from, socklen_t* size) noexcept;
void prepare_connect(io_uring_sqe& sqe, int fd, const sockaddr& to, socklen_t size) noexcept;
/// Where a file is read or written that has a position of its own, or none.
inline constexpr std::uint64_t own_position = UINT64_MAX;
void prepare_read(
    io_uring_sqe& sqe, int fd, void* into, std::size_t size, std::uint64_t at
) noexcept;
void prepare_write(
    io_uring_sqe& sqe, int fd, const void* from, std::size_t size, std::uint64_t at
) noexcept;
void prepare_read(
    io_uring_sqe& sqe, int fd, std::span<const iovec> into, std::uint64_t at
) noexcept;
void prepare_write(
    io_uring_sqe& sqe, int fd, std::span<const iovec> from, std::uint64_t at
) noexcept;
void prepare_poll(io_uring_sqe& sqe, int fd, unsigned events) noexcept;

} // namespace coronet::asiox::detail
