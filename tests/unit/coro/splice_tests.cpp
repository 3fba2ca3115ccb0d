// SPDX-License-Identifier: BSL-1.0
//
// A splice waits, whichever of its sides is not ready, also where a descriptor is non-blocking.
#include "support/pairs.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>

#include <gtest/gtest.h>

#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace coronet::splice_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;
using async::splice_end;

task<result<std::size_t>> splice_within(duration limit, splice_end from, splice_end to) {
    co_return co_await with_timeout(limit, async::splice(from, to, 100));
}
task<void> put_later(int fd) {
    const auto waited = co_await sleep_for(5ms); // so does the splice
    waited.value();
    EXPECT_EQ(::write(fd, "later", 5), 5);
}
task<result<std::size_t>>
splice_what_comes(duration limit, splice_end from, splice_end to, int writer) {
    const auto both = co_await when_all(splice_within(limit, from, to), put_later(writer));
    co_return std::get<0>(both);
}
task<void> drain_later(int fd) {
    const auto waited = co_await sleep_for(5ms);
    waited.value();
    EXPECT_GT(drain(fd), 0u);
}
task<result<std::size_t>> splice_when_there_is_room(splice_end from, splice_end to, int reader) {
    const auto both = co_await when_all(splice_within(5s, from, to), drain_later(reader));
    co_return std::get<0>(both);
}

TEST(splice_of_non_blocking, pipes_waits_for_its_input) {
    const pipe_pair from{O_NONBLOCK};
    const pipe_pair to{O_NONBLOCK};
    const splice_end input{from.reader.get()};
    const splice_end output{to.writer.get()};
    EXPECT_EQ(run(splice_within(5ms, input, output)).error(), std::errc::timed_out);
    EXPECT_EQ(run(splice_what_comes(5s, input, output, from.writer.get())).value_or(0), 5u);
    EXPECT_EQ(drain(to.reader.get()), 5u);
}

TEST(splice_of_non_blocking, sockets_waits_for_its_input) {
    const socket_pair from{SOCK_STREAM | SOCK_NONBLOCK};
    const pipe_pair to{O_NONBLOCK};
    const splice_end input{from.here.get()};
    const splice_end output{to.writer.get()};
    EXPECT_EQ(run(splice_within(5ms, input, output)).error(), std::errc::timed_out);
    EXPECT_EQ(run(splice_what_comes(5s, input, output, from.there.get())).value_or(0), 5u);
    EXPECT_EQ(drain(to.reader.get()), 5u);
}

TEST(splice_of_non_blocking, pipes_waits_for_room) {
    const pipe_pair from{O_NONBLOCK};
    const pipe_pair to{O_NONBLOCK};
    ASSERT_EQ(::write(from.writer.get(), "ready", 5), 5);
    ASSERT_GT(fill(to.writer.get()), 0u);
    const splice_end input{from.reader.get()};
    const splice_end output{to.writer.get()};
    EXPECT_EQ(run(splice_within(5ms, input, output)).error(), std::errc::timed_out);
    EXPECT_EQ(run(splice_when_there_is_room(input, output, to.reader.get())).value_or(0), 5u);
}

TEST(splice_of_non_blocking, pipes_waits_for_one_side_after_the_other) {
    const pipe_pair from{O_NONBLOCK};
    const pipe_pair to{O_NONBLOCK};
    ASSERT_GT(fill(to.writer.get()), 0u);
    const splice_end input{from.reader.get()};
    const splice_end output{to.writer.get()};
    EXPECT_EQ(
        run(splice_what_comes(100ms, input, output, from.writer.get())).error(),
        std::errc::timed_out
    );
    EXPECT_EQ(run(splice_when_there_is_room(input, output, to.reader.get())).value_or(0), 5u);
}

task<std::error_code> splice_without_waiting(splice_end from, splice_end to) {
    const auto moved = co_await async::splice(from, to, 100, SPLICE_F_NONBLOCK);
    co_return moved.error();
}

TEST(splice_of_non_blocking, pipes_does_not_wait_where_it_was_asked_not_to) {
    const pipe_pair from{O_NONBLOCK};
    const pipe_pair to{O_NONBLOCK};
    const splice_end input{from.reader.get()};
    const splice_end output{to.writer.get()};
    EXPECT_EQ(
        run(splice_without_waiting(input, output)), std::errc::resource_unavailable_try_again
    );
}

} // namespace
} // namespace coronet::splice_tests
