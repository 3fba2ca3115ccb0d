// SPDX-License-Identifier: BSL-1.0
//
// A pool whose workers cannot be created, for a while or at all.
#include "faulty_creation.hpp"
#include "lib/call.hpp"
#include "lib/pool_call.hpp"
#include "lib/sample_operation.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <coronet/error.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/worker_pool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <deque>
#include <string>
#include <system_error>
#include <thread>

#include <pthread.h>
#include <signal.h>
#include <time.h>

namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::creation_errno;
using coronet::errc;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::worker_pool;
using coronet::test::creation;
using coronet::test::takes;
using coronet::test::unblocked_creations;
using coronet::test::watchdog;
using outcome = coronet::pool_item::outcome;

class worker_creation : public ::testing::Test {
protected:
    worker_creation() { loop.run_once(coronet::time_point::min()); }
    ~worker_creation() override { creation.play({}); }

    void until(const std::function<bool()>& happened) { run_until(loop, happened); }
    /// Result: how long it took until it was over.
    coronet::duration run(pool_call& each) {
        const auto begin = coronet::clock::now();
        pool.submit(each, loop);
        until([&] { return each.over(); });
        return coronet::clock::now() - begin;
    }
    void submit_together(std::deque<pool_call>& items) {
        std::thread{[&] {
            for (auto& each : items)
                pool.submit(each, loop);
        }}.join(); // the owner looks when all of them are there
    }

    pool_call item;
    held_call held;
    held_call other;
    scheduler loop;
    worker_pool& pool = loop.pool();
    watchdog limit{[this] { return loop.report(); }}; // its thread is created before the script
};

// ---- W6 ----

TEST_F(worker_creation, W6_a_failure_beside_others_is_no_items_and_is_made_good_100_ms_later) {
    creation.play({0, EPERM});
    pool.submit(held, loop);
    until([&] { return held.runs(); });
    const auto begin = coronet::clock::now();
    pool.submit(other, loop); // the only worker blocks, and nothing more will be submitted
    until([&] { return other.runs(); });
    EXPECT_GE(coronet::clock::now() - begin, 100ms);
    EXPECT_EQ(creation.calls(), 3U);
    EXPECT_EQ(pool.stats().failed, 1U);
    held.let_go();
    other.let_go();
    until([&] { return held.over() && other.over(); });
    EXPECT_EQ(other.how, outcome::executed);
}

TEST_F(worker_creation, W6_items_that_come_during_the_pause_make_no_attempt_of_their_own) {
    creation.play({0}, EPERM);
    pool.submit(held, loop);
    until([&] { return held.runs(); });
    std::deque<pool_call> items(20);
    for (auto& each : items) {
        pool.submit(each, loop);
        loop.run_once(coronet::time_point::min());
    }
    EXPECT_LE(creation.calls(), 3U);
    held.let_go();
    until([&] { return held.over() && all_over(items); });
    for (const auto& each : items)
        EXPECT_EQ(each.how, outcome::executed);
}

// ---- W7 ----

TEST_F(worker_creation, W7_what_is_forbidden_is_not_tried_again) {
    for (const int error : {EPERM, EINVAL, ENOSYS, EACCES}) {
        creation.play({}, error);
        pool_call each;
        run(each);
        EXPECT_EQ(each.how, outcome::unavailable);
        EXPECT_EQ(creation_errno(each.why), error);
        EXPECT_EQ(creation.calls(), 1U);
    }
}

TEST_F(worker_creation, W7_interruptions_are_tried_again_until_they_cease) {
    creation.play({EINTR, 512, 513, 514, 516, EINTR, 512, 512, 512});
    EXPECT_GE(run(item), 9ms);
    EXPECT_EQ(item.how, outcome::executed);
    EXPECT_EQ(creation.calls(), 10U);
    EXPECT_EQ(pool.stats().retried, 9U);
}

TEST_F(worker_creation, W7_nothing_is_tried_again_once_the_scheduler_was_stopped) {
    creation.play({}, EAGAIN);
    loop.stop();
    pool.submit(item, loop);
    EXPECT_EQ(creation.calls(), 1U);
    loop.shutdown();
    EXPECT_EQ(creation.calls(), 1U);
    EXPECT_EQ(item.how, outcome::unavailable);
}

// ---- W8 ----

/// Interrupts this thread, every millisecond.
class interruptions {
public:
    interruptions() {
        struct sigaction counting {};
        counting.sa_handler = [](int) {};
        ::sigaction(SIGALRM, &counting, &before_);
        sigevent to_this_thread{};
        to_this_thread.sigev_notify = SIGEV_SIGNAL;
        to_this_thread.sigev_signo = SIGALRM;
        ::timer_create(CLOCK_MONOTONIC, &to_this_thread, &timer_);
        const itimerspec often{{0, 1'000'000}, {0, 1'000'000}};
        ::timer_settime(timer_, 0, &often, nullptr);
    }
    ~interruptions() {
        ::timer_delete(timer_);
        ::sigaction(SIGALRM, &before_, nullptr);
    }

private:
    timer_t timer_{};
    struct sigaction before_ {};
};

