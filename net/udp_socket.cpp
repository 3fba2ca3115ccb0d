// SPDX-License-Identifier: BSL-1.0
#include <coronet/detail/checkers.hpp>
#include <coronet/net/udp_socket.hpp>

#include <liburing.h>

#include <cerrno>
#include <string>
#include <system_error>

#include <poll.h>

namespace coronet {

namespace detail {

void receive_datagram::prepare(io_uring_sqe& sqe) noexcept {
    part_ = {room_.data(), room_.size()};
    message_ = {};
    message_.msg_name = &from_;
    message_.msg_namelen = sizeof from_;
    message_.msg_iov = &part_;
    message_.msg_iovlen = 1;
    lend_to_kernel(room_.data(), room_.size());
    io_uring_prep_recvmsg(&sqe, fd_, &message_, 0);
}
void receive_datagram::complete(std::int32_t res, std::uint32_t flags) noexcept {
    take_from_kernel(room_.data(), room_.size(), res);
    awaited_operation::complete(res, flags);
}
operation::subject receive_datagram::on() const noexcept {
    return {fd_, POLLIN};
}

result<datagram> receive_datagram::await_resume() const noexcept {
    const auto size = count();
    if (!size) return size.error();
    if (message_.msg_namelen == 0) // an unbound unix socket has none
        return datagram{*size, endpoint{}, (message_.msg_flags & MSG_TRUNC) != 0};
    auto from = endpoint::from(reinterpret_cast<const sockaddr*>(&from_), message_.msg_namelen);
    if (!from) return from.error();
    return datagram{*size, *from, (message_.msg_flags & MSG_TRUNC) != 0};
}

void send_datagram::prepare(io_uring_sqe& sqe) noexcept {
    part_ = {const_cast<std::byte*>(data_.data()), data_.size()};
    message_ = {};
    message_.msg_name = const_cast<sockaddr*>(to_.data());
    message_.msg_namelen = to_.size();
    message_.msg_iov = &part_;
    message_.msg_iovlen = 1;
    io_uring_prep_sendmsg(&sqe, fd_, &message_, MSG_NOSIGNAL);
}
operation::subject send_datagram::on() const noexcept {
    return {fd_, POLLOUT};
}

} // namespace detail

namespace {

unique_fd bound_socket(const endpoint& at) {
    unique_fd fd{::socket(at.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    if (fd && ::bind(fd.get(), at.data(), at.size()) == 0) return fd;
    throw std::system_error(
        errno, std::generic_category(), (fd ? "bind " : "socket ") + at.to_string()
    );
}

} // namespace

udp_socket::udp_socket(const endpoint& at) : basic_socket(bound_socket(at)) {}

result<void> udp_socket::connect(const endpoint& peer) noexcept {
    if (::connect(native_handle(), peer.data(), peer.size()) == 0) return {};
    return std::error_code{errno, std::generic_category()};
}

} // namespace coronet
