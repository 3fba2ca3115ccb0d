// SPDX-License-Identifier: BSL-1.0
//
// Sends by reference over real sockets: the same results as those of ordinary ones wherever they
// cannot be had, and no buffer back before the kernel has let go of it.
#include "connected.hpp"
#include "pattern.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>
#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <future>
#include <vector>

#include <sys/socket.h>

#ifdef CORONET_HOOKS
#include "support/script.hpp"
#endif

namespace coronet::zero_copy_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

constexpr std::size_t bulk = 8'000'000;
using bytes_view = std::span<const std::byte>;

template <class Stream>
class zero_copy : public ::testing::Test {
protected:
    connected<Stream> pair;
    const std::vector<std::byte> data = pattern(0, bulk);
};
using streams = ::testing::Types<tcp_stream, unix_stream>;
TYPED_TEST_SUITE(zero_copy, streams, stream_names);

task<transfer> write_and_finish(stream_socket* to, bytes_view data) {
    const auto sent = co_await to->write_all_zc(data);
    const auto finished = co_await to->shutdown(shutdown_of::sending);
    static_cast<void>(finished);
    co_return sent;
}
task<transfer> write_parts_and_finish(stream_socket* to, bytes_view data) {
    constexpr std::size_t part = 7'001;
    std::vector<iovec> parts;
    for (std::size_t at = 0; at < data.size(); at += part)
        parts.push_back({const_cast<std::byte*>(&data[at]), std::min(part, data.size() - at)}
                        // NOLINT
        );
    const std::span<iovec> all{parts};
    const auto sent = co_await to->write_all_zc(all);
    const auto finished = co_await to->shutdown(shutdown_of::sending);
    static_cast<void>(finished);
    co_return sent;
}
task<std::pair<transfer, received>> with_reader(task<transfer> writer, stream_socket* there) {
    auto both = co_await when_all(std::move(writer), receive_pattern(there));
    co_return std::pair{std::get<0>(both), std::get<1>(both)};
}
const received all_of_it{bulk, true, {}};

TYPED_TEST(zero_copy, reaches_the_reader_whole) {
    auto writer = write_and_finish(&this->pair.here, this->data);
    const auto [sent, got] = run(with_reader(std::move(writer), &this->pair.there));
    EXPECT_TRUE(sent);
    EXPECT_EQ(sent.bytes, bulk);
    EXPECT_EQ(got, all_of_it);
}

TYPED_TEST(zero_copy, of_more_buffers_than_one_call_takes_reaches_the_reader_whole) {
    auto writer = write_parts_and_finish(&this->pair.here, this->data);
    const auto [sent, got] = run(with_reader(std::move(writer), &this->pair.there));
    EXPECT_TRUE(sent);
    EXPECT_EQ(sent.bytes, bulk);
    EXPECT_EQ(got, all_of_it);
}

task<transfer> write(stream_socket* to, bytes_view data) {
    co_return co_await to->write_all_zc(data);
}

TYPED_TEST(zero_copy, of_nothing_is_done_at_once) {
    const auto sent = run(write(&this->pair.here, {}));
    EXPECT_TRUE(sent);
    EXPECT_EQ(sent.bytes, 0u);
}

TYPED_TEST(zero_copy, to_a_peer_that_has_gone_is_an_error_and_no_signal) {
    ::shutdown(this->pair.here.native_handle(), SHUT_WR);
    const auto sent = run(write(&this->pair.here, this->data));
    EXPECT_EQ(sent.error, std::errc::broken_pipe);
    EXPECT_EQ(sent.bytes, 0u);
}

task<transfer> write_within(stream_socket* to, bytes_view data, duration limit) {
    co_return co_await with_timeout(limit, to->write_all_zc(data));
}

TYPED_TEST(zero_copy, that_is_cancelled_tells_what_the_kernel_took) {
    const auto sent = run(write_within(&this->pair.here, this->data, 20ms));
    EXPECT_EQ(sent.error, std::errc::timed_out);
    EXPECT_GT(sent.bytes, 0u);
    EXPECT_LT(sent.bytes, bulk);
}

// ---- where the kernel does it ----

class zero_copy_on_a_ring : public ::testing::Test {
protected:
    /// Less than here can be queued, and more than there.
    static constexpr std::size_t size = 256 * 1024;

