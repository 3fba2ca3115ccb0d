// SPDX-License-Identifier: BSL-1.0
//
// The end of a pool, and that of the scheduler that has one.
#include "pool_call.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <coronet/detail/pool_wait.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/scheduler_thread.hpp>
#include <coronet/worker_pool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace worker_end_tests {
namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::errc;
using coronet::pool_account;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::scheduler_thread;
using coronet::worker_pool;
using coronet::detail::pool_wait;
using coronet::test::watchdog;
using outcome = coronet::pool_item::outcome;

constexpr auto long_ago = coronet::time_point::min();

/// A wait as coro's, without a coroutine.
class wait_for final : public pool_wait {
public:
    wait_for(worker_pool& pool, until wanted) : pool_wait(pool, wanted) {}
    void start() { over = !begin(); }
    [[nodiscard]] std::error_code error() const { return answer().error(); }
    bool over = false;

private:
    void run() noexcept override { over = true; }
};

class worker_end : public ::testing::Test {
protected:
    void until(const std::function<bool()>& happened) { run_until(loop, happened); }
    void turns() {
        for (int i = 0; i < 5; ++i)
            loop.run_once(long_ago);
    }
    [[nodiscard]] bool asked_to_end(pool_call& item) { return item.stop_token().stop_requested(); }

    held_call first;
    held_call second;
    pool_call obedient{[](pool_call& self) {
        while (!self.stop_token().stop_requested())
            std::this_thread::yield();
    }};
    scheduler loop;
    worker_pool& pool = loop.pool();
    watchdog limit{[this] { return loop.report(); }};
};

// ---- W19: drain ----

TEST_F(worker_end, W19_drain_waits_for_what_is_queued_and_what_runs) {
    loop.run_once(long_ago);
    wait_for idle{pool, pool_wait::until::idle};
    pool.submit_serialized(first, loop, 1);
    pool.submit_serialized(second, loop, 1);
    idle.start();
    until([&] { return first.runs(); });
    turns();
    EXPECT_FALSE(idle.over);
    first.let_go();
    until([&] { return second.runs(); });
    turns();
    EXPECT_FALSE(idle.over);
    second.let_go();
    until([&] { return idle.over; });
    EXPECT_TRUE(second.over()); // its end came first
    EXPECT_FALSE(idle.error());
    // New ones may come.
    pool_call another;
    pool.submit(another, loop);
    until([&] { return another.over(); });
    EXPECT_EQ(another.how, outcome::executed);
}

TEST_F(worker_end, W19_drain_of_an_idle_pool_and_one_that_is_cancelled_end_soon) {
    loop.run_once(long_ago);
    wait_for idle{pool, pool_wait::until::idle};
    idle.start();
    until([&] { return idle.over; });
    EXPECT_FALSE(idle.error());
    wait_for cancelled{pool, pool_wait::until::idle};
    pool.submit(first, loop);
    until([&] { return first.runs(); });
    cancelled.start();
    cancelled.cancel();
    turns();
    EXPECT_TRUE(cancelled.over);
    EXPECT_EQ(cancelled.error(), std::errc::operation_canceled);
    first.let_go();
    until([&] { return first.over(); });
}

// ---- W19: shutdown ----

TEST_F(worker_end, W19_shutdown_refuses_new_items_ends_queued_ones_and_asks_running_ones) {
    pool.submit_serialized(obedient, loop, 1);
    pool.submit_serialized(first, loop, 1); // behind it
    until([&] { return obedient.executed > 0; });
    wait_for ended{pool, pool_wait::until::ended};
    ended.start();
    pool.submit(second, loop);
    EXPECT_FALSE(second.over()); // not inside the call
    until([&] { return ended.over; });
    EXPECT_FALSE(ended.error());
    EXPECT_EQ(obedient.how, outcome::executed);
    EXPECT_EQ(first.how, outcome::stopped);
    EXPECT_EQ(first.why, errc::stopped);
    EXPECT_EQ(second.how, outcome::stopped);
    EXPECT_EQ(first.executed + second.executed, 0);
    // Once is enough, and again is no error.
    wait_for again{pool, pool_wait::until::ended};
    again.start();
    until([&] { return again.over; });
    EXPECT_FALSE(again.error());
    EXPECT_TRUE(pool.request_shutdown());
}

TEST_F(worker_end, W19_shutdown_waits_for_an_item_that_does_not_listen) {
    pool.submit(first, loop);
    until([&] { return first.runs(); });
    wait_for ended{pool, pool_wait::until::ended};
    ended.start();
    turns();
    EXPECT_TRUE(asked_to_end(first));
    EXPECT_FALSE(ended.over);
    first.let_go();
    until([&] { return ended.over; });
    EXPECT_EQ(first.how, outcome::executed);
}

