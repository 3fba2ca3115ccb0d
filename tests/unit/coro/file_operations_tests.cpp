// SPDX-License-Identifier: BSL-1.0
//
// Operations on files and pipes: what they give, and the error when they cannot.
#include "support/open_files.hpp"
#include "support/pairs.hpp"
#include "support/temporary_file.hpp"
#include "support/text.hpp"

#include <coronet/coro/file_operations.hpp>
#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/timeout.hpp>

#include <gtest/gtest.h>

#include <array>

#include <poll.h>
#include <signal.h>

namespace coronet::file_operations_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;
using room = std::array<std::byte, 16>;

task<result<void>> goes_round() {
    co_return co_await async::nop();
}

TEST(nop, succeeds) {
    EXPECT_TRUE(run(goes_round()));
}

// ---- read, write ----

task<result<std::size_t>> read(int fd, std::span<std::byte> into, std::uint64_t offset) {
    co_return co_await async::read(fd, into, offset);
}
task<result<std::size_t>> write(int fd, std::string_view text, std::uint64_t offset) {
    co_return co_await async::write(fd, bytes_of(text), offset);
}

TEST(read, gives_what_the_file_has_at_the_offset) {
    const temporary_file file{"0123456789"};
    room into;
    EXPECT_EQ(*run(read(file.fd(), into, 4)), 6u);
    EXPECT_EQ(text_of(std::span{into}.first(6)), "456789");
}

TEST(read, gives_zero_at_the_end_of_the_file) {
    const temporary_file file{"0123"};
    room into;
    EXPECT_EQ(*run(read(file.fd(), into, 4)), 0u);
}

TEST(read, of_nothing_gives_zero_at_once) {
    EXPECT_EQ(*run(read(-1, {}, 0)), 0u);
}

TEST(read, moves_the_position_of_the_file_when_no_offset_is_given) {
    const temporary_file file{"0123456789"};
    room into;
    const auto half = std::span{into}.first(5);
    EXPECT_EQ(*run(read(file.fd(), half, async::current_position)), 5u);
    EXPECT_EQ(*run(read(file.fd(), half, async::current_position)), 5u);
    EXPECT_EQ(text_of(half), "56789");
}

TEST(read, reports_a_descriptor_that_is_not_open) {
    room into;
    EXPECT_EQ(run(read(-1, into, 0)).error(), std::errc::bad_file_descriptor);
}

TEST(read, gives_zero_when_the_writer_of_a_pipe_is_gone) {
    pipe_pair pipe;
    pipe.writer.reset();
    room into;
    EXPECT_EQ(*run(read(pipe.reader.get(), into, async::current_position)), 0u);
}

TEST(write, puts_the_bytes_at_the_offset) {
    const temporary_file file{"0123456789"};
    EXPECT_EQ(*run(write(file.fd(), "abc", 2)), 3u);
    EXPECT_EQ(file.content(), "01abc56789");
}

TEST(write, reports_a_pipe_without_a_reader) {
    pipe_pair pipe;
    pipe.reader.reset();
    const auto before = ::signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(
        run(write(pipe.writer.get(), "x", async::current_position)).error(), std::errc::broken_pipe
    );
    ::signal(SIGPIPE, before);
}

// ---- readv, writev ----

task<result<std::size_t>> readv(int fd, std::span<const iovec> parts, std::uint64_t offset) {
    co_return co_await async::readv(fd, parts, offset);
}
task<result<std::size_t>> writev(int fd, std::span<const iovec> parts, std::uint64_t offset) {
    co_return co_await async::writev(fd, parts, offset);
}

TEST(readv, fills_one_buffer_after_the_other) {
    const temporary_file file{"0123456789"};
    room first;
    room second;
    const std::array<iovec, 2> parts{iovec{first.data(), 3}, iovec{second.data(), second.size()}};
    EXPECT_EQ(*run(readv(file.fd(), parts, 1)), 9u);
    EXPECT_EQ(text_of(std::span{first}.first(3)), "123");
    EXPECT_EQ(text_of(std::span{second}.first(6)), "456789");
}

