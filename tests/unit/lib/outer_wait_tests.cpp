// SPDX-License-Identifier: BSL-1.0
//
// A scheduler in the loop of somebody who waits with poll(2) on its descriptor.
#include "call.hpp"
#include "ring_loop.hpp"
#include "sample_operation.hpp"

#include <coronet/clock.hpp>
#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>

#include <poll.h>

namespace coronet::outer_wait_tests {
namespace {

using namespace std::chrono_literals;
using testing::alarm;
using testing::call;
using testing::empty_pipe;
using testing::read_of;

scheduler_options with_movable_owner(bool movable) {
    scheduler_options options;
    options.movable_owner = movable;
    return options;
}

class outer_wait : public ::testing::TestWithParam<bool> {
protected:
    /// Waits as the loop says, then makes a turn; false if nothing came before `limit`.
    bool wait_and_turn(duration limit = 10s) {
        const time_point end = clock::now() + limit;
        const time_point until = std::min(ring.begin_outer_wait(), end);
        pollfd source{ring.wait_descriptor().value(), POLLIN, 0};
        if (until != time_point::min()) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now());
            ::poll(&source, 1, static_cast<int>(std::max(left, 0ms).count()));
        }
        ring.run_once(time_point::min());
        return clock::now() < end;
    }
    bool turn_until(const std::function<bool()>& reached) {
        bool goes_on = true;
        while (goes_on && !reached())
            goes_on = wait_and_turn();
        return reached();
    }
    /// What is left over from before has been seen to.
    void settle() {
        static_cast<void>(ring.wait_descriptor());
        while (ring.begin_outer_wait() == time_point::min())
            ring.run_once(time_point::min());
    }
    [[nodiscard]] bool readable(std::chrono::milliseconds within) {
        pollfd source{ring.wait_descriptor().value(), POLLIN, 0};
        return ::poll(&source, 1, static_cast<int>(within.count())) == 1;
    }
    void TearDown() override { ring.shutdown(); }

    scheduler ring{with_movable_owner(GetParam())};
};

TEST_P(outer_wait, nothing_to_do_is_no_reason_to_wake) {
    settle();
    EXPECT_FALSE(readable(50ms));
    EXPECT_EQ(ring.begin_outer_wait(), time_point::max());
}

TEST_P(outer_wait, what_was_started_is_submitted_and_its_completion_is_told) {
    settle();
    empty_pipe source;
    char byte = 0;
    auto read = read_of(source, byte);
    ring.start(read);
    settle();
    EXPECT_FALSE(readable(0ms));
    source.write();
    EXPECT_TRUE(readable(10s));
    EXPECT_TRUE(turn_until([&] { return read.ended(); }));
    EXPECT_EQ(byte, 'x');
}

TEST_P(outer_wait, what_has_completed_before_the_wait_is_not_waited_for) {
    settle();
    empty_pipe source;
    source.write();
    char byte = 0;
    auto read = read_of(source, byte);
    ring.start(read);
    const auto began = clock::now();
    EXPECT_TRUE(turn_until([&] { return read.ended(); }));
    EXPECT_LT(clock::now() - began, 5s);
}

TEST_P(outer_wait, what_is_posted_from_another_thread_is_told) {
    settle();
    bool ran = false;
    call item{[&ran] { ran = true; }};
    std::thread other{[&] { EXPECT_TRUE(ring.post(item)); }};
    EXPECT_TRUE(readable(10s));
    other.join();
    EXPECT_TRUE(turn_until([&] { return ran; }));
}

TEST_P(outer_wait, a_wake_up_before_the_wait_prevents_it) {
    settle();
    ring.run_once(time_point::min());
    ring.wake();
    EXPECT_EQ(ring.begin_outer_wait(), time_point::min());
}

TEST_P(outer_wait, a_wake_up_during_the_wait_is_told_each_time) {
    for (int i = 0; i < 3; ++i) {
        settle();
        EXPECT_FALSE(readable(0ms));
        ring.wake();
        EXPECT_TRUE(readable(10s)) << i;
        ring.run_once(time_point::min());
    }
}

TEST_P(outer_wait, lasts_until_the_next_timer) {
    bool expired = false;
    alarm soon{[&expired] { expired = true; }};
    ring.arm(soon, 20ms);
    settle();
    const time_point until = ring.begin_outer_wait();
    EXPECT_LT(until - clock::now(), 1s);
    EXPECT_TRUE(turn_until([&] { return expired; }));
}

TEST_P(outer_wait, a_stop_is_told) {
    settle();
    std::thread other{[&] { ring.stop(); }};
    EXPECT_TRUE(readable(10s));
    other.join();
    ring.run_once(time_point::min());
    EXPECT_TRUE(ring.stop_requested());
}

INSTANTIATE_TEST_SUITE_P(owner, outer_wait, ::testing::Bool(), [](const auto& chosen) {
    return chosen.param ? "movable" : "one_thread";
});

} // namespace
} // namespace coronet::outer_wait_tests
