// SPDX-License-Identifier: BSL-1.0
//
// More of the kernel's operations as awaitables: those of files and of the names of files.
// What <coronet/coro/operations.hpp> says of all operations holds here, too. Most of them run in a
// kernel worker. Names are relative to a directory (AT_FDCWD: the working directory).
//
// Where the kernel is older than an operation, a worker of the scheduler's pool makes the system
// call of its name instead.
#pragma once

#include <coronet/coro/operations.hpp>

#include <cstdint>

#include <fcntl.h>
#include <sys/stat.h>

namespace coronet::async {

/// Opens a file, close-on-exec, relative to a directory (AT_FDCWD: the working directory).
///
/// Result: the file.
/// Lifetime: `path` outlives the await.
/// Kernel: IORING_OP_OPENAT; openat(2).
class [[nodiscard]] openat : public coronet::detail::awaited_operation {
public:
    openat(int directory, const char* path, int flags, mode_t mode = 0) noexcept
        : directory_(directory), path_(path), flags_(flags), mode_(mode) {}
    result<unique_fd> await_resume() const noexcept;

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "openat"; }
    int directory_;
    const char* path_;
    int flags_;
    mode_t mode_;
};

/// Asks for a file's metadata; with AT_EMPTY_PATH and "", for that of the descriptor itself.
///
/// Result: what statx(2) fills in; `stx_mask` says what of it.
/// Lifetime: `path` outlives the await.
/// Kernel: IORING_OP_STATX; statx(2).
class [[nodiscard]] statx : public coronet::detail::awaited_operation {
public:
    statx(
        int directory, const char* path, int flags, unsigned mask = STATX_BASIC_STATS | STATX_BTIME
    ) noexcept
        : directory_(directory), path_(path), flags_(flags), mask_(mask) {}
    result<struct ::statx> await_resume() const noexcept;

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "statx"; }
    int directory_;
    const char* path_;
    int flags_;
    unsigned mask_;
    struct ::statx found_ {};
};

enum class sync_of { data_and_metadata, data };

/// Waits until a file's content is on its device.
///
/// Kernel: IORING_OP_FSYNC; fsync(2), fdatasync(2).
class [[nodiscard]] fsync : public coronet::detail::awaited_operation {
public:
    explicit fsync(int fd, sync_of what = sync_of::data_and_metadata) noexcept
        : fd_(fd), what_(what) {}
    result<void> await_resume() const noexcept { return nothing(); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] subject on() const noexcept override { return {fd_, 0}; }
    [[nodiscard]] std::string_view name() const noexcept override { return "fsync"; }
    int fd_;
    sync_of what_;
};

/// Writes at most `buffer.size()` bytes at the end of a file, however it was opened. What several
/// writers append does not overlap: each write is whole and in one place.
///
/// Result: bytes written, 0 … buffer.size().
/// Errors: those of write(2); beyond RLIMIT_FSIZE also SIGXFSZ, unless that is blocked or ignored.
/// Cancel: total.
/// Kernel: IORING_OP_WRITE with RWF_APPEND; pwritev2(2).
class [[nodiscard]] append : public detail::writing {
public:
    append(int fd, std::span<const std::byte> buffer) noexcept : writing(fd, buffer) {}

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "append"; }
};

/// Sees to it that a part of a file has its place on the disk, so that writing there cannot fail
/// for want of space. `mode` as that of fallocate(2): FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE ...
///
/// Cancel: total.
/// Kernel: IORING_OP_FALLOCATE; fallocate(2).
class [[nodiscard]] fallocate : public coronet::detail::awaited_operation {
public:
    fallocate(int fd, int mode, std::uint64_t offset, std::uint64_t length) noexcept
        : fd_(fd), mode_(mode), offset_(offset), length_(length) {}
    result<void> await_resume() const noexcept { return nothing(); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] subject on() const noexcept override { return {fd_, 0}; }
    [[nodiscard]] std::string_view name() const noexcept override { return "fallocate"; }
    int fd_;
    int mode_;
    std::uint64_t offset_;
    std::uint64_t length_;
};

/// Cuts a file off, or extends it by zeros.
///
/// Cancel: total.
/// Kernel: IORING_OP_FTRUNCATE, 6.9; ftruncate(2).
class [[nodiscard]] ftruncate : public coronet::detail::awaited_operation {
public:
    ftruncate(int fd, std::uint64_t length) noexcept : fd_(fd), length_(length) {}
    result<void> await_resume() const noexcept { return nothing(); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] subject on() const noexcept override { return {fd_, 0}; }
    [[nodiscard]] std::string_view name() const noexcept override { return "ftruncate"; }
    int fd_;
    std::uint64_t length_;
};

/// A name in a directory.
struct place_name {
    int directory;
    const char* path;
};

/// Gives a file another name, in one step: whoever looks finds the old one or the new one. `flags`
/// as those of renameat2(2): RENAME_NOREPLACE, RENAME_EXCHANGE.
///
/// Cancel: total.
/// Lifetime: both paths outlive the await.
/// Kernel: IORING_OP_RENAMEAT, 5.11; renameat2(2).
class [[nodiscard]] renameat : public coronet::detail::awaited_operation {
public:
    renameat(place_name from, place_name to, unsigned flags = 0) noexcept
        : from_(from), to_(to), flags_(flags) {}
    result<void> await_resume() const noexcept { return nothing(); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "renameat"; }
    place_name from_;
    place_name to_;
    unsigned flags_;
};

/// Removes a name, and the file with the last of its names; with AT_REMOVEDIR an empty directory.
///
/// Cancel: total.
/// Lifetime: `path` outlives the await.
/// Kernel: IORING_OP_UNLINKAT, 5.11; unlinkat(2).
class [[nodiscard]] unlinkat : public coronet::detail::awaited_operation {
public:
    unlinkat(int directory, const char* path, int flags = 0) noexcept
        : directory_(directory), path_(path), flags_(flags) {}
    result<void> await_resume() const noexcept { return nothing(); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "unlinkat"; }
    int directory_;
    const char* path_;
    int flags_;
};

/// Makes a directory.
///
/// Cancel: total.
/// Lifetime: `path` outlives the await.
/// Kernel: IORING_OP_MKDIRAT, 5.15; mkdirat(2).
class [[nodiscard]] mkdirat : public coronet::detail::awaited_operation {
public:
    mkdirat(int directory, const char* path, mode_t mode = 0777) noexcept
        : directory_(directory), path_(path), mode_(mode) {}
    result<void> await_resume() const noexcept { return nothing(); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "mkdirat"; }
    int directory_;
    const char* path_;
    mode_t mode_;
};

/// Gives a file one more name; with AT_EMPTY_PATH and "", to the file of a descriptor, also one
/// that has no name yet (O_TMPFILE; `from` is then its descriptor, and the process may do so).
///
/// Cancel: total.
/// Lifetime: both paths outlive the await.
/// Kernel: IORING_OP_LINKAT, 5.15; linkat(2).
class [[nodiscard]] linkat : public coronet::detail::awaited_operation {
public:
    linkat(place_name from, place_name to, int flags = 0) noexcept
        : from_(from), to_(to), flags_(flags) {}
    result<void> await_resume() const noexcept { return nothing(); }

private:
    void prepare(io_uring_sqe& sqe) noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "linkat"; }
    place_name from_;
    place_name to_;
    int flags_;
};

} // namespace coronet::async
