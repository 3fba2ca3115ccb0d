// SPDX-License-Identifier: BSL-1.0
//
// The kernel's own way to workers that survive had nine mistakes, some of which were found years
// later. Each of them, here: the names have their numbers.
#include "faulty_creation.hpp"
#include "lib/pool_call.hpp"
#include "support/rounds.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <coronet/scheduler.hpp>
#include <coronet/worker_cap.hpp>
#include <coronet/worker_pool.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <thread>

#include <malloc.h>

namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::worker_pool;
using coronet::test::creation;
using coronet::test::watchdog;
using outcome = coronet::pool_item::outcome;

class kernel_mistakes : public ::testing::Test {
protected:
    static scheduler_options with_cap() {
        scheduler_options options;
        options.workers.cap = std::make_shared<coronet::worker_cap>(8);
        return options;
    }
    kernel_mistakes() { loop.run_once(coronet::time_point::min()); }
    ~kernel_mistakes() override { creation.play({}); }
    void until(const std::function<bool()>& happened) { run_until(loop, happened); }

    std::deque<pool_call> items{3};
    held_call held;
    scheduler_options options = with_cap();
    scheduler loop{options};
    worker_pool& pool = loop.pool();
    watchdog limit{[this] { return loop.report(); }};
};

TEST_F(kernel_mistakes, S5_1_pending_creations_of_both_kinds_are_withdrawn_at_the_end) {
    // One account has a request on its way, the other one waits for its next attempt.
    creation.play({}, EAGAIN);
    pool.submit(items[1], loop, coronet::pool_account::bounded);
    until([&] { return creation.calls() == 5; }); // the last one is 80 ms away
    creation.play({});
    std::thread{[&] { pool.submit(items[0], loop); }}.join();
    creation.play({}, EAGAIN);
    ASSERT_TRUE(pool.request_shutdown());
    for (int i = 0; i < 3; ++i)
        loop.run_once(coronet::time_point::min());
    EXPECT_TRUE(pool.ended());
    EXPECT_TRUE(items[0].over() && items[1].over());
    EXPECT_EQ(creation.calls(), 0U);
    EXPECT_EQ(options.workers.cap->count(), 0U);
}

TEST_F(kernel_mistakes, S5_2_an_item_that_fails_is_no_longer_in_the_queue) {
    std::thread{[&] {
        for (auto& each : items)
            pool.submit(each, loop);
    }}.join();
    creation.play({EPERM});
    until([&] { return all_over(items); });
    pool.submit(held, loop); // its worker looks at the queue
    until([&] { return held.runs(); });
    held.let_go();
    until([&] { return held.over(); });
    for (const auto& each : items) {
        EXPECT_EQ(each.executed, 0);
        EXPECT_EQ(each.completed, 1);
    }
}

#ifdef CORONET_HOOKS

TEST_F(kernel_mistakes, S5_3_the_end_may_begin_between_the_wish_for_a_worker_and_its_request) {
    coronet::test::script play;
    auto& sending = play.hold(coronet::test::point::errand_sending);
    std::thread elsewhere{[&] { pool.submit(items[0], loop); }};
    sending.wait();
    ASSERT_TRUE(pool.request_shutdown());
    until([&] { return items[0].over(); });
    EXPECT_FALSE(pool.ended());
    sending.release();
    elsewhere.join();
    until([&] { return pool.ended(); });
    EXPECT_EQ(items[0].how, outcome::stopped);
}

#endif

TEST_F(kernel_mistakes, S5_4_attempts_are_counted_and_their_pauses_grow) {
    creation.play({}, EAGAIN);
    pool.submit(items[0], loop);
    std::vector<coronet::duration> pauses;
    std::size_t seen = creation.calls();
    auto last = coronet::clock::now();
    until([&] {
        if (creation.calls() != seen) {
            seen = creation.calls();
            pauses.push_back(coronet::clock::now() - last);
            last = coronet::clock::now();
        }
        return items[0].over();
    });
    ASSERT_EQ(pauses.size(), 5U);
    for (std::size_t i = 0; i < pauses.size(); ++i)
        EXPECT_GE(pauses[i], 4500us * (1 << i)) << i;
}

