// SPDX-License-Identifier: BSL-1.0
//
// Copies of files. A worker of the scheduler's pool has the kernel copy (copy_file_range(2)), which
// shares blocks where the file system can and never brings the bytes to user space; this was faster
// than splicing through a pipe and than reading and writing, for small files and for large ones.
// What the kernel will not copy so (another file system, files that are made up when they are read)
// is read and written.
#pragma once

#include <coronet/coro/io/file.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/result.hpp>

#include <cstdint>
#include <limits>
#include <string>

namespace coronet {

/// A part of a file.
struct file_part {
    static constexpr std::uint64_t to_the_end = std::numeric_limits<std::uint64_t>::max();

    std::uint64_t offset = 0;
    std::uint64_t length = to_the_end;
};

/// Copies a part of `from` to the same place in `to`. The worker has descriptors of its own: a file
/// that is closed meanwhile is copied all the same, and no other one is touched. (When they are
/// closed, this process loses its locks of fcntl(2) on both files, but not those of open file
/// descriptions.)
///
/// Result: bytes copied, and why not all; the end of `from` is no error.
/// Errors: those of copy_file_range(2), read(2), write(2) and fcntl(2), F_DUPFD. Throws what
///         scheduler::pool() throws.
/// Cancel: partial: `to` has the bytes.
/// Lifetime: both files outlive the await.
/// Thread: owner.
[[nodiscard]] task<transfer> copy_content(file* from, file* to, file_part what = {});

struct copy_options {
    bool overwrite = true; ///< else a file that is there is std::errc::file_exists
    bool sync = false;     ///< return when the copy is on the device
};

/// Copies the file `from` to `to`, which gets its permissions when it is created, and its length.
///
/// Result: bytes copied, and why not all.
/// Errors: those of open(2), and of copy_content(), which may throw; is_a_directory;
///         invalid_argument if both are one file.
/// Cancel: partial: what was copied stays.
/// Thread: owner.
[[nodiscard]] task<transfer> copy_file(std::string from, std::string to, copy_options options = {});

} // namespace coronet
