// SPDX-License-Identifier: BSL-1.0
//
// Property: however many schedulers lock and stop to wait at any instant, one holds the lock at a
// time, each await ends once, with the lock or cancelled, and no grant is lost. The same for the
// permits of a semaphore.
#include "support/chaos.hpp"
#include "support/rounds.hpp"
#include "support/schedulers.hpp"
#include "support/watchdog.hpp"

#include <coronet/coro/latch.hpp>
#include <coronet/coro/mutex.hpp>
#include <coronet/coro/semaphore.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_any.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <random>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace coronet {
namespace {

using namespace std::chrono_literals;
using namespace test;

constexpr std::size_t thread_count = 4;
constexpr int tasks = 8;

/// Runs `tasks` of them, spread over the threads of a runtime; `begin` is given their numbers.
template <class Begin>
void on_four_threads(Begin begin) {
    runtime all{threads(thread_count)};
    std::vector<std::future<void>> running;
    for (int i = 0; i < tasks; ++i)
        running.push_back(begin_on(all.at(static_cast<std::size_t>(i) % thread_count), begin(i)));
    for (auto& each : running)
        each.get();
}

// ---- what all of them use ----

struct arena {
    latch begin{tasks}; // all begin at once
    mutex guarded;
    int count = 0; // no atomic: the lock guards it
    semaphore permits{3};
    std::atomic<int> inside{0}, most_inside{0};
    std::atomic<int> granted{0}, cancelled{0}, strange{0};

    void enter() {
        const int now = ++inside;
        int most = most_inside.load();
        while (now > most && !most_inside.compare_exchange_weak(most, now)) {
        }
    }
    void leave() { --inside; }
    void note(std::error_code error) {
        if (!error)
            ++granted;
        else if (error == std::errc::operation_canceled || error == std::errc::timed_out)
            ++cancelled;
        else
            ++strange;
    }
    [[nodiscard]] std::string report() const {
        return std::to_string(granted) + " granted, " + std::to_string(cancelled) + " cancelled, " +
               std::to_string(inside) + " inside";
    }
};

duration some_time(std::minstd_rand* random) {
    return std::chrono::microseconds{(*random)() % 200};
}

// ---- nobody is stopped ----

task<void> count_up(arena* at, int times) {
    const auto begun = co_await at->begin.arrive_and_wait();
    begun.value();
    for (int i = 0; i < times; ++i) {
        auto held = co_await at->guarded.lock();
        at->note(held.error());
        at->enter();
        const int seen = at->count;
        if (i % 16 == 0) co_await pause(); // with the lock
        at->count = seen + 1;
        at->leave();
    }
}

TEST(mutex_races, four_threads_count_up_under_one_lock) {
    const chaos disturbed;
    arena at;
    const watchdog limit{[&] { return at.report(); }, longest_test()};
    const int each = rounds(20'000, 1'000'000) / tasks;
    on_four_threads([&](int) { return count_up(&at, each); });
    EXPECT_EQ(at.count, each * tasks);
    EXPECT_EQ(at.most_inside, 1);
    EXPECT_EQ(at.granted, each * tasks);
}

task<void> come_and_go(arena* at, int times) {
    const auto begun = co_await at->begin.arrive_and_wait();
    begun.value();
    for (int i = 0; i < times; ++i) {
        const auto permitted = co_await at->permits.acquire();
        at->note(permitted.error());
        at->enter();
        if (i % 4 == 0) co_await pause();
        at->leave();
        at->permits.release();
    }
}

TEST(semaphore_races, four_threads_share_three_permits) {
    const chaos disturbed;
    arena at;
    const watchdog limit{[&] { return at.report(); }, longest_test()};
    const int each = rounds(20'000, 1'000'000) / tasks;
    on_four_threads([&](int) { return come_and_go(&at, each); });
    EXPECT_LE(at.most_inside, 3);
    EXPECT_EQ(at.granted, each * tasks);
    EXPECT_EQ(at.permits.available(), 3u);
}

// ---- everybody is, at times ----

/// As long as others have patience: some of them give up.
task<void> keep_for_a_while(std::minstd_rand* random) {
    const auto slept = co_await sleep_for(some_time(random));
    slept.value();
}

/// Granted, and in that moment beaten, counts as granted.
task<result<mutex::guard>> lock_or_pause(mutex* what, duration patience) {
    auto first = co_await when_any(what->lock(), sleep_for(patience));
    co_return std::get<0>(std::move(first.results));
}
task<void> lock_impatiently(arena* at, int times, unsigned seed) {
    std::minstd_rand random{seed};
    const auto begun = co_await at->begin.arrive_and_wait();
    begun.value();
    for (int i = 0; i < times; ++i) {
        const duration patience = some_time(&random);
        auto held = result<mutex::guard>{std::errc::state_not_recoverable};
        if (i % 2 == 0)
            held = co_await with_timeout(patience, at->guarded.lock());
        else
            held = co_await lock_or_pause(&at->guarded, patience);
        at->note(held.error());
        if (!held) continue;
        at->enter();
        ++at->count;
        if (i % 8 == 0) co_await keep_for_a_while(&random);
        at->leave();
    }
}

TEST(mutex_races, a_waiter_that_is_stopped_at_any_instant_has_the_lock_or_not) {
    const chaos disturbed;
    arena at;
    const watchdog limit{[&] { return at.report(); }, longest_test()};
    const int each = rounds(8'000, 400'000) / tasks;
    const auto seed = static_cast<unsigned>(disturbed.seed());
    on_four_threads([&](int i) {
        return lock_impatiently(&at, each, seed + static_cast<unsigned>(i));
    });
    EXPECT_EQ(at.granted + at.cancelled, each * tasks);
    EXPECT_GT(at.granted, 0);
    EXPECT_GT(at.cancelled, 0);
    EXPECT_EQ(at.strange, 0);
    EXPECT_EQ(at.count, at.granted) << "two were inside at once";
    EXPECT_LE(at.most_inside, 1);
    EXPECT_TRUE(at.guarded.try_lock()) << "a grant was lost";
}

task<void> acquire_impatiently(arena* at, int times, unsigned seed) {
    std::minstd_rand random{seed};
    const auto begun = co_await at->begin.arrive_and_wait();
    begun.value();
    for (int i = 0; i < times; ++i) {
        const duration patience = some_time(&random);
        const auto permitted = co_await with_timeout(patience, at->permits.acquire());
        at->note(permitted.error());
        if (!permitted) continue;
        at->enter();
        if (i % 2 == 0) co_await keep_for_a_while(&random);
        at->leave();
        at->permits.release();
    }
}

TEST(semaphore_races, permits_are_neither_lost_nor_made_by_stops_at_any_instant) {
    const chaos disturbed;
    arena at;
    const watchdog limit{[&] { return at.report(); }, longest_test()};
    const int each = rounds(8'000, 400'000) / tasks;
    const auto seed = static_cast<unsigned>(disturbed.seed());
    on_four_threads([&](int i) {
        return acquire_impatiently(&at, each, seed + static_cast<unsigned>(i));
    });
    EXPECT_EQ(at.granted + at.cancelled, each * tasks);
    EXPECT_GT(at.granted, 0);
    EXPECT_GT(at.cancelled, 0);
    EXPECT_LE(at.most_inside, 3);
    EXPECT_EQ(at.permits.available(), 3u);
}

} // namespace
} // namespace coronet
