// SPDX-License-Identifier: BSL-1.0
//
// When a pool has a worker created, and when one leaves.
#include "drivers/scripted.hpp"
#include "pool_call.hpp"
#include "support/rounds.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <coronet/interruptible.hpp>
#include <coronet/runtime.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/worker_cap.hpp>
#include <coronet/worker_pool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <random>
#include <semaphore>
#include <thread>

namespace worker_pool_tests {
namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::blocking_scope;
using coronet::pool_account;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::scripted_driver;
using coronet::worker_pool;
using outcome = coronet::pool_item::outcome;

scheduler_options idle_after(std::chrono::milliseconds idle) {
    scheduler_options options;
    options.workers.idle = idle;
    options.workers.bounded_min = 0;
    return options;
}

/// Virtual time: what waits for a timer waits until the test lets time pass.
class pool_in_virtual_time : public ::testing::Test {
protected:
    void turn() { loop.run_once(coronet::time_point::min()); }
    void pass(coronet::duration time) {
        script->pass(time);
        turn();
        turn();
    }
    template <class Condition>
    void until(Condition happened) {
        const bool in_time = wait_until([&] {
            turn();
            return happened();
        });
        ASSERT_TRUE(in_time);
    }

    std::deque<held_call> items{4};
    std::unique_ptr<scripted_driver> driver = std::make_unique<scripted_driver>();
    scripted_driver* script = driver.get();
    scheduler loop{idle_after(5s), std::move(driver)};
    worker_pool& pool = loop.pool();
};

// ---- W1 ----

TEST(worker_pool, W1_a_free_worker_is_picked_and_no_other_is_created) {
    std::deque<pool_call> items(100);
    scheduler loop{idle_after(5s)};
    for (auto& each : items) {
        // The one before has gone home; its worker is free, as it says so before.
        loop.pool().submit(each, loop);
        run_until(loop, [&] { return each.over(); });
        ASSERT_EQ(each.how, outcome::executed);
        ASSERT_EQ(each.thread, items.front().thread);
    }
    EXPECT_EQ(loop.pool().stats().created, 1U);
}

TEST(worker_pool, W1_each_item_that_may_block_gets_a_worker_up_to_the_limit) {
    std::deque<held_call> items(4);
    scheduler_options options = idle_after(5s);
    options.workers.unbounded_max = 3;
    scheduler loop{options};
    for (auto& each : items)
        loop.pool().submit(each, loop);
    run_until(loop, [&] { return items[0].runs() && items[1].runs() && items[2].runs(); });
    EXPECT_FALSE(items[3].runs());
    EXPECT_EQ(loop.pool().stats().created, 3U);
    for (auto& each : items)
        each.let_go();
    run_until(loop, [&] { return all_over(items); });
    EXPECT_EQ(loop.pool().stats().created, 3U);
}

TEST_F(pool_in_virtual_time, W1_items_that_compute_wait_for_the_one_that_runs) {
    for (auto& each : items)
        pool.submit(each, loop, pool_account::bounded);
    until([&] { return items[0].runs(); });
    turn();
    EXPECT_EQ(pool.stats().created, 1U);
    for (auto& each : items)
        each.let_go();
    until([&] { return all_over(items); });
    EXPECT_EQ(pool.stats().created, 1U);
}

TEST(worker_pool, W1_an_item_from_another_thread_has_its_worker_created_by_the_owner) {
    std::deque<pool_call> items(1);
    scheduler loop{idle_after(5s)};
    loop.run_once(coronet::time_point::min());
    std::thread elsewhere{[&] { loop.pool().submit(items[0], loop); }};
    elsewhere.join();
    EXPECT_EQ(loop.pool().stats().created, 0U); // the owner has not looked yet
    run_until(loop, [&] { return items[0].over(); });
    EXPECT_EQ(loop.pool().stats().created, 1U);
    EXPECT_EQ(items[0].how, outcome::executed);
}

// ---- W1b ----

TEST(worker_pool, W1b_items_that_share_a_request_do_not_wait_behind_one_that_blocks) {
    std::deque<held_call> items(3);
    scheduler loop{idle_after(5s)};
    loop.run_once(coronet::time_point::min());
    std::thread elsewhere{[&] {
        for (auto& each : items)
            loop.pool().submit(each, loop);
    }};
    elsewhere.join(); // three items, one request
    run_until(loop, [&] { return items[0].runs() && items[1].runs() && items[2].runs(); });
    for (auto& each : items)
        each.let_go();
    run_until(loop, [&] { return all_over(items); });
}

// ---- W2 ----

TEST_F(pool_in_virtual_time, W2_a_worker_that_blocks_is_replaced_at_once) {
    std::binary_semaphore go_on{0};
    pool_call calls{[&] {
        go_on.acquire();
        const blocking_scope here;
        while (!items[0].runs() || !items[1].runs())
            std::this_thread::yield();
    }};
    pool.submit(calls, loop, pool_account::bounded);
    until([&] { return calls.executed > 0; });
    pool.submit(items[0], loop, pool_account::bounded);
    turn();
    EXPECT_EQ(pool.stats().created, 1U);
    go_on.release();
    until([&] { return items[0].runs(); }); // no time passes
    EXPECT_EQ(pool.stats().created, 2U);
    items[0].let_go();
    until([&] { return items[0].over(); });
    pool.submit(items[1], loop, pool_account::bounded);
    until([&] { return items[1].runs(); });
    items[1].let_go();
    until([&] { return items[1].over() && calls.over(); });
}

TEST_F(pool_in_virtual_time, W2_a_queue_that_has_not_moved_for_5_ms_gets_another_worker) {
    pool.submit(items[0], loop, pool_account::bounded);
    until([&] { return items[0].runs(); }); // else the queue moves when it is taken
    pool.submit(items[1], loop, pool_account::bounded);
    turn();
    pass(4ms);
    EXPECT_EQ(pool.stats().created, 1U);
    pass(1ms);
    EXPECT_EQ(pool.stats().created, 2U);
    until([&] { return items[1].runs(); });
    for (auto& each : items)
        each.let_go();
    until([&] { return items[0].over() && items[1].over(); });
}

TEST_F(pool_in_virtual_time, W2_none_is_created_for_an_item_behind_another_of_its_key) {
    pool.submit_serialized(items[0], loop, 1);
    pool.submit_serialized(items[1], loop, 1);
    until([&] { return items[0].runs(); });
    for (int i = 0; i < 10; ++i)
        pass(5ms);
    EXPECT_EQ(pool.stats().created, 1U);
    items[0].let_go();
    items[1].let_go();
    until([&] { return items[1].over(); });
    EXPECT_EQ(pool.stats().created, 1U);
}

// ---- W3 ----

TEST_F(pool_in_virtual_time, W3_a_request_that_finds_the_queue_empty_creates_nobody) {
    turn();
    std::thread elsewhere{[&] {
        pool.submit(items[0], loop);
        pool.cancel(items[0].id());
    }};
    elsewhere.join();
    until([&] { return items[0].over(); });
    turn();
    EXPECT_EQ(items[0].how, outcome::cancelled);
    EXPECT_EQ(pool.stats().created, 0U);
}

TEST_F(pool_in_virtual_time, W3_a_request_that_finds_a_free_worker_creates_nobody) {
    pool.submit(items[0], loop);
    until([&] { return items[0].runs(); });
    std::thread elsewhere{[&] { pool.submit(items[1], loop); }};
    elsewhere.join(); // nobody was free: a request is on its way
    items[0].let_go();
    items[1].let_go();
    ASSERT_TRUE(wait_until([&] { return items[1].runs(); })); // by the one that has become free
    until([&] { return items[1].over(); });
    EXPECT_EQ(pool.stats().created, 1U);
}

// ---- W4 ----

#ifdef CORONET_HOOKS

using coronet::test::point;
using coronet::test::script;

TEST(worker_pool, W4_a_token_that_came_in_vain_is_gone_with_the_sleep) {
    // The worker is picked, but another one takes the item first. Were its token still there, the
    // next enqueuer would find it in the free list and in use.
    std::deque<held_call> items(2);
    pool_call quick;
    pool_call last;
    scheduler loop{idle_after(5s)};
    worker_pool& pool = loop.pool();
    script play;
    for (auto& each : items)
        pool.submit(each, loop);
    run_until(loop, [&] { return items[0].runs() && items[1].runs(); });
    auto& woken = play.hold(point::idle_over);
    items[0].let_go();
    run_until(loop, [&] { return items[0].over(); });
    pool.submit(quick, loop); // picks the first worker
    woken.wait();
    items[1].let_go(); // the second one takes it
    run_until(loop, [&] { return quick.over(); });
    EXPECT_EQ(quick.thread, items[1].thread);
    woken.release();
    run_until(loop, [&] { return items[1].over(); });
    pool.submit(last, loop);
    run_until(loop, [&] { return last.over(); });
    EXPECT_EQ(pool.stats().created, 2U);
}

TEST(worker_pool, X16_a_worker_that_is_picked_when_it_was_about_to_leave_stays) {
    pool_call first;
    pool_call second;
    scheduler loop{idle_after(1ms)};
    worker_pool& pool = loop.pool();
    script play;
    auto& decided = play.hold(point::idle_over);
    pool.submit(first, loop);
    run_until(loop, [&] { return first.over(); });
    decided.wait(); // it has slept for a millisecond, and has not got the lock
    pool.submit(second, loop);
    decided.release();
    run_until(loop, [&] { return second.over(); });
    EXPECT_EQ(second.how, outcome::executed);
    EXPECT_EQ(second.thread, first.thread);
    EXPECT_EQ(pool.stats().created, 1U);
}

#endif

// ---- W5 ----

TEST(worker_pool, W5_idle_workers_leave_but_for_the_least_number) {
    std::deque<held_call> items(4);
    scheduler_options options = idle_after(5ms);
    options.workers.unbounded_min = 2;
    scheduler loop{options};
    for (auto& each : items)
        loop.pool().submit(each, loop);
    run_until(loop, [&] {
        return std::all_of(items.begin(), items.end(), [](auto& each) { return each.runs(); });
    });
    EXPECT_EQ(count_threads("crn-wu"), 4U);
    for (auto& each : items)
        each.let_go();
    run_until(loop, [&] { return all_over(items) && count_threads("crn-wu") == 2; });
    const auto until = coronet::clock::now() + 50ms; // ten times as long
    while (coronet::clock::now() < until)
        loop.run_once(until);
    EXPECT_EQ(count_threads("crn-wu"), 2U);
}

TEST(worker_pool, W5_a_worker_that_may_be_idle_for_longer_than_the_clock_can_tell_stays) {
    constexpr std::chrono::hours three_hundred_years{300 * 365 * 24};
    for (const std::chrono::milliseconds idle :
         {std::chrono::milliseconds{three_hundred_years}, std::chrono::milliseconds::max()}) {
        pool_call first, second;
        scheduler loop{idle_after(idle)};
        loop.pool().submit(first, loop);
        run_until(loop, [&] { return first.over(); });
        const auto until = coronet::clock::now() + 50ms;
        while (coronet::clock::now() < until)
            loop.run_once(until);
        loop.pool().submit(second, loop);
        run_until(loop, [&] { return second.over(); });
        EXPECT_EQ(second.thread, first.thread);
        EXPECT_EQ(loop.pool().stats().created, 1U);
    }
}

TEST(worker_pool, W5_an_item_at_the_edge_of_idleness_is_never_left_with_nobody) {
    scheduler loop{idle_after(1ms)};
    worker_pool& pool = loop.pool();
    const coronet::test::watchdog limit{[&] { return loop.report(); }};
    std::minstd_rand random{7};
    const int rounds = coronet::test::rounds(1'000, 10'000);
    int executed = 0;
    for (int i = 0; i < rounds; ++i) {
        pool_call item;
        pool.submit(item, loop);
        while (!item.over())
            loop.run_once(coronet::time_point::max()); // no wake-up is owed to a time limit
        if (item.how == outcome::executed) ++executed;
        const auto until = coronet::clock::now() + 800us + random() % 400 * 1us;
        while (coronet::clock::now() < until) {
        }
    }
    EXPECT_EQ(executed, rounds);
    EXPECT_GT(pool.stats().created, 1U);                                 // some have left
    EXPECT_LT(pool.stats().created, static_cast<std::uint64_t>(rounds)); // some were met
}

// ---- W15 ----

TEST_F(pool_in_virtual_time, W15_an_interruption_is_not_put_off_by_items_that_enter_regions) {
    std::atomic<bool> inside{false};
    std::binary_semaphore leave{0};
    pool_call blocked{[&] {
        coronet::interruptible([&] {
            inside = true;
            leave.acquire(); // goes on after a signal: it needs one after the other
        });
    }};
    std::binary_semaphore enter{0};
    std::atomic<int> visits{0};
    constexpr int all_visits = 4;
    pool_call other{[&] {
        while (visits < all_visits) {
            enter.acquire();
            coronet::interruptible([] {});
            ++visits;
        }
    }};
    pool.submit(blocked, loop);
    pool.submit(other, loop);
    until([&] { return inside && other.executed > 0; });
    other.cancel(); // and is asked from here on
    blocked.cancel();
    turn();
    EXPECT_EQ(pool.stats().notifications, 1U);
    for (int i = 1; i <= all_visits; ++i) {
        pass(500us); // half of the time to the next one
        enter.release();
        until([&] { return visits == i; });
        turn();
    }
    EXPECT_GE(pool.stats().notifications, 2U);
    leave.release();
    until([&] { return blocked.over() && other.over(); });
}

// ---- the cap of several pools ----

TEST(worker_cap, gives_each_account_its_first_worker_and_others_while_there_are_any) {
    coronet::worker_cap cap{2};
    EXPECT_TRUE(cap.take(false));
    EXPECT_TRUE(cap.take(false));
    EXPECT_FALSE(cap.take(false));
    EXPECT_TRUE(cap.take(true));
    EXPECT_EQ(cap.count(), 3U);
    cap.give_back();
    EXPECT_FALSE(cap.take(false));
    cap.give_back();
    EXPECT_TRUE(cap.take(false));
}

TEST(worker_cap, holds_for_several_pools_together_and_leaves_nobody_without) {
    std::deque<held_call> items(4);
    scheduler_options options = idle_after(1ms);
    options.workers.cap = std::make_shared<coronet::worker_cap>(2);
    {
        scheduler one{options};
        scheduler other{options};
        one.pool().submit(items[0], one);
        one.pool().submit(items[1], one);
        other.pool().submit(items[2], other);
        other.pool().submit(items[3], other);
        run_until(one, [&] { return items[0].runs() && items[1].runs(); });
        run_until(other, [&] { return items[2].runs(); });
        EXPECT_EQ(options.workers.cap->count(), 3U); // two, and one that nobody else could replace
        for (auto& each : items)
            each.let_go();
        run_until(one, [&] { return items[0].over() && items[1].over(); });
        run_until(other, [&] { return items[2].over() && items[3].over(); });
    }
    EXPECT_EQ(options.workers.cap->count(), 0U);
}

TEST(worker_cap, of_a_runtime_holds_for_all_its_pools) {
    std::deque<held_call> items(6);
    coronet::runtime_options options;
    options.threads = 2;
    options.workers_max = 3;
    scheduler home;
    {
        coronet::runtime both{options};
        const auto running = [&] {
            return std::count_if(items.begin(), items.end(), [](auto& each) {
                return each.runs();
            });
        };
        for (std::size_t i = 0; i < items.size(); ++i) {
            // The first of each, which they always have.
            if (i == 2) run_until(home, [&] { return running() == 2; });
            both.at(i % 2).pool().submit(items[i], home);
        }
        run_until(home, [&] { return running() == 3; });
        EXPECT_EQ(count_threads("crn-wu"), 3U);
        for (auto& each : items)
            each.let_go();
        run_until(home, [&] { return all_over(items); });
    }
}

} // namespace
} // namespace worker_pool_tests
