// SPDX-License-Identifier: BSL-1.0
//
// A connection that is received from as a stream takes nothing from the heap: neither for pieces
// that somebody waits for, nor for those that are kept; nor does the next connection.
#include "round_trips.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/net/unix_stream.hpp>

#include <gtest/gtest.h>

#include <array>
#include <utility>

namespace coronet::receive_tests {
namespace {

using namespace test;

task<void> echo(unix_stream* peer) {
    auto incoming = peer->receive();
    for (;;) {
        const auto received = co_await incoming.next();
        if (!received || received->empty()) co_return;
        const auto sent = co_await peer->write_all(received->bytes());
        if (!sent) co_return;
    }
}
/// Two are under way at a time: one of them is kept.
task<bool> two_round_trips(unix_stream* peer, message* buffer) {
    const auto first = co_await peer->write_all(*buffer);
    const auto second = co_await peer->write_all(*buffer);
    const auto back = co_await peer->read_exactly(*buffer);
    const auto again = co_await peer->read_exactly(*buffer);
    const bool all_done = first && second && back && again;
    co_return all_done;
}

TEST(steady_state, of_a_receive_stream_allocates_nothing) {
    auto pair = unix_stream::pair();
    ASSERT_TRUE(pair);
    auto served = echo(&pair->second);
    EXPECT_EQ(run(allocations_of_both(two_round_trips, std::move(served), &pair->first)), 0u);
}

task<bool> one_stream(unix_stream* client, unix_stream* server) {
    auto incoming = server->receive();
    const message buffer{};
    const auto sent = co_await client->write_all(buffer);
    const auto received = co_await incoming.next();
    incoming.cancel();
    const auto ended = co_await incoming.next();
    const bool all_done = sent && received.has_value() && !ended;
    co_return all_done;
}
task<std::size_t> allocations_of_streams(unix_stream* client, unix_stream* server) {
    std::size_t before = 0;
    for (int i = 0; i < warm_up + rounds; ++i) {
        if (i == warm_up) before = allocation_count();
        const bool done = co_await one_stream(client, server);
        if (!done) co_return std::size_t{999'999};
    }
    co_return allocation_count() - before;
}

TEST(steady_state, of_receive_streams_that_come_and_go_allocates_nothing) {
    auto pair = unix_stream::pair();
    ASSERT_TRUE(pair);
    EXPECT_EQ(run(allocations_of_streams(&pair->first, &pair->second)), 0u);
}

} // namespace
} // namespace coronet::receive_tests