TEST_F(worker_end, W19_shutdown_on_a_worker_would_deadlock) {
    std::error_code on_worker;
    pool_call item{[&] { on_worker = pool.request_shutdown().error(); }};
    pool.submit(item, loop);
    until([&] { return item.over(); });
    EXPECT_EQ(on_worker, errc::would_deadlock);
    std::error_code elsewhere;
    std::thread{[&] { elsewhere = pool.request_shutdown().error(); }}.join();
    EXPECT_EQ(elsewhere, errc::wrong_thread);
    EXPECT_FALSE(pool.ended());
}

TEST_F(worker_end, W19_of_a_scheduler_that_a_worker_runs_is_its_own_affair) {
    bool drained = false;
    bool ended = false;
    pool_call outer{[&] {
        scheduler nested;
        pool_call inner;
        nested.pool().submit(inner, nested);
        wait_for idle{nested.pool(), pool_wait::until::idle};
        nested.run_once(long_ago); // from now on it has an owner
        idle.start();
        run_until(nested, [&] { return inner.over() && idle.over; });
        drained = !idle.error();
        wait_for end{nested.pool(), pool_wait::until::ended};
        end.start();
        run_until(nested, [&] { return end.over; });
        ended = !end.error() && nested.pool().ended();
    }};
    pool.submit(outer, loop);
    until([&] { return outer.over(); });
    EXPECT_TRUE(drained);
    EXPECT_TRUE(ended);
}

// ---- W20 ----

#ifdef CORONET_HOOKS

using coronet::test::point;
using coronet::test::script;

TEST_F(worker_end, X15_a_request_that_meets_the_end_is_withdrawn_and_its_item_stopped) {
    loop.run_once(long_ago);
    script play;
    auto& sending = play.hold(point::errand_sending);
    std::thread elsewhere{[&] { pool.submit(first, loop); }};
    sending.wait(); // queued, asked for, and not sent
    wait_for ended{pool, pool_wait::until::ended};
    ended.start();
    turns();
    EXPECT_TRUE(first.over());
    EXPECT_EQ(first.how, outcome::stopped);
    EXPECT_FALSE(ended.over); // the message is still to come
    sending.release();
    elsewhere.join();
    until([&] { return ended.over; });
    EXPECT_EQ(pool.stats().created, 0U);
}

TEST_F(worker_end, W20_no_creation_is_requested_once_the_end_has_begun) {
    // A worker that leaves others in the queue requests a creation; here the end comes first.
    loop.run_once(long_ago);
    pool.submit(obedient, loop);
    until([&] { return obedient.executed > 0; });
    ASSERT_TRUE(pool.request_shutdown());
    script play;
    auto& sending = play.hold(point::errand_sending); // by whomever
    std::thread elsewhere{[&] { pool.submit(first, loop); }};
    elsewhere.join(); // it would have been held
    EXPECT_FALSE(sending.reached());
    until([&] { return pool.ended(); });
    until([&] { return first.over(); });
    EXPECT_EQ(first.how, outcome::stopped);
    EXPECT_EQ(pool.stats().created, 1U);
}

#endif

// ---- W21 ----

TEST_F(worker_end, W21_no_thread_is_left_when_it_has_ended) {
    std::deque<held_call> items(5);
    for (auto& each : items)
        pool.submit(each, loop);
    pool_call computes;
    pool.submit(computes, loop, pool_account::bounded);
    until([&] {
        return computes.over() &&
               std::all_of(items.begin(), items.end(), [](auto& each) { return each.runs(); });
    });
    EXPECT_EQ(count_threads("crn-w"), 6U);
    ASSERT_TRUE(pool.request_shutdown());
    for (auto& each : items) {
        EXPECT_FALSE(pool.ended());
        each.let_go();
        until([&] { return each.over(); });
    }
    until([&] { return pool.ended(); });
    EXPECT_EQ(count_threads("crn-w"), 0U);
    EXPECT_EQ(pool.stats().workers, 0U);
}

#ifdef CORONET_HOOKS

TEST_F(worker_end, W21_a_worker_that_has_left_and_was_not_joined_holds_the_end_back) {
    script play;
    auto& left = play.hold(point::worker_left);
    pool.submit(first, loop);
    until([&] { return first.runs(); });
    first.let_go();
    until([&] { return first.over(); });
    ASSERT_TRUE(pool.request_shutdown());
    left.wait();
    turns();
    EXPECT_FALSE(pool.ended());
    left.release();
    until([&] { return pool.ended(); });
    EXPECT_EQ(count_threads("crn-w"), 0U);
}

