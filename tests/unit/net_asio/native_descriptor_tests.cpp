// SPDX-License-Identifier: BSL-1.0
//
// Descriptors on the ring: pipes, eventfds, terminals and files, by every completion token.
#include "native_pair.hpp"
#include "outcome.hpp"
#include "tokens.hpp"
#include "which_asio.hpp"

#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/posix.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace coronet::asiox::native_descriptor_tests {
namespace {

using namespace std::chrono_literals;
using net::buffer;
using descriptor = posix::stream_descriptor;

using test::note;
using test::outcome;

struct pipe_pair {
    explicit pipe_pair(io_context& context)
        : reading{context.get_executor()}, writing{context.get_executor()} {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
        reading.assign(ends[0]);
        writing.assign(ends[1]);
    }
    descriptor reading;
    descriptor writing;
};

TEST(asio_descriptor, AN1_a_callback_and_a_future_are_told_what_came) {
    io_context context;
    pipe_pair pipe{context};
    std::array<char, 8> bytes{};
    outcome told;
    pipe.reading.async_read_some(buffer(bytes), note(told));
    auto written = pipe.writing.async_write_some(buffer("abc", 3), net::use_future);
    EXPECT_FALSE(told.error.has_value()); // not inside the call
    test::run_to_the_end(context);
    EXPECT_EQ(told.count, 3u);
    EXPECT_EQ(written.get(), 3u);
    EXPECT_EQ(std::string(bytes.data(), 3), "abc");
    EXPECT_EQ(::fcntl(pipe.reading.native_handle(), F_GETFL) & O_NONBLOCK, 0); // left as it was
}

net::awaitable<std::string> talk(pipe_pair* pipe) {
    co_await pipe->writing.async_wait(descriptor::wait_write, net::use_awaitable);
    co_await net::async_write(pipe->writing, buffer("hello", 5), net::use_awaitable);
    co_await pipe->reading.async_wait(descriptor::wait_read, net::use_awaitable);
    std::string text(5, '\0');
    error_code error = net::error::would_block;
    auto redirected = net::redirect_error(net::use_awaitable, error);
    co_await pipe->reading.async_read_some(buffer(text.data(), 2), redirected);
    auto as_tuple = test::as_tuple(net::use_awaitable);
    auto second = co_await pipe->reading.async_read_some(buffer(text.data() + 2, 1), as_tuple);
    auto deferred = pipe->reading.async_read_some(buffer(text.data() + 3, 2), test::deferred);
    co_await std::move(deferred)(net::use_awaitable);
    co_return error || std::get<0>(second) ? "" : text;
}

TEST(asio_descriptor, AN1_a_coroutine_reads_writes_and_waits_by_every_token) {
    io_context context;
    pipe_pair pipe{context};
    auto said = net::co_spawn(context.get_executor(), talk(&pipe), net::use_future);
    test::run_to_the_end(context);
    EXPECT_EQ(said.get(), "hello");
}

TEST(asio_descriptor, AN5_nothing_ends_at_once_and_the_end_is_told_again) {
    io_context context;
    pipe_pair pipe{context};
    outcome nothing;
    pipe.reading.async_read_some(net::mutable_buffer(), note(nothing));
    test::run_to_the_end(context);
    ASSERT_TRUE(nothing.error.has_value());
    EXPECT_FALSE(*nothing.error);
    pipe.writing.close();
    std::array<char, 8> bytes{};
    for (int i = 0; i < 3; ++i) {
        outcome told;
        pipe.reading.async_read_some(buffer(bytes), note(told));
        test::run_to_the_end(context);
        ASSERT_TRUE(told.error.has_value());
        EXPECT_EQ(*told.error, net::error::eof);
    }
}

TEST(asio_descriptor, AN6_many_buffers_go_by_64_at_a_time) {
    io_context context;
    pipe_pair pipe{context};
    std::vector<std::array<char, 2>> pieces(100, {'o', 'k'});
    std::vector<net::const_buffer> from;
    std::vector<net::mutable_buffer> into;
    std::vector<std::array<char, 2>> came(100);
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        from.emplace_back(buffer(pieces[i]));
        into.emplace_back(buffer(came[i]));
    }
    outcome first;
    pipe.writing.async_write_some(from, note(first));
    test::run_to_the_end(context);
    EXPECT_EQ(first.count, 128u);
    const std::string more(72, 'x');
    auto rest = net::async_write(pipe.writing, buffer(more), net::use_future);
    outcome all;
    net::async_read(pipe.reading, into, note(all));
    test::run_to_the_end(context);
    EXPECT_EQ(rest.get() + first.count, all.count);
    EXPECT_EQ(all.count, 200u);
    EXPECT_EQ(came[63], pieces[63]);
    EXPECT_EQ(came[64][0], 'x');
}

