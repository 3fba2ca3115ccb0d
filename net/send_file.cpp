// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/io/pipe.hpp>
#include <coronet/net/send_file.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace coronet {

namespace {

constexpr std::size_t capacity = std::size_t{256} * 1024; // of the pipe
constexpr std::size_t small = std::size_t{64} * 1024;     // from here on a pipe pays

/// Into a pipe with room for it.
class splice_from_file : public async::splice {
public:
    splice_from_file(int file, std::uint64_t offset, int pipe, std::size_t size) noexcept
        : splice({file, static_cast<std::int64_t>(offset)}, {pipe}, size) {}
};

/// From a pipe that has something in it. The socket is non-blocking: where it takes no more, a poll
/// waits and not a kernel worker.
class splice_to_socket : public async::splice {
public:
    splice_to_socket(int socket, int pipe, std::size_t size) noexcept
        : splice({pipe}, {socket}, size), socket_(socket) {}

private:
    [[nodiscard]] subject on() const noexcept override { return {socket_, POLLOUT}; }
    int socket_;
};

/// A socket that is non-blocking while this lives, unless it is closed before.
class not_blocking {
public:
    explicit not_blocking(const stream_socket& socket) noexcept
        : socket_(socket), fd_(socket.native_handle()), before_(::fcntl(fd_, F_GETFL)) {
        if (changes()) ::fcntl(fd_, F_SETFL, before_ | O_NONBLOCK);
    }
    ~not_blocking() {
        if (changes() && socket_.native_handle() == fd_) ::fcntl(fd_, F_SETFL, before_);
    }
    not_blocking(const not_blocking&) = delete;
    not_blocking& operator=(const not_blocking&) = delete;

private:
    [[nodiscard]] bool changes() const noexcept { return before_ >= 0 && !(before_ & O_NONBLOCK); }
    const stream_socket& socket_;
    int fd_;
    int before_;
};

/// What is on its way.
struct sending {
    stream_socket* to;
    file* from;
    file_part what; // that is left
    std::span<const std::byte> header;
    bool made_up = false; // when it is read: nobody knows how long it is
    transfer done{};

    void read(std::size_t bytes) noexcept {
        what.offset += bytes;
        what.length -= bytes;
    }
};

/// With MSG_MORE what follows goes into the same segment.
task<std::error_code> send_header(sending* all, int flags) {
    while (!all->header.empty()) {
        const auto sent = co_await detail::descriptor_operation<async::send>(
            *all->to, all->header, MSG_WAITALL | flags
        );
        if (!sent) co_return sent.error();
        all->done.bytes += *sent;
        all->header = all->header.subspan(*sent);
    }
    co_return std::error_code{};
}

task<std::error_code> empty_into_socket(sending* all, const pipe_ends* pipe, std::size_t filled) {
    while (filled > 0) {
        const auto sent = co_await detail::descriptor_operation<splice_to_socket>(
            *all->to, pipe->reader.native_handle(), filled
        );
        if (!sent) co_return sent.error();
        if (*sent == 0) co_return std::make_error_code(std::errc::broken_pipe);
        all->done.bytes += *sent;
        filled -= *sent;
    }
    co_return std::error_code{};
}

/// The header and no more: the file has nothing there.
task<std::error_code> send_header_alone(sending* all) {
    const auto sent = co_await send_header(all, 0);
    co_return sent ? sent : make_error_code(errc::end_of_stream);
}

/// The header goes when it is known whether something follows it: else MSG_MORE would hold it back.
task<void> send_by_splice(sending* all, pipe_ends pipe) {
    while (all->what.length > 0) {
        const auto wanted = std::min<std::uint64_t>(all->what.length, capacity);
        const auto filled = co_await detail::descriptor_operation<splice_from_file>(
            *all->from, all->what.offset, pipe.writer.native_handle(), wanted
        );
        if (!filled) all->done.error = filled.error();
        if (filled && *filled == 0) all->done.error = co_await send_header_alone(all);
        if (all->done.error) co_return;
        all->read(*filled);
        all->done.error = co_await send_header(all, MSG_MORE);
        if (all->done.error) co_return;
        all->done.error = co_await empty_into_socket(all, &pipe, *filled);
        if (all->done.error) co_return;
    }
}

task<void> send_by_buffer(sending* all) {
    std::vector<std::byte> buffer(all->header.begin(), all->header.end());
    all->header = {};
    bool begun = false;
    while (!begun || all->what.length > 0) {
        begun = true;
        const auto before = buffer.size();
        buffer.resize(before + std::min<std::uint64_t>(all->what.length, capacity));
        const auto room = std::span{buffer}.subspan(before);
        const auto read = co_await all->from->read_exactly_at(room, all->what.offset);
        all->read(read.bytes);
        const bool ended = all->made_up && read.error == errc::end_of_stream;
        if (ended) all->what.length = 0;
        const auto filled = std::span{std::as_const(buffer)}.first(before + read.bytes);
        const auto sent = co_await all->to->write_all(filled);
        all->done.bytes += sent.bytes;
        all->done.error = sent && !ended ? read.error : sent.error;
        if (all->done.error) co_return;
        buffer.clear();
    }
}

/// The pipe cannot carry this file, or no worker would: nothing has been read.
bool to_be_read_instead(const sending& all, file_part wanted) noexcept {
    const std::error_code error = all.done.error;
    return all.what.offset == wanted.offset &&
           (error == std::errc::invalid_argument || error == errc::kernel_workers_disabled ||
            error == errc::worker_unavailable);
}

task<std::error_code> find_length(sending* all) {
    if (all->what.length != file_part::to_the_end) co_return std::error_code{};
    const auto about = co_await all->from->stat();
    if (!about) co_return about.error();
    all->made_up = S_ISREG(about->stx_mode) && about->stx_size == 0;
    if (all->made_up) co_return std::error_code{};
    all->what.length = about->stx_size - std::min<std::uint64_t>(about->stx_size, all->what.offset);
    co_return std::error_code{};
}

} // namespace

task<transfer>
send_file(stream_socket* to, file* from, file_part what, std::span<const std::byte> header) {
    sending all{to, from, what, header};
    all.done.error = co_await find_length(&all);
    if (all.done.error) co_return all.done;
    if (all.what.length > small && !all.made_up) {
        auto pipe = pipe_ends::make();
        if (!pipe) co_return transfer{0, pipe.error()};
        static_cast<void>(pipe->writer.set_capacity(capacity)); // or what it has
        const not_blocking meanwhile{*to};
        co_await send_by_splice(&all, std::move(*pipe));
        if (!to_be_read_instead(all, what)) co_return all.done;
        all.done = {};
    }
    co_await send_by_buffer(&all);
    co_return all.done;
}

} // namespace coronet
