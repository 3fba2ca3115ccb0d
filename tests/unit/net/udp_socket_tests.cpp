// SPDX-License-Identifier: BSL-1.0
//
// Datagrams: whole, empty, cut, and to whom they are sent.
#include "support/text.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/net/udp_socket.hpp>

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>

namespace coronet::udp_socket_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;
using room = std::array<std::byte, 16>;

task<result<std::size_t>> send_to(udp_socket* from, std::string_view text, endpoint to) {
    co_return co_await from->send_to(bytes_of(text), to);
}
task<result<std::size_t>> send(udp_socket* from, std::string_view text) {
    co_return co_await from->send(bytes_of(text));
}
task<result<datagram>> receive(udp_socket* on, std::span<std::byte> into) {
    co_return co_await with_timeout(5s, on->receive_from(into));
}
task<std::error_code> receive_within(udp_socket* on, std::span<std::byte> into, duration limit) {
    const auto received = co_await with_timeout(limit, on->receive_from(into));
    co_return received.error();
}

class udp : public ::testing::Test {
protected:
    endpoint address_of(const udp_socket& which) { return *which.local_endpoint(); }
    udp_socket here{endpoint::v4_loopback(0)};
    udp_socket there{endpoint::v4_loopback(0)};
    room into{};
};

TEST_F(udp, receives_a_datagram_and_its_sender) {
    EXPECT_EQ(*run(send_to(&there, "hello", address_of(here))), 5u);
    const auto came = run(receive(&here, into));
    ASSERT_TRUE(came);
    EXPECT_EQ(came->size, 5u);
    EXPECT_EQ(came->from, address_of(there));
    EXPECT_FALSE(came->truncated);
    EXPECT_EQ(text_of(std::span{into}.first(5)), "hello");
}

TEST_F(udp, keeps_datagrams_apart) {
    static_cast<void>(*run(send_to(&there, "one", address_of(here))));
    static_cast<void>(*run(send_to(&there, "three", address_of(here))));
    EXPECT_EQ(run(receive(&here, into))->size, 3u);
    EXPECT_EQ(run(receive(&here, into))->size, 5u);
}

TEST_F(udp, receives_an_empty_datagram) {
    EXPECT_EQ(*run(send_to(&there, "", address_of(here))), 0u);
    const auto came = run(receive(&here, into));
    ASSERT_TRUE(came);
    EXPECT_EQ(came->size, 0u);
    EXPECT_EQ(came->from, address_of(there));
}

TEST_F(udp, tells_when_a_datagram_was_longer_than_the_buffer) {
    static_cast<void>(*run(send_to(&there, "0123456789", address_of(here))));
    const auto came = run(receive(&here, std::span{into}.first(4)));
    ASSERT_TRUE(came);
    EXPECT_EQ(came->size, 4u);
    EXPECT_TRUE(came->truncated);
    EXPECT_EQ(text_of(std::span{into}.first(4)), "0123");
}

TEST_F(udp, sends_to_the_peer_that_it_is_connected_to) {
    ASSERT_TRUE(there.connect(address_of(here)));
    EXPECT_EQ(*run(send(&there, "hello")), 5u);
    EXPECT_EQ(run(receive(&here, into))->from, address_of(there));
}

TEST_F(udp, takes_datagrams_of_its_peer_only_once_it_is_connected) {
    udp_socket stranger{endpoint::v4_loopback(0)};
    ASSERT_TRUE(here.connect(address_of(there)));
    static_cast<void>(*run(send_to(&stranger, "no", address_of(here))));
    static_cast<void>(*run(send_to(&there, "yes", address_of(here))));
    EXPECT_EQ(run(receive(&here, into))->size, 3u);
}

TEST_F(udp, reports_a_datagram_that_is_too_long) {
    const std::string too_long(70'000, 'x');
    EXPECT_EQ(run(send_to(&there, too_long, address_of(here))).error(), std::errc::message_size);
}

TEST_F(udp, reports_a_peer_that_does_not_listen) {
    {
        udp_socket gone{endpoint::v4_loopback(0)};
        ASSERT_TRUE(there.connect(address_of(gone)));
    }
    static_cast<void>(*run(send(&there, "x")));
    EXPECT_EQ(run(receive(&there, into)).error(), std::errc::connection_refused);
}

TEST_F(udp, loses_no_datagram_to_a_receive_that_was_cancelled) {
    EXPECT_EQ(run(receive_within(&here, into, 5ms)), std::errc::timed_out);
    static_cast<void>(*run(send_to(&there, "late", address_of(here))));
    EXPECT_EQ(run(receive(&here, into))->size, 4u);
}

TEST_F(udp, works_over_ipv6) {
    std::optional<udp_socket> six;
    try {
        six.emplace(endpoint::v6_loopback(0));
    } catch (const std::system_error&) {
        GTEST_SKIP() << "no IPv6 here";
    }
    static_cast<void>(*run(send_to(&*six, "six", address_of(*six))));
    EXPECT_EQ(run(receive(&*six, into))->from, address_of(*six));
}

TEST_F(udp, reports_an_address_that_is_taken) {
    EXPECT_THROW(udp_socket{address_of(here)}, std::system_error);
}

} // namespace
} // namespace coronet::udp_socket_tests
