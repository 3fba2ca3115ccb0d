// SPDX-License-Identifier: BSL-1.0
//
// The loop itself, by a script and in virtual time: what it runs, how long it waits, how it ends.
#include "call.hpp"
#include "sample_operation.hpp"
#include "scripted_scheduler.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

namespace scheduler_tests {
namespace {

using namespace std::chrono_literals;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::scripted_driver;
using coronet::time_point;
using coronet::work;
using coronet::testing::alarm;
using coronet::testing::call;
using coronet::testing::sample_operation;
using coronet::testing::scripted_scheduler;

// ---- ready work ----

TEST(scheduler, runs_ready_items_in_their_order) {
    scripted_scheduler test;
    std::vector<int> order;
    call a{[&] { order.push_back(1); }}, b{[&] { order.push_back(2); }};
    test.loop.ready(a);
    test.loop.ready(b);
    EXPECT_EQ(test.loop.run_once(time_point::max()), 2U);
    EXPECT_EQ(order, (std::vector{1, 2}));
}

TEST(scheduler, runs_no_more_items_a_turn_than_its_budget) {
    scheduler_options options;
    options.run_budget = 10;
    scheduler loop{options, std::make_unique<scripted_driver>()};
    int runs = 0;
    std::deque<call> items;
    for (int i = 0; i < 25; ++i)
        loop.ready(items.emplace_back([&] { ++runs; }));
    EXPECT_EQ(loop.run_once(time_point::max()), 10U);
    EXPECT_EQ(loop.run_once(time_point::max()), 10U);
    EXPECT_EQ(loop.run_once(time_point::max()), 5U);
    EXPECT_EQ(runs, 25);
}

TEST(scheduler, is_current_inside_its_loop_only) {
    scripted_scheduler test;
    scheduler* inside = nullptr;
    call look{[&] { inside = scheduler::current(); }};
    test.loop.ready(look);
    test.turn();
    EXPECT_EQ(inside, &test.loop);
    EXPECT_EQ(scheduler::current(), nullptr);
}

TEST(scheduler, runs_the_loop_of_another_inside_its_own) {
    scripted_scheduler outer, inner;
    scheduler* in_inner = nullptr;
    scheduler* afterwards = nullptr;
    call look{[&] { in_inner = scheduler::current(); }};
    call nest{[&] {
        inner.loop.ready(look);
        inner.turn();
        afterwards = scheduler::current();
    }};
    outer.loop.ready(nest);
    outer.turn();
    EXPECT_EQ(in_inner, &inner.loop);
    EXPECT_EQ(afterwards, &outer.loop);
}

TEST(scheduler, runs_posted_items_of_the_owner_too) {
    scripted_scheduler test;
    int runs = 0;
    call item{[&] { ++runs; }};
    EXPECT_TRUE(test.loop.post(item));
    EXPECT_EQ(runs, 0);
    test.turn();
    EXPECT_EQ(runs, 1);
}

TEST(scheduler, L24_aborts_when_two_threads_run_its_loop) {
    const auto two_threads = [] {
        scripted_scheduler test;
        test.turn();
        std::thread([&] { test.turn(); }).join();
    };
    EXPECT_DEATH(two_threads(), "assertion failed: owner");
}

// ---- waiting ----

TEST(scheduler, waits_until_the_deadline_when_nothing_happens) {
    scripted_scheduler test;
    const auto begin = test.script.now();
    EXPECT_EQ(test.loop.run_once(begin + 5s), 0U);
    EXPECT_EQ(test.script.now(), begin + 5s);
}

TEST(scheduler, does_not_wait_when_the_deadline_has_passed) {
    scripted_scheduler test;
    const auto begin = test.script.now();
    test.loop.run_once(begin - 1s);
    test.loop.run_once(time_point::min());
    EXPECT_EQ(test.script.now(), begin);
}

TEST(scheduler, does_not_wait_while_something_is_ready) {
    scripted_scheduler test;
    const auto begin = test.script.now();
    call item{[] {}};
    test.loop.ready(item);
    test.loop.run_once(begin + 1h);
    EXPECT_EQ(test.script.now(), begin);
}

TEST(scheduler, waits_no_longer_than_its_next_timer) {
    scripted_scheduler test;
    const auto begin = test.script.now();
    bool expired = false;
    alarm soon{[&] { expired = true; }};
    test.loop.arm(soon, 10ms);
    test.loop.run_once(begin + 1h);
    EXPECT_TRUE(expired);
    EXPECT_EQ(test.script.now(), begin + 10ms);
}

TEST(scheduler, counts_a_delay_from_the_end_of_the_turn_that_armed_it) {
    scripted_scheduler test;
    time_point expired{}, armed{};
    alarm later{[&] { expired = test.script.now(); }};
    call slow{[&] {
        test.loop.arm(later, 10ms);
        test.script.pass(7ms); // a long piece of work
        armed = test.script.now();
    }};
    test.loop.ready(slow);
    test.advance(50ms);
    EXPECT_EQ(expired, armed + 10ms);
}

TEST(scheduler, does_not_call_a_timer_that_was_disarmed) {
    scripted_scheduler test;
    alarm never{[] { FAIL(); }};
    test.loop.arm(never, 10ms);
    test.advance(5ms);
    test.loop.disarm(never);
    test.advance(1s);
}

TEST(scheduler, serves_timers_while_items_keep_it_busy) {
    scripted_scheduler test;
    bool expired = false;
    alarm due{[&] { expired = true; }};
    call busy{[&] {
        test.script.pass(1ms);
        if (!expired) test.loop.ready(busy);
    }};
    test.loop.ready(busy);
    test.loop.arm(due, 10ms);
    for (int turn = 0; turn < 100 && !expired; ++turn)
        test.loop.run_once(time_point::min());
    EXPECT_TRUE(expired);
    test.turn();
}

TEST(scheduler, returns_from_the_next_run_once_after_a_wake) {
    scripted_scheduler test;
    const auto begin = test.script.now();
    test.turn();
    test.loop.wake();
    test.loop.run_once(begin + 1h);
    EXPECT_EQ(test.script.now(), begin) << "it waited although it had been woken";
    test.loop.run_once(begin + 1h); // a wake-up counts once
    EXPECT_EQ(test.script.now(), begin + 1h);
}

TEST(scheduler, is_woken_by_another_thread_while_it_waits) {
    scripted_scheduler test;
    std::thread other{[&] { test.loop.wake(); }};
    test.loop.run_once(time_point::max());
    other.join();
}

// ---- a sink for ready work ----

class collecting_sink final : public coronet::ready_sink {
public:
    void push(work& item) noexcept override { queue.push(item); }
    coronet::work_queue queue;
};

TEST(scheduler, hands_ready_items_to_the_sink_and_runs_none_itself) {
    scripted_scheduler test;
    collecting_sink sink;
    test.loop.set_ready_sink(&sink);
    int runs = 0;
    call posted{[&] { ++runs; }}, made_ready{[&] { ++runs; }};
    EXPECT_TRUE(test.loop.post(posted));
    test.loop.ready(made_ready);
    EXPECT_EQ(test.loop.run_once(time_point::max()), 2U);
    EXPECT_EQ(runs, 0);
    while (work* item = sink.queue.pop())
        item->run();
    EXPECT_EQ(runs, 2);
}

TEST(scheduler, does_not_wait_after_it_gave_something_to_the_sink) {
    scripted_scheduler test;
    collecting_sink sink;
    test.loop.set_ready_sink(&sink);
    const auto begin = test.script.now();
    call item{[] {}};
    test.loop.ready(item);
    test.loop.run_once(begin + 1h);
    EXPECT_EQ(test.script.now(), begin);
    test.loop.run_once(begin + 1h);
    EXPECT_EQ(test.script.now(), begin + 1h);
    sink.queue.pop();
}

TEST(scheduler, hands_to_a_new_sink_what_is_ready_already) {
    scripted_scheduler test;
    int runs = 0;
    call item{[&] { ++runs; }};
    test.loop.ready(item);
    collecting_sink sink;
    test.loop.set_ready_sink(&sink);
    test.turn();
    EXPECT_EQ(runs, 0);
    EXPECT_EQ(sink.queue.pop(), &item);
}

/// A resident that ends by an item that has to be run.
class guest final : public coronet::resident {
public:
    explicit guest(scheduler& loop) : loop_(loop) { loop_.admit(*this); }
    void cancel_all() noexcept override {
        if (++asked == 3) loop_.ready(leave_);
    }
    int asked = 0;
    bool left = false;

private:
    scheduler& loop_;
    call leave_{[this] {
        loop_.dismiss(*this);
        left = true;
    }};
};

TEST(scheduler, runs_what_is_left_itself_when_it_ends_although_there_is_a_sink) {
    scripted_scheduler test;
    collecting_sink sink;
    test.loop.set_ready_sink(&sink);
    guest inside{test.loop};
    test.loop.shutdown(); // the embedder's own loop does not run meanwhile
    EXPECT_TRUE(inside.left);
}

// ---- what is outstanding ----

TEST(scheduler, counts_everything_that_is_outstanding) {
    scripted_scheduler test;
    EXPECT_EQ(test.loop.outstanding_work(), 0U);

    sample_operation op{IORING_OP_RECV};
    test.script.on(IORING_OP_RECV).complete(1).after(1ms);
    test.loop.start(op);
    EXPECT_EQ(test.loop.outstanding_work(), 1U);
    test.finish(op);
    EXPECT_EQ(test.loop.outstanding_work(), 0U);

    alarm soon{[] {}};
    test.loop.arm(soon, 1ms);
    EXPECT_EQ(test.loop.outstanding_work(), 1U);
    test.advance(2ms);
    EXPECT_EQ(test.loop.outstanding_work(), 0U);

    call item{[] {}};
    test.loop.ready(item);
    EXPECT_NE(test.loop.outstanding_work(), 0U);
    test.turn();
    EXPECT_EQ(test.loop.outstanding_work(), 0U);

    EXPECT_TRUE(test.loop.post(item));
    EXPECT_NE(test.loop.outstanding_work(), 0U);
    test.turn();
    EXPECT_EQ(test.loop.outstanding_work(), 0U);
}

// ---- the end ----

TEST(scheduler, run_returns_when_it_is_stopped_from_an_item) {
    scripted_scheduler test;
    call stop{[&] { test.loop.stop(); }};
    test.loop.ready(stop);
    test.loop.run();
    EXPECT_TRUE(test.loop.stop_requested());
}

TEST(scheduler, run_ends_at_once_when_it_was_stopped_before) {
    scripted_scheduler test;
    test.loop.stop();
    test.loop.stop();
    test.loop.run();
}

TEST(scheduler, L15_waits_for_the_last_terminal_completion_when_it_ends) {
    scripted_scheduler test;
    std::deque<sample_operation> operations;
    for (int i = 0; i < 5; ++i) {
        auto& fate = test.script.on(IORING_OP_RECV).never();
        for (int ignored = 0; ignored < i; ++ignored)
            fate.cancel_ignored(-EALREADY);
        test.loop.start(operations.emplace_back(IORING_OP_RECV));
    }
    test.turn();
    test.loop.shutdown();
    for (const auto& each : operations)
        EXPECT_EQ(each.results, (std::vector{-ECANCELED}));
    EXPECT_EQ(test.loop.in_flight_count(), 0U);
}

TEST(scheduler, L15_waits_on_for_an_operation_that_no_cancel_can_end) {
    scripted_scheduler test;
    sample_operation op{IORING_OP_RECV};
    auto& fate = test.script.on(IORING_OP_RECV).complete(5).after(5s);
    for (int i = 0; i < 100; ++i)
        fate.cancel_ignored(-EALREADY);
    test.loop.start(op);
    test.turn();
    test.loop.shutdown();
    EXPECT_EQ(op.results, (std::vector{5})); // success came after all
}

TEST(scheduler, cancels_what_is_started_while_it_ends_without_submitting_it) {
    scripted_scheduler test;
    sample_operation first{IORING_OP_RECV}, next{IORING_OP_SEND};
    first.at_end = [&] { test.loop.start(next); };
    test.loop.start(first);
    test.turn();
    test.loop.shutdown();
    EXPECT_EQ(next.results, (std::vector{-ECANCELED}));
    EXPECT_EQ(next.prepared_count, 0);
}

TEST(scheduler, asks_its_residents_to_end_until_they_have) {
    scripted_scheduler test;
    guest inside{test.loop};
    EXPECT_EQ(test.loop.outstanding_work(), 1U);
    test.loop.shutdown();
    EXPECT_TRUE(inside.left);
    EXPECT_GE(inside.asked, 3);
}

TEST(scheduler, L12_runs_what_was_posted_before_it_ended_and_refuses_the_rest) {
    scripted_scheduler test;
    int runs = 0;
    call early{[&] { ++runs; }}, late{[&] { ++runs; }};
    EXPECT_TRUE(test.loop.post(early));
    test.loop.shutdown();
    EXPECT_EQ(runs, 1);
    EXPECT_FALSE(test.loop.post(late));
    EXPECT_FALSE(test.loop.post_internal(late));
    EXPECT_EQ(runs, 1);
}

TEST(scheduler, takes_internal_items_while_it_ends_but_no_others) {
    scripted_scheduler test;
    bool internal_ran = false, external_taken = true;
    call internal{[&] { internal_ran = true; }}, external{[] {}};
    sample_operation op{IORING_OP_RECV};
    op.at_end = [&] {
        EXPECT_TRUE(test.loop.post_internal(internal));
        external_taken = test.loop.post(external);
    };
    test.loop.start(op);
    test.turn();
    test.loop.shutdown();
    EXPECT_TRUE(internal_ran);
    EXPECT_FALSE(external_taken);
}

TEST(scheduler, runs_what_it_accepted_although_its_loop_never_ran) {
    int runs = 0;
    call item{[&] { ++runs; }};
    sample_operation op{IORING_OP_RECV};
    {
        scripted_scheduler test;
        EXPECT_TRUE(test.loop.post(item));
        test.loop.start(op);
    }
    EXPECT_EQ(runs, 1);
    EXPECT_EQ(op.results, (std::vector{-ECANCELED}));
}

TEST(scheduler, ends_in_its_destructor_what_is_left) {
    sample_operation op{IORING_OP_RECV};
    {
        scripted_scheduler test;
        test.loop.start(op);
        test.turn();
    }
    EXPECT_EQ(op.results, (std::vector{-ECANCELED}));
}

TEST(scheduler, aborts_when_it_is_run_again_after_its_end) {
    const auto again = [] {
        scripted_scheduler test;
        test.turn();
        test.loop.shutdown();
        test.turn();
    };
    EXPECT_DEATH(again(), "assertion failed: now != phase::exited");
}

TEST(scheduler, shuts_down_once) {
    scripted_scheduler test;
    test.turn();
    test.loop.shutdown();
    test.loop.shutdown();
    EXPECT_EQ(test.loop.stats().in_flight, 0U);
}

} // namespace
} // namespace scheduler_tests
