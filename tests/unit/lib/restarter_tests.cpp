// SPDX-License-Identifier: BSL-1.0
//
// What the kernel gave up for want of a worker thread is tried again after 10, 50 and 250 ms.
#include "sample_operation.hpp"
#include "scripted_scheduler.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

namespace restarter_tests {
namespace {

using namespace std::chrono_literals;
using coronet::operation;
using coronet::testing::sample_operation;
using coronet::testing::scripted_scheduler;

void give_up(scripted_scheduler& test, std::uint8_t opcode, int times) {
    for (int i = 0; i < times; ++i)
        test.script.on(opcode).complete(-ECANCELED);
}

TEST(restarter, tries_three_times_with_growing_pauses) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_READ};
    give_up(test, IORING_OP_READ, 3);
    test.script.on(IORING_OP_READ).complete(9);
    const auto begin = test.script.now();
    test.loop.start(op);
    test.finish(op);
    EXPECT_EQ(op.results, (std::vector{9}));
    EXPECT_EQ(
        test.script.times_of(IORING_OP_READ),
        (std::vector{begin, begin + 10ms, begin + 60ms, begin + 310ms})
    );
    EXPECT_EQ(test.loop.stats().spurious_cancels, 3U);
}

TEST(restarter, reports_a_missing_worker_after_the_third_time) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_READ};
    give_up(test, IORING_OP_READ, 4);
    test.loop.start(op);
    test.finish(op);
    EXPECT_EQ(op.results, (std::vector{operation::no_worker}));
    EXPECT_EQ(op.prepared_count, 4);
}

TEST(restarter, counts_anew_after_a_result) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_READ};
    for (int i = 0; i < 6; ++i)
        test.script.on(IORING_OP_READ).first(1).complete(-ECANCELED);
    test.script.on(IORING_OP_READ).complete(9);
    const auto begin = test.script.now();
    test.loop.start(op);
    test.finish(op);
    EXPECT_EQ(op.end(), 9);
    EXPECT_EQ(test.script.now() - begin, 6 * 10ms);
}

TEST(restarter, counts_attempts_of_each_start_by_itself) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_READ};
    give_up(test, IORING_OP_READ, 3);
    test.script.on(IORING_OP_READ).complete(1);
    test.loop.start(op);
    test.finish(op);
    give_up(test, IORING_OP_READ, 3);
    test.script.on(IORING_OP_READ).complete(2);
    test.loop.start(op);
    while (op.ended_count < 2)
        test.loop.run_once(coronet::time_point::max());
    EXPECT_EQ(op.results, (std::vector{1, 2}));
}

TEST(restarter, keeps_several_operations_apart) {
    scripted_scheduler test;
    sample_operation early{IORING_OP_READ}, late{IORING_OP_WRITE};
    give_up(test, IORING_OP_READ, 2);
    test.script.on(IORING_OP_READ).complete(1);
    test.script.on(IORING_OP_WRITE).complete(-ECANCELED).after(5ms);
    test.script.on(IORING_OP_WRITE).complete(2);
    const auto begin = test.script.now();
    test.loop.start(early);
    test.loop.start(late);
    test.finish(early);
    EXPECT_EQ(
        test.script.times_of(IORING_OP_READ), (std::vector{begin, begin + 10ms, begin + 60ms})
    );
    EXPECT_EQ(test.script.times_of(IORING_OP_WRITE), (std::vector{begin, begin + 15ms}));
    EXPECT_EQ(late.results, (std::vector{2}));
}

TEST(restarter, ends_a_delayed_operation_that_is_cancelled_at_once) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_READ};
    give_up(test, IORING_OP_READ, 1);
    const auto begin = test.script.now();
    test.loop.start(op);
    test.turn();
    EXPECT_EQ(test.loop.in_flight_count(), 1U); // it is not forgotten
    op.cancel();
    EXPECT_FALSE(op.ended());
    test.turn();
    EXPECT_EQ(op.results, (std::vector{-ECANCELED}));
    EXPECT_EQ(test.script.now(), begin);
    EXPECT_EQ(test.script.count(IORING_OP_ASYNC_CANCEL), 0U); // the driver does not have it
    test.advance(1s);
    EXPECT_EQ(test.script.count(IORING_OP_READ), 1U);
}

TEST(restarter, ends_a_delayed_operation_when_the_scheduler_ends) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_READ};
    give_up(test, IORING_OP_READ, 1);
    test.loop.start(op);
    test.turn();
    test.loop.shutdown();
    EXPECT_EQ(op.results, (std::vector{-ECANCELED}));
}

TEST(restarter, takes_a_cancellation_that_was_asked_for_as_the_end) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_READ};
    test.loop.start(op);
    test.turn();
    op.cancel();
    test.finish(op);
    EXPECT_EQ(op.prepared_count, 1);
    EXPECT_EQ(test.loop.stats().spurious_cancels, 0U);
}

} // namespace
} // namespace restarter_tests
