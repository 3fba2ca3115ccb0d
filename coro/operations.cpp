// SPDX-License-Identifier: BSL-1.0
#include "clamped.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/detail/checkers.hpp>
#include <coronet/detail/closed_descriptors.hpp>

#include <liburing.h>

#include <cerrno>
#include <utility>

#include <poll.h>

namespace coronet::async {

namespace {

using coronet::detail::clamped;

/// Who asked not to wait gets -EAGAIN; for the others a poll stands in.
unsigned unless_dontwait(int flags, unsigned events) noexcept {
    return (flags & MSG_DONTWAIT) ? 0 : events;
}

} // namespace

// ---- buffers ----

void detail::reading::complete(std::int32_t res, std::uint32_t flags) noexcept {
    coronet::detail::take_from_kernel(buffer_.data(), buffer_.size(), res);
    awaited_operation::complete(res, flags);
}
operation::subject detail::reading::on() const noexcept {
    return {fd_, POLLIN};
}
operation::subject detail::writing::on() const noexcept {
    return {fd_, POLLOUT};
}

void nop::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_nop(&sqe);
}

void read::prepare(io_uring_sqe& sqe) noexcept {
    coronet::detail::lend_to_kernel(buffer_.data(), buffer_.size());
    io_uring_prep_read(&sqe, fd_, buffer_.data(), clamped(buffer_.size()), offset_);
}

void write::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_write(&sqe, fd_, buffer_.data(), clamped(buffer_.size()), offset_);
}

void readv::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_readv(
        &sqe, fd_, buffers_.data(), static_cast<unsigned>(buffers_.size()), offset_
    );
}
operation::subject readv::on() const noexcept {
    return {fd_, POLLIN};
}

void writev::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_writev(
        &sqe, fd_, buffers_.data(), static_cast<unsigned>(buffers_.size()), offset_
    );
}
operation::subject writev::on() const noexcept {
    return {fd_, POLLOUT};
}

// ---- sockets ----

void recv::prepare(io_uring_sqe& sqe) noexcept {
    coronet::detail::lend_to_kernel(buffer_.data(), buffer_.size());
    io_uring_prep_recv(&sqe, fd_, buffer_.data(), clamped(buffer_.size()), flags_);
}
operation::subject recv::on() const noexcept {
    return {fd_, unless_dontwait(flags_, POLLIN)};
}

void send::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_send(&sqe, fd_, buffer_.data(), clamped(buffer_.size()), flags_ | MSG_NOSIGNAL);
}
operation::subject send::on() const noexcept {
    return {fd_, unless_dontwait(flags_, POLLOUT)};
}

void recvmsg::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_recvmsg(&sqe, fd_, message_, static_cast<unsigned>(flags_ | MSG_CMSG_CLOEXEC));
}
operation::subject recvmsg::on() const noexcept {
    return {fd_, unless_dontwait(flags_, POLLIN)};
}

void sendmsg::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_sendmsg(&sqe, fd_, message_, static_cast<unsigned>(flags_ | MSG_NOSIGNAL));
}
operation::subject sendmsg::on() const noexcept {
    return {fd_, unless_dontwait(flags_, POLLOUT)};
}

void accept::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_accept(&sqe, fd_, address_, size_, where().socket_flags());
}
operation::subject accept::on() const noexcept {
    return {fd_, POLLIN};
}
result<unique_fd> accept::await_resume() const noexcept {
    return descriptor();
}

void connect::prepare(io_uring_sqe& sqe) noexcept {
    tried_ = std::exchange(prepared_, true);
    io_uring_prep_connect(&sqe, fd_, address_, size_);
}
operation::subject connect::on() const noexcept {
    return {fd_, POLLOUT};
}

/// Submitted again after an interruption or a poll, connect(2) reports what the first attempt came
/// to.
void connect::complete(std::int32_t res, std::uint32_t flags) noexcept {
    if (res == -EISCONN && tried_) res = 0;
    awaited_operation::complete(res, flags);
}

void socket::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_socket(&sqe, domain_, type_ | where().socket_flags(), protocol_, 0);
}

void socket::complete(std::int32_t res, std::uint32_t flags) noexcept {
    // A kernel before 5.19 does not know the opcode. Wrong arguments give the same error again.
    if (res == -EINVAL) {
        const int fd = ::socket(domain_, type_ | where().socket_flags(), protocol_);
        res = fd < 0 ? -errno : fd;
    }
    awaited_operation::complete(res, flags);
}
result<unique_fd> socket::await_resume() const noexcept {
    return descriptor();
}

void shutdown::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_shutdown(&sqe, fd_, how_);
}

// ---- descriptors and files ----

void close::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_close(&sqe, fd_.get());
}

void close::complete(std::int32_t res, std::uint32_t flags) noexcept {
    const bool never_began = res == -ECANCELED || res == no_worker || res == no_submission_thread;
    if (!never_began && fd_) coronet::detail::closed_descriptors::note(fd_.release());
    if (res == -EINTR) res = 0; // the descriptor is gone, whatever interrupted its last flush
    awaited_operation::complete(res, flags);
}

result<void> close::await_resume() noexcept {
    if (!fd_) return nothing();
    // A stop, or a kernel without a thread to spare or to submit, left it open.
    const int fd = fd_.release();
    const int error = ::close(fd) == 0 ? 0 : errno;
    coronet::detail::closed_descriptors::note(fd);
    if (error == 0) return {};
    return std::error_code{error, std::generic_category()};
}

void poll::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_poll_add(&sqe, fd_, events_);
}
result<unsigned> poll::await_resume() const noexcept {
    if (res() < 0) return error_of_result(res());
    return static_cast<unsigned>(res());
}

void splice::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_splice(&sqe, from_.fd, from_.offset, to_.fd, to_.offset, clamped(size_), flags_);
}

/// Whichever side it is that is not ready now.
operation::subject splice::on() const noexcept {
    if (flags_ & SPLICE_F_NONBLOCK) return {from_.fd, 0};
    pollfd input{from_.fd, POLLIN, 0};
    if (::poll(&input, 1, 0) == 0) return {from_.fd, POLLIN};
    return {to_.fd, POLLOUT};
}

void cancel::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_nop(&sqe);
}

} // namespace coronet::async