TEST_F(worker_creation, W8_the_owner_serves_others_between_attempts) {
    creation.play({}, EAGAIN);
    pool.submit(item, loop);
    int expired = 0;
    for (int i = 0; i < 10; ++i) {
        coronet::testing::alarm soon{[&] { ++expired; }};
        loop.arm(soon, 1ms);
        sample_operation nop{[](io_uring_sqe& sqe) { io_uring_prep_nop(&sqe); }};
        loop.start(nop);
        until([&] { return nop.ended() && expired == i + 1; });
    }
    EXPECT_FALSE(item.over()); // after 10 ms, of 155
    EXPECT_LT(creation.calls(), 6U);
    until([&] { return item.over(); });
    EXPECT_EQ(creation.calls(), 6U);
}

TEST_F(worker_creation, W8_signals_make_no_pause_shorter) {
    creation.play({}, EAGAIN);
    const interruptions meanwhile;
    EXPECT_GE(run(item), 155ms);
    EXPECT_EQ(creation.calls(), 6U);
}

// ---- W9 ----

TEST_F(worker_creation, W9_what_is_queued_ends_with_the_reason_and_what_comes_later_begins_anew) {
    std::deque<pool_call> items(5);
    creation.play({EPERM});
    submit_together(items);
    pool.submit_serialized(item, loop, 1);
    until([&] { return all_over(items); });
    for (const auto& each : items) {
        EXPECT_EQ(each.how, outcome::unavailable);
        EXPECT_EQ(each.why, errc::worker_unavailable);
        EXPECT_EQ(creation_errno(each.why), EPERM);
        EXPECT_EQ(each.executed, 0);
        EXPECT_EQ(each.completed, 1);
    }
    EXPECT_NE(items[0].why.message().find("not permitted"), std::string::npos);
    pool_call later;
    run(later);
    EXPECT_EQ(later.how, outcome::executed);
}

TEST_F(worker_creation, W9_the_retries_of_one_failure_are_not_taken_from_the_next) {
    creation.play({}, EAGAIN);
    run(item);
    EXPECT_EQ(item.how, outcome::unavailable);
    creation.play({EAGAIN, EAGAIN, EAGAIN});
    pool_call next;
    run(next);
    EXPECT_EQ(next.how, outcome::executed);
    EXPECT_EQ(creation.calls(), 4U);
}

// ---- W10 ----

TEST_F(worker_creation, W10_an_item_fails_after_155_ms_of_shortage) {
    for (const int error : {EAGAIN, ENOMEM}) {
        creation.play({}, error);
        pool_call each;
        const auto took = run(each);
        EXPECT_GE(took, 155ms);
        EXPECT_LT(took, 2s);
        EXPECT_EQ(each.how, outcome::unavailable);
        EXPECT_EQ(creation_errno(each.why), error);
        EXPECT_EQ(creation.calls(), 6U);
    }
}

TEST_F(worker_creation, W10_an_item_fails_after_a_second_of_interruptions) {
    creation.play({}, 512);
    const auto took = run(item);
    EXPECT_GE(took, 1s);
    EXPECT_LT(took, 2s);
    EXPECT_EQ(item.how, outcome::unavailable);
    EXPECT_EQ(creation_errno(item.why), EINTR); // not a number of the kernel's own
}

// ---- W11 ----

TEST_F(worker_creation, W11_workers_are_created_with_all_signals_blocked_and_a_stack_of_their_own) {
    sigset_t nothing;
    ::sigemptyset(&nothing);
    ::pthread_sigmask(SIG_SETMASK, &nothing, nullptr);
    unblocked_creations = 0;
    creation.play({EINTR, EAGAIN});
    std::size_t stack = 0;
    bool taken_there = true;
    pool_call looks{[&] {
        taken_there = takes(SIGTERM) || takes(SIGALRM) || takes(SIGRTMAX - 2);
        pthread_attr_t mine;
        if (::pthread_getattr_np(::pthread_self(), &mine) != 0) return;
        ::pthread_attr_getstacksize(&mine, &stack);
        ::pthread_attr_destroy(&mine);
    }};
    run(looks);
    EXPECT_EQ(unblocked_creations, 0);
    EXPECT_FALSE(taken_there);
    EXPECT_TRUE(takes(SIGTERM));    // here
    EXPECT_GE(stack, 256U * 1024U); // a checker adds its own
    EXPECT_LT(stack, 2048U * 1024U);
}

std::atomic<int> start_failures{0};

scheduler_options failing_at_start() {
    scheduler_options options;
    options.workers.on_start = [] {
        if (start_failures > 0 && start_failures-- > 0)
            throw std::system_error(EAGAIN, std::generic_category());
    };
    return options;
}

