// SPDX-License-Identifier: BSL-1.0
//
// Both ends of a pipe, and what is left in it when one of them is cancelled.
#include "support/open_files.hpp"
#include "support/text.hpp"

#include <coronet/coro/io/pipe.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace coronet::pipe_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

task<transfer> write_and_close(pipe_writer to, std::span<const std::byte> data) {
    const auto written = co_await to.write_all(data);
    const auto closed = co_await to.close();
    static_cast<void>(closed);
    co_return written;
}
task<std::vector<std::byte>> read_to_the_end(pipe_reader from) {
    std::vector<std::byte> all;
    std::array<std::byte, 5000> buffer;
    for (;;) {
        const auto read = co_await from.read_some(buffer);
        if (!read || *read == 0) co_return all;
        all.insert(all.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*read));
    }
}
task<std::vector<std::byte>> through_a_pipe(std::span<const std::byte> data) {
    pipe_ends ends;
    auto both = co_await when_all(
        write_and_close(std::move(ends.writer), data), read_to_the_end(std::move(ends.reader))
    );
    EXPECT_EQ(std::get<0>(both).bytes, data.size());
    co_return std::move(std::get<1>(both));
}

TEST(pipe, carries_more_than_fits_in_and_ends_with_its_writer) {
    const auto before = open_file_count();
    std::vector<std::byte> data(1'000'000);
    for (std::size_t i = 0; i < data.size(); ++i)
        data[i] = static_cast<std::byte>(i * 7 / 3);
    EXPECT_EQ(run(through_a_pipe(data)), data);
    EXPECT_EQ(open_file_count(), before);
}

task<transfer> read_five_of(pipe_ends* ends) {
    const auto three = bytes_of("abc");
    const auto written = co_await ends->writer.write_some(three);
    static_cast<void>(written);
    std::array<std::byte, 5> room;
    co_return co_await with_timeout(10ms, ends->reader.read_exactly(room));
}

TEST(pipe, that_is_cancelled_says_how_much_it_has_read) {
    pipe_ends ends;
    const auto read = run(read_five_of(&ends));
    EXPECT_EQ(read.bytes, 3u);
    EXPECT_EQ(read.error, std::errc::timed_out);
}

task<transfer> write_limited(pipe_writer* to, std::span<const std::byte> data) {
    co_return co_await with_timeout(10ms, to->write_all(data));
}
task<std::size_t> read_what_is_there(pipe_reader from) {
    const auto all = co_await read_to_the_end(std::move(from));
    co_return all.size();
}

TEST(pipe, that_is_cancelled_has_what_it_says_it_has_written) {
    pipe_ends ends;
    const std::vector<std::byte> data(1'000'000);
    const auto written = run(write_limited(&ends.writer, data));
    EXPECT_EQ(written.error, std::errc::timed_out);
    EXPECT_GT(written.bytes, 0u);
    ends.writer = {};
    EXPECT_EQ(run(read_what_is_there(std::move(ends.reader))), written.bytes);
}

task<transfer> write_to_nobody(pipe_writer* to) {
    const auto text = bytes_of("abc");
    co_return co_await to->write_all(text);
}

TEST(pipe, that_nobody_reads_is_broken_and_raises_no_signal) {
    pipe_ends ends;
    ends.reader = {};
    EXPECT_EQ(run(write_to_nobody(&ends.writer)).error, std::errc::broken_pipe);
}

TEST(pipe, takes_more_when_it_is_told_to) {
    pipe_ends ends;
    const auto capacity = ends.writer.set_capacity(100'000);
    ASSERT_TRUE(capacity);
    EXPECT_GE(*capacity, 100'000u);
    EXPECT_EQ(pipe_writer{}.set_capacity(4096).error(), std::errc::bad_file_descriptor);
}

} // namespace
} // namespace coronet::pipe_tests
