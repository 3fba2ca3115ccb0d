// SPDX-License-Identifier: BSL-1.0
//
// Byte streams, TCP and unix: what reads and writes give, whole and in part.
#include "connected.hpp"
#include "support/text.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/timeout.hpp>

#include <gtest/gtest.h>

#include <array>

namespace coronet::stream_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;
using room = std::array<std::byte, 16>;

template <class Stream>
class stream : public ::testing::Test {
protected:
    void peer_sends(std::string_view text) {
        ASSERT_EQ(
            ::send(pair.there.native_handle(), text.data(), text.size(), 0),
            static_cast<ssize_t>(text.size())
        );
    }
    void peer_finishes() { ::shutdown(pair.there.native_handle(), SHUT_WR); }
    [[nodiscard]] std::string peer_receives(std::size_t size) {
        std::string text(size, '\0');
        const auto got = ::recv(pair.there.native_handle(), text.data(), size, MSG_WAITALL);
        text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
        return text;
    }
    connected<Stream> pair;
};
using streams = ::testing::Types<tcp_stream, unix_stream>;
TYPED_TEST_SUITE(stream, streams, stream_names);

// ---- reading ----

task<result<std::size_t>> read_some(stream_socket* from, std::span<std::byte> into) {
    co_return co_await from->read_some(into);
}
task<transfer> read_exactly(stream_socket* from, std::span<std::byte> into) {
    co_return co_await from->read_exactly(into);
}
task<transfer> read_exactly_within(stream_socket* from, std::span<std::byte> into, duration limit) {
    co_return co_await with_timeout(limit, from->read_exactly(into));
}

TYPED_TEST(stream, read_some_gives_what_has_come) {
    this->peer_sends("hello");
    room into;
    EXPECT_EQ(*run(read_some(&this->pair.here, into)), 5u);
    EXPECT_EQ(text_of(std::span{into}.first(5)), "hello");
}

TYPED_TEST(stream, read_some_gives_zero_when_the_peer_has_finished) {
    this->peer_finishes();
    room into;
    EXPECT_EQ(*run(read_some(&this->pair.here, into)), 0u);
}

TYPED_TEST(stream, read_some_into_nothing_gives_zero_at_once) {
    EXPECT_EQ(*run(read_some(&this->pair.here, {})), 0u);
}

task<result<std::size_t>> read_two(stream_socket* from, room* first, room* second) {
    const std::array<iovec, 2> parts{iovec{first->data(), 2}, iovec{second->data(), 16}};
    co_return co_await from->read_some(std::span<const iovec>(parts));
}

TYPED_TEST(stream, read_some_fills_one_buffer_after_the_other) {
    this->peer_sends("hello");
    room first;
    room second;
    EXPECT_EQ(*run(read_two(&this->pair.here, &first, &second)), 5u);
    EXPECT_EQ(text_of(std::span{first}.first(2)), "he");
    EXPECT_EQ(text_of(std::span{second}.first(3)), "llo");
}

TYPED_TEST(stream, read_exactly_gives_all_that_was_asked_for) {
    this->peer_sends("0123456789");
    room into;
    const auto done = run(read_exactly(&this->pair.here, std::span{into}.first(4)));
    EXPECT_TRUE(done);
    EXPECT_EQ(done.bytes, 4u);
    EXPECT_EQ(*run(read_some(&this->pair.here, into)), 6u);
}

TYPED_TEST(stream, read_exactly_reports_the_bytes_before_the_end) {
    this->peer_sends("hello");
    this->peer_finishes();
    room into;
    const auto done = run(read_exactly(&this->pair.here, into));
    EXPECT_EQ(done.bytes, 5u);
    EXPECT_EQ(done.error, errc::end_of_stream);
    EXPECT_EQ(text_of(std::span{into}.first(5)), "hello");
}

TYPED_TEST(stream, read_exactly_reports_the_bytes_before_it_was_cancelled) {
    this->peer_sends("hello");
    room into;
    const auto done = run(read_exactly_within(&this->pair.here, into, 20ms));
    EXPECT_EQ(done.bytes, 5u);
    EXPECT_EQ(done.error, std::errc::timed_out);
    EXPECT_EQ(text_of(std::span{into}.first(5)), "hello");
    this->peer_sends("x");
    EXPECT_EQ(*run(read_some(&this->pair.here, into)), 1u);
}

TYPED_TEST(stream, read_exactly_nothing_ends_at_once) {
    const auto done = run(read_exactly(&this->pair.here, {}));
    EXPECT_TRUE(done);
    EXPECT_EQ(done.bytes, 0u);
}

// ---- writing ----

task<result<std::size_t>> write_some(stream_socket* to, std::string_view text) {
    co_return co_await to->write_some(bytes_of(text));
}
task<transfer> write_all(stream_socket* to, std::string_view text) {
    co_return co_await to->write_all(bytes_of(text));
}

TYPED_TEST(stream, write_some_sends_to_the_peer) {
    EXPECT_EQ(*run(write_some(&this->pair.here, "hello")), 5u);
    EXPECT_EQ(this->peer_receives(5), "hello");
}

TYPED_TEST(stream, write_all_sends_to_the_peer) {
    const auto done = run(write_all(&this->pair.here, "hello"));
    EXPECT_TRUE(done);
    EXPECT_EQ(done.bytes, 5u);
    EXPECT_EQ(this->peer_receives(5), "hello");
}

