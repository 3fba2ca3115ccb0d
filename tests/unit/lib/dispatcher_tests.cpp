// SPDX-License-Identifier: BSL-1.0
//
// What becomes of an operation between start() and its end, whatever the driver answers: no
// interruption, full queue or empty socket reaches the one who waits.
#include "sample_operation.hpp"
#include "scripted_scheduler.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <vector>

#include <poll.h>

namespace dispatcher_tests {
namespace {

using namespace std::chrono_literals;
using coronet::operation;
using coronet::testing::sample_operation;
using coronet::testing::scripted_scheduler;

constexpr int some_fd = 7;
const operation::subject readable{some_fd, POLLIN};

/// A restart request, or EINTR itself.
const std::vector<int> interruptions{-EINTR, -512, -513, -514, -516};

std::vector<int> opcodes_of(const coronet::scripted_driver& script) {
    std::vector<int> opcodes;
    for (const auto& each : script.taken())
        opcodes.push_back(each.opcode);
    return opcodes;
}

TEST(dispatcher, brings_an_operation_to_its_end) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV};
    test.script.on(IORING_OP_RECV).complete(5);
    test.loop.start(op);
    EXPECT_FALSE(op.idle());
    EXPECT_FALSE(op.ended()); // not inside start()
    EXPECT_EQ(test.loop.in_flight_count(), 1U);
    test.finish(op);
    EXPECT_EQ(op.end(), 5);
    EXPECT_TRUE(op.idle());
    EXPECT_EQ(test.loop.in_flight_count(), 0U);
    EXPECT_EQ(test.loop.stats().operations, 1U);
}

TEST(dispatcher, delivers_an_error_of_the_kernel_as_it_is) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV, readable};
    test.script.on(IORING_OP_RECV).complete(-ECONNRESET);
    test.loop.start(op);
    test.finish(op);
    EXPECT_EQ(op.end(), -ECONNRESET);
    EXPECT_EQ(op.prepared_count, 1);
}

TEST(dispatcher, delivers_completions_in_the_order_of_the_driver) {
    scripted_scheduler test;
    std::vector<int> order;
    sample_operation slow{IORING_OP_RECV}, quick{IORING_OP_RECV};
    slow.at_end = [&] { order.push_back(2); };
    quick.at_end = [&] { order.push_back(1); };
    test.script.on(IORING_OP_RECV).complete(2).after(20ms);
    test.script.on(IORING_OP_RECV).complete(1).after(10ms);
    test.loop.start(slow);
    test.loop.start(quick);
    test.finish(slow);
    EXPECT_EQ(order, (std::vector{1, 2}));
}

TEST(dispatcher, delivers_all_completions_of_a_multishot_and_ends_it_once) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_ACCEPT};
    test.script.on(IORING_OP_ACCEPT).first(10).first(11).complete(-EINVAL);
    test.loop.start(op);
    test.finish(op);
    EXPECT_EQ(op.results, (std::vector{10, 11, -EINVAL}));
    EXPECT_EQ(op.ended_count, 1);
}

TEST(dispatcher, lets_an_operation_start_again_from_its_own_completion) {
    scripted_scheduler test;
    sample_operation op;
    op.at_end = [&] {
        if (op.ended_count < 3) test.loop.start(op);
    };
    test.loop.start(op);
    while (op.ended_count < 3)
        test.turn();
    EXPECT_TRUE(op.idle());
    EXPECT_EQ(op.results.size(), 3U);
}

TEST(dispatcher, C2_gives_each_submission_of_one_operation_another_id) {
    scripted_scheduler test;
    sample_operation op;
    test.loop.start(op);
    test.finish(op);
    test.loop.start(op);
    while (op.ended_count < 2)
        test.turn();
    const auto& taken = test.script.taken();
    ASSERT_EQ(taken.size(), 2U);
    EXPECT_NE(taken[0].id, taken[1].id);
    constexpr std::uint64_t address = (std::uint64_t{1} << 48) - 1;
    EXPECT_EQ(taken[0].id & address, taken[1].id & address); // it is the generation that differs
}

// ---- interruptions ----

