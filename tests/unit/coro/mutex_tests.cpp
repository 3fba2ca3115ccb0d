// SPDX-License-Identifier: BSL-1.0
//
// A mutex is held by one at a time and goes to whoever has waited longest, also when that one is
// stopped at the very instant at which it is handed the lock.
#include "support/schedulers.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <coronet/coro/mutex.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/stop.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace coronet::mutex_tests {
namespace {

using namespace test;

// ---- holding it ----

TEST(mutex, is_held_by_one_at_a_time) {
    mutex what;
    auto held = what.try_lock();
    ASSERT_TRUE(held);
    EXPECT_FALSE(what.try_lock());
    held.reset();
    EXPECT_TRUE(what.try_lock());
}

TEST(mutex, a_guard_gives_it_back_once_wherever_it_was_moved) {
    mutex what, other;
    auto first = what.try_lock();
    auto second = other.try_lock();
    mutex::guard moved{std::move(*first)};
    EXPECT_FALSE(what.try_lock());
    moved = std::move(*second); // gives the first one back
    EXPECT_TRUE(what.try_lock());
    EXPECT_FALSE(other.try_lock());
    moved.unlock();
    EXPECT_TRUE(other.try_lock());
}

TEST(mutex_death, that_is_held_must_not_be_destroyed) {
    EXPECT_DEATH(
        {
            std::optional<mutex> what{std::in_place};
            const auto held = what->try_lock();
            what.reset();
        },
        "locked_"
    );
}

// ---- waiting for it ----

task<void> lock_and_note(mutex* what, int number, std::vector<int>* order) {
    auto held = co_await what->lock();
    co_await pause(); // nobody gets in here meanwhile
    if (held) order->push_back(number);
}
task<void> lock_one_after_the_other(scope children, mutex* what, std::vector<int>* order) {
    auto held = co_await what->lock();
    for (int i = 0; i < 10; ++i)
        children.spawn(lock_and_note, what, i, order);
    co_await pause(); // all of them wait
    order->push_back(-1);
    held->unlock();
    if (what->try_lock()) order->push_back(-2); // overtakes
}

TEST(mutex, goes_to_whoever_has_waited_longest) {
    mutex what;
    std::vector<int> order;
    run(with_scope(lock_one_after_the_other, &what, &order));
    EXPECT_EQ(order, (std::vector{-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

struct counted {
    mutex guarded;
    int inside = 0;
    int most = 0;
    int entered = 0;
};
task<void> enter(counted* what) {
    auto held = co_await what->guarded.lock();
    what->most = std::max(what->most, ++what->inside);
    co_await pause();
    --what->inside;
    ++what->entered;
}
task<void> many_enter(scope children, counted* what) {
    for (int i = 0; i < 100; ++i)
        children.spawn(enter, what);
    co_return;
}

TEST(mutex, keeps_others_out_across_awaits) {
    counted what;
    run(with_scope(many_enter, &what));
    EXPECT_EQ(what.most, 1);
    EXPECT_EQ(what.entered, 100);
}

// ---- a stop meets the lock ----

#ifdef CORONET_HOOKS

/// Two wait for a lock that the test holds: the first on one scheduler and with a token, the second
/// on another one.
class mutex_waiters : public ::testing::Test {
protected:
    void SetUp() override {
        first_ = begin(0, source_.get_token(), &first_held_);
        second_ = begin(1, {}, &second_held_);
    }
    std::future<std::error_code>
    begin(std::size_t where, inplace_stop_token token, std::atomic<bool>* held) {
        auto& waits = play_.once(
            point::waiting, [] {}, &what_
        );
        auto begun = begin_on(both_.at(where), wait_for_lock(&what_, token, held));
        waits.wait();
        return begun;
    }
    static task<std::error_code>
    wait_for_lock(mutex* what, inplace_stop_token token, std::atomic<bool>* holds) {
        auto held = co_await with_stop(token, what->lock());
        holds->store(held.has_value());
        co_return held.error();
    }

    static task<void> release(std::optional<mutex::guard>* holder) {
        holder->reset();
        co_return;
    }

    watchdog limit_{[] { return "the lock has reached nobody"; }};
    mutex what_;
    std::optional<mutex::guard> holder_ = what_.try_lock();
    inplace_stop_source source_;
    std::atomic<bool> first_held_{false}, second_held_{false};
    script play_;
    runtime both_{threads(2)};
    std::future<std::error_code> first_, second_;
};

TEST_F(mutex_waiters, D5_a_cancelled_waiter_passes_the_lock_on) {
    auto& claimed = play_.hold(point::claimed, &what_);
    source_.request_stop();
    claimed.wait();  // the first one has been cancelled and does not know it yet
    holder_.reset(); // so the lock is not for it
    EXPECT_EQ(second_.get(), std::error_code{});
    claimed.release();
    EXPECT_EQ(first_.get(), std::errc::operation_canceled);
    EXPECT_FALSE(first_held_);
    EXPECT_TRUE(second_held_);
    EXPECT_TRUE(what_.try_lock());
}

TEST_F(mutex_waiters, T_S2_5_a_waiter_that_is_stopped_while_it_is_handed_the_lock_passes_it_on) {
    auto& claimed = play_.hold(point::claimed, &what_);
    std::thread unlocker{[this] { holder_.reset(); }};
    claimed.wait(); // the lock is the first one's, and on its way
    source_.request_stop();
    settle(both_.at(0));
    EXPECT_FALSE(what_.try_lock()) << "handed over, it is never free";
    EXPECT_FALSE(second_held_) << "it went to both";
    claimed.release();
    unlocker.join();
    EXPECT_EQ(first_.get(), std::error_code{}) << "neither the lock nor the stop";
    EXPECT_EQ(second_.get(), std::error_code{}) << "the lock was lost";
    EXPECT_TRUE(what_.try_lock());
}

TEST_F(mutex_waiters, X9_the_owner_unlocks_between_a_cancels_claim_and_its_callback) {
    auto& claimed = play_.hold(point::claimed, &what_);
    source_.request_stop();
    claimed.wait();
    sync_wait(both_.at(1), release(&holder_)); // would complete the first one
    EXPECT_FALSE(first_held_);
    claimed.release();
    EXPECT_EQ(first_.get(), std::errc::operation_canceled);
    EXPECT_EQ(second_.get(), std::error_code{});
}

#endif

} // namespace
} // namespace coronet::mutex_tests