TEST_F(worker_creation, W11_a_worker_that_cannot_begin_counts_as_one_that_could_not_be_created) {
    scheduler with_start{failing_at_start()};
    start_failures = 2;
    pool_call first;
    const auto begin = coronet::clock::now();
    with_start.pool().submit(first, with_start);
    run_until(with_start, [&] { return first.over(); });
    EXPECT_EQ(first.how, outcome::executed);
    EXPECT_GE(coronet::clock::now() - begin, 15ms);
    EXPECT_EQ(with_start.pool().stats().workers, 1U);
}

TEST_F(worker_creation, W11_if_none_can_begin_what_is_queued_ends) {
    scheduler with_start{failing_at_start()};
    start_failures = 1'000;
    pool_call first;
    with_start.pool().submit(first, with_start);
    run_until(with_start, [&] { return first.over(); });
    EXPECT_EQ(first.how, outcome::unavailable);
    EXPECT_EQ(creation_errno(first.why), EAGAIN);
    EXPECT_EQ(with_start.pool().stats().created, 6U);
    EXPECT_EQ(with_start.pool().stats().workers, 0U);
    start_failures = 0;
    pool_call second;
    with_start.pool().submit(second, with_start);
    run_until(with_start, [&] { return second.over(); });
    EXPECT_EQ(second.how, outcome::executed);
}

// ---- forced interleavings ----

TEST_F(worker_creation, X11_an_item_runs_after_two_shortages_and_one_worker_was_made) {
    creation.play({EAGAIN, EAGAIN});
    const auto took = run(item);
    EXPECT_EQ(item.how, outcome::executed);
    EXPECT_GE(took, 15ms); // 5 and 10
    EXPECT_LT(took, 2s);
    EXPECT_EQ(creation.calls(), 3U);
    EXPECT_EQ(pool.stats().created, 1U);
}

TEST_F(worker_creation, X12_a_cancel_while_another_attempt_is_awaited_ends_the_item_at_once) {
    creation.play({}, EAGAIN);
    pool.submit(item, loop);
    EXPECT_EQ(creation.calls(), 1U);
    item.cancel();
    loop.run_once(coronet::time_point::min());
    EXPECT_TRUE(item.over());
    EXPECT_EQ(item.how, outcome::cancelled);
    // The attempt that was to follow finds nothing to do.
    const auto until_then = coronet::clock::now() + 20ms;
    while (coronet::clock::now() < until_then)
        loop.run_once(until_then);
    EXPECT_EQ(creation.calls(), 1U);
    EXPECT_EQ(pool.stats().workers, 0U);
    creation.play({});
    pool_call next;
    run(next);
    EXPECT_EQ(next.how, outcome::executed);
}

TEST_F(worker_creation, X13_shutdown_withdraws_an_attempt_that_is_awaited) {
    creation.play({}, EAGAIN);
    pool.submit(item, loop);
    until([&] { return creation.calls() == 5; }); // the last one is 80 ms away
    ASSERT_TRUE(pool.request_shutdown());
    for (int i = 0; i < 3; ++i)
        loop.run_once(coronet::time_point::min());
    EXPECT_TRUE(pool.ended());
    EXPECT_TRUE(item.over());
    EXPECT_EQ(item.how, outcome::stopped);
    EXPECT_EQ(creation.calls(), 5U);
    EXPECT_EQ(pool.stats().workers, 0U);
}

TEST_F(worker_creation, X13_shutdown_withdraws_a_request_that_is_on_its_way) {
    std::deque<pool_call> items(1);
    submit_together(items);
    creation.play({}, EAGAIN);
    const auto begin = coronet::clock::now();
    ASSERT_TRUE(pool.request_shutdown());
    EXPECT_FALSE(pool.ended()); // the request is still to be read
    until([&] { return pool.ended(); });
    EXPECT_LT(coronet::clock::now() - begin, 100ms);
    until([&] { return items[0].over(); });
    EXPECT_EQ(items[0].how, outcome::stopped);
    EXPECT_EQ(creation.calls(), 0U);
}

#ifdef CORONET_HOOKS

using coronet::test::point;
using coronet::test::script;

TEST_F(worker_creation, X14_an_item_that_comes_between_the_failure_and_its_report_begins_anew) {
    std::deque<pool_call> items(3);
    pool_call fourth;
    creation.play({EPERM});
    script play;
    play.once(point::claimed, [&] { pool.submit(fourth, loop); });
    submit_together(items); // by a thread that the script lets pass: nobody claims
    creation.play({EPERM});
    until([&] { return all_over(items) && fourth.over(); });
    for (const auto& each : items) {
        EXPECT_EQ(each.how, outcome::unavailable);
        EXPECT_EQ(each.completed, 1);
    }
    EXPECT_EQ(fourth.how, outcome::executed);
    EXPECT_EQ(creation.calls(), 2U);
}

#endif

} // namespace