TEST(dispatcher, submits_again_what_was_interrupted) {
    for (const int interruption : interruptions) {
        scripted_scheduler test;
        sample_operation op{IORING_OP_RECV};
        test.script.on(IORING_OP_RECV).complete(interruption);
        test.script.on(IORING_OP_RECV).complete(interruption);
        test.script.on(IORING_OP_RECV).complete(5);
        test.loop.start(op);
        test.finish(op);
        EXPECT_EQ(op.results, (std::vector{5})) << interruption;
        EXPECT_EQ(op.prepared_count, 3);
        EXPECT_EQ(test.loop.stats().restarts, 2U);
    }
}

TEST(dispatcher, does_not_begin_again_what_was_done_although_it_was_interrupted) {
    class done_anyway final : public operation {
    public:
        void prepare(io_uring_sqe& sqe) noexcept override { io_uring_prep_close(&sqe, some_fd); }
        [[nodiscard]] std::string_view name() const noexcept override { return "close"; }
        [[nodiscard]] bool can_begin_again() const noexcept override { return false; }
        void run() noexcept override { over = true; }
        bool over = false;
    };
    for (const int interruption : interruptions) {
        scripted_scheduler test;
        done_anyway op;
        test.script.on(IORING_OP_CLOSE).complete(interruption);
        test.loop.start(op);
        test.turn();
        EXPECT_TRUE(op.over);
        EXPECT_EQ(op.res(), -EINTR) << interruption;
        EXPECT_EQ(test.script.count(IORING_OP_CLOSE), 1U);
    }
}

TEST(dispatcher, reports_an_interruption_that_was_asked_for_as_a_cancellation) {
    for (const int interruption : interruptions) {
        scripted_scheduler test;
        sample_operation op{IORING_OP_SPLICE};
        test.script.on(IORING_OP_SPLICE).never().cancel_answered(-EALREADY, interruption);
        test.loop.start(op);
        test.turn();
        op.cancel();
        test.finish(op);
        EXPECT_EQ(op.results, (std::vector{-ECANCELED})) << interruption;
    }
}

// ---- a descriptor that is non-blocking ----

TEST(dispatcher, answers_eagain_by_waiting_for_the_descriptor_and_trying_again) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV, readable};
    test.script.on(IORING_OP_RECV).complete(-EAGAIN);
    test.script.on(IORING_OP_POLL_ADD).complete(POLLIN).after(5ms);
    test.script.on(IORING_OP_RECV).complete(3);
    test.loop.start(op);
    test.finish(op);
    EXPECT_EQ(op.results, (std::vector{3}));
    EXPECT_EQ(
        opcodes_of(test.script),
        (std::vector<int>{IORING_OP_RECV, IORING_OP_POLL_ADD, IORING_OP_RECV})
    );
    EXPECT_EQ(test.script.taken()[1].fd, some_fd);
}

TEST(dispatcher, waits_for_the_descriptor_as_often_as_it_must) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV, readable};
    for (int i = 0; i < 5; ++i) {
        test.script.on(IORING_OP_RECV).complete(-EAGAIN);
        test.script.on(IORING_OP_POLL_ADD).complete(POLLIN);
    }
    test.script.on(IORING_OP_RECV).complete(3);
    test.loop.start(op);
    test.finish(op);
    EXPECT_EQ(op.results, (std::vector{3}));
}

TEST(dispatcher, pauses_where_it_is_refused_although_the_descriptor_is_ready) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_CONNECT, {some_fd, POLLOUT}};
    for (int i = 0; i < 10; ++i) {
        test.script.on(IORING_OP_CONNECT).complete(-EAGAIN);
        test.script.on(IORING_OP_POLL_ADD).complete(POLLOUT);
    }
    test.script.on(IORING_OP_CONNECT).complete(0);
    const auto begin = test.script.now();
    test.loop.start(op);
    test.finish(op);
    EXPECT_EQ(op.results, (std::vector{0}));
    // The first wait is a poll alone; then 1, 2, 4 ... 64, 64, 64 ms.
    EXPECT_EQ(test.script.now() - begin, (1 + 2 + 4 + 8 + 16 + 32 + 64 + 64 + 64) * 1ms);
}

