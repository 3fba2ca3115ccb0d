// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/io/copy.hpp>
#include <coronet/coro/worker_pool.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/unique_fd.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coronet {

namespace {

constexpr std::size_t buffer_size = std::size_t{256} * 1024;
// A worker looks after each piece whether it is still wanted.
constexpr std::uint64_t piece_max = std::uint64_t{16} * 1024 * 1024;

transfer failed_with(std::error_code why) noexcept {
    return {0, why};
}

/// On a worker. Stops early, without an error, at the end of `from`.
transfer copy_in_kernel(inplace_stop_token stopped, int from, int to, file_part what) {
    transfer done;
    while (done.bytes < what.length) {
        if (stopped.stop_requested()) {
            done.error = std::make_error_code(std::errc::operation_canceled);
            break;
        }
        auto source = static_cast<off64_t>(what.offset + done.bytes);
        auto target = source;
        const auto piece = std::min<std::uint64_t>(what.length - done.bytes, piece_max);
        const auto copied = ::copy_file_range(from, &source, to, &target, piece, 0);
        if (copied < 0 && errno == EINTR) continue;
        if (copied < 0) done.error = {errno, std::generic_category()};
        if (copied <= 0) break;
        done.bytes += static_cast<std::size_t>(copied);
    }
    return done;
}

/// Whether it may be read and written all the same. (Files that are made up when they are read seem
/// empty to copy_file_range(2).)
bool to_be_tried_otherwise(const transfer& copied) noexcept {
    if (!copied.error) return copied.bytes == 0;
    const auto is = [&](std::errc each) { return copied.error == each; };
    return is(std::errc::cross_device_link) || is(std::errc::invalid_argument) ||
           is(std::errc::function_not_supported) || is(std::errc::operation_not_supported) ||
           is(std::errc::operation_not_permitted) || copied.error == errc::worker_unavailable;
}

task<transfer> read_and_write(file* from, file* to, file_part what) {
    std::vector<std::byte> buffer(std::min<std::uint64_t>(buffer_size, what.length));
    transfer done;
    while (done.bytes < what.length) {
        const auto wanted = std::min<std::uint64_t>(buffer.size(), what.length - done.bytes);
        const auto room = std::span{buffer}.first(wanted);
        const auto read = co_await from->read_at(room, what.offset + done.bytes);
        if (!read) done.error = read.error();
        if (!read || *read == 0) break;
        const auto written = co_await to->write_all_at(room.first(*read), what.offset + done.bytes);
        done.bytes += written.bytes;
        done.error = written.error;
        if (!written) break;
    }
    co_return done;
}

file_part behind(file_part what, std::size_t bytes) noexcept {
    const bool open_ended = what.length == file_part::to_the_end;
    return {what.offset + bytes, open_ended ? what.length : what.length - bytes};
}

/// `source` and `target` are not closed before the end.
task<transfer> copy_open(file* from, file* to, int source, int target, file_part what) {
    worker_pool& pool = scheduler::current()->pool();
    const auto copied = co_await pool.run_bounded(copy_in_kernel, source, target, what);
    if (!to_be_tried_otherwise(copied)) co_return copied;
    const auto rest = co_await read_and_write(from, to, behind(what, copied.bytes));
    co_return transfer{copied.bytes + rest.bytes, rest.error};
}

/// For a worker: what is closed meanwhile gives its number to the next that is opened.
result<unique_fd> kept(const file& open) noexcept {
    unique_fd own{::fcntl(open.native_handle(), F_DUPFD_CLOEXEC, 0)};
    if (!own) return std::error_code{errno, std::generic_category()};
    return own;
}

bool same_file(const struct ::statx& one, const struct ::statx& other) noexcept {
    return one.stx_ino == other.stx_ino && one.stx_dev_major == other.stx_dev_major &&
           one.stx_dev_minor == other.stx_dev_minor;
}

/// Open, empty, and not the source itself.
task<result<file>> target_of(std::string path, struct ::statx source, bool overwrite) {
    // Not O_TRUNC: it would empty the source before anybody saw that both are one file.
    const int flags = O_WRONLY | O_CREAT | (overwrite ? 0 : O_EXCL);
    auto opened = co_await file::open(path.c_str(), flags, source.stx_mode & 0777U);
    if (!opened) co_return opened.error();
    const auto about = co_await opened->stat();
    if (!about) co_return about.error();
    if (same_file(*about, source)) co_return std::errc::invalid_argument;
    if (about->stx_size > 0) {
        const auto emptied = co_await opened->truncate(0);
        if (!emptied) co_return emptied.error();
    }
    co_return std::move(*opened);
}

} // namespace

task<transfer> copy_content(file* from, file* to, file_part what) {
    const auto source = kept(*from);
    if (!source) co_return failed_with(source.error());
    const auto target = kept(*to);
    if (!target) co_return failed_with(target.error());
    co_return co_await copy_open(from, to, source->get(), target->get(), what);
}

task<transfer> copy_file(std::string from, std::string to, copy_options options) {
    auto source = co_await file::open(from.c_str(), O_RDONLY);
    if (!source) co_return failed_with(source.error());
    const auto about = co_await source->stat();
    if (!about) co_return failed_with(about.error());
    if (S_ISDIR(about->stx_mode))
        co_return failed_with(std::make_error_code(std::errc::is_a_directory));
    auto target = co_await target_of(std::move(to), *about, options.overwrite);
    if (!target) co_return failed_with(target.error());

    const int reader = source->native_handle(); // nobody else has these two
    const int writer = target->native_handle();
    const file_part all;
    auto copied = co_await copy_open(&*source, &*target, reader, writer, all);
    if (copied && options.sync) {
        const auto synced = co_await target->sync();
        copied.error = synced.error();
    }
    const auto closed = co_await target->close(); // some file systems report only now
    if (copied) copied.error = closed.error();
    const auto source_closed = co_await source->close();
    static_cast<void>(source_closed);
    co_return copied;
}

} // namespace coronet