TEST_F(kernel_mistakes, S5_5_an_attempt_that_fails_leaves_no_worker_behind) {
    const auto fail_once = [&] {
        pool_call each;
        creation.play({}, EPERM);
        pool.submit(each, loop);
        until([&] { return each.over(); });
    };
    for (int i = 0; i < 100; ++i)
        fail_once();
    const auto before = ::mallinfo2().uordblks;
    for (int i = 0; i < 1'000; ++i)
        fail_once();
    EXPECT_LT(::mallinfo2().uordblks, before + 1'000 * 16);
    EXPECT_EQ(options.workers.cap->count(), 0U);
    EXPECT_EQ(pool.stats().workers, 0U);
}

TEST_F(kernel_mistakes, S5_6_a_worker_that_has_become_free_is_used_instead_of_a_new_one) {
    creation.play({0, EAGAIN});
    pool.submit(held, loop);
    until([&] { return held.runs(); });
    pool.submit(items[0], loop); // another one is wanted, and tried again in 5 ms
    held.let_go();
    until([&] { return items[0].over() && held.over(); });
    const auto until_then = coronet::clock::now() + 20ms;
    while (coronet::clock::now() < until_then)
        loop.run_once(until_then);
    EXPECT_EQ(creation.calls(), 2U);
    EXPECT_EQ(pool.stats().created, 1U);
    EXPECT_EQ(options.workers.cap->count(), 1U);
}

TEST_F(kernel_mistakes, S5_7_none_is_created_for_an_item_that_must_wait_for_another) {
    creation.play({});
    pool.submit_serialized(held, loop, 1);
    until([&] { return held.runs(); });
    pool.submit_serialized(items[0], loop, 1);
    pool.submit_serialized(items[1], loop, 1);
    EXPECT_EQ(creation.calls(), 1U);
    held.let_go();
    until([&] { return items[0].over() && items[1].over() && held.over(); });
    EXPECT_EQ(creation.calls(), 1U);
}

TEST_F(kernel_mistakes, S5_8_an_item_is_found_whether_it_is_queued_or_runs) {
    const int rounds = coronet::test::rounds(3'000, 50'000);
    std::atomic<std::uint64_t> wanted{0};
    std::atomic<bool> over{false};
    std::thread cancelling{[&] {
        for (std::uint64_t last = 0; !over;)
            if (const auto id = wanted.load(); id != last) pool.cancel(last = id);
    }};
    int ran = 0;
    for (int i = 0; i < rounds; ++i) {
        pool_call waits{[](pool_call& self) { // for ever, if its cancel is lost
            while (!self.stop_token().stop_requested())
                std::this_thread::yield();
        }};
        pool.submit(waits, loop);
        wanted = waits.id();
        until([&] { return waits.over(); });
        ran += waits.executed;
        limit.pat();
    }
    over = true;
    cancelling.join();
    EXPECT_GT(ran, 0);
}

TEST_F(kernel_mistakes, S5_9_a_worker_looks_at_the_end_before_each_item) {
    scheduler_options one = options;
    one.workers.unbounded_max = 1;
    scheduler alone{one};
    alone.pool().submit(held, alone);
    run_until(alone, [&] { return held.runs(); });
    for (auto& each : items)
        alone.pool().submit(each, alone);
    ASSERT_TRUE(alone.pool().request_shutdown());
    held.let_go();
    run_until(alone, [&] { return alone.pool().ended() && held.over() && all_over(items); });
    for (const auto& each : items) {
        EXPECT_EQ(each.executed, 0);
        EXPECT_EQ(each.how, outcome::stopped);
    }
}

} // namespace
