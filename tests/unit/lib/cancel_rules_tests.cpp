// SPDX-License-Identifier: BSL-1.0
//
// What meets a cancel request on its way, in forced order: a stop, the operation's own end, data.
#include "ring_loop.hpp"
#include "run_until.hpp"
#include "sample_operation.hpp"
#include "scripted_scheduler.hpp"
#include "support/script.hpp"

#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <thread>
#include <vector>

#include <sys/ioctl.h>

namespace coronet::cancel_rules_tests {
namespace {

using namespace std::chrono_literals;
using namespace testing;

TEST(canceller, C4_asks_again_for_all_with_one_timer) {
    constexpr std::size_t count = 100;
    scripted_scheduler test{256, 128};
    std::deque<sample_operation> stubborn;
    for (std::size_t i = 0; i < count; ++i) {
        auto& fate = test.script.on(IORING_OP_RECV).never();
        for (int answer = 0; answer < 3; ++answer)
            fate.cancel_ignored(-ENOENT);
        test.loop.start(stubborn.emplace_back(IORING_OP_RECV));
    }
    test.turn();
    const auto begin = test.script.now();
    for (auto& each : stubborn)
        each.cancel();
    test.turn();
    EXPECT_EQ(test.loop.outstanding_work(), count + 1); // the operations, and a timer
    for (auto& each : stubborn)
        test.finish(each);

    const auto times = test.script.times_of(IORING_OP_ASYNC_CANCEL);
    for (const auto after : {0ms, 10ms, 30ms, 70ms})
        EXPECT_EQ(std::ranges::count(times, begin + after), count) << after.count();
    EXPECT_EQ(times.size(), 4 * count);
}

#ifdef CORONET_HOOKS

using test::point;
using test::script;

TEST(canceller, C1_ends_an_operation_once_when_a_stop_comes_between_its_mark_and_its_list) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV};
    test.loop.start(op);
    test.turn();
    {
        script play;
        const operation& subject = op;
        auto& stopped = play.once(
            point::cancel_requested, [&] { std::thread{[&] { test.loop.stop(); }}.join(); },
            &subject
        );
        op.cancel();
        EXPECT_TRUE(stopped.reached());
    }
    EXPECT_FALSE(op.ended());
    test.loop.run(); // which drains at once, and finds it marked already
    EXPECT_EQ(op.results, (std::vector{-ECANCELED}));
    EXPECT_EQ(test.script.count(IORING_OP_ASYNC_CANCEL), 1U);
    EXPECT_EQ(test.loop.in_flight_count(), 0U);
}

TEST(canceller, C2_a_request_that_is_overtaken_by_the_end_meets_nobody_at_the_same_address) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV};
    test.script.on(IORING_OP_RECV).complete(5).after(10ms);
    test.script.on(IORING_OP_RECV).complete(6).after(50ms);
    op.at_end = [&] {
        if (op.ended_count == 1) test.loop.start(op); // another operation, in the same place
    };
    test.loop.start(op);
    test.turn();
    script play;
    const operation& subject = op;
    // It is not over yet, so it will be asked to end; and ends now.
    play.once(
        point::before_cancel_sqe, [&] { test.script.pass(10ms); }, &subject
    );
    op.cancel();
    for (int turn = 0; turn < 100 && op.ended_count < 2; ++turn)
        test.loop.run_once(time_point::max());
    EXPECT_EQ(op.results, (std::vector{5, 6}));
    EXPECT_EQ(test.script.count(IORING_OP_ASYNC_CANCEL), 1U);
    EXPECT_EQ(test.loop.stats().cancels_not_found, 1U);
}

std::array<scheduler_options, 3> ring_kinds() {
    std::array<scheduler_options, 3> kinds{};
    kinds[1].movable_owner = true;
    kinds[2].sqpoll.emplace();
    return kinds;
}

TEST(scheduler_on_a_ring, C5_data_that_comes_before_the_request_is_sent_is_delivered_or_stays) {
    for (const auto& options : ring_kinds()) {
        scheduler loop{options};
        empty_pipe source;
        char byte = 0;
        sample_operation read = read_of(source, byte);
        loop.start(read);
        loop.run_once(time_point::min());
        script play;
        const operation& subject = read;
        auto& overtaken = play.once(
            point::before_cancel_sqe, [&] { source.write(); }, &subject
        );
        read.cancel();
        run_until(loop, [&] { return read.ended(); });
        EXPECT_TRUE(overtaken.reached());

        int left = -1;
        ::ioctl(source.out.get(), FIONREAD, &left);
        ASSERT_EQ(read.ended_count, 1);
        EXPECT_TRUE(read.end() == 1 || read.end() == -ECANCELED) << *read.end();
        EXPECT_EQ(left, read.end() == 1 ? 0 : 1);
    }
}

#endif

} // namespace
} // namespace coronet::cancel_rules_tests
