// SPDX-License-Identifier: BSL-1.0
//
// Files: what is read and written where, by one coroutine and by several, and that nothing is lost
// when they are cancelled or closed.
#include "support/open_files.hpp"
#include "support/temporary_directory.hpp"
#include "support/text.hpp"

#include <coronet/coro/io/file.hpp>
#include <coronet/coro/io/file_streams.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

namespace coronet::file_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;
using room = std::array<std::byte, 16>;

task<result<file>> open(const std::string* path, int flags) {
    co_return co_await file::open(path->c_str(), flags, 0640);
}
file opened(const std::string& path, int flags) {
    auto made = run(open(&path, flags));
    return std::move(made.value());
}

TEST(file, that_is_opened_is_closed_on_exec_and_has_its_mode) {
    const temporary_directory where;
    const auto before = open_file_count();
    {
        const file made = opened(where.path("new"), O_CREAT | O_EXCL | O_WRONLY);
        EXPECT_TRUE(made.is_open());
        EXPECT_TRUE(::fcntl(made.native_handle(), F_GETFD) & FD_CLOEXEC);
        struct ::stat seen {};
        ::fstat(made.native_handle(), &seen);
        EXPECT_EQ(seen.st_mode & 0777U, 0640U);
    }
    EXPECT_EQ(open_file_count(), before);
}

TEST(file, that_is_not_there_is_an_error) {
    const std::string nowhere = "/nonexistent/file";
    EXPECT_EQ(run(open(&nowhere, O_RDONLY)).error(), std::errc::no_such_file_or_directory);
}

// ---- at places ----

task<std::string> read_places(file* from) {
    room middle, end;
    const auto first = std::span{middle}.first(4);
    const auto read = co_await from->read_at(first, 3);
    const auto short_one = co_await from->read_at(end, 7);
    const auto behind = co_await from->read_at(end, 10);
    if (!read || !short_one || !behind || *behind != 0) co_return "an error";
    const auto last = std::span{end}.first(*short_one);
    co_return text_of(first) + ' ' + text_of(last);
}

TEST(file, is_read_at_places_and_gives_nothing_behind_its_end) {
    const temporary_directory where;
    file from = opened(where.put("file", "0123456789"), O_RDONLY);
    EXPECT_EQ(run(read_places(&from)), "3456 789");
}

task<transfer> read_all_of(file* from, std::span<std::byte> into, std::uint64_t offset) {
    co_return co_await from->read_exactly_at(into, offset);
}

TEST(file, says_how_much_there_was_when_it_ends_too_early) {
    const temporary_directory where;
    file from = opened(where.put("file", "0123456789"), O_RDONLY);
    room into;
    const auto whole = run(read_all_of(&from, std::span{into}.first(8), 2));
    EXPECT_TRUE(whole);
    EXPECT_EQ(whole.bytes, 8u);
    const auto part = run(read_all_of(&from, std::span{into}.first(8), 4));
    EXPECT_EQ(part.bytes, 6u);
    EXPECT_EQ(part.error, errc::end_of_stream);
}

task<transfer> write_all_to(file* to, std::string_view text, std::uint64_t offset) {
    co_return co_await to->write_all_at(bytes_of(text), offset);
}

TEST(file, is_written_at_places_also_behind_its_end) {
    const temporary_directory where;
    file to = opened(where.put("file", "0123"), O_RDWR);
    EXPECT_EQ(run(write_all_to(&to, "ab", 1)).bytes, 2u);
    EXPECT_EQ(run(write_all_to(&to, "xy", 6)).bytes, 2u);
    EXPECT_EQ(where.content("file"), (std::string{"0ab3\0\0xy", 8}));
}

TEST(file, has_places_beyond_4_gib) {
    const temporary_directory where;
    file huge = opened(where.path("file"), O_CREAT | O_RDWR);
    constexpr std::uint64_t far = (std::uint64_t{5} << 30) + 7;
    EXPECT_EQ(run(write_all_to(&huge, "far away", far)).bytes, 8u);
    room into;
    EXPECT_EQ(run(read_all_of(&huge, std::span{into}.first(8), far)).bytes, 8u);
    EXPECT_EQ(text_of(std::span{into}.first(8)), "far away");
}

task<int> change_it(file* changed) {
    const auto allocated = co_await changed->allocate(0, 100);
    auto seen = co_await changed->stat();
    if (!allocated || !seen || seen->stx_size != 100) co_return 1;
    const auto cut = co_await changed->truncate(5);
    seen = co_await changed->stat();
    if (!cut || !seen || seen->stx_size != 5) co_return 2;
    const auto synced = co_await changed->sync();
    const auto data = co_await changed->datasync();
    co_return synced&& data ? 0 : 3;
}

TEST(file, is_allocated_cut_off_looked_at_and_synced) {
    const temporary_directory where;
    file changed = opened(where.put("file", "0123456789"), O_RDWR);
    EXPECT_EQ(run(change_it(&changed)), 0);
    EXPECT_EQ(where.content("file"), "01234");
}