TEST(asio_descriptor, AN2_a_slot_ends_its_operation_and_no_other) {
    io_context context;
    pipe_pair pipe{context};
    std::array<char, 8> first{};
    std::array<char, 8> second{};
    outcome cancelled;
    outcome left;
    net::cancellation_signal signal;
    pipe.reading.async_read_some(
        buffer(first), net::bind_cancellation_slot(signal.slot(), note(cancelled))
    );
    pipe.reading.async_read_some(buffer(second), note(left));
    context.poll();
    signal.emit(net::cancellation_type::total);
    context.run_for(100ms);
    ASSERT_TRUE(cancelled.error.has_value());
    EXPECT_EQ(*cancelled.error, net::error::operation_aborted);
    EXPECT_FALSE(left.error.has_value());
    pipe.writing.write_some(buffer("abc", 3));
    test::run_to_the_end(context);
    EXPECT_EQ(left.count, 3u);
}

enum class ending { cancel, close, release, assignment, destruction };
class asio_descriptor_ends : public ::testing::TestWithParam<ending> {};

TEST_P(asio_descriptor_ends, AN3_all_that_is_pending_is_aborted) {
    io_context context;
    pipe_pair pipe{context};
    std::array<char, 8> bytes{};
    outcome read;
    error_code waited;
    pipe.reading.async_read_some(buffer(bytes), note(read));
    pipe.reading.async_wait(descriptor::wait_read, [&](error_code error) { waited = error; });
    context.poll();
    int released = -1;
    if (GetParam() == ending::cancel) pipe.reading.cancel();
    if (GetParam() == ending::close) pipe.reading.close();
    if (GetParam() == ending::release) released = pipe.reading.release();
    if (GetParam() == ending::assignment) pipe.reading = descriptor{context.get_executor()};
    if (GetParam() == ending::destruction) descriptor{std::move(pipe.reading)};
    test::run_to_the_end(context);
    ASSERT_TRUE(read.error.has_value());
    EXPECT_EQ(*read.error, net::error::operation_aborted);
    EXPECT_EQ(waited, net::error::operation_aborted);
    if (released >= 0) {
        EXPECT_EQ(::close(released), 0);
    }
}
INSTANTIATE_TEST_SUITE_P(
    ways, asio_descriptor_ends,
    ::testing::Values(
        ending::cancel, ending::close, ending::release, ending::assignment, ending::destruction
    )
);

/// Begun, closed, and another one opened under the same number, before the kernel has seen
/// anything.
TEST(asio_descriptor, AN4_a_number_used_again_never_gets_what_was_meant_for_the_old_descriptor) {
    io_context context;
    std::array<char, 8> bytes{};
    outcome old;
    pipe_pair pipe{context};
    const int number = pipe.reading.native_handle();
    pipe.reading.async_read_some(buffer(bytes), note(old));
    pipe.reading.close();
    pipe_pair next{context};
    ASSERT_EQ(next.reading.native_handle(), number);
    next.writing.write_some(buffer("abc", 3));
    test::run_to_the_end(context);
    ASSERT_TRUE(old.error.has_value());
    EXPECT_EQ(*old.error, net::error::operation_aborted);
    std::array<char, 8> mine{};
    EXPECT_EQ(next.reading.read_some(buffer(mine)), 3u);
}

