// SPDX-License-Identifier: BSL-1.0
//
// Cancelling is asking until the operation has ended; the answer to the request decides nothing.
#include "sample_operation.hpp"
#include "scripted_scheduler.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <vector>

#include <poll.h>

namespace canceller_tests {
namespace {

using namespace std::chrono_literals;
using coronet::operation;
using coronet::time_point;
using coronet::testing::sample_operation;
using coronet::testing::scripted_scheduler;

std::vector<long> gaps_in_ms(const std::vector<time_point>& times) {
    std::vector<long> gaps;
    for (std::size_t i = 1; i < times.size(); ++i)
        gaps.push_back(
            std::chrono::duration_cast<std::chrono::milliseconds>(times[i] - times[i - 1]).count()
        );
    return gaps;
}

TEST(canceller, ends_an_operation_that_waits) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV};
    test.loop.start(op);
    test.turn();
    op.cancel();
    EXPECT_TRUE(op.cancel_requested());
    EXPECT_FALSE(op.ended()); // nothing completes inside the call
    test.finish(op);
    EXPECT_EQ(op.results, (std::vector{-ECANCELED}));
    EXPECT_EQ(test.loop.stats().cancels_sent, 1U);
    EXPECT_EQ(test.loop.stats().spurious_cancels, 0U);
}

TEST(canceller, names_the_submission_that_is_to_end) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV};
    test.loop.start(op);
    test.turn();
    op.cancel();
    test.finish(op);
    ASSERT_EQ(test.script.taken().size(), 2U);
    EXPECT_EQ(test.script.taken()[1].target, test.script.taken()[0].id);
}

TEST(canceller, asks_once_however_often_it_is_called) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV};
    test.script.on(IORING_OP_RECV).never().cancel_ignored(-EALREADY);
    test.loop.start(op);
    test.turn();
    for (int i = 0; i < 5; ++i) {
        op.cancel();
        test.turn();
    }
    EXPECT_EQ(test.script.count(IORING_OP_ASYNC_CANCEL), 1U);
    test.finish(op);
}

TEST(canceller, leaves_an_idle_operation_alone) {
    scripted_scheduler test;
    sample_operation op;
    op.cancel(); // never started
    test.loop.start(op);
    test.finish(op);
    op.cancel(); // over
    test.turn();
    EXPECT_EQ(op.results, (std::vector{0}));
    EXPECT_EQ(test.script.count(IORING_OP_ASYNC_CANCEL), 0U);
}

TEST(canceller, C5_lets_a_result_that_came_first_win) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV};
    test.script.on(IORING_OP_RECV).complete(5);
    test.loop.start(op);
    op.cancel(); // both are submitted together; the data is there already
    test.finish(op);
    EXPECT_EQ(op.results, (std::vector{5}));
    test.turn();
    EXPECT_EQ(test.loop.stats().cancels_not_found, 1U);
}

TEST(canceller, C3_waits_for_the_end_whatever_the_answer_says) {
    for (const int answer : {0, 1, -ENOENT, -EALREADY, -EINVAL}) {
        scripted_scheduler test;
        sample_operation op{IORING_OP_RECV};
        test.script.on(IORING_OP_RECV).complete(5).after(5ms).cancel_ignored(answer);
        test.loop.start(op);
        test.turn();
        op.cancel();
        test.turn();
        EXPECT_FALSE(op.ended()) << answer;
        test.finish(op);
        EXPECT_EQ(op.results, (std::vector{5})) << answer;
    }
}

TEST(canceller, C3_counts_the_answers_and_no_more) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV};
    test.script.on(IORING_OP_RECV)
        .never()
        .cancel_ignored(-ENOENT)
        .cancel_ignored(-EALREADY)
        .cancel_ignored(-EALREADY);
    test.loop.start(op);
    test.turn();
    op.cancel();
    test.finish(op);
    const auto stats = test.loop.stats();
    EXPECT_EQ(stats.cancels_sent, 4U);
    EXPECT_EQ(stats.cancels_resent, 3U);
    EXPECT_EQ(stats.cancels_not_found, 1U);
    EXPECT_EQ(stats.cancels_running, 2U);
}