task<transfer> keep_a_secret(std::string path) {
    auto unnamed = co_await file::open(path.c_str(), O_TMPFILE | O_RDWR, 0600);
    if (!unnamed) co_return transfer{0, unnamed.error()};
    const auto secret = bytes_of("secret");
    auto written = co_await unnamed->write_all_at(secret, 0);
    if (!written) co_return written;
    std::array<std::byte, 6> back{};
    co_return co_await unnamed->read_exactly_at(back, 0);
}

TEST(file, needs_no_name) {
    const temporary_directory where;
    EXPECT_EQ(run(keep_a_secret(where.path())).bytes, 6u);
    EXPECT_TRUE(std::filesystem::is_empty(where.path()));
}

// ---- appending ----

constexpr int writers = 8;
constexpr int lines_each = 50;

task<void> append_lines(std::string path, char who) {
    auto own = co_await file::open(path.c_str(), O_WRONLY); // not O_APPEND
    file_appender log{*own};
    const std::string line = std::string(200, who) + '\n';
    for (int i = 0; i < lines_each; ++i) {
        const auto written = co_await log.write_all(bytes_of(line));
        if (!written) co_return;
    }
}
task<void> append_together(scope all, std::string path) {
    for (int i = 0; i < writers; ++i)
        all.spawn(append_lines, path, static_cast<char>('a' + i));
    co_return;
}

TEST(file, that_several_append_to_has_every_line_whole) {
    const temporary_directory where;
    run(with_scope(append_together, where.put("log")));
    std::ifstream log{where.path("log")};
    std::array<int, writers> lines{};
    for (std::string line; std::getline(log, line);) {
        ASSERT_EQ(line, std::string(200, line[0]));
        ++lines.at(static_cast<std::size_t>(line[0] - 'a'));
    }
    for (const int each : lines)
        EXPECT_EQ(each, lines_each);
}

// ---- one after the other ----

task<std::string> read_by_three(file* from) {
    file_reader reader{*from};
    file_reader other{*from, 8};
    room buffer;
    const auto three = std::span{buffer}.first(3);
    std::string all;
    for (;;) {
        const auto read = co_await reader.read_some(three);
        if (!read || *read == 0) break;
        all += text_of(three.first(*read));
    }
    const auto limited = co_await with_timeout(1h, other.read_exactly(three));
    co_return all + ' ' + std::to_string(limited.bytes) + ' ' + std::to_string(other.position());
}

TEST(file_reader, moves_on_by_itself_and_disturbs_no_other) {
    const temporary_directory where;
    file from = opened(where.put("file", "0123456789"), O_RDONLY);
    EXPECT_EQ(run(read_by_three(&from)), "0123456789 2 10");
}

// ---- the end ----

task<result<void>> close_stopped(file* closed) {
    scheduler::current()->stop();
    co_return co_await closed->close();
}

TEST(file, that_is_closed_after_a_stop_is_closed) {
    const temporary_directory where;
    file closed = opened(where.put("file"), O_RDONLY);
    const int fd = closed.native_handle();
    EXPECT_TRUE(run(close_stopped(&closed)));
    EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
}

task<void> close_cancelled(file* closed) {
    inplace_stop_source source;
    source.request_stop();
    const auto ended = co_await with_stop(source.get_token(), closed->close());
    EXPECT_TRUE(ended);
}

TEST(file, that_is_cancelled_in_the_middle_of_its_close_is_closed) {
    const temporary_directory where;
    const auto before = open_file_count();
    for (int i = 0; i < 100; ++i) {
        file closed = opened(where.put("file"), O_RDONLY);
        run(close_cancelled(&closed));
        EXPECT_FALSE(closed.is_open());
    }
    EXPECT_EQ(open_file_count(), before);
}

task<std::error_code> use_closed(file* closed) {
    const auto ended = co_await closed->close();
    if (!ended) co_return ended.error();
    room into;
    const auto read = co_await closed->read_at(into, 0);
    co_return read.error();
}

TEST(file, that_was_closed_gives_bad_file_descriptor) {
    const temporary_directory where;
    file closed = opened(where.put("file", "content"), O_RDONLY);
    EXPECT_EQ(run(use_closed(&closed)), std::errc::bad_file_descriptor);
}

/// A FIFO stands in for a file that waits: it is opened as one.
task<void> read_it(file* from, result<std::size_t>* got) {
    room into;
    *got = co_await from->read_at(into, async::current_position);
}
task<result<void>> close_under(scope others, file* closed, result<std::size_t>* got) {
    others.spawn(read_it, closed, got);
    const auto turn = co_await async::nop(); // it waits by now
    static_cast<void>(turn);
    co_return co_await closed->close();
}
task<result<void>> close_while_reading(file* closed, result<std::size_t>* got) {
    co_return co_await with_scope(close_under, closed, got);
}

TEST(file, that_is_closed_ends_what_is_in_flight_on_it_first) {
    const temporary_directory where;
    ASSERT_EQ(::mkfifo(where.path("fifo").c_str(), 0600), 0);
    file closed = opened(where.path("fifo"), O_RDWR);
    result<std::size_t> got = 0U;
    EXPECT_TRUE(run(close_while_reading(&closed, &got)));
    EXPECT_EQ(got.error(), std::errc::operation_canceled);
}

} // namespace
} // namespace coronet::file_tests
