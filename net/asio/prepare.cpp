// SPDX-License-Identifier: BSL-1.0
#include <coronet/net/asio/detail/prepare.hpp>

#include <liburing.h>

#include <algorithm>

namespace coronet::asiox::detail {

namespace {

/// The kernel takes 32 bits of it, and moves no more than 2 GiB at once.
std::size_t at_once(std::size_t size) noexcept {
    return std::min(size, std::size_t{0x7fff'f000});
}

unsigned as_entry(int flags) noexcept {
    return static_cast<unsigned>(flags);
}

} // namespace

void prepare_receive(io_uring_sqe& sqe, int fd, void* into, std::size_t size, int flags) noexcept {
    ::io_uring_prep_recv(&sqe, fd, into, at_once(size), flags);
}
void prepare_send(
    io_uring_sqe& sqe, int fd, const void* from, std::size_t size, int flags
) noexcept {
    ::io_uring_prep_send(&sqe, fd, from, at_once(size), flags | MSG_NOSIGNAL);
}
void prepare_receive(io_uring_sqe& sqe, int fd, msghdr& message, int flags) noexcept {
    ::io_uring_prep_recvmsg(&sqe, fd, &message, as_entry(flags));
}
void prepare_send(io_uring_sqe& sqe, int fd, const msghdr& message, int flags) noexcept {
    ::io_uring_prep_sendmsg(&sqe, fd, &message, as_entry(flags | MSG_NOSIGNAL));
}
void prepare_accept(io_uring_sqe& sqe, int fd, sockaddr* from, socklen_t* size) noexcept {
    ::io_uring_prep_accept(&sqe, fd, from, size, SOCK_CLOEXEC);
}
void prepare_connect(io_uring_sqe& sqe, int fd, const sockaddr& to, socklen_t size) noexcept {
    ::io_uring_prep_connect(&sqe, fd, &to, size);
}
void prepare_read(
    io_uring_sqe& sqe, int fd, void* into, std::size_t size, std::uint64_t at
) noexcept {
    ::io_uring_prep_read(&sqe, fd, into, static_cast<unsigned>(at_once(size)), at);
}
void prepare_write(
    io_uring_sqe& sqe, int fd, const void* from, std::size_t size, std::uint64_t at
) noexcept {
    ::io_uring_prep_write(&sqe, fd, from, static_cast<unsigned>(at_once(size)), at);
}
void prepare_read(
    io_uring_sqe& sqe, int fd, std::span<const iovec> into, std::uint64_t at
) noexcept {
    ::io_uring_prep_readv(&sqe, fd, into.data(), static_cast<unsigned>(into.size()), at);
}
void prepare_write(
    io_uring_sqe& sqe, int fd, std::span<const iovec> from, std::uint64_t at
) noexcept {
    ::io_uring_prep_writev(&sqe, fd, from.data(), static_cast<unsigned>(from.size()), at);
}
void prepare_poll(io_uring_sqe& sqe, int fd, unsigned events) noexcept {
    ::io_uring_prep_poll_add(&sqe, fd, events);
}

} // namespace coronet::asiox::detail