TEST(canceller, C4_repeats_itself_after_10_20_40_and_at_most_1000_ms) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV};
    auto& fate = test.script.on(IORING_OP_RECV).never();
    for (int i = 0; i < 9; ++i)
        fate.cancel_ignored(-ENOENT);
    test.loop.start(op);
    test.turn();
    op.cancel();
    test.finish(op);
    EXPECT_EQ(
        gaps_in_ms(test.script.times_of(IORING_OP_ASYNC_CANCEL)),
        (std::vector<long>{10, 20, 40, 80, 160, 320, 640, 1000, 1000})
    );
    EXPECT_EQ(op.results, (std::vector{-ECANCELED}));
}

TEST(canceller, begins_with_short_pauses_again_once_all_have_ended) {
    scripted_scheduler test;
    sample_operation stubborn{IORING_OP_RECV}, next{IORING_OP_READ};
    auto& fate = test.script.on(IORING_OP_RECV).never();
    for (int i = 0; i < 5; ++i)
        fate.cancel_ignored(-EALREADY);
    test.loop.start(stubborn);
    test.turn();
    stubborn.cancel();
    test.finish(stubborn);
    const auto before = test.script.times_of(IORING_OP_ASYNC_CANCEL).size();

    test.script.on(IORING_OP_READ).never().cancel_ignored(-ENOENT);
    test.loop.start(next);
    test.turn();
    next.cancel();
    test.finish(next);
    auto times = test.script.times_of(IORING_OP_ASYNC_CANCEL);
    times.erase(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(before));
    EXPECT_EQ(gaps_in_ms(times), (std::vector<long>{10}));
}

TEST(canceller, asks_a_new_one_as_often_as_the_first_while_another_takes_long) {
    scripted_scheduler test;
    sample_operation stubborn{IORING_OP_RECV}, next{IORING_OP_READ};
    auto& fate = test.script.on(IORING_OP_RECV).complete(1).after(30s);
    for (int i = 0; i < 1'000; ++i)
        fate.cancel_ignored(-EALREADY);
    test.loop.start(stubborn);
    test.turn();
    stubborn.cancel();
    test.advance(10s); // its pauses are 1 s long by now
    test.script.on(IORING_OP_READ).never().cancel_ignored(-ENOENT);
    test.loop.start(next);
    test.turn();
    const auto begin = test.script.now();
    next.cancel();
    test.finish(next);
    EXPECT_EQ(test.script.now() - begin, 10ms);
    test.finish(stubborn);
}

TEST(canceller, asks_nobody_for_the_sake_of_no_descriptor) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV};
    test.loop.start(op);
    EXPECT_EQ(test.loop.cancel_operations_on(-1), 0U);
    op.cancel();
    test.finish(op);
}

TEST(canceller, stops_asking_once_the_operation_has_ended) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV};
    test.script.on(IORING_OP_RECV).complete(1).after(15ms).cancel_ignored(0).cancel_ignored(0);
    test.loop.start(op);
    test.turn();
    op.cancel();
    test.advance(500ms);
    EXPECT_TRUE(op.ended());
    EXPECT_EQ(test.script.count(IORING_OP_ASYNC_CANCEL), 2U); // at 0 and 10 ms
    EXPECT_EQ(test.loop.outstanding_work(), 0U);              // no timer either
}

TEST(canceller, C2_drops_a_request_whose_operation_ends_before_it_is_sent) {
    scripted_scheduler test;
    sample_operation first{IORING_OP_RECV}, second{IORING_OP_RECV};
    test.script.on(IORING_OP_RECV).complete(1);
    test.script.on(IORING_OP_RECV).complete(2);
    test.script.on(IORING_OP_RECV).complete(3).after(50ms);
    // Both ends are in one batch: the request comes too late by a hair.
    first.at_end = [&] { second.cancel(); };
    test.loop.start(first);
    test.loop.start(second);
    test.finish(second);
    EXPECT_EQ(second.results, (std::vector{2}));

    test.loop.start(second); // the same address; nobody asked this one to end
    EXPECT_FALSE(second.cancel_requested());
    while (second.ended_count < 2)
        test.loop.run_once(time_point::max());
    EXPECT_EQ(second.results, (std::vector{2, 3}));
    EXPECT_EQ(test.script.count(IORING_OP_ASYNC_CANCEL), 0U);
}