TEST(writev, writes_one_buffer_after_the_other) {
    const temporary_file file{"0123456789"};
    std::string first = "ab";
    std::string second = "cde";
    const std::array<iovec, 2> parts{iovec{first.data(), 2}, iovec{second.data(), 3}};
    EXPECT_EQ(*run(writev(file.fd(), parts, 4)), 5u);
    EXPECT_EQ(file.content(), "0123abcde9");
}

TEST(readv, reports_a_descriptor_that_is_not_open) {
    room into;
    const std::array<iovec, 1> parts{iovec{into.data(), into.size()}};
    EXPECT_EQ(run(readv(-1, parts, 0)).error(), std::errc::bad_file_descriptor);
    EXPECT_EQ(run(writev(-1, parts, 0)).error(), std::errc::bad_file_descriptor);
}

// ---- openat, close ----

task<result<unique_fd>> open(const char* path, int flags, mode_t mode) {
    co_return co_await async::openat(AT_FDCWD, path, flags, mode);
}
task<result<void>> close(unique_fd fd) {
    async::close closing{std::move(fd)};
    co_return co_await std::move(closing);
}

TEST(openat, gives_a_descriptor_that_is_closed_on_exec) {
    const temporary_file file{"content"};
    const auto opened = run(open(file.path(), O_RDONLY, 0));
    ASSERT_TRUE(opened);
    room into;
    EXPECT_EQ(::read(opened->get(), into.data(), into.size()), 7);
    EXPECT_TRUE(::fcntl(opened->get(), F_GETFD) & FD_CLOEXEC);
}

TEST(openat, creates_a_file_with_the_given_mode) {
    const temporary_file beside;
    const std::string path = std::string(beside.path()) + "-new";
    const auto opened = run(open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600));
    ASSERT_TRUE(opened);
    struct ::stat seen {};
    EXPECT_EQ(::fstat(opened->get(), &seen), 0);
    EXPECT_EQ(seen.st_mode & 07777u, 0600u);
    ::unlink(path.c_str());
}

TEST(openat, reports_a_file_that_is_not_there) {
    EXPECT_EQ(
        run(open("/nonexistent/file", O_RDONLY, 0)).error(), std::errc::no_such_file_or_directory
    );
}

task<int> open_with_no_time(const char* path, int rounds) {
    int opened = 0;
    for (int i = 0; i < rounds; ++i) {
        const auto file = co_await with_timeout(0s, async::openat(AT_FDCWD, path, O_RDONLY));
        if (file) ++opened;
        const auto made = co_await with_timeout(0s, async::socket(AF_INET, SOCK_STREAM));
        if (made) ++opened;
    }
    co_return opened;
}

TEST(openat, leaks_no_descriptor_when_its_limit_has_passed) {
    const temporary_file file;
    const auto before = open_file_count();
    EXPECT_LE(run(open_with_no_time(file.path(), 100)), 200);
    EXPECT_EQ(open_file_count(), before);
}

TEST(close, closes_the_descriptor) {
    const auto before = open_file_count();
    pipe_pair pipe;
    const int fd = pipe.reader.get();
    EXPECT_TRUE(run(close(std::move(pipe.reader))));
    EXPECT_EQ(open_file_count(), before + 1);
    EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
}

TEST(close, reports_a_descriptor_that_is_not_open) {
    EXPECT_EQ(run(close(unique_fd{})).error(), std::errc::bad_file_descriptor);
}

task<result<void>> close_after_stop(unique_fd fd) {
    scheduler::current()->stop();
    const auto turn = co_await async::nop(); // the stop has arrived
    static_cast<void>(turn);
    async::close closing{std::move(fd)};
    co_return co_await std::move(closing);
}

TEST(close, closes_the_descriptor_after_a_stop_too) {
    pipe_pair pipe;
    const int fd = pipe.reader.get();
    EXPECT_TRUE(run(close_after_stop(std::move(pipe.reader))));
    EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
}

TEST(close, that_is_never_awaited_closes_the_descriptor_too) {
    pipe_pair pipe;
    const int fd = pipe.reader.get();
    { const async::close unused{std::move(pipe.reader)}; }
    EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
}

// ---- statx, fsync, splice, poll ----

task<result<struct ::statx>> statx(const char* path) {
    co_return co_await async::statx(AT_FDCWD, path, 0, STATX_SIZE);
}

