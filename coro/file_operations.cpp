// SPDX-License-Identifier: BSL-1.0
#include "clamped.hpp"

#include <coronet/coro/file_operations.hpp>
#include <coronet/detail/opcodes.hpp>

#include <liburing.h>

#include <fcntl.h>
#include <sys/stat.h>

namespace coronet::async {

void append::prepare(io_uring_sqe& sqe) noexcept {
    const auto size = coronet::detail::clamped(buffer_.size());
    io_uring_prep_write(&sqe, fd_, buffer_.data(), size, 0);
    sqe.rw_flags = RWF_APPEND;
}

void fallocate::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_fallocate(
        &sqe, fd_, mode_, static_cast<off_t>(offset_), static_cast<off_t>(length_)
    );
}

void ftruncate::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_rw(coronet::detail::op_ftruncate, &sqe, fd_, nullptr, 0, length_);
}

void mkdirat::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_mkdirat(&sqe, directory_, path_, mode_);
}

void linkat::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_linkat(&sqe, from_.directory, from_.path, to_.directory, to_.path, flags_);
}

void openat::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_openat(&sqe, directory_, path_, flags_ | O_CLOEXEC, mode_);
}
result<unique_fd> openat::await_resume() const noexcept {
    return descriptor();
}

void statx::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_statx(&sqe, directory_, path_, flags_, mask_, &found_);
}
result<struct ::statx> statx::await_resume() const noexcept {
    if (res() < 0) return error_of_result(res());
    return found_;
}

void fsync::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_fsync(&sqe, fd_, what_ == sync_of::data ? IORING_FSYNC_DATASYNC : 0U);
}

// ---- names ----

void renameat::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_renameat(&sqe, from_.directory, from_.path, to_.directory, to_.path, flags_);
}

void unlinkat::prepare(io_uring_sqe& sqe) noexcept {
    io_uring_prep_unlinkat(&sqe, directory_, path_, flags_);
}

} // namespace coronet::async