#endif

// ---- W22 ----

TEST(scheduler_with_a_pool, W22_ends_its_pool_before_itself_and_hears_of_every_item) {
    std::deque<held_call> items(3);
    pool_call queued;
    std::thread letting_go;
    {
        scheduler_options options;
        options.workers.unbounded_max = 3;
        scheduler loop{options};
        for (auto& each : items)
            loop.pool().submit(each, loop);
        run_until(loop, [&] {
            return std::all_of(items.begin(), items.end(), [](auto& each) { return each.runs(); });
        });
        loop.pool().submit(queued, loop);
        letting_go = std::thread{[&] {
            for (auto& each : items) {
                while (!each.stop_token().stop_requested())
                    std::this_thread::yield();
                each.let_go();
            }
        }};
        loop.stop();
        loop.run();
        EXPECT_TRUE(loop.pool().ended());
    }
    letting_go.join();
    for (const auto& each : items) {
        EXPECT_EQ(each.completed, 1);
        EXPECT_EQ(each.how, outcome::executed);
    }
    EXPECT_EQ(queued.completed, 1);
    EXPECT_EQ(queued.how, outcome::stopped);
    EXPECT_EQ(count_threads("crn-w"), 0U);
}

TEST(scheduler_with_a_pool, W22_hears_of_an_item_that_was_submitted_before_its_first_turn) {
    pool_call item;
    {
        scheduler loop;
        std::thread{[&] { loop.pool().submit(item, loop); }}.join();
    }
    EXPECT_EQ(item.completed, 1);
}

TEST(scheduler_with_a_pool, W22_items_of_another_scheduler_end_with_the_pool) {
    pool_call waits{[](pool_call& self) {
        while (!self.stop_token().stop_requested())
            std::this_thread::yield();
    }};
    scheduler home;
    {
        scheduler_thread owner;
        owner.start();
        owner->pool().submit(waits, home);
        run_until(home, [&] { return waits.executed > 0; });
        owner.stop();
        ASSERT_TRUE(owner.join());
    }
    run_until(home, [&] { return waits.over(); });
    EXPECT_EQ(waits.how, outcome::executed);
}

#ifdef CORONET_HOOKS

TEST(scheduler_with_a_pool, W22_that_was_asked_for_when_nothing_else_was_left_has_ended) {
    scheduler home;
    pool_call item;
    scheduler loop;
    const watchdog limit{[&] { return loop.report(); }};
    script play;
    auto& at_the_end = play.hold(point::nothing_in_flight, &loop); // nobody had asked for a pool
    std::thread owner{[&] { loop.shutdown(); }};
    at_the_end.wait();
    loop.pool().submit(item, home);
    at_the_end.release();
    owner.join();
    run_until(home, [&] { return item.over(); });
    EXPECT_EQ(item.how, outcome::stopped);
    EXPECT_TRUE(loop.pool().ended());
    EXPECT_EQ(count_threads("crn-w"), 0U);
}

#endif

// ---- W23 ----

TEST(worker_death, W23_an_exception_that_leaves_an_item_ends_the_program) {
    EXPECT_DEATH(
        {
            pool_call item{[] { throw 1; }};
            scheduler loop;
            loop.pool().submit(item, loop);
            run_until(loop, [&] { return item.over(); });
        },
        "terminate"
    );
}

// ---- forked children ----

TEST(forked_pool, L11_a_child_touches_nothing_of_its_parents_pool) {
    held_call item;
    pool_call another;
    scheduler loop;
    worker_pool& pool = loop.pool();
    pool.submit(item, loop);
    run_until(loop, [&] { return item.runs(); });
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(20);
        // None of these may wait for a lock that a thread of the parent's holds, or for a worker.
        item.cancel();
        pool.cancel(item.id());
        pool.cancel_all();
        const bool refused = pool.refresh_context().error() == errc::stopped &&
                             pool.request_shutdown().error() == errc::stopped;
        pool.submit(another, loop);
        ::_exit(refused && another.executed == 0 ? 7 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 7);
    EXPECT_FALSE(item.stop_token().stop_requested());
    item.let_go();
    run_until(loop, [&] { return item.over(); });
}

TEST(forked_pool, L11_a_child_that_returns_from_an_item_ends) {
    std::atomic<int> status{0};
    pool_call item{[&] {
        const pid_t child = ::fork();
        if (child == 0) return;
        int how = 0;
        ::waitpid(child, &how, 0);
        status = how;
    }};
    scheduler loop;
    loop.pool().submit(item, loop);
    run_until(loop, [&] { return item.over(); });
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 70);
}

} // namespace
} // namespace worker_end_tests