TYPED_TEST(stream, write_all_of_nothing_ends_at_once) {
    EXPECT_TRUE(run(write_all(&this->pair.here, {})));
}

task<transfer> write_three(stream_socket* to) {
    std::string first = "he";
    std::string second;
    std::string third = "llo";
    std::array<iovec, 3> parts{
        iovec{first.data(), first.size()}, iovec{second.data(), second.size()},
        iovec{third.data(), third.size()}};
    co_return co_await to->write_all(std::span<iovec>(parts));
}

TYPED_TEST(stream, write_all_sends_one_buffer_after_the_other) {
    const auto done = run(write_three(&this->pair.here));
    EXPECT_TRUE(done);
    EXPECT_EQ(done.bytes, 5u);
    EXPECT_EQ(this->peer_receives(5), "hello");
}

task<std::error_code> write_until_error(stream_socket* to) {
    for (int i = 0; i < 100; ++i) {
        const auto sent = co_await to->write_all(bytes_of("x"));
        if (!sent) co_return sent.error;
    }
    co_return std::error_code{};
}

TYPED_TEST(stream, write_all_reports_a_peer_that_is_gone_without_a_signal) {
    this->pair.there = TypeParam{};
    const auto error = run(write_until_error(&this->pair.here));
    EXPECT_TRUE(error == std::errc::broken_pipe || error == std::errc::connection_reset)
        << error.message();
}

// ---- ending ----

task<result<void>> finish(stream_socket* which, shutdown_of what) {
    co_return co_await which->shutdown(what);
}

TYPED_TEST(stream, shutdown_of_sending_ends_what_the_peer_reads) {
    EXPECT_TRUE(run(finish(&this->pair.here, shutdown_of::sending)));
    EXPECT_EQ(this->peer_receives(1), "");
    this->peer_sends("still");
    room into;
    EXPECT_EQ(*run(read_some(&this->pair.here, into)), 5u);
    EXPECT_EQ(run(write_all(&this->pair.here, "x")).error, std::errc::broken_pipe);
}

TYPED_TEST(stream, shutdown_of_both_ends_reading_too) {
    EXPECT_TRUE(run(finish(&this->pair.here, shutdown_of::both)));
    room into;
    EXPECT_EQ(*run(read_some(&this->pair.here, into)), 0u);
}

TYPED_TEST(stream, gives_its_descriptor_up) {
    const int fd = this->pair.here.native_handle();
    const unique_fd released = this->pair.here.release();
    EXPECT_EQ(released.get(), fd);
    EXPECT_FALSE(this->pair.here.is_open());
}

TYPED_TEST(stream, is_moved_with_its_connection) {
    TypeParam moved = std::move(this->pair.here);
    EXPECT_FALSE(this->pair.here.is_open());
    EXPECT_TRUE(run(write_all(&moved, "hello")));
    EXPECT_EQ(this->peer_receives(5), "hello");
    this->pair.here = std::move(moved);
    EXPECT_FALSE(moved.is_open());
    EXPECT_TRUE(run(write_all(&this->pair.here, "again")));
}

TYPED_TEST(stream, without_a_descriptor_reports_it) {
    TypeParam empty;
    room into;
    EXPECT_EQ(run(read_some(&empty, into)).error(), std::errc::bad_file_descriptor);
    EXPECT_EQ(run(write_all(&empty, "x")).error, std::errc::bad_file_descriptor);
}

// ---- TCP and unix on their own ----

TEST(tcp_stream, knows_both_ends) {
    connected<tcp_stream> pair;
    EXPECT_EQ(*pair.here.remote_endpoint(), *pair.there.local_endpoint());
    EXPECT_EQ(*pair.there.remote_endpoint(), *pair.here.local_endpoint());
}

TEST(tcp_stream, reports_a_reset_by_the_peer) {
    connected<tcp_stream> pair;
    pair.there.set(coronet::linger{0s}).value();
    pair.there = tcp_stream{};
    room into;
    EXPECT_EQ(run(read_some(&pair.here, into)).error(), std::errc::connection_reset);
    EXPECT_EQ(run(write_all(&pair.here, "x")).error, std::errc::broken_pipe);
}

TEST(tcp_stream, read_exactly_reports_the_bytes_before_a_reset) {
    connected<tcp_stream> pair;
    pair.there.set(coronet::linger{0s}).value();
    ASSERT_EQ(::send(pair.there.native_handle(), "ab", 2, 0), 2);
    pair.there = tcp_stream{};
    room into;
    const auto done = run(read_exactly(&pair.here, into));
    EXPECT_EQ(done.bytes, 2u);
    EXPECT_TRUE(done.error == std::errc::connection_reset || done.error == errc::end_of_stream)
        << done.error.message();
}

TEST(unix_stream, pair_gives_two_streams_that_are_each_others_peer) {
    auto pair = unix_stream::pair();
    ASSERT_TRUE(pair);
    EXPECT_TRUE(run(write_all(&pair->first, "hello")));
    room into;
    EXPECT_EQ(*run(read_some(&pair->second, into)), 5u);
}

} // namespace
} // namespace coronet::stream_tests