TEST(canceller, C2_a_late_request_does_not_name_a_later_submission_of_the_operation) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV};
    test.script.on(IORING_OP_RECV).complete(1);
    test.script.on(IORING_OP_RECV).complete(2).after(50ms);
    // The end of the first is followed by the second in the same turn in which the cancel request
    // is on its way.
    op.at_end = [&] {
        if (op.ended_count == 1) test.loop.start(op);
    };
    test.loop.start(op);
    op.cancel();
    while (op.ended_count < 2)
        test.loop.run_once(time_point::max());
    EXPECT_EQ(op.results, (std::vector{1, 2}));
}

TEST(canceller, ends_a_queued_operation_without_having_submitted_it) {
    scripted_scheduler test{4, 1};
    std::deque<sample_operation> first(3);
    sample_operation queued{IORING_OP_RECV};
    test.script.refuse_submissions(3);
    for (auto& each : first)
        test.loop.start(each);
    test.loop.start(queued);
    EXPECT_EQ(queued.prepared_count, 0);
    queued.cancel();
    test.finish(queued);
    EXPECT_EQ(queued.results, (std::vector{-ECANCELED}));
    EXPECT_EQ(queued.prepared_count, 0);
    EXPECT_EQ(test.script.count(IORING_OP_RECV), 0U);
    for (auto& each : first)
        test.finish(each);
}

TEST(canceller, finds_room_when_nothing_else_does) {
    scripted_scheduler test{8, 2};
    sample_operation waiting{IORING_OP_RECV};
    test.loop.start(waiting);
    test.turn();
    test.script.refuse_submissions(1'000);
    std::deque<sample_operation> crowd(20);
    for (auto& each : crowd)
        test.loop.start(each);
    waiting.cancel();
    test.turn();
    test.script.refuse_submissions(0);
    test.finish(waiting);
    // The request stands right behind the 6 of the crowd that had a slot.
    ASSERT_GT(test.script.taken().size(), 7U);
    EXPECT_EQ(test.script.taken()[7].opcode, IORING_OP_ASYNC_CANCEL);
    for (auto& each : crowd)
        test.finish(each);
}

TEST(canceller, sends_more_requests_than_there_are_slots) {
    scripted_scheduler test{8, 2};
    std::deque<sample_operation> operations;
    for (int i = 0; i < 200; ++i)
        test.loop.start(operations.emplace_back(IORING_OP_RECV));
    while (test.script.count(IORING_OP_RECV) < operations.size())
        test.turn();
    for (auto& each : operations)
        each.cancel();
    for (auto& each : operations) {
        test.finish(each);
        EXPECT_EQ(each.results, (std::vector{-ECANCELED}));
    }
    EXPECT_EQ(test.script.count(IORING_OP_ASYNC_CANCEL), 200U);
}

TEST(canceller, asks_those_on_a_descriptor_and_no_others) {
    scripted_scheduler test;
    sample_operation a{IORING_OP_RECV, {5, POLLIN}}, b{IORING_OP_SEND, {5, POLLOUT}},
        other{IORING_OP_RECV, {6, POLLIN}};
    for (auto* each : {&a, &b, &other})
        test.loop.start(*each);
    test.turn();
    EXPECT_EQ(test.loop.cancel_operations_on(5), 2U);
    EXPECT_EQ(test.loop.cancel_operations_on(5), 0U); // these were asked already
    EXPECT_EQ(test.loop.cancel_operations_on(9), 0U);
    test.finish(a);
    test.finish(b);
    EXPECT_FALSE(other.ended());
    EXPECT_EQ(a.end(), -ECANCELED);
    EXPECT_EQ(b.end(), -ECANCELED);
    other.cancel();
    test.finish(other);
}

TEST(canceller, may_be_asked_from_inside_a_completion) {
    scripted_scheduler test;
    sample_operation trigger, target{IORING_OP_RECV};
    trigger.at_end = [&] {
        target.cancel();
        EXPECT_FALSE(target.ended());
    };
    test.loop.start(target);
    test.loop.start(trigger);
    test.finish(target);
    EXPECT_EQ(target.results, (std::vector{-ECANCELED}));
}

TEST(canceller, ends_a_multishot_after_what_came_before) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_ACCEPT};
    test.script.on(IORING_OP_ACCEPT).first(10).first(11).never();
    test.loop.start(op);
    test.turn();
    op.cancel();
    test.finish(op);
    EXPECT_EQ(op.results, (std::vector{10, 11, -ECANCELED}));
    EXPECT_EQ(op.ended_count, 1);
}

} // namespace
} // namespace canceller_tests
