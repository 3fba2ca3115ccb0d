// SPDX-License-Identifier: BSL-1.0
//
// Closing a socket that somebody still uses: what is in flight ends first, what begins meanwhile
// does not reach the descriptor, and its number is given back only then.
#include "connected.hpp"
#include "support/open_files.hpp"

#include <coronet/coro/file_operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/coro/when_any.hpp>

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include <fcntl.h>

namespace coronet::close_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;
using room = std::array<std::byte, 16>;

bool peer_sees_the_end(const basic_socket& peer) {
    char byte;
    return ::recv(peer.native_handle(), &byte, 1, MSG_DONTWAIT) == 0;
}

task<std::error_code> read_once(tcp_stream* from) {
    room into;
    const auto received = co_await from->read_some(into);
    co_return received.error();
}
task<std::error_code> read_on(tcp_stream* from) {
    room into;
    for (;;) {
        const auto received = co_await from->read_some(into);
        if (!received && received.error() != std::errc::operation_canceled)
            co_return received.error();
    }
}
task<std::error_code> fill_peer(tcp_stream* to) {
    const std::vector<std::byte> much(20'000'000);
    const auto sent = co_await to->write_all(much);
    co_return sent.error;
}
task<std::error_code> close_after_a_turn(tcp_stream* which) {
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    const auto closed = co_await which->close();
    co_return closed.error();
}

task<std::array<std::error_code, 3>> close_under_read_and_write(tcp_stream* which) {
    const auto all =
        co_await when_all(read_once(which), fill_peer(which), close_after_a_turn(which));
    co_return std::array{std::get<0>(all), std::get<1>(all), std::get<2>(all)};
}

TEST(close, ends_what_is_in_flight_and_then_closes) {
    connected<tcp_stream> pair;
    const auto before = open_file_count();
    const auto [read, written, closed] = run(close_under_read_and_write(&pair.here));
    EXPECT_EQ(read, std::errc::operation_canceled);
    EXPECT_EQ(written, std::errc::operation_canceled);
    EXPECT_EQ(closed, std::error_code{});
    EXPECT_FALSE(pair.here.is_open());
    EXPECT_EQ(open_file_count(), before - 1);
}

task<std::pair<std::error_code, std::error_code>> close_under_a_stubborn_reader(tcp_stream* which) {
    const auto both = co_await when_all(read_on(which), close_after_a_turn(which));
    co_return std::pair{std::get<0>(both), std::get<1>(both)};
}

TEST(close, lets_nobody_begin_again_meanwhile) {
    connected<tcp_stream> pair;
    const auto [read, closed] = run(close_under_a_stubborn_reader(&pair.here));
    EXPECT_EQ(read, std::errc::bad_file_descriptor);
    EXPECT_EQ(closed, std::error_code{});
    EXPECT_TRUE(peer_sees_the_end(pair.there));
}

task<std::error_code> read_after_close(tcp_stream* which, int another, room* into) {
    // The read is made with the number that the socket has now, and begins when it means another
    // file.
    const int number = which->native_handle();
    auto late = when_any(which->read_some(*into), sleep_for(20ms));
    const auto closed = co_await which->close();
    closed.value();
    const unique_fd reused{::dup2(another, number)};
    auto received = co_await std::move(late);
    co_return std::get<0>(received.results).error();
}

TEST(close, lets_nothing_reach_a_file_that_got_its_number_afterwards) {
    connected<tcp_stream> pair;
    room into;
    EXPECT_EQ(
        run(read_after_close(&pair.here, pair.there.native_handle(), &into)),
        std::errc::bad_file_descriptor
    );
}

task<result<void>> close_twice(tcp_stream* which) {
    const auto first = co_await which->close();
    first.value();
    co_return co_await which->close();
}

TEST(close, of_a_closed_socket_does_nothing) {
    connected<tcp_stream> pair;
    EXPECT_TRUE(run(close_twice(&pair.here)));
    EXPECT_TRUE(peer_sees_the_end(pair.there));
}

task<void> cancel_after_a_turn(tcp_stream* which) {
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    which->cancel();
}
task<std::error_code> cancelled_read(tcp_stream* which, room* into) {
    const auto both = co_await when_all(read_once(which), cancel_after_a_turn(which));
    const auto received = co_await with_timeout(1ms, which->read_some(*into));
    co_return received.error() == std::errc::timed_out ? std::get<0>(both) : received.error();
}

TEST(cancel, ends_what_is_in_flight_and_keeps_the_socket_open) {
    connected<tcp_stream> pair;
    room into;
    EXPECT_EQ(run(cancelled_read(&pair.here, &into)), std::errc::operation_canceled);
    EXPECT_TRUE(pair.here.is_open());
}

task<std::error_code> closed_when_stopped(tcp_stream* which) {
    scheduler::current()->stop();
    const auto read = co_await read_once(which);
    const auto closed = co_await which->close();
    closed.value();
    co_return read;
}

TEST(close, works_while_everything_is_being_stopped) {
    connected<tcp_stream> pair;
    EXPECT_EQ(run(closed_when_stopped(&pair.here)), std::errc::operation_canceled);
    EXPECT_FALSE(pair.here.is_open());
    EXPECT_TRUE(peer_sees_the_end(pair.there));
}

task<void> close_within_nothing(tcp_stream* which) {
    const auto both = co_await when_all(read_once(which), with_timeout(0s, which->close()));
    static_cast<void>(both);
}

TEST(close, is_not_cut_short_by_a_time_limit) {
    connected<tcp_stream> pair;
    run(close_within_nothing(&pair.here));
    EXPECT_FALSE(pair.here.is_open());
    EXPECT_TRUE(peer_sees_the_end(pair.there));
}

task<bool> closed_for(tcp_stream* which) {
    const int before = which->native_handle();
    const auto closed = co_await which->close();
    closed.value();
    co_return ::fcntl(before, F_GETFD) == -1;
}
task<std::array<bool, 2>> close_from_two(tcp_stream* which) {
    const auto all = co_await when_all(read_once(which), closed_for(which), closed_for(which));
    co_return std::array{std::get<1>(all), std::get<2>(all)};
}

TEST(close, by_two_ends_for_both_when_it_is_closed) {
    connected<tcp_stream> pair;
    EXPECT_EQ(run(close_from_two(&pair.here)), (std::array{true, true}));
}

task<void> cancel_at_once(tcp_stream* which) {
    which->cancel();
    co_return;
}
task<std::error_code> cancelled_under_close(tcp_stream* which) {
    // Both are in flight when the socket, which has no descriptor any more, is told to cancel.
    const auto all = co_await when_all(
        closed_for(which), async::openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY),
        cancel_at_once(which), read_once(which)
    );
    co_return std::get<1>(all).error();
}

TEST(cancel, of_a_socket_that_is_being_closed_leaves_others_alone) {
    connected<tcp_stream> pair;
    EXPECT_FALSE(run(cancelled_under_close(&pair.here)));
}

} // namespace
} // namespace coronet::close_tests
