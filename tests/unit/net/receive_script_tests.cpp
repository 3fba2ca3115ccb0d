// SPDX-License-Identifier: BSL-1.0
//
// Streams of received data on a driver that follows a script: the moves of their operation, in the
// order that a kernel has once in a million runs.
#include "coro/scripted_coroutines.hpp"

#include <coronet/detail/buffer_pool.hpp>
#include <coronet/net/unix_stream.hpp>

#include <gtest/gtest.h>
#include <liburing.h>

#include <memory>
#include <string>
#include <vector>

namespace coronet::receive_script_tests {
namespace {

using namespace std::chrono_literals;
using test::is_open;

/// The bytes are '0', '1', ... '9', '0' ... in the order in which the script gives them.
class scripted_receive : public test::scripted_coroutines {
protected:
    scripted_driver::fate& receives() { return script.on(IORING_OP_RECV); }
    [[nodiscard]] std::size_t requests() const { return script.count(IORING_OP_RECV); }
    /// Time passes, and requests to cancel are repeated, until nothing is in flight.
    void settle() {
        for (int turn = 0; turn < 1'000 && test.loop.in_flight_count() > 0; ++turn)
            test.loop.run_once(time_point::max());
        EXPECT_EQ(test.loop.in_flight_count(), 0u);
    }
    [[nodiscard]] detail::buffer_pool& pool() { return test.loop.receive_buffers(); }

    unix_stream peer{unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)}};
};

std::string said(const result<received_buffer>& piece) {
    if (!piece) return piece.error().message();
    return {reinterpret_cast<const char*>(piece->data()), piece->size()};
}
std::string words(std::errc error) {
    return std::make_error_code(error).message();
}
using strings = std::vector<std::string>;

/// What `count` calls of next() give.
task<strings> read(receive_stream* from, int count) {
    strings seen;
    for (int i = 0; i < count; ++i) {
        const auto piece = co_await from->next();
        seen.push_back(said(piece));
    }
    co_return seen;
}

TEST_F(scripted_receive, gives_pieces_in_order_by_one_request_and_then_the_error) {
    receives().first(3).first(4).complete(-ECONNRESET);
    auto incoming = peer.receive();
    const strings expected{"012", "3456", words(std::errc::connection_reset)};
    EXPECT_EQ(finish(read(&incoming, 3)), expected);
    EXPECT_EQ(requests(), 1u);
}

TEST_F(scripted_receive, R1_goes_on_when_the_kernel_has_ended_the_request_without_an_error) {
    receives().first(1).complete(2).after(10ms); // no F_MORE
    receives().first(3).complete(0);
    auto incoming = peer.receive();
    EXPECT_EQ(finish(read(&incoming, 2)), (strings{"0", "12"}));
    test.turn();
    EXPECT_EQ(requests(), 2u); // nobody asks for the next piece yet
    EXPECT_EQ(finish(read(&incoming, 2)), (strings{"345", ""}));
}

TEST_F(scripted_receive, R8_asks_for_one_piece_at_a_time_where_multishot_is_unknown) {
    receives().complete(-EINVAL);
    receives().complete(2);
    receives().complete(3);
    receives().complete(0);
    auto incoming = peer.receive();
    const strings expected{"01", "234", ""};
    EXPECT_EQ(finish(read(&incoming, 3)), expected);
    EXPECT_EQ(requests(), 4u);
}

TEST_F(scripted_receive, tells_what_is_refused_again) {
    receives().complete(-EINVAL);
    receives().complete(-EINVAL);
    auto incoming = peer.receive();
    EXPECT_EQ(finish(read(&incoming, 1)), strings{words(std::errc::invalid_argument)});
}

TEST_F(scripted_receive, R8_takes_a_block_itself_where_rings_of_buffers_are_unknown) {
    script.know_no_buffers();
    receives().complete(2);
    receives().complete(3);
    receives().complete(0);
    auto incoming = peer.receive();
    const auto seen = finish(read(&incoming, 3));
    ASSERT_EQ(seen.size(), 3u); // the script writes only where it chooses the buffer
    EXPECT_EQ(seen[0].size(), 2u);
    EXPECT_EQ(seen[1].size(), 3u);
    EXPECT_EQ(seen[2], "");
    EXPECT_EQ(pool().available(), pool().block_count());
}

// ---- want of buffers ----

TEST_F(scripted_receive, R5_that_finds_no_buffer_asks_again_at_once_when_there_are_some) {
    receives().complete(-ENOBUFS);
    receives().complete(-ENOBUFS);
    receives().first(2).complete(0);
    auto incoming = peer.receive();
    const strings expected{"01", ""};
    EXPECT_EQ(finish(read(&incoming, 2)), expected);
    EXPECT_EQ(requests(), 3u);
}

// ---- the window ----

receive_options three_blocks() {
    receive_options options;
    options.window = 3 * scheduler_options{}.receive_buffers.size;
    return options;
}

TEST_F(scripted_receive, R2_pauses_when_its_window_is_full_and_goes_on_at_half) {
    auto& held = receives();
    held.first(1).first(1).first(1).first(1).never();
    receives().first(1).complete(0);
    auto incoming = peer.receive(three_blocks());
    const strings expected{"0", "1", "2", "3", "4", ""};
    strings seen;
    {
        const auto one = finish(read(&incoming, 1)); // three are kept
        settle();                                    // the request has been cancelled
        EXPECT_EQ(requests(), 1u);
        EXPECT_EQ(script.count(IORING_OP_ASYNC_CANCEL), 1u);
        const auto second = finish(read(&incoming, 1)); // two are kept: more than half
        EXPECT_EQ(requests(), 1u);
        const auto third = finish(read(&incoming, 1)); // one is
        test.turn();
        EXPECT_EQ(requests(), 2u);
        const auto rest = finish(read(&incoming, 3));
        for (const auto& each : {one, second, third, rest})
            seen.insert(seen.end(), each.begin(), each.end());
    }
    EXPECT_EQ(seen, expected);
}

TEST_F(scripted_receive, R2_that_pauses_gives_what_comes_with_the_end_of_its_request) {
    receives().first(1).first(1).first(1).first(1).cancel_answered(0, 2);
    receives().complete(0);
    auto incoming = peer.receive(three_blocks());
    strings seen = finish(read(&incoming, 1));
    settle();
    const auto rest = finish(read(&incoming, 5));
    seen.insert(seen.end(), rest.begin(), rest.end());
    EXPECT_EQ(seen, (strings{"0", "1", "2", "3", "45", ""}));
}

TEST_F(scripted_receive, R2_that_pauses_tells_the_end_that_comes_instead) {
    receives().first(1).first(1).first(1).first(1).cancel_answered(0, 0);
    auto incoming = peer.receive(three_blocks());
    strings seen = finish(read(&incoming, 1));
    settle();
    const auto rest = finish(read(&incoming, 4));
    seen.insert(seen.end(), rest.begin(), rest.end());
    EXPECT_EQ(seen, (strings{"0", "1", "2", "3", ""}));
    EXPECT_EQ(requests(), 1u);
}

TEST_F(scripted_receive, R3_that_is_cancelled_while_it_pauses_tells_that_once) {
    receives().first(1).first(1).first(1).first(1).cancel_ignored(-EALREADY);
    receives().complete(0);
    auto incoming = peer.receive(three_blocks());
    strings seen = finish(read(&incoming, 1));
    incoming.cancel();
    settle();
    const auto rest = finish(read(&incoming, 5));
    seen.insert(seen.end(), rest.begin(), rest.end());
    EXPECT_EQ(seen, (strings{"0", "1", "2", "3", words(std::errc::operation_canceled), ""}));
}

// ---- cancelling and dropping ----

TEST_F(scripted_receive, that_is_cancelled_gives_what_comes_before_its_end) {
    receives().first(1).cancel_ignored(-EALREADY).cancel_answered(0, 2);
    auto incoming = peer.receive();
    strings seen = finish(read(&incoming, 1));
    incoming.cancel();
    settle();
    const auto rest = finish(read(&incoming, 2));
    seen.insert(seen.end(), rest.begin(), rest.end());
    EXPECT_EQ(seen, (strings{"0", "12", words(std::errc::operation_canceled)}));
}

TEST_F(scripted_receive, R4_that_is_dropped_gives_back_what_arrives_late) {
    receives().first(1).first(1).cancel_ignored(-EALREADY).cancel_answered(0, 2);
    {
        auto incoming = peer.receive();
        EXPECT_EQ(finish(read(&incoming, 1)), strings{"0"});
        EXPECT_EQ(pool().available(), pool().block_count() - 1); // "1" is kept
    }
    test.turn(); // it was dropped outside of the loop
    EXPECT_EQ(pool().available(), pool().block_count());
    settle(); // another piece comes with the end of the request
    EXPECT_EQ(pool().available(), pool().block_count());
}

TEST_F(scripted_receive, R4_that_is_dropped_holds_its_socket_open_until_the_request_has_ended) {
    receives().first(1).cancel_ignored(-EALREADY);
    const int number = peer.native_handle();
    {
        auto moved = std::make_unique<unix_stream>(std::move(peer));
        auto incoming = moved->receive();
        EXPECT_EQ(finish(read(&incoming, 1)), strings{"0"});
        { const auto dropped = std::move(incoming); }
        moved.reset();
    }
    EXPECT_TRUE(is_open(number));
    settle();
    EXPECT_FALSE(is_open(number));
}

} // namespace
} // namespace coronet::receive_script_tests
