// SPDX-License-Identifier: BSL-1.0
#include <coronet/detail/checkers.hpp>
#include <coronet/net/transfers.hpp>
#include <coronet/scheduler.hpp>

#include <liburing.h>

#include <algorithm>
#include <cerrno>

#include <poll.h>

namespace coronet::detail {

namespace {

constexpr std::size_t part_max = 0x7ffff000; // MAX_RW_COUNT of read(2)
constexpr std::size_t parts_max = 1024;      // UIO_MAXIOV of sendmsg(2)

std::size_t size_of(std::span<const iovec> parts) noexcept {
    std::size_t total = 0;
    for (const auto& part : parts)
        total += part.iov_len;
    return total;
}

/// The kernel takes the first `parts_max` only. Were all of them empty, it would answer 0: what
/// looks like the end.
template <class Part>
std::span<Part> without_leading_empty(std::span<Part> parts) noexcept {
    const auto first = std::ranges::find_if(parts, [](const iovec& p) { return p.iov_len > 0; });
    return parts.subspan(static_cast<std::size_t>(first - parts.begin()));
}

void point_at(msghdr& message, std::span<const iovec> parts) noexcept {
    message.msg_iov = const_cast<iovec*>(parts.data());
    message.msg_iovlen = std::min(parts.size(), parts_max);
}

} // namespace

// ---- one buffer ----

void send_all::prepare(io_uring_sqe& sqe) noexcept {
    const auto rest = data_.subspan(done());
    io_uring_prep_send(
        &sqe, fd(), rest.data(), std::min(rest.size(), part_max), MSG_WAITALL | MSG_NOSIGNAL
    );
}
operation::subject send_all::on() const noexcept {
    return {fd(), POLLOUT};
}

void receive_all::prepare(io_uring_sqe& sqe) noexcept {
    const auto rest = room_.subspan(done());
    lend_to_kernel(rest.data(), rest.size());
    io_uring_prep_recv(&sqe, fd(), rest.data(), std::min(rest.size(), part_max), MSG_WAITALL);
}
void receive_all::complete(std::int32_t res, std::uint32_t flags) noexcept {
    const auto rest = room_.subspan(done());
    take_from_kernel(rest.data(), rest.size(), res);
    transfer_operation::complete(res, flags);
}
operation::subject receive_all::on() const noexcept {
    return {fd(), POLLIN};
}

// ---- several buffers ----

send_all_vectored::send_all_vectored(int fd, std::span<iovec> parts) noexcept
    : transfer_operation(fd, size_of(parts)), parts_(parts) {}

void send_all_vectored::prepare(io_uring_sqe& sqe) noexcept {
    parts_ = without_leading_empty(parts_);
    point_at(message_, parts_);
    io_uring_prep_sendmsg(&sqe, fd(), &message_, MSG_WAITALL | MSG_NOSIGNAL);
}
void send_all_vectored::advance(std::size_t bytes) noexcept {
    while (bytes > 0) {
        iovec& first = parts_.front();
        const std::size_t sent = std::min(bytes, first.iov_len);
        first.iov_base = static_cast<std::byte*>(first.iov_base) + sent;
        first.iov_len -= sent;
        bytes -= sent;
        if (first.iov_len == 0) parts_ = parts_.subspan(1);
    }
}
operation::subject send_all_vectored::on() const noexcept {
    return {fd(), POLLOUT};
}

receive_vectored::receive_vectored(int fd, std::span<const iovec> parts) noexcept
    : fd_(fd), parts_(without_leading_empty(parts)), nothing_to_fill_(parts_.empty()) {}

void receive_vectored::prepare(io_uring_sqe& sqe) noexcept {
    point_at(message_, parts_);
    io_uring_prep_recvmsg(&sqe, fd_, &message_, 0);
}
operation::subject receive_vectored::on() const noexcept {
    return {fd_, POLLIN};
}

} // namespace coronet::detail
