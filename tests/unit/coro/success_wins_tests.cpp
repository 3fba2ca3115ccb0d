// SPDX-License-Identifier: BSL-1.0
//
// An operation that was asked to end may have succeeded in that moment. Then its success is the
// answer: no byte and no descriptor is dropped.
#include "scripted_coroutines.hpp"

#include <coronet/coro/file_operations.hpp>
#include <coronet/coro/operations.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>

#include <gtest/gtest.h>
#include <liburing.h>

#include <array>

namespace coronet::success_wins_tests {
namespace {

using namespace std::chrono_literals;
using test::fresh_descriptor;
using test::is_open;
using success_wins = test::scripted_coroutines;

/// An operation with this opcode is never finished but by a cancel request, and then with `res`.
template <class Script>
void succeed_when_cancelled(Script& script, std::uint8_t opcode, std::int32_t res) {
    script.on(opcode).never().cancel_answered(-EALREADY, res);
}

task<result<std::size_t>> limited_read(std::span<std::byte> room) {
    co_return co_await with_timeout(1ms, async::read(5, room));
}

TEST_F(success_wins, C5_a_read_that_was_cancelled_gives_the_bytes_that_came) {
    succeed_when_cancelled(script, IORING_OP_READ, 3);
    std::array<std::byte, 8> room;
    const auto read = finish(limited_read(room));
    EXPECT_EQ(script.count(IORING_OP_ASYNC_CANCEL), 1u);
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, 3u);
}

task<result<unique_fd>> limited_accept() {
    co_return co_await with_timeout(1ms, async::accept(5));
}

TEST_F(success_wins, C5_an_accept_that_was_cancelled_gives_the_connection_that_came) {
    const int connection = fresh_descriptor();
    succeed_when_cancelled(script, IORING_OP_ACCEPT, connection);
    const auto accepted = finish(limited_accept());
    EXPECT_EQ(script.count(IORING_OP_ASYNC_CANCEL), 1u);
    ASSERT_TRUE(accepted);
    EXPECT_EQ(accepted->get(), connection);
    EXPECT_TRUE(is_open(connection));
}

task<result<unique_fd>> limited_open() {
    co_return co_await with_timeout(1ms, async::openat(AT_FDCWD, "a file", O_RDONLY));
}

TEST_F(success_wins, C5_an_openat_that_was_cancelled_gives_the_file_that_was_opened) {
    const int file = fresh_descriptor();
    succeed_when_cancelled(script, IORING_OP_OPENAT, file);
    const auto opened = finish(limited_open());
    EXPECT_EQ(script.count(IORING_OP_ASYNC_CANCEL), 1u);
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->get(), file);
    EXPECT_TRUE(is_open(file));
}

} // namespace
} // namespace coronet::success_wins_tests
