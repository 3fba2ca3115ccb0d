// SPDX-License-Identifier: BSL-1.0
//
// What becomes of each answer of the kernel that is no result (C6): interruptions, cancellations
// that were asked for and that were not.
#include "sample_operation.hpp"
#include "scripted_scheduler.hpp"

#include <coronet/error.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include <poll.h>

namespace result_mapping_tests {
namespace {

using namespace std::chrono_literals;
using coronet::operation;
using coronet::testing::sample_operation;
using coronet::testing::scripted_scheduler;

constexpr int some_fd = 7;
const std::vector<int> interruptions{-EINTR, -512, -513, -514, -516};

/// An operation that has done its work although it was interrupted.
class done_anyway final : public operation {
public:
    void prepare(io_uring_sqe& sqe) noexcept override { io_uring_prep_close(&sqe, some_fd); }
    [[nodiscard]] std::string_view name() const noexcept override { return "close"; }
    [[nodiscard]] bool can_begin_again() const noexcept override { return false; }
    void run() noexcept override { ++runs; }
    int runs = 0;
};

TEST(result_mapping, C6_raw_restart_numbers_never_reach_the_user) {
    for (const int raw : interruptions) {
        {
            scripted_scheduler test; // nobody asked: it is submitted again
            sample_operation op{IORING_OP_SPLICE};
            test.script.on(IORING_OP_SPLICE).complete(raw);
            test.script.on(IORING_OP_SPLICE).complete(12);
            test.loop.start(op);
            test.finish(op);
            EXPECT_EQ(op.results, std::vector{12}) << raw;
        }
        {
            scripted_scheduler test; // nobody asked, and it cannot be submitted again
            done_anyway op;
            test.script.on(IORING_OP_CLOSE).complete(raw);
            test.loop.start(op);
            test.turn();
            EXPECT_EQ(op.runs, 1);
            EXPECT_EQ(op.res(), -EINTR) << raw;
        }
        {
            scripted_scheduler test; // somebody asked
            sample_operation op{IORING_OP_SPLICE};
            test.script.on(IORING_OP_SPLICE).never().cancel_answered(-EALREADY, raw);
            test.loop.start(op);
            test.turn();
            op.cancel();
            test.finish(op);
            EXPECT_EQ(op.results, std::vector{-ECANCELED}) << raw;
        }
        {
            scripted_scheduler test; // the scheduler ends
            sample_operation op{IORING_OP_SPLICE};
            test.script.on(IORING_OP_SPLICE).never().cancel_answered(-ENOENT, raw);
            test.loop.start(op);
            test.turn();
            test.loop.shutdown();
            EXPECT_EQ(op.results, std::vector{-ECANCELED}) << raw;
        }
    }
}

TEST(result_mapping, C6_a_cancellation_that_was_asked_for_is_one) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV};
    test.script.on(IORING_OP_RECV).never();
    test.loop.start(op);
    test.turn();
    op.cancel();
    test.finish(op);
    EXPECT_EQ(op.results, std::vector{-ECANCELED});
    EXPECT_EQ(op.prepared_count, 1);
    EXPECT_EQ(test.loop.stats().spurious_cancels, 0U);
    EXPECT_EQ(coronet::error_of_result(*op.end()), std::errc::operation_canceled);
}

TEST(result_mapping, C6_a_cancellation_while_the_scheduler_ends_is_one) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV};
    test.script.on(IORING_OP_RECV).never();
    test.loop.start(op);
    test.turn();
    test.loop.shutdown();
    EXPECT_EQ(op.results, std::vector{-ECANCELED});
    EXPECT_EQ(op.prepared_count, 1);
    EXPECT_EQ(test.loop.stats().spurious_cancels, 0U);
}

TEST(result_mapping, C6_an_interrupted_connect_waits_until_it_can_be_written_to) {
    for (const int raw : interruptions)
        for (const int end : {0, -ECONNREFUSED}) {
            scripted_scheduler test;
            sample_operation op{IORING_OP_CONNECT, {some_fd, POLLOUT}};
            test.script.on(IORING_OP_CONNECT).complete(raw);
            test.script.on(IORING_OP_CONNECT).complete(-EALREADY); // it goes on by itself
            test.script.on(IORING_OP_POLL_ADD).complete(POLLOUT).after(5ms);
            test.script.on(IORING_OP_CONNECT).complete(end);
            test.loop.start(op);
            test.finish(op);
            EXPECT_EQ(op.results, std::vector{end}) << raw;
            EXPECT_EQ(test.script.count(IORING_OP_POLL_ADD), 1U);
            EXPECT_EQ(test.script.count(IORING_OP_CONNECT), 3U);
        }
}

TEST(result_mapping, C6_an_unexplained_cancellation_is_tried_again_three_times) {
    for (int failures = 1; failures <= 4; ++failures) {
        scripted_scheduler test;
        sample_operation op{IORING_OP_READ};
        for (int i = 0; i < failures; ++i)
            test.script.on(IORING_OP_READ).complete(-ECANCELED);
        if (failures < 4) test.script.on(IORING_OP_READ).complete(5);
        const auto begin = test.script.now();
        test.loop.start(op);
        test.finish(op);
        const std::vector pauses{10ms, 60ms, 310ms, 310ms};
        EXPECT_EQ(test.script.now() - begin, pauses[static_cast<std::size_t>(failures - 1)]);
        if (failures < 4) {
            EXPECT_EQ(op.results, std::vector{5});
        } else {
            EXPECT_EQ(op.results, std::vector{operation::no_worker});
            EXPECT_EQ(coronet::error_of_result(*op.end()), coronet::errc::worker_unavailable);
        }
        EXPECT_EQ(test.loop.stats().spurious_cancels, static_cast<std::uint64_t>(failures));
    }
}

} // namespace
} // namespace result_mapping_tests
