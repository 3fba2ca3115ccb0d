// SPDX-License-Identifier: BSL-1.0
//
// Datagrams and unix sockets of Asio's classes on the ring.
#include "native_pair.hpp"
#include "which_asio.hpp"

#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/local.hpp>
#include <coronet/net/asio/udp.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <optional>
#include <string>

#include <unistd.h>

namespace coronet::asiox::native_datagram_tests {
namespace {

using net::buffer;

struct told {
    std::optional<error_code> error;
    std::size_t count = 0;
};
auto note(told& into) {
    return [&into](error_code error, std::size_t count) { into = {error, count}; };
}

struct udp_pair {
    explicit udp_pair(io_context& context)
        : executor{context.get_executor()},
          one{executor, {net::ip::address_v4::loopback(), 0}},
          other{executor, {net::ip::address_v4::loopback(), 0}} {}
    asiox::executor executor;
    asiox::udp::socket one;
    asiox::udp::socket other;
};

TEST(asio_native_datagram, AN1_receive_from_tells_who_sent) {
    io_context context;
    udp_pair pair{context};
    std::array<char, 16> bytes{};
    asiox::udp::endpoint sender;
    told received;
    told sent;
    pair.other.async_receive_from(buffer(bytes), sender, note(received));
    pair.one.async_send_to(buffer("abc", 3), pair.other.local_endpoint(), note(sent));
    test::run_to_the_end(context);
    EXPECT_EQ(received.count, 3u);
    EXPECT_EQ(sent.count, 3u);
    EXPECT_EQ(sender, pair.one.local_endpoint());
}

TEST(asio_native_datagram, AN5_an_empty_one_is_real) {
    io_context context;
    udp_pair pair{context};
    std::array<char, 16> bytes{};
    asiox::udp::endpoint sender;
    told received;
    pair.other.async_receive_from(buffer(bytes), sender, note(received));
    context.poll();
    EXPECT_FALSE(received.error.has_value());
    pair.one.async_send_to(
        net::const_buffer(), pair.other.local_endpoint(), [](error_code, std::size_t) {}
    );
    test::run_to_the_end(context);
    ASSERT_TRUE(received.error.has_value());
    EXPECT_FALSE(*received.error);
    EXPECT_EQ(received.count, 0u);
    EXPECT_EQ(sender, pair.one.local_endpoint());
}

TEST(asio_native_datagram, AN5_connected_ones_receive_and_send) {
    io_context context;
    udp_pair pair{context};
    pair.one.connect(pair.other.local_endpoint());
    pair.other.connect(pair.one.local_endpoint());
    std::array<char, 16> bytes{};
    told received;
    pair.other.async_receive(buffer(bytes), note(received));
    pair.one.async_send(net::const_buffer(), [](error_code, std::size_t) {});
    test::run_to_the_end(context);
    ASSERT_TRUE(received.error.has_value());
    EXPECT_FALSE(*received.error); // an empty datagram is no end
}

TEST(asio_native_datagram, AN3_cancel_ends_a_receive_and_leaves_the_endpoint_alone) {
    io_context context;
    udp_pair pair{context};
    std::array<char, 16> bytes{};
    asiox::udp::endpoint sender = pair.one.local_endpoint();
    told received;
    pair.other.async_receive_from(buffer(bytes), sender, note(received));
    context.poll();
    pair.other.cancel();
    test::run_to_the_end(context);
    ASSERT_TRUE(received.error.has_value());
    EXPECT_EQ(*received.error, net::error::operation_aborted);
    EXPECT_EQ(sender, pair.one.local_endpoint());
}

TEST(asio_native_local, AN1_streams_accept_connect_and_talk) {
    io_context context;
    const asiox::executor executor{context.get_executor()};
    const std::string name = std::string{'\0'} + "coronet-" + std::to_string(::getpid());
    asiox::local_stream::acceptor listening{executor, asiox::local_stream::endpoint{name}};
    asiox::local_stream::socket client{executor};
    asiox::local_stream::socket server{executor};
    std::array<char, 16> bytes{};
    told received;
    listening.async_accept(server, [&](error_code error) {
        if (!error) server.async_read_some(buffer(bytes), note(received));
    });
    client.async_connect(listening.local_endpoint(), [&](error_code error) {
        if (!error) client.async_write_some(buffer("abc", 3), [](error_code, std::size_t) {});
    });
    test::run_to_the_end(context);
    EXPECT_EQ(received.count, 3u);
}

TEST(asio_native_local, AN1_a_pair_of_datagram_sockets_talks) {
    io_context context;
    const asiox::executor executor{context.get_executor()};
    asiox::local_datagram::socket one{executor};
    asiox::local_datagram::socket other{executor};
    net::local::connect_pair(one, other);
    std::array<char, 16> bytes{};
    told received;
    other.async_receive(buffer(bytes), note(received));
    one.async_send(buffer("abcd", 4), [](error_code, std::size_t) {});
    test::run_to_the_end(context);
    EXPECT_EQ(received.count, 4u);
}

} // namespace
} // namespace coronet::asiox::native_datagram_tests
