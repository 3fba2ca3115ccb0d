// SPDX-License-Identifier: BSL-1.0
//
// The kernel takes nothing for a while, for want of memory say: nobody sleeps on because of that.
#include "faulty_ring.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"
#include "unit/lib/ring_loop.hpp"

#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <string>

namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using namespace coronet::test;
using coronet::scheduler;
using coronet::time_point;

#ifdef CORONET_HOOKS
/// One posts to another that sleeps, in a turn after which nobody knows when the next one is made.
TEST(busy_kernel, L3_a_message_that_is_not_taken_wakes_otherwise) {
    const watchdog limit{[] { return std::string("a message was not taken"); }, 30s};
    scheduler sleeper, busy;
    std::atomic<bool> ran{false};
    call item{[&] { ran = true; }};
    call poster{[&] { EXPECT_TRUE(sleeper.post(item)); }};
    script play;
    auto& asleep = play.hold(point::asleep, &sleeper);
    running thread{sleeper};
    asleep.wait();
    busy.run_once(time_point::min());
    faulty_ring::answer_after(0, EAGAIN);
    busy.ready(poster);
    busy.run_once(time_point::min());
    EXPECT_GT(faulty_ring::calls_in_vain(), 0);
    asleep.release();
    EXPECT_TRUE(wait_until([&] { return ran.load(); }));
    faulty_ring::answer_truly();
    busy.run_once(time_point::min()); // the message is answered, late
    busy.shutdown();
}
#endif

} // namespace
