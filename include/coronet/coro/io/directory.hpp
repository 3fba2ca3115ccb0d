// SPDX-License-Identifier: BSL-1.0
//
// A directory, and what is done with the names in it. Names are relative to the directory itself,
// wherever it has been moved to meanwhile. Owner thread.
//
// For all awaits here:
// Errors: those of the system call that `Kernel` names; std::errc::operation_canceled,
//         errc::worker_unavailable.
// Cancel: total: nothing has changed. (What had changed first is reported as success.)
// Lifetime: the directory and the names outlive the await.
// Thread: owner.
#pragma once

#include <coronet/coro/file_operations.hpp>
#include <coronet/coro/io/descriptor.hpp>
#include <coronet/coro/io/file.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/result.hpp>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace coronet {

class directory;

/// A name in a directory, and what has it: `unknown` where the file system does not say (stat()
/// does).
struct directory_entry {
    std::string name;
    std::filesystem::file_type type = std::filesystem::file_type::unknown;
};

namespace detail {

class open_directory : public async::openat {
public:
    open_directory(int within, const char* path) noexcept
        : openat(within, path, O_RDONLY | O_DIRECTORY) {}
    result<directory> await_resume() const noexcept;
};

class rename_in : public async::renameat {
public:
    rename_in(int within, const char* from, int other, const char* to, unsigned flags) noexcept
        : renameat({within, from}, {other, to}, flags) {}
};

} // namespace detail

class directory : public descriptor {
public:
    using descriptor::descriptor;

    /// Opens the directory `path`; "." is the working directory.
    [[nodiscard]] static detail::open_directory open(const char* path) noexcept {
        return {AT_FDCWD, path};
    }
    /// Opens a directory, or a file, of this directory. Kernel: IORING_OP_OPENAT.
    [[nodiscard]] auto open_directory(const char* name) noexcept {
        return detail::descriptor_operation<detail::open_directory>{*this, name};
    }
    [[nodiscard]] auto open_file(const char* name, int flags, mode_t mode = 0666) noexcept {
        return detail::descriptor_operation<detail::open_file>{*this, name, flags, mode};
    }

    /// Makes a directory. Kernel: IORING_OP_MKDIRAT, 5.15; mkdirat(2).
    [[nodiscard]] auto mkdir(const char* name, mode_t mode = 0777) noexcept {
        return detail::descriptor_operation<async::mkdirat>{*this, name, mode};
    }
    /// Removes a name; the file goes with the last of its names, when nobody has it open any more.
    /// Kernel: IORING_OP_UNLINKAT.
    [[nodiscard]] auto unlink(const char* name) noexcept {
        return detail::descriptor_operation<async::unlinkat>{*this, name};
    }
    /// Removes an empty directory.
    [[nodiscard]] auto rmdir(const char* name) noexcept {
        return detail::descriptor_operation<async::unlinkat>{*this, name, AT_REMOVEDIR};
    }
    /// Renames, into another directory of the same file system perhaps, in one step: what was
    /// called `to` is replaced. `flags`: RENAME_NOREPLACE and its kin. Lifetime: `other`, too.
    /// Kernel: IORING_OP_RENAMEAT.
    [[nodiscard]] auto
    rename(const char* from, directory& other, const char* to, unsigned flags = 0) noexcept {
        return detail::descriptor_operation<detail::rename_in>{
            *this, from, other.native_handle(), to, flags};
    }
    [[nodiscard]] auto rename(const char* from, const char* to, unsigned flags = 0) noexcept {
        return rename(from, *this, to, flags);
    }
    /// Size, mode, times ... of what has that name; with AT_SYMLINK_NOFOLLOW of a link itself.
    [[nodiscard]] auto stat(const char* name, int flags = 0) noexcept {
        return detail::descriptor_operation<async::statx>{*this, name, flags};
    }

    /// All names in it but "." and "..", in no order. What comes or goes meanwhile may be among
    /// them or not.
    ///
    /// Errors: those of openat(2) and readdir(3); errc::worker_unavailable. Throws std::bad_alloc,
    ///         and what scheduler::pool() throws.
    /// Kernel: readdir(3), on a worker of the scheduler's pool.
    [[nodiscard]] task<result<std::vector<directory_entry>>> list();
};

inline result<directory> detail::open_directory::await_resume() const noexcept {
    auto opened = async::openat::await_resume();
    if (!opened) return opened.error();
    return directory{std::move(*opened)};
}

} // namespace coronet
