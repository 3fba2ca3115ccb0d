// SPDX-License-Identifier: BSL-1.0
//
// Sends by reference on a driver that follows a script: two completions, refusals, and a peer that
// takes its time.
#include "connected.hpp"
#include "coro/scripted_coroutines.hpp"

#include <coronet/coro/timeout.hpp>

#include <gtest/gtest.h>
#include <liburing.h>

#include <array>
#include <cerrno>
#include <limits>

#include <poll.h>

namespace coronet::zero_copy_script_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

constexpr std::array<std::byte, 5> five{};
constexpr std::int32_t copied = std::numeric_limits<std::int32_t>::min();

task<transfer> write_five(stream_socket* to) {
    co_return co_await to->write_all_zc(std::span<const std::byte>(five));
}
task<transfer> write_five_in_two(stream_socket* to) {
    auto bytes = five;
    std::array<iovec, 2> parts{iovec{bytes.data(), 2}, iovec{bytes.data() + 2, 3}};
    const std::span<iovec> both{parts};
    co_return co_await to->write_all_zc(both);
}
task<transfer> write_five_within(stream_socket* to, duration limit) {
    co_return co_await with_timeout(limit, to->write_all_zc(std::span<const std::byte>(five)));
}

class scripted_zero_copy : public scripted_coroutines {
protected:
    scripted_driver::fate& sends() { return script.on(IORING_OP_SEND_ZC); }
    /// The kernel has taken so much, and gives it back.
    scripted_driver::fate& sends(std::int32_t bytes, std::int32_t usage = 0) {
        return sends().first(bytes).complete(usage, IORING_CQE_F_NOTIF);
    }
    /// It takes all, and no cancel request finds it.
    scripted_driver::fate& keeps(duration time) {
        auto& kept = sends(5).after(time);
        for (int i = 0; i < 30; ++i)
            kept.cancel_ignored(-ENOENT);
        return kept;
    }
    /// The error that the peer reads.
    [[nodiscard]] int seen_by_peer() const {
        char byte = 0;
        return ::recv(pair.there.native_handle(), &byte, 1, MSG_DONTWAIT) < 0 ? errno : 0;
    }
    connected<tcp_stream> pair;
};

TEST_F(scripted_zero_copy, ends_with_its_notification_and_not_with_its_result) {
    sends(5).after(10ms);
    const auto before = script.now();
    EXPECT_EQ(finish(write_five(&pair.here)).bytes, 5u);
    EXPECT_EQ(script.now() - before, 10ms);
}

TEST_F(scripted_zero_copy, goes_on_with_the_rest_after_the_notification) {
    sends(2).after(10ms);
    sends(3);
    const auto before = script.now();
    EXPECT_EQ(finish(write_five(&pair.here)).bytes, 5u);
    EXPECT_EQ(script.times_of(IORING_OP_SEND_ZC)[1] - before, 10ms);
}

TEST_F(scripted_zero_copy, polls_if_the_descriptor_is_non_blocking) {
    sends(-EAGAIN);
    script.on(IORING_OP_POLL_ADD).complete(POLLOUT);
    sends(5);
    const auto sent = finish(write_five(&pair.here));
    EXPECT_TRUE(sent);
    EXPECT_EQ(sent.bytes, 5u);
    EXPECT_EQ(script.count(IORING_OP_POLL_ADD), 1u);
}

TEST_F(scripted_zero_copy, tells_an_error_that_came_before_the_notification) {
    sends(-EPIPE).after(10ms);
    const auto before = script.now();
    EXPECT_EQ(finish(write_five(&pair.here)).error, std::errc::broken_pipe);
    EXPECT_EQ(script.now() - before, 10ms);
}

TEST_F(scripted_zero_copy, that_is_refused_is_done_with_a_copy) {
    for (const int error : {EOPNOTSUPP, EINVAL, ENOMEM, ENOBUFS}) {
        sends().complete(-error);
        script.on(IORING_OP_SEND).complete(5);
        const auto sent = finish(write_five(&pair.here));
        EXPECT_TRUE(sent) << error;
        EXPECT_EQ(sent.bytes, 5u) << error;
    }
    EXPECT_EQ(script.count(IORING_OP_SEND_ZC), 4u);
    EXPECT_EQ(script.count(IORING_OP_SEND), 4u);
}

