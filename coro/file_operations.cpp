// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/file_operations.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/worker_pool.hpp>

#include <liburing.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coronet::async {

namespace {
constexpr std::uint8_t op_ftruncate = 55;        // liburing 2.3 has no name for it
constexpr std::size_t transfer_max = 0x7ffff000; // MAX_RW_COUNT of write(2)
} // namespace

void append::prepare(io_uring_sqe& sqe) noexcept {
    const auto size = static_cast<unsigned>(std::min(buffer_.size(), transfer_max));
    io_uring_prep_write(&sqe, fd_, buffer_.data(), size, 0);
    sqe.rw_flags = RWF_APPEND;
}

void fallocate::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_fallocate(
        &sqe, fd_, mode_, static_cast<off_t>(offset_), static_cast<off_t>(length_)
    );
}

// ---- those that the kernel may be too old for ----

void detail::with_substitute::complete(std::int32_t res, std::uint32_t flags) noexcept {
    if (res == -EINVAL && !cancel_requested())
        substitute_.stand_in_for(*this);
    else
        awaited_operation::complete(res, flags);
}

void detail::with_substitute::substitute::stand_in_for(with_substitute& operation) noexcept {
    operation_ = &operation;
    scheduler& here = operation.where();
    here.pool().submit(*this, here, pool_account::bounded);
}
void detail::with_substitute::substitute::execute() noexcept {
    error_ = operation_->call() == 0 ? 0 : errno;
}
void detail::with_substitute::substitute::complete() noexcept {
    switch (ended()) {
    case outcome::executed:
        return operation_->finish(-error_);
    case outcome::unavailable:
        return operation_->finish(no_worker);
    default:
        return operation_->finish(-ECANCELED);
    }
}

void ftruncate::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_rw(op_ftruncate, &sqe, fd_, nullptr, 0, length_);
}
int ftruncate::call() const noexcept {
    return ::ftruncate(fd_, static_cast<off_t>(length_));
}

void mkdirat::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_mkdirat(&sqe, directory_, path_, mode_);
}
int mkdirat::call() const noexcept {
    return ::mkdirat(directory_, path_, mode_);
}

void linkat::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_linkat(&sqe, from_.directory, from_.path, to_.directory, to_.path, flags_);
}
int linkat::call() const noexcept {
    return ::linkat(from_.directory, from_.path, to_.directory, to_.path, flags_);
}

// ---- names ----

void renameat::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_renameat(&sqe, from_.directory, from_.path, to_.directory, to_.path, flags_);
}

void unlinkat::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_unlinkat(&sqe, directory_, path_, flags_);
}

} // namespace coronet::async
