// SPDX-License-Identifier: BSL-1.0
//
// A file: a descriptor that is read and written at places, so that it has no position which two
// coroutines could disturb. file_reader and file_appender are streams on it. Owner thread.
//
// For all awaits here:
// Errors: those of the system call that `Kernel` names; std::errc::operation_canceled,
//         errc::worker_unavailable.
// Cancel: total, if nothing else is said. Work on a disk is not interrupted but awaited.
// Lifetime: the file, buffers and paths outlive the await.
// Thread: owner.
#pragma once

#include <coronet/coro/file_operations.hpp>
#include <coronet/coro/io/descriptor.hpp>
#include <coronet/coro/io/transfers.hpp>
#include <coronet/coro/operations.hpp>
#include <coronet/result.hpp>
#include <coronet/unique_fd.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

namespace coronet {

class file;

namespace detail {

class status_of_open : public async::statx {
public:
    explicit status_of_open(int fd) noexcept : statx(fd, "", AT_EMPTY_PATH) {}
};

class open_file : public async::openat {
public:
    using async::openat::openat;
    result<file> await_resume() const noexcept;
};

class append_whole : public write_whole {
public:
    append_whole(int fd, std::span<const std::byte> data) noexcept
        : write_whole(fd, data, 0, RWF_APPEND) {}
};

} // namespace detail

class file : public descriptor {
public:
    using descriptor::descriptor;

    /// Opens `path` as open(2) does: O_RDONLY, O_WRONLY | O_CREAT | O_TRUNC, O_RDWR | O_TMPFILE ...
    /// Close-on-exec always.
    ///
    /// Result: the file. One that was opened although a cancel was requested is delivered.
    /// Kernel: IORING_OP_OPENAT.
    [[nodiscard]] static detail::open_file
    open(const char* path, int flags, mode_t mode = 0666) noexcept {
        return {AT_FDCWD, path, flags, mode};
    }

    // ---- content ----

    /// Reads at most `buffer.size()` bytes at `offset`.
    ///
    /// Result: bytes read; 0 at or behind the end of the file (or `buffer` is empty).
    /// Kernel: IORING_OP_READ.
    [[nodiscard]] auto read_at(std::span<std::byte> buffer, std::uint64_t offset) noexcept {
        return detail::descriptor_operation<async::read>{*this, buffer, offset};
    }
    /// Reads until `buffer` is full.
    ///
    /// Result: bytes read, and why not all: errc::end_of_stream at the end of the file.
    /// Cancel: partial.
    [[nodiscard]] auto read_exactly_at(std::span<std::byte> buffer, std::uint64_t offset) noexcept {
        return detail::descriptor_operation<detail::read_whole>{*this, buffer, offset};
    }

    /// Writes at most `buffer.size()` bytes at `offset`, behind the end, too: what lies between is
    /// zero then. (A file opened with O_APPEND is written at its end, whatever `offset` says.)
    ///
    /// Result: bytes written.
    /// Errors: no_space_on_device, file_too_large (RLIMIT_FSIZE: a SIGXFSZ comes with it, which
    ///         kills the program unless it is blocked or ignored) ...
    /// Kernel: IORING_OP_WRITE.
    [[nodiscard]] auto write_at(std::span<const std::byte> buffer, std::uint64_t offset) noexcept {
        return detail::descriptor_operation<async::write>{*this, buffer, offset};
    }
    /// Writes all of `buffer`.
    ///
    /// Result: bytes written, and why not all: a disk that becomes full takes a part.
    /// Cancel: partial.
    [[nodiscard]] auto
    write_all_at(std::span<const std::byte> buffer, std::uint64_t offset) noexcept {
        return detail::descriptor_operation<detail::write_whole>{*this, buffer, offset};
    }

    /// Writes at the end, wherever that is by then. Several writers, of other processes too, do not
    /// overwrite each other: each append() is in one piece.
    ///
    /// Result: bytes written.
    /// Kernel: IORING_OP_WRITE with RWF_APPEND.
    [[nodiscard]] auto append(std::span<const std::byte> buffer) noexcept {
        return detail::descriptor_operation<async::append>{*this, buffer};
    }
    /// Appends all of `buffer`: in one piece, unless the disk takes a part first.
    ///
    /// Result: bytes written, and why not all.
    /// Cancel: partial.
    [[nodiscard]] auto append_all(std::span<const std::byte> buffer) noexcept {
        return detail::descriptor_operation<detail::append_whole>{*this, buffer};
    }

    /// Sees to it that `length` bytes from `offset` on have their place on the disk; `mode` as that
    /// of fallocate(2). Kernel: IORING_OP_FALLOCATE.
    [[nodiscard]] auto allocate(std::uint64_t offset, std::uint64_t length, int mode = 0) noexcept {
        return detail::descriptor_operation<async::fallocate>{*this, mode, offset, length};
    }
    /// Cuts it off, or extends it by zeros. Kernel: IORING_OP_FTRUNCATE, 6.9; ftruncate(2).
    [[nodiscard]] auto truncate(std::uint64_t length) noexcept {
        return detail::descriptor_operation<async::ftruncate>{*this, length};
    }
    /// Waits until content and metadata are on the device. Kernel: IORING_OP_FSYNC; fsync(2).
    [[nodiscard]] auto sync() noexcept { return detail::descriptor_operation<async::fsync>{*this}; }
    /// The same for what is needed to find the content again: fdatasync(2).
    [[nodiscard]] auto datasync() noexcept {
        return detail::descriptor_operation<async::fsync>{*this, async::sync_of::data};
    }

    /// Size, mode, times ... Result: what statx(2) tells. Kernel: IORING_OP_STATX.
    [[nodiscard]] auto stat() noexcept {
        return detail::descriptor_operation<detail::status_of_open>{*this};
    }
};

inline result<file> detail::open_file::await_resume() const noexcept {
    auto opened = async::openat::await_resume();
    if (!opened) return opened.error();
    return file{std::move(*opened)};
}

} // namespace coronet