TEST(dispatcher, waits_for_the_descriptor_again_after_another_was_quicker) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_ACCEPT, readable};
    test.script.on(IORING_OP_ACCEPT).complete(-EAGAIN);
    test.script.on(IORING_OP_POLL_ADD).complete(POLLIN).after(1s);
    test.script.on(IORING_OP_ACCEPT).complete(-EAGAIN);
    test.script.on(IORING_OP_POLL_ADD).complete(POLLIN).after(1h); // nobody comes for long
    test.script.on(IORING_OP_ACCEPT).complete(9);
    const auto begin = test.script.now();
    test.loop.start(op);
    test.finish(op);
    EXPECT_EQ(op.results, (std::vector{9}));
    EXPECT_GE(test.script.now() - begin, 1h); // it is not tried in between
    EXPECT_EQ(test.script.count(IORING_OP_ACCEPT), 3U);
}

// As kernels end a multishot accept on a non-blocking listener when its backlog is empty.
TEST(dispatcher, waits_without_a_pause_where_there_were_results_since_the_last_refusal) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_ACCEPT, readable};
    for (int i = 0; i < 10; ++i) {
        test.script.on(IORING_OP_ACCEPT).first(100 + i).complete(-EAGAIN);
        test.script.on(IORING_OP_POLL_ADD).complete(POLLIN);
    }
    test.script.on(IORING_OP_ACCEPT).complete(200);
    const auto begin = test.script.now();
    test.loop.start(op);
    test.finish(op);
    EXPECT_EQ(op.results.size(), 11U);
    EXPECT_EQ(test.script.count(IORING_OP_POLL_ADD), 10U);
    EXPECT_EQ(test.script.now(), begin);
}

TEST(dispatcher, cancels_what_pauses_after_a_refusal) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_ACCEPT, readable};
    test.script.on(IORING_OP_ACCEPT).complete(-EAGAIN);
    test.script.on(IORING_OP_POLL_ADD).complete(POLLIN);
    test.script.on(IORING_OP_ACCEPT).complete(-EAGAIN);
    const auto begin = test.script.now();
    test.loop.start(op);
    for (int turn = 0; turn < 5; ++turn)
        test.turn();
    op.cancel();
    test.turn();
    EXPECT_EQ(op.results, (std::vector{-ECANCELED}));
    EXPECT_EQ(test.script.now(), begin);
}

TEST(dispatcher, waits_for_a_connection_that_is_being_made_already) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_CONNECT, {some_fd, POLLOUT}};
    test.script.on(IORING_OP_CONNECT).complete(-EINTR);
    test.script.on(IORING_OP_CONNECT).complete(-EALREADY);
    test.script.on(IORING_OP_POLL_ADD).complete(POLLOUT);
    test.script.on(IORING_OP_CONNECT).complete(0);
    test.loop.start(op);
    test.finish(op);
    EXPECT_EQ(op.results, (std::vector{0}));
}

TEST(dispatcher, delivers_eagain_of_an_operation_that_cannot_wait) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV, {some_fd, 0}};
    test.script.on(IORING_OP_RECV).complete(-EAGAIN);
    test.loop.start(op);
    test.finish(op);
    EXPECT_EQ(op.results, (std::vector{-EAGAIN}));
}

TEST(dispatcher, delivers_what_went_wrong_while_it_waited_for_the_descriptor) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV, readable};
    test.script.on(IORING_OP_RECV).complete(-EAGAIN);
    test.script.on(IORING_OP_POLL_ADD).complete(-EBADF);
    test.loop.start(op);
    test.finish(op);
    EXPECT_EQ(op.results, (std::vector{-EBADF}));
}

TEST(dispatcher, ends_an_operation_that_is_cancelled_while_it_waits_for_the_descriptor) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV, readable};
    test.script.on(IORING_OP_RECV).complete(-EAGAIN);
    test.loop.start(op);
    test.turn();
    ASSERT_EQ(test.script.count(IORING_OP_POLL_ADD), 1U);
    op.cancel();
    test.finish(op);
    EXPECT_EQ(op.results, (std::vector{-ECANCELED}));
}

TEST(dispatcher, reports_eagain_after_a_cancel_request_as_a_cancellation) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV, readable};
    test.script.on(IORING_OP_RECV).complete(-EAGAIN);
    test.loop.start(op);
    op.cancel();
    test.finish(op);
    EXPECT_EQ(op.results, (std::vector{-ECANCELED}));
    EXPECT_EQ(test.script.count(IORING_OP_POLL_ADD), 0U);
}