TEST(statx, tells_the_size_of_a_file) {
    const temporary_file file{"0123456789"};
    const auto seen = run(statx(file.path()));
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->stx_size, 10u);
}

TEST(statx, reports_a_file_that_is_not_there) {
    EXPECT_EQ(run(statx("/nonexistent/file")).error(), std::errc::no_such_file_or_directory);
}

task<result<void>> fsync(int fd, async::sync_of what) {
    co_return co_await async::fsync(fd, what);
}

TEST(fsync, succeeds_on_a_file) {
    const temporary_file file{"content"};
    EXPECT_TRUE(run(fsync(file.fd(), async::sync_of::data_and_metadata)));
    EXPECT_TRUE(run(fsync(file.fd(), async::sync_of::data)));
}

TEST(fsync, reports_what_cannot_be_synced) {
    const pipe_pair pipe;
    EXPECT_EQ(
        run(fsync(pipe.reader.get(), async::sync_of::data)).error(), std::errc::invalid_argument
    );
}

task<result<std::size_t>> splice(async::splice_end from, async::splice_end to, std::size_t size) {
    co_return co_await async::splice(from, to, size);
}

TEST(splice, moves_a_part_of_a_file_through_a_pipe) {
    const temporary_file source{"0123456789"};
    const temporary_file target;
    const pipe_pair pipe;
    EXPECT_EQ(*run(splice({source.fd(), 2}, {pipe.writer.get()}, 5)), 5u);
    EXPECT_EQ(*run(splice({pipe.reader.get()}, {target.fd(), 0}, 100)), 5u);
    EXPECT_EQ(target.content(), "23456");
}

TEST(splice, gives_zero_at_the_end_of_its_input) {
    const temporary_file source{"01"};
    const pipe_pair pipe;
    EXPECT_EQ(*run(splice({source.fd(), 2}, {pipe.writer.get()}, 5)), 0u);
}

TEST(splice, reports_two_files_without_a_pipe) {
    const temporary_file source{"01"};
    const temporary_file target;
    EXPECT_EQ(
        run(splice({source.fd(), 0}, {target.fd(), 0}, 2)).error(), std::errc::invalid_argument
    );
}

task<void> splice_into(async::splice_end from, async::splice_end to, std::error_code* outcome) {
    const auto moved = co_await async::splice(from, to, 5);
    *outcome = moved.error();
}
task<std::size_t> cancel_target(
    scope children, const pipe_pair* from, const pipe_pair* to, std::error_code* outcome
) {
    const async::splice_end input{from->reader.get()};
    const async::splice_end output{to->writer.get()};
    children.spawn(splice_into, input, output, outcome);
    const auto turn = co_await async::nop(); // it has been submitted meanwhile
    static_cast<void>(turn);
    const auto asked = co_await async::cancel(to->writer.get());
    co_return *asked;
}
task<std::size_t>
cancel_splice_by_target(const pipe_pair* from, const pipe_pair* to, std::error_code* outcome) {
    co_return co_await with_scope(cancel_target, from, to, outcome);
}

TEST(splice, ends_when_everything_on_its_target_is_cancelled) {
    const pipe_pair from;
    const pipe_pair to;
    std::error_code outcome;
    EXPECT_EQ(run(cancel_splice_by_target(&from, &to, &outcome)), 1u);
    EXPECT_EQ(outcome, std::errc::operation_canceled);
}

task<result<unsigned>> poll(int fd, unsigned events) {
    co_return co_await async::poll(fd, events);
}

TEST(poll, tells_which_events_came) {
    pipe_pair pipe;
    EXPECT_EQ(*run(poll(pipe.writer.get(), POLLIN | POLLOUT)), static_cast<unsigned>(POLLOUT));
    pipe.writer.reset();
    EXPECT_EQ(*run(poll(pipe.reader.get(), POLLIN)), static_cast<unsigned>(POLLHUP));
}

TEST(poll, reports_a_descriptor_that_is_not_open) {
    EXPECT_EQ(run(poll(-1, POLLIN)).error(), std::errc::bad_file_descriptor);
}

} // namespace
} // namespace coronet::file_operations_tests
