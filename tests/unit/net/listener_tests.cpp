// SPDX-License-Identifier: BSL-1.0
//
// Listeners and connecting, for TCP and unix sockets alike.
#include "connected.hpp"
#include "support/open_files.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>

#include <gtest/gtest.h>

#include <array>
#include <optional>

#include <netinet/tcp.h>
#include <sys/resource.h>

namespace coronet::listener_tests {
namespace {

using namespace std::chrono_literals;
using test::free_endpoint;

template <class Stream>
class listener : public ::testing::Test {};
using streams = ::testing::Types<tcp_stream, unix_stream>;
TYPED_TEST_SUITE(listener, streams, test::stream_names);

template <class Stream>
task<std::string> exchange(basic_listener<Stream>* from) {
    const auto at = from->local_endpoint();
    auto both = co_await when_all(from->accept(), Stream::connect(*at));
    auto& [accepted, connected] = both;
    if (!accepted) co_return accepted.error().message();
    if (!connected) co_return connected.error().message();
    std::array<std::byte, 1> byte{std::byte{7}};
    const auto sent = co_await connected->write_all(byte);
    std::array<std::byte, 1> got{};
    const auto received = co_await accepted->read_some(got);
    co_return sent&& received&& got == byte ? "same" : "different";
}

TYPED_TEST(listener, accepts_what_connects) {
    basic_listener<TypeParam> from{free_endpoint<TypeParam>()};
    EXPECT_EQ(run(exchange(&from)), "same");
}

template <class Stream>
task<std::error_code> connect_to(endpoint peer) {
    const auto connected = co_await Stream::connect(peer);
    co_return connected.error();
}

TYPED_TEST(listener, is_refused_to_others_once_it_is_gone) {
    std::optional<basic_listener<TypeParam>> from{free_endpoint<TypeParam>()};
    const endpoint at = *from->local_endpoint();
    from.reset();
    const auto before = test::open_file_count();
    EXPECT_EQ(run(connect_to<TypeParam>(at)), std::errc::connection_refused);
    EXPECT_EQ(test::open_file_count(), before);
}

template <class Stream>
task<std::error_code> accept_within(basic_listener<Stream>* from, duration limit) {
    const auto accepted = co_await with_timeout(limit, from->accept());
    co_return accepted.error();
}

TYPED_TEST(listener, stops_accepting_when_a_time_limit_has_passed) {
    basic_listener<TypeParam> from{free_endpoint<TypeParam>()};
    EXPECT_EQ(run(accept_within(&from, 5ms)), std::errc::timed_out);
    EXPECT_EQ(run(exchange(&from)), "same") << "the cancelled accept took the connection";
}

template <class Stream>
task<std::error_code> accept_until_closed(basic_listener<Stream>* from) {
    const auto accepted = co_await from->accept();
    co_return accepted.error();
}
template <class Stream>
task<void> close_soon(basic_listener<Stream>* from) {
    const auto slept = co_await sleep_for(1ms);
    slept.value();
    const auto closed = co_await from->close();
    closed.value();
}
template <class Stream>
task<std::error_code> accept_and_close(basic_listener<Stream>* from) {
    const auto both = co_await when_all(accept_until_closed(from), close_soon(from));
    co_return std::get<0>(both);
}

TYPED_TEST(listener, can_be_bound_again_at_once_after_closing_with_an_accept_in_flight) {
    std::optional<basic_listener<TypeParam>> from{free_endpoint<TypeParam>()};
    const endpoint at = *from->local_endpoint();
    listen_options options;
    options.reuse_address = false;
    for (int round = 0; round < 100; ++round) {
        ASSERT_EQ(run(accept_and_close(&*from)), std::errc::operation_canceled);
        ASSERT_FALSE(from->is_open());
        ASSERT_NO_THROW(from.emplace(at, options)) << "in round " << round;
    }
}

TYPED_TEST(listener, reports_an_address_that_is_taken) {
    basic_listener<TypeParam> from{free_endpoint<TypeParam>()};
    const endpoint at = *from.local_endpoint();
    try {
        basic_listener<TypeParam> second{at};
        FAIL() << "bound twice";
    } catch (const std::system_error& thrown) {
        EXPECT_EQ(thrown.code(), std::errc::address_in_use);
        EXPECT_NE(std::string(thrown.what()).find("bind " + at.to_string()), std::string::npos);
    }
}

template <class Stream>
task<std::error_code> connect_with(inplace_stop_token token, endpoint peer) {
    const auto connected = co_await with_stop(token, Stream::connect(peer));
    co_return connected.error();
}

TYPED_TEST(listener, sees_no_connection_of_a_stopped_branch) {
    basic_listener<TypeParam> from{free_endpoint<TypeParam>()};
    const auto before = test::open_file_count();
    inplace_stop_source source;
    source.request_stop();
    EXPECT_EQ(
        run(connect_with<TypeParam>(source.get_token(), *from.local_endpoint())),
        std::errc::operation_canceled
    );
    EXPECT_EQ(test::open_file_count(), before);
    EXPECT_EQ(run(accept_within(&from, 1ms)), std::errc::timed_out);
}

/// While it lives, no descriptor can be opened.
class no_descriptor_left {
public:
    no_descriptor_left() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit none = before_;
        none.rlim_cur = 0;
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    ~no_descriptor_left() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    no_descriptor_left(const no_descriptor_left&) = delete;
    no_descriptor_left& operator=(const no_descriptor_left&) = delete;

private:
    rlimit before_{};
};

template <class Stream>
task<std::pair<std::error_code, bool>> accept_without_descriptors(basic_listener<Stream>* from) {
    // UBSan opens a pipe when it first meets a type with virtual functions: it meets this one here.
    const auto first = co_await from->accept();
    std::error_code refused = first.error();
    {
        const no_descriptor_left exhausted;
        const auto accepted = co_await from->accept();
        refused = accepted.error();
    }
    const auto again = co_await with_timeout(5s, from->accept());
    co_return std::pair{refused, again.has_value()};
}

TYPED_TEST(listener, keeps_a_connection_for_which_no_descriptor_was_left) {
    basic_listener<TypeParam> from{free_endpoint<TypeParam>()};
    const endpoint at = *from.local_endpoint();
    const unique_fd clients[2]{
        unique_fd{::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)},
        unique_fd{::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)}};
    for (const unique_fd& client : clients)
        ASSERT_EQ(::connect(client.get(), at.data(), at.size()), 0);
    const auto [refused, accepted_later] = run(accept_without_descriptors(&from));
    EXPECT_EQ(refused, std::errc::too_many_files_open);
    EXPECT_TRUE(accepted_later);
}