TEST(dispatcher, reports_readiness_after_a_cancel_request_as_a_cancellation) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV, readable};
    test.script.on(IORING_OP_RECV).complete(-EAGAIN);
    test.script.on(IORING_OP_POLL_ADD).complete(POLLIN).after(5ms).cancel_ignored(-EALREADY);
    test.loop.start(op);
    test.turn();
    op.cancel();
    test.finish(op);
    EXPECT_EQ(op.results, (std::vector{-ECANCELED}));
    EXPECT_EQ(test.script.count(IORING_OP_RECV), 1U);
}

// ---- a full queue ----

TEST(dispatcher, queues_what_finds_no_slot_and_keeps_the_order) {
    constexpr int count = 100;
    scripted_scheduler test{8, 2};
    test.script.refuse_submissions(5);
    std::deque<sample_operation> operations;
    for (int i = 0; i < count; ++i) {
        operations.emplace_back(IORING_OP_RECV, operation::subject{i});
        test.script.on(IORING_OP_RECV).complete(i);
        test.loop.start(operations.back());
    }
    EXPECT_EQ(test.loop.in_flight_count(), static_cast<std::size_t>(count));
    test.finish(operations.back());
    std::vector<int> descriptors, expected;
    for (const auto& each : test.script.taken())
        descriptors.push_back(each.fd);
    for (int i = 0; i < count; ++i) {
        expected.push_back(i);
        EXPECT_EQ(operations[static_cast<std::size_t>(i)].results, (std::vector{i}));
    }
    EXPECT_EQ(descriptors, expected);
    EXPECT_EQ(test.loop.in_flight_count(), 0U);
}

TEST(dispatcher, looks_again_soon_while_the_driver_takes_nothing) {
    scripted_scheduler test{4, 1};
    const auto begin = test.script.now();
    std::deque<sample_operation> operations(8);
    test.script.refuse_submissions(20);
    for (auto& each : operations)
        test.loop.start(each);
    test.finish(operations.back());
    EXPECT_LE(test.script.now() - begin, 50ms);
}

TEST(dispatcher, tries_again_later_what_should_wait_for_a_descriptor_and_finds_no_slot) {
    scripted_scheduler test{4, 1};
    sample_operation op{IORING_OP_RECV, readable};
    test.script.on(IORING_OP_RECV).complete(-EAGAIN).after(1ms);
    test.script.on(IORING_OP_RECV).complete(3);
    test.loop.start(op);
    test.turn();
    test.script.refuse_submissions(1'000);
    std::deque<sample_operation> others(3); // no slot is left
    for (auto& each : others)
        test.loop.start(each);
    test.advance(2ms);
    EXPECT_FALSE(op.ended());
    test.script.refuse_submissions(0);
    test.finish(op);
    EXPECT_EQ(op.results, (std::vector{3}));
    for (auto& each : others)
        EXPECT_TRUE(each.ended());
}

// ---- bugs of ours ----

TEST(dispatcher, aborts_when_an_operation_is_started_twice) {
    sample_operation op{IORING_OP_RECV};
    scripted_scheduler test; // ends first, and the operation with it
    test.loop.start(op);
    EXPECT_DEATH(test.loop.start(op), "assertion failed: op.idle");
}

TEST(operation, aborts_when_it_is_destroyed_in_flight) {
    EXPECT_DEATH(
        {
            scripted_scheduler test;
            sample_operation op{IORING_OP_RECV};
            test.loop.start(op);
        },
        "assertion failed: idle"
    );
}

TEST(operation, puts_itself_on_the_ready_queue_when_it_has_ended) {
    class counted final : public operation {
    public:
        void prepare(io_uring_sqe& sqe) noexcept override { io_uring_prep_nop(&sqe); }
        [[nodiscard]] std::string_view name() const noexcept override { return "nop"; }
        void run() noexcept override { ++runs; }
        int runs = 0;
    };
    scripted_scheduler test;
    counted op;
    test.script.on(IORING_OP_NOP).complete(4);
    test.loop.start(op);
    while (op.runs == 0)
        test.turn();
    EXPECT_EQ(op.runs, 1);
    EXPECT_EQ(op.res(), 4);
}

} // namespace
} // namespace dispatcher_tests