TEST(asio_descriptor, AN7_a_move_keeps_what_is_pending) {
    io_context context;
    pipe_pair pipe{context};
    std::array<char, 8> bytes{};
    outcome told;
    pipe.reading.async_read_some(buffer(bytes), note(told));
    context.poll();
    descriptor moved{std::move(pipe.reading)};
    EXPECT_FALSE(pipe.reading.is_open());
    pipe.writing.write_some(buffer("ab", 2));
    test::run_to_the_end(context);
    EXPECT_EQ(told.count, 2u);
}

TEST(asio_descriptor, AN11_a_context_that_ends_destroys_the_handlers_of_descriptors) {
    bool called = false;
    auto life = std::make_shared<int>(0);
    auto bytes = std::make_unique<std::array<char, 64>>();
    bytes->fill('g');
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    {
        io_context context;
        auto reading = std::make_shared<descriptor>(context.get_executor(), ends[0]);
        reading->async_read_some(buffer(*bytes), [&called, life, reading](error_code, std::size_t) {
            called = true;
        });
        context.poll();
        EXPECT_EQ(life.use_count(), 2);
    }
    EXPECT_EQ(life.use_count(), 1);
    EXPECT_FALSE(called);
    EXPECT_TRUE(std::ranges::all_of(*bytes, [](char each) { return each == 'g'; }));
    ::close(ends[1]);
}

TEST(asio_descriptor, waits_for_an_eventfd) {
    io_context context;
    descriptor counter{context.get_executor(), ::eventfd(0, EFD_CLOEXEC)};
    std::uint64_t value = 0;
    outcome told;
    counter.async_read_some(buffer(&value, sizeof value), note(told));
    context.poll();
    EXPECT_FALSE(told.error.has_value());
    const std::uint64_t five = 5;
    ASSERT_EQ(::write(counter.native_handle(), &five, sizeof five), ssize_t{sizeof five});
    test::run_to_the_end(context);
    EXPECT_EQ(value, 5u);
}

TEST(asio_descriptor, reads_a_line_from_a_terminal) {
    io_context context;
    const int other = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ASSERT_GE(other, 0);
    ASSERT_EQ(::grantpt(other), 0);
    ASSERT_EQ(::unlockpt(other), 0);
    descriptor terminal{
        context.get_executor(), ::open(::ptsname(other), O_RDWR | O_NOCTTY | O_CLOEXEC)};
    std::array<char, 16> bytes{};
    outcome told;
    terminal.async_read_some(buffer(bytes), note(told));
    context.poll();
    ASSERT_EQ(::write(other, "line\n", 5), 5);
    test::run_to_the_end(context);
    EXPECT_EQ(std::string(bytes.data(), told.count), "line\n");
    terminal.close();
    ::close(other);
}

/// Asio's own says that it cannot.
TEST(asio_descriptor, reads_a_regular_file_at_its_position) {
    std::array<char, 16> bytes{};
    const std::string text = "0123456789";
    char path[] = "/tmp/coronet_descriptor_XXXXXX";
    io_context context;
    descriptor file{context.get_executor(), ::mkostemp(path, O_CLOEXEC)};
    ::unlink(path);
    ASSERT_EQ(file.write_some(buffer(text)), text.size());
    ASSERT_EQ(::lseek(file.native_handle(), 4, SEEK_SET), 4);
    outcome told;
    file.async_read_some(buffer(bytes.data(), 3), note(told));
    test::run_to_the_end(context);
    EXPECT_EQ(std::string(bytes.data(), told.count), "456");
    EXPECT_EQ(::lseek(file.native_handle(), 0, SEEK_CUR), 7);
}

TEST(asio_descriptor, a_read_goes_on_after_its_thread_has_ended) {
    io_context context;
    pipe_pair pipe{context};
    std::array<char, 8> bytes{};
    outcome told;
    std::thread{[&] {
        pipe.reading.async_read_some(buffer(bytes), note(told));
        context.run_for(1ms); // submits it
    }}.join();
    pipe.writing.write_some(buffer("abc", 3));
    test::run_to_the_end(context);
    EXPECT_EQ(told.count, 3u);
}

} // namespace
} // namespace coronet::asiox::native_descriptor_tests
