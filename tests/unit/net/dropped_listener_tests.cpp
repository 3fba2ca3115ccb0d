// SPDX-License-Identifier: BSL-1.0
//
// A stream of connections and then its listener are dropped before the request has ended, perhaps
// before it has reached the kernel. Until then the listener's number must not mean another file:
// the kernel would accept from that one, and what nobody waits for is closed.
#include "connected.hpp"
#include "coro/scripted_coroutines.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/when_any.hpp>

#include <gtest/gtest.h>
#include <liburing.h>

#include <algorithm>
#include <array>

#include <poll.h>

namespace coronet::dropped_listener_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

task<void> at_once() {
    co_return;
}

/// Gives the number of the listener.
task<int> drop_before_the_request_leaves() {
    tcp_listener listener{endpoint::v4_loopback(0)};
    auto connections = listener.accept_multishot();
    const auto first = co_await when_any(connections.next(), at_once());
    static_cast<void>(first);
    co_return listener.native_handle();
}

struct outcome {
    bool number_was_free = true; // before the request had ended
    bool ended = false;
    bool number_is_free = false; // afterwards
};
task<outcome> drop_and_take_its_number(const tcp_listener* other) {
    outcome seen;
    const int number = co_await drop_before_the_request_leaves();
    const unique_fd taken{::fcntl(other->native_handle(), F_DUPFD_CLOEXEC, number)};
    seen.number_was_free = taken.get() == number;
    const auto deadline = clock::now() + 5s;
    while (scheduler::current()->in_flight_count() > 0 && clock::now() < deadline) {
        const auto turn = co_await sleep_for(100us);
        static_cast<void>(turn);
    }
    seen.ended = scheduler::current()->in_flight_count() == 0;
    seen.number_is_free = !is_open(number);
    co_return seen;
}

TEST(dropped_listener, C9_keeps_its_number_from_others_until_its_request_has_ended) {
    const tcp_listener other{endpoint::v4_loopback(0)};
    const endpoint at = *other.local_endpoint();
    const unique_fd client{::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
    ASSERT_EQ(::connect(client.get(), at.data(), at.size()), 0);

    run_options quiet;
    quiet.handle_signals = false;
    const outcome seen = run(drop_and_take_its_number(&other), quiet);
    EXPECT_FALSE(seen.number_was_free);
    EXPECT_TRUE(seen.ended);
    EXPECT_TRUE(seen.number_is_free) << "the listener's descriptor leaks";
    pollfd backlog{other.native_handle(), POLLIN, 0};
    EXPECT_EQ(::poll(&backlog, 1, 0), 1) << "its connection was taken and closed";
}

// ---- several streams ----

using scripted_drop = scripted_coroutines;

task<int> drop_three_streams() {
    tcp_listener listener{endpoint::v4_loopback(0)};
    auto first = listener.accept_multishot();
    auto second = listener.accept_multishot();
    auto third = listener.accept_multishot();
    const auto any = co_await when_any(first.next(), second.next(), third.next(), at_once());
    static_cast<void>(any);
    co_return listener.native_handle();
}

TEST_F(scripted_drop, L15_gives_the_descriptor_back_with_the_last_of_its_requests) {
    std::array<int, 3> requests{0, 1, 2}; // how often each is asked in vain
    do {
        for (const int in_vain : requests) {
            auto& request = script.on(IORING_OP_ACCEPT).never();
            for (int i = 0; i < in_vain; ++i)
                request.cancel_ignored(-EALREADY);
        }
        const int number = finish(drop_three_streams());
        for (int turn = 0; turn < 100 && test.loop.in_flight_count() > 0; ++turn) {
            ASSERT_TRUE(is_open(number)) << test.loop.in_flight_count() << " are in flight";
            test.loop.run_once(time_point::max());
        }
        ASSERT_EQ(test.loop.in_flight_count(), 0u);
        EXPECT_FALSE(is_open(number));
    } while (std::ranges::next_permutation(requests).found);
}

} // namespace
} // namespace coronet::dropped_listener_tests
