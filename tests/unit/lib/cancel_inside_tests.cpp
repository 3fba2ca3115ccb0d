// SPDX-License-Identifier: BSL-1.0
//
// A cancel may be called from anywhere on the owner thread, inside a completion too: it notes the
// request and returns. Nothing completes inside the call, in whatever state the operation is, so
// that the caller may be in the middle of something.
#include "sample_operation.hpp"
#include "scripted_scheduler.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

namespace cancel_inside_tests {
namespace {

using namespace std::chrono_literals;
using coronet::testing::sample_operation;
using coronet::testing::scripted_scheduler;

/// Cancels `other`, in one of the two ways, and notes whether that ended it.
struct canceller_inside {
    scripted_scheduler& test;
    sample_operation& other;
    bool by_descriptor;
    bool ended_inside = false;
    bool called = false;

    void operator()() {
        called = true;
        if (by_descriptor)
            test.loop.cancel_operations_on(other.on().fd);
        else
            other.cancel();
        ended_inside = other.ended();
    }
};

void expect_end_outside(canceller_inside& cancel) {
    EXPECT_TRUE(cancel.called);
    EXPECT_FALSE(cancel.ended_inside);
    cancel.test.finish(cancel.other);
    EXPECT_EQ(cancel.other.results, (std::vector{-ECANCELED}));
}

TEST(cancel_inside_a_completion, C7_completes_nothing_that_is_in_flight) {
    for (const bool by_descriptor : {false, true}) {
        scripted_scheduler test;
        sample_operation waiting{IORING_OP_RECV, {7, 0}};
        sample_operation ending;
        canceller_inside cancel{test, waiting, by_descriptor};
        ending.at_end = std::ref(cancel);
        test.loop.start(waiting);
        test.loop.start(ending);
        test.turn();
        expect_end_outside(cancel);
    }
}

TEST(cancel_inside_a_completion, C7_completes_nothing_that_waits_for_a_slot) {
    for (const bool by_descriptor : {false, true}) {
        scripted_scheduler test{8, 4};
        std::vector<sample_operation> before(8);
        sample_operation waiting{IORING_OP_RECV, {7, 0}};
        canceller_inside cancel{test, waiting, by_descriptor};
        before.front().at_end = std::ref(cancel);
        test.script.refuse_submissions(2); // until the turn submits what has a slot
        for (auto& each : before)
            test.loop.start(each);
        test.loop.start(waiting); // queued
        for (int turn = 0; turn < 100 && !cancel.called; ++turn)
            test.turn();
        expect_end_outside(cancel);
        EXPECT_EQ(waiting.prepared_count, 0) << "it had found a slot";
    }
}

TEST(cancel_inside_a_completion, C7_completes_nothing_that_pauses_before_another_attempt) {
    for (const bool by_descriptor : {false, true}) {
        scripted_scheduler test;
        sample_operation waiting{IORING_OP_RECV, {7, 0}};
        sample_operation ending;
        canceller_inside cancel{test, waiting, by_descriptor};
        ending.at_end = std::ref(cancel);
        test.script.on(IORING_OP_RECV).complete(-ECANCELED); // no worker: again after 10 ms
        test.loop.start(waiting);
        test.turn();
        test.loop.start(ending);
        test.turn();
        expect_end_outside(cancel);
        EXPECT_EQ(waiting.prepared_count, 1) << "it was submitted again";
    }
}

} // namespace
} // namespace cancel_inside_tests
