// SPDX-License-Identifier: BSL-1.0
//
// A socket knows what is in flight on it: cancel() and close() reach all of that and nothing else,
// and the descriptor is given back after the last terminal completion.
#include "connected.hpp"
#include "coro/scripted_coroutines.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/net/udp_socket.hpp>

#include <gtest/gtest.h>
#include <liburing.h>

#include <array>
#include <vector>

namespace coronet::own_operations_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;
using room = std::array<std::byte, 16>;

struct outcome {
    std::error_code read;
    std::error_code written;
    std::error_code other;
    std::uint64_t asked = 0;
};

task<void> read_one(tcp_stream* from, std::error_code* error) {
    room into;
    const auto received = co_await from->read_some(into);
    *error = received.error();
}
task<void> write_much(tcp_stream* to, std::error_code* error) {
    const std::vector<std::byte> much(20'000'000);
    const auto sent = co_await to->write_all(much);
    *error = sent.error;
}
task<void> cancel_the_first(tcp_stream* first, const tcp_stream* peer_of_second, outcome* seen) {
    for (int turn = 0; turn < 3; ++turn) {
        const auto passed = co_await async::nop();
        static_cast<void>(passed);
    }
    first->cancel();
    while (!seen->read || !seen->written) { // operation_canceled, both; or the test's time limit
        const auto passed = co_await async::nop();
        static_cast<void>(passed);
    }
    seen->asked = scheduler::current()->stats().cancels_sent;
    if (::write(peer_of_second->native_handle(), "x", 1) != 1)
        throw std::system_error(errno, std::generic_category(), "write");
}
task<void> cancel_one_of_two(tcp_stream* first, tcp_stream* second, tcp_stream* peer, outcome* to) {
    to->other = std::make_error_code(std::errc::state_not_recoverable);
    const auto all = co_await when_all(
        read_one(first, &to->read), write_much(first, &to->written), read_one(second, &to->other),
        cancel_the_first(first, peer, to)
    );
    static_cast<void>(all);
}

TEST(cancel, C9_asks_all_that_is_in_flight_on_its_own_socket_and_nothing_else) {
    connected<tcp_stream> first;
    connected<tcp_stream> second;
    run_options quiet;
    quiet.handle_signals = false;
    outcome seen;
    run(cancel_one_of_two(&first.here, &second.here, &second.there, &seen), quiet);
    EXPECT_EQ(seen.read, std::errc::operation_canceled);
    EXPECT_EQ(seen.written, std::errc::operation_canceled);
    EXPECT_EQ(seen.asked, 2u);
    EXPECT_EQ(seen.other, std::error_code{}) << "another socket's read was cancelled";
}

using scripted_close = scripted_coroutines;

task<void> close_later(udp_socket* which) {
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    const auto closed = co_await which->close();
    closed.value();
}
task<std::error_code> receive(udp_socket* from) {
    room into;
    const auto received = co_await from->receive_from(into);
    co_return received.error();
}
task<std::error_code> close_under_a_receive(udp_socket* which) {
    const auto both = co_await when_all(receive(which), close_later(which));
    co_return std::get<0>(both);
}

TEST_F(scripted_close, C9_gives_the_descriptor_back_after_the_last_terminal_completion) {
    udp_socket socket{endpoint::v4_loopback(0)};
    const unique_fd number{socket.native_handle()}; // the script's close closes nothing
    script.on(IORING_OP_RECVMSG).never().cancel_ignored(-EALREADY).cancel_ignored(-ENOENT);
    script.on(IORING_OP_CLOSE).complete(0);
    const auto begin = script.now();
    EXPECT_EQ(finish(close_under_a_receive(&socket)), std::errc::operation_canceled);
    EXPECT_EQ(script.count(IORING_OP_ASYNC_CANCEL), 3u);
    ASSERT_EQ(script.count(IORING_OP_CLOSE), 1u);
    EXPECT_GE(script.times_of(IORING_OP_CLOSE).front(), begin + 30ms); // asked again after 10, 20
}

} // namespace
} // namespace coronet::own_operations_tests
