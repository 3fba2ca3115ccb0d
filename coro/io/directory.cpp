// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/io/directory.hpp>
#include <coronet/coro/worker_pool.hpp>
#include <coronet/scheduler.hpp>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>
#include <system_error>

#include <dirent.h>
#include <fcntl.h>

namespace coronet {

namespace {

using entries = std::vector<directory_entry>;

struct close_listing {
    void operator()(DIR* open) const noexcept { ::closedir(open); }
};
using listing = std::unique_ptr<DIR, close_listing>;

std::error_code last_error() noexcept {
    return {errno, std::generic_category()};
}

std::filesystem::file_type type_of(const dirent& entry) noexcept {
    using std::filesystem::file_type;
    switch (entry.d_type) {
    case DT_REG:
        return file_type::regular;
    case DT_DIR:
        return file_type::directory;
    case DT_LNK:
        return file_type::symlink;
    case DT_FIFO:
        return file_type::fifo;
    case DT_SOCK:
        return file_type::socket;
    case DT_CHR:
        return file_type::character;
    case DT_BLK:
        return file_type::block;
    default:
        return file_type::unknown;
    }
}

/// The directory, opened once more. Who may read it may list it, but only who may search it finds
/// "." there.
unique_fd opened_again(int directory) noexcept {
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    unique_fd again{::openat(directory, ".", flags)};
    if (again || errno != EACCES) return again;
    char path[40];
    std::snprintf(path, sizeof path, "/proc/thread-self/fd/%d", directory);
    again.reset(::open(path, flags));
    if (!again) errno = EACCES; // without a /proc
    return again;
}

/// A listing moves its descriptor's position, which duplicates share: it has one of its own.
result<listing> open_listing(int directory) noexcept {
    unique_fd own = opened_again(directory);
    if (!own) return last_error();
    listing opened{::fdopendir(own.get())};
    if (!opened) return last_error();
    static_cast<void>(own.release());
    return opened;
}

/// On a worker.
result<entries> names_in(inplace_stop_token stopped, unique_fd directory) {
    auto opened = open_listing(directory.get());
    if (!opened) return opened.error();
    entries found;
    while (!stopped.stop_requested()) {
        errno = 0;
        const dirent* const next = ::readdir(opened->get());
        if (!next && errno != 0) return last_error();
        if (!next) return found;
        const std::string_view name = next->d_name;
        if (name != "." && name != "..") found.push_back({std::string{name}, type_of(*next)});
    }
    return std::errc::operation_canceled;
}

} // namespace

task<result<entries>> directory::list() {
    // Whoever closes the directory meanwhile does not disturb the worker.
    unique_fd kept{::fcntl(native_handle(), F_DUPFD_CLOEXEC, 0)};
    if (!kept) co_return last_error();
    worker_pool& pool = scheduler::current()->pool();
    auto found = co_await pool.run_bounded(names_in, std::move(kept));
    co_return found;
}

} // namespace coronet