    zero_copy_on_a_ring() {
        const int large = 8 * 1024 * 1024; // as much as may be had
        ::setsockopt(pair.here.native_handle(), SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
    }
    /// All that comes: how much, and the error of the last recv(2).
    [[nodiscard]] received peer_receives() const {
        received got;
        std::vector<std::byte> room(size);
        for (;;) {
            const auto n = ::recv(pair.there.native_handle(), room.data(), room.size(), 0);
            if (n < 0) got.error.assign(errno, std::generic_category());
            if (n <= 0) return got;
            for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i)
                got.in_order = got.in_order && room[i] == byte_at(got.bytes++);
        }
    }
    connected<tcp_stream> pair;
    std::vector<std::byte> data = pattern(0, size);
};

task<scheduler_stats> write_and_count(stream_socket* to, bytes_view data) {
    const auto sent = co_await write_and_finish(to, data);
    EXPECT_TRUE(sent);
    co_return scheduler::current()->stats();
}

TEST_F(zero_copy_on_a_ring, is_counted_and_over_the_loopback_copied) {
    auto reader = std::async(std::launch::async, [this] { return peer_receives(); });
    const auto stats = run(write_and_count(&pair.here, data));
    EXPECT_EQ(reader.get(), (received{size, true, {}}));
    EXPECT_GT(stats.zero_copy_sends, 0u);
    EXPECT_EQ(stats.zero_copy_sends_copied, stats.zero_copy_sends);
}

#ifdef CORONET_HOOKS

task<transfer> write_and_overwrite(
    stream_socket* to, std::vector<std::byte>* data, std::promise<void>* overwritten
) {
    const bytes_view all{*data};
    const auto sent = co_await to->write_all_zc(all);
    std::ranges::fill(*data, std::byte{'x'});
    overwritten->set_value();
    const auto finished = co_await to->shutdown(shutdown_of::sending);
    static_cast<void>(finished);
    co_return sent;
}

TEST_F(zero_copy_on_a_ring, does_not_give_the_buffer_back_before_the_peer_has_read) {
    std::promise<void> overwritten;
    std::future<received> reader;
    bool too_early = false;
    script play;
    play.once(point::sent_by_reference, [&] {
        reader = std::async(std::launch::async, [&, done = overwritten.get_future()] {
            too_early = done.wait_for(50ms) == std::future_status::ready;
            return peer_receives();
        });
    });
    const auto sent = run(write_and_overwrite(&pair.here, &data, &overwritten));
    EXPECT_EQ(sent.bytes, size);
    EXPECT_EQ(reader.get(), (received{size, true, {}}));
    EXPECT_FALSE(too_early);
}

TEST_F(zero_copy_on_a_ring, ends_when_the_peer_resets) {
    script play;
    play.once(point::sent_by_reference, [&] {
        const ::linger at_once{1, 0};
        ::setsockopt(pair.there.native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        pair.there = tcp_stream{};
    });
    const auto sent = run(write(&pair.here, data));
    EXPECT_TRUE(sent); // taken, it was
    EXPECT_EQ(sent.bytes, size);
    const auto next = run(write(&pair.here, data));
    EXPECT_FALSE(next);
}

TEST_F(zero_copy_on_a_ring, of_a_stopped_scheduler_resets_a_peer_that_does_not_read) {
    script play;
    play.once(point::sent_by_reference, [] { scheduler::current()->stop(); });
    const auto sent = run(write(&pair.here, data));
    EXPECT_EQ(sent.error, std::errc::operation_canceled);
    EXPECT_EQ(sent.bytes, size);
    const auto got = peer_receives();
    EXPECT_TRUE(got.in_order);
    EXPECT_LT(got.bytes, size);
    EXPECT_EQ(got.error, std::errc::connection_reset);
}

task<result<void>> close_at(tcp_stream* which, const bool* when) {
    while (!*when) {
        const auto slept = co_await sleep_for(1ms);
        if (!slept) break;
    }
    co_return co_await which->close();
}
task<std::pair<transfer, result<void>>>
write_and_close(tcp_stream* here, bytes_view data, const bool* when) {
    auto both = co_await when_all(here->write_all_zc(data), close_at(here, when));
    co_return std::pair{std::get<0>(both), std::get<1>(both)};
}

TEST_F(zero_copy_on_a_ring, of_a_socket_that_is_closed_resets_a_peer_that_does_not_read) {
    bool taken = false;
    script play;
    play.once(point::sent_by_reference, [&] { taken = true; });
    const auto [sent, closed] = run(write_and_close(&pair.here, data, &taken));
    EXPECT_EQ(sent.error, std::errc::operation_canceled);
    EXPECT_EQ(sent.bytes, size);
    EXPECT_TRUE(closed);
    EXPECT_EQ(peer_receives().error, std::errc::connection_reset);
}

#endif

} // namespace
} // namespace coronet::zero_copy_tests