TEST_F(scripted_zero_copy, of_several_buffers_that_is_refused_is_done_with_a_copy) {
    script.on(IORING_OP_SENDMSG_ZC).complete(-EOPNOTSUPP);
    script.on(IORING_OP_SENDMSG).complete(5);
    EXPECT_EQ(finish(write_five_in_two(&pair.here)).bytes, 5u);
}

TEST_F(scripted_zero_copy, whose_copy_is_refused_too_tells_why) {
    sends().complete(-EINVAL);
    script.on(IORING_OP_SEND).complete(-EINVAL);
    EXPECT_EQ(finish(write_five(&pair.here)).error, std::errc::invalid_argument);
}

TEST_F(scripted_zero_copy, that_is_refused_for_the_rest_copies_only_that) {
    sends(3);
    sends(-ENOMEM).after(10ms); // with a notification: it is waited for, too
    script.on(IORING_OP_SEND).complete(2);
    const auto before = script.now();
    EXPECT_EQ(finish(write_five(&pair.here)).bytes, 5u);
    EXPECT_EQ(script.times_of(IORING_OP_SEND)[0] - before, 10ms);
}

TEST_F(scripted_zero_copy, that_is_refused_when_it_has_been_cancelled_is_not_begun_again) {
    sends().never().cancel_answered(0, -ENOBUFS);
    const auto sent = finish(write_five_within(&pair.here, 10ms));
    EXPECT_EQ(sent.error, std::errc::timed_out);
    EXPECT_EQ(sent.bytes, 0u);
    EXPECT_EQ(script.count(IORING_OP_SEND), 0u);
}

TEST_F(scripted_zero_copy, that_is_cancelled_waits_for_the_notification) {
    keeps(900ms);
    const auto before = script.now();
    const auto sent = finish(write_five_within(&pair.here, 10ms));
    EXPECT_TRUE(sent);
    EXPECT_EQ(sent.bytes, 5u);
    EXPECT_EQ(script.now() - before, 900ms);
    EXPECT_EQ(seen_by_peer(), EAGAIN); // connected, and nothing has come
}

TEST_F(scripted_zero_copy, that_is_cancelled_and_not_acknowledged_resets_the_connection) {
    keeps(3s);
    const auto sent = finish(write_five_within(&pair.here, 10ms));
    EXPECT_EQ(sent.error, std::errc::timed_out);
    EXPECT_EQ(sent.bytes, 5u);
    EXPECT_EQ(seen_by_peer(), ECONNRESET);
}

TEST_F(scripted_zero_copy, is_counted_and_so_is_what_was_copied_all_the_same) {
    sends(5);
    sends(5, copied);
    EXPECT_TRUE(finish(write_five(&pair.here)));
    const auto sent = finish(write_five(&pair.here));
    EXPECT_TRUE(sent); // the usage is no result
    EXPECT_EQ(test.loop.stats().zero_copy_sends, 2u);
    EXPECT_EQ(test.loop.stats().zero_copy_sends_copied, 1u);
}

TEST_F(scripted_zero_copy, that_is_cancelled_before_anything_was_taken_leaves_the_connection) {
    script.on(IORING_OP_SEND_ZC).first(-EAGAIN).complete(0, IORING_CQE_F_NOTIF);
    script.on(IORING_OP_POLL_ADD).never().cancel_answered(0, -ECANCELED);
    const auto told = finish(write_five_within(&pair.here, 10ms));
    EXPECT_EQ(told.bytes, 0u);
    EXPECT_EQ(seen_by_peer(), EAGAIN);
}

TEST_F(scripted_zero_copy, that_is_refused_after_each_poll_pauses) {
    for (int i = 0; i < 20; ++i) {
        script.on(IORING_OP_SEND_ZC).first(-EAGAIN).complete(0, IORING_CQE_F_NOTIF);
        script.on(IORING_OP_POLL_ADD).complete(POLLOUT);
    }
    sends(5);
    const auto begin = script.now();
    EXPECT_TRUE(finish(write_five(&pair.here)));
    EXPECT_GT(script.now() - begin, 500ms);
}

} // namespace
} // namespace coronet::zero_copy_script_tests
