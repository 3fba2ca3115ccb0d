// SPDX-License-Identifier: BSL-1.0
//
// Races of addresses: the first connection wins, what is silent gets a rival, what refuses is
// followed at once, and nothing of the losers is left.
#include "support/open_files.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/net/connect.hpp>
#include <coronet/net/tcp_listener.hpp>

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <vector>

#include <poll.h>
#include <sys/socket.h>

namespace coronet::connect_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

/// Listens, and answers nobody any more: its backlog is full.
class silent_port {
public:
    explicit silent_port(endpoint at) : fd_(::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        if (::bind(fd_.get(), at.data(), at.size()) < 0 || ::listen(fd_.get(), 0) < 0)
            throw std::system_error(errno, std::generic_category(), "listen");
        where_ = *local_endpoint(fd_.get());
        for (unique_fd& each : fillers_) {
            each.reset(::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
            static_cast<void>(::connect(each.get(), where_.data(), where_.size()));
        }
    }
    [[nodiscard]] const endpoint& where() const { return where_; }

private:
    unique_fd fd_;
    endpoint where_;
    std::array<unique_fd, 4> fillers_;
};

/// Nobody listens there.
endpoint refusing(endpoint at) {
    const unique_fd fd{::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (::bind(fd.get(), at.data(), at.size()) < 0)
        throw std::system_error(errno, std::generic_category(), "bind");
    return *local_endpoint(fd.get());
}

bool has_v6() {
    try {
        refusing(endpoint::v6_loopback(0));
        return true;
    } catch (const std::system_error&) {
        return false;
    }
}

task<result<endpoint>> peer_of(std::vector<endpoint> peers, connect_options options) {
    auto stream = co_await connect_to_any(std::move(peers), options);
    if (!stream) co_return stream.error();
    co_return stream->remote_endpoint();
}

connect_options delay(duration time) {
    connect_options options;
    options.attempt_delay = time;
    return options;
}

TEST(connect_to_any, takes_the_only_one) {
    const tcp_listener listener{endpoint::v4_loopback(0)};
    const endpoint at = *listener.local_endpoint();
    EXPECT_EQ(*run(peer_of({at}, {})), at);
    EXPECT_EQ(run(peer_of({}, {})).error(), std::errc::invalid_argument);
}

TEST(connect_to_any, goes_on_at_once_where_it_is_refused) {
    const tcp_listener listener{endpoint::v4_loopback(0)};
    const endpoint at = *listener.local_endpoint();
    const auto before = open_file_count();
    const endpoint one = refusing(endpoint::v4_loopback(0));
    const endpoint other = refusing(endpoint::v4_loopback(0));
    const auto begin = clock::now();
    EXPECT_EQ(*run(peer_of({one, other, at}, delay(1h))), at);
    EXPECT_LT(clock::now() - begin, 5s);
    EXPECT_EQ(open_file_count(), before);
}

TEST(connect_to_any, gives_the_silent_a_rival_after_the_delay) {
    const silent_port silent{endpoint::v4_loopback(0)};
    const tcp_listener listener{endpoint::v4_loopback(0)};
    const endpoint at = *listener.local_endpoint();
    const auto before = open_file_count();
    const auto begin = clock::now();
    EXPECT_EQ(*run(peer_of({silent.where(), at}, delay(50ms))), at);
    EXPECT_GE(clock::now() - begin, 50ms);
    EXPECT_LT(clock::now() - begin, 900ms) << "a silent one is tried again after a second";
    EXPECT_EQ(open_file_count(), before) << "the loser has not been closed";
}

TEST(connect_to_any, has_families_take_turns) {
    if (!has_v6()) GTEST_SKIP() << "no IPv6 here";
    const silent_port first{endpoint::v6_loopback(0)}, second{endpoint::v6_loopback(0)};
    const tcp_listener listener{endpoint::v4_loopback(0)};
    const endpoint at = *listener.local_endpoint();
    const auto begin = clock::now();
    // With both of the other family before it, it would be tried after twice the delay.
    EXPECT_EQ(*run(peer_of({first.where(), second.where(), at}, delay(400ms))), at);
    EXPECT_LT(clock::now() - begin, 790ms);
}

TEST(connect_to_any, does_not_try_those_behind_the_winner) {
    const tcp_listener listener{endpoint::v4_loopback(0)};
    const tcp_listener never{endpoint::v4_loopback(0)};
    const endpoint at = *listener.local_endpoint();
    EXPECT_EQ(*run(peer_of({at, *never.local_endpoint()}, {})), at);
    pollfd waiting{never.native_handle(), POLLIN, 0};
    EXPECT_EQ(::poll(&waiting, 1, 0), 0);
}

TEST(connect_to_any, gives_one_stream_when_two_win_at_once) {
    const tcp_listener one{endpoint::v4_loopback(0)}, other{endpoint::v4_loopback(0)};
    const auto before = open_file_count();
    for (int round = 0; round < 50; ++round) {
        const auto peers = std::vector{*one.local_endpoint(), *other.local_endpoint()};
        EXPECT_TRUE(run(peer_of(peers, delay(0ms))));
        ASSERT_EQ(open_file_count(), before);
    }
}

TEST(connect_to_any, gives_the_most_telling_error_whatever_the_order) {
    const endpoint refused = refusing(endpoint::v4_loopback(0));
    const endpoint unreachable = *endpoint::parse("224.0.0.1:80"); // no host
    const auto error = run(peer_of({unreachable}, {})).error();
    ASSERT_EQ(error, std::errc::network_unreachable);
    EXPECT_EQ(run(peer_of({refused, unreachable}, {})).error(), std::errc::connection_refused);
    EXPECT_EQ(run(peer_of({unreachable, refused}, {})).error(), std::errc::connection_refused);
}

task<result<endpoint>> peer_within(duration limit, std::vector<endpoint> peers) {
    co_return co_await with_timeout(limit, peer_of(std::move(peers), delay(10ms)));
}

TEST(connect_to_any, that_is_cancelled_leaves_no_attempt) {
    const silent_port one{endpoint::v4_loopback(0)}, other{endpoint::v4_loopback(0)};
    const auto before = open_file_count();
    EXPECT_EQ(run(peer_within(50ms, {one.where(), other.where()})).error(), std::errc::timed_out);
    EXPECT_EQ(open_file_count(), before);
}

task<result<endpoint>> peer_by_name(resolver* names, std::string host, std::uint16_t port) {
    auto stream = co_await connect(names, std::move(host), port);
    if (!stream) co_return stream.error();
    co_return stream->remote_endpoint();
}

TEST(connect, finds_the_host_by_its_name) {
    const tcp_listener listener{endpoint::v4_loopback(0)};
    const endpoint at = *listener.local_endpoint();
    resolver names;
    EXPECT_EQ(*run(peer_by_name(&names, "localhost", at.port())), at);
    EXPECT_EQ(*run(peer_by_name(&names, "127.0.0.1", at.port())), at);
    const auto port = refusing(endpoint::v4_loopback(0)).port();
    EXPECT_EQ(run(peer_by_name(&names, "127.0.0.1", port)).error(), std::errc::connection_refused);
}

} // namespace
} // namespace coronet::connect_tests