// ---- TCP only ----

TEST(tcp_listener, picks_a_free_port_when_asked_for_port_0) {
    tcp_listener from{endpoint::v4_loopback(0)};
    EXPECT_NE(from.local_endpoint()->port(), 0);
}

TEST(tcp_listener, shares_its_port_when_told_so) {
    listen_options options;
    options.reuse_port = true;
    tcp_listener first{endpoint::v4_loopback(0), options};
    EXPECT_NO_THROW((tcp_listener{*first.local_endpoint(), options}));
}

TEST(tcp_listener, accepts_over_ipv6) {
    std::optional<tcp_listener> from;
    try {
        from.emplace(endpoint::v6_loopback(0));
    } catch (const std::system_error&) {
        GTEST_SKIP() << "no IPv6 here";
    }
    EXPECT_EQ(run(exchange(&*from)), "same");
}

task<std::pair<bool, bool>> delays(tcp_listener* from) {
    const auto at = from->local_endpoint();
    auto both = co_await when_all(from->accept(), tcp_stream::connect(*at));
    const auto accepted = std::get<0>(both)->get<no_delay>();
    const auto connected = std::get<1>(both)->get<no_delay>();
    co_return std::pair{accepted->value(), connected->value()};
}

TEST(tcp_listener, gives_streams_that_send_at_once) {
    tcp_listener from{endpoint::v4_loopback(0)};
    const auto [accepted, connected] = run(delays(&from));
    EXPECT_TRUE(accepted);
    EXPECT_TRUE(connected);
}

} // namespace
} // namespace coronet::listener_tests
