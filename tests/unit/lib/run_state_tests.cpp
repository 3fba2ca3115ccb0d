// SPDX-License-Identifier: BSL-1.0
//
// The control word: nobody sleeps over a flag, and a sleeper is woken once for it.
#include "run_state.hpp"
#include "run_until.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <semaphore>
#include <thread>
#include <vector>

namespace run_state_tests {
namespace {

using coronet::run_state;
using coronet::testing::patience;
using phase = run_state::phase;

TEST(run_state, begins_fresh_awake_and_unasked) {
    const run_state state;
    EXPECT_EQ(state.current_phase(), phase::fresh);
    EXPECT_FALSE(state.stop_requested());
}

TEST(run_state, goes_through_its_phases_and_keeps_its_flags) {
    run_state state;
    state.enter(phase::running);
    EXPECT_EQ(state.current_phase(), phase::running);
    state.set_stop();
    state.set_notified();
    state.enter(phase::draining);
    EXPECT_EQ(state.current_phase(), phase::draining);
    EXPECT_TRUE(state.stop_requested());
    EXPECT_TRUE(state.take_notified());
    state.enter(phase::exited);
    EXPECT_EQ(state.current_phase(), phase::exited);
    EXPECT_TRUE(state.stop_requested());
}

TEST(run_state, an_owner_that_is_awake_needs_no_wake_up) {
    run_state state;
    state.enter(phase::running);
    EXPECT_FALSE(state.set_notified());
    EXPECT_FALSE(state.set_stop());
}

TEST(run_state, a_sleeper_is_woken_by_the_first_notification_only) {
    run_state state;
    state.enter(phase::running);
    ASSERT_TRUE(state.try_sleep());
    EXPECT_TRUE(state.set_notified());
    EXPECT_FALSE(state.set_notified());
    state.wake_up();
    EXPECT_TRUE(state.take_notified());
    EXPECT_FALSE(state.take_notified());
}

TEST(run_state, a_sleeper_is_woken_again_while_its_wake_ups_are_only_messages) {
    run_state state;
    state.enter(phase::running);
    ASSERT_TRUE(state.try_sleep());
    EXPECT_TRUE(state.set_notified(true));
    EXPECT_TRUE(state.set_notified(true)); // that message may stay where it is, too
    EXPECT_TRUE(state.set_notified());
    EXPECT_FALSE(state.set_notified()); // now it is certain
    EXPECT_FALSE(state.set_notified(true));
    state.wake_up();
    EXPECT_TRUE(state.take_notified());
    ASSERT_TRUE(state.try_sleep());
    EXPECT_TRUE(state.set_notified());
    EXPECT_FALSE(state.set_notified());
}

TEST(run_state, a_sleeper_is_woken_by_the_first_stop_only) {
    run_state state;
    state.enter(phase::running);
    ASSERT_TRUE(state.try_sleep());
    EXPECT_TRUE(state.set_stop());
    EXPECT_FALSE(state.set_stop());
    EXPECT_TRUE(state.set_notified()); // at most one wake-up too many
}

TEST(run_state, a_sleeper_is_woken_by_a_stop_and_a_wake_although_a_notification_is_on_its_way) {
    run_state state; // the message of that notification may stand in a queue yet
    state.enter(phase::running);
    ASSERT_TRUE(state.try_sleep());
    EXPECT_TRUE(state.set_notified());
    EXPECT_TRUE(state.set_woken());
    EXPECT_TRUE(state.set_stop());
    state.wake_up();
    EXPECT_FALSE(state.set_woken()); // it is awake
    EXPECT_TRUE(state.take_notified());
}

TEST(run_state, nobody_sleeps_with_a_notification_or_a_stop) {
    run_state notified;
    notified.enter(phase::running);
    notified.set_notified();
    EXPECT_FALSE(notified.try_sleep());
    notified.take_notified();
    EXPECT_TRUE(notified.try_sleep());

    run_state stopped;
    stopped.enter(phase::running);
    stopped.set_stop();
    EXPECT_FALSE(stopped.try_sleep());
}

TEST(run_state, a_draining_owner_sleeps_although_it_was_stopped) {
    run_state state;
    state.enter(phase::running);
    state.set_stop();
    state.enter(phase::draining);
    EXPECT_TRUE(state.try_sleep());
    EXPECT_TRUE(state.set_notified());
    state.wake_up();
    EXPECT_FALSE(state.try_sleep());
}

/// An owner that sleeps on a semaphore instead of a ring.
class sleeper {
public:
    void notify() {
        pushed_.fetch_add(1, std::memory_order_relaxed);
        if (state_.set_notified()) wake_.release();
    }
    void stop() {
        if (state_.set_stop()) wake_.release();
    }
    /// False when a wake-up was lost.
    bool run() {
        state_.enter(phase::running);
        while (!state_.stop_requested()) {
            if (state_.take_notified()) {
                seen_ = pushed_.load(std::memory_order_relaxed);
                continue;
            }
            if (!state_.try_sleep()) continue;
            const bool woken = wake_.try_acquire_for(patience);
            state_.wake_up();
            if (!woken) return false;
        }
        if (state_.take_notified()) seen_ = pushed_.load(std::memory_order_relaxed);
        return true;
    }
    [[nodiscard]] int seen() const { return seen_; }

private:
    run_state state_;
    std::counting_semaphore<> wake_{0};
    std::atomic<int> pushed_{0}; // relaxed: it is the control word that orders it
    int seen_ = 0;
};

TEST(run_state, loses_no_notification_and_no_stop_in_many_rounds) {
    constexpr int threads = 2, rounds = 2'000, pushes = 20;
    for (int round = 0; round < rounds; ++round) {
        sleeper owner;
        bool nothing_lost = false;
        std::thread loop{[&] { nothing_lost = owner.run(); }};
        std::vector<std::thread> posters;
        for (int t = 0; t < threads; ++t)
            posters.emplace_back([&] {
                for (int i = 0; i < pushes; ++i)
                    owner.notify();
            });
        for (auto& each : posters)
            each.join();
        owner.stop();
        loop.join();
        ASSERT_TRUE(nothing_lost) << "in round " << round;
        ASSERT_EQ(owner.seen(), threads * pushes);
    }
}

// Two owners that wake each other in turn: each lost wake-up would end the game.
TEST(run_state, two_owners_wake_each_other_in_turn) {
    constexpr int exchanges = 10'000;
    run_state states[2];
    std::binary_semaphore wakes[2]{std::binary_semaphore{0}, std::binary_semaphore{0}};
    std::atomic<bool> lost{false};
    const auto player = [&](int me) {
        const int other = 1 - me;
        states[me].enter(phase::running);
        for (int turn = 0; turn < exchanges && !lost; ++turn) {
            while (!states[me].take_notified()) {
                if (!states[me].try_sleep()) continue;
                const bool woken = wakes[me].try_acquire_for(patience);
                states[me].wake_up();
                if (!woken) lost = true;
                if (!woken) return;
            }
            if (states[other].set_notified()) wakes[other].release();
        }
    };
    states[0].set_notified(); // the first serve
    std::thread a{player, 0}, b{player, 1};
    a.join();
    b.join();
    EXPECT_FALSE(lost);
}

} // namespace
} // namespace run_state_tests
