// SPDX-License-Identifier: BSL-1.0
//
// Property: a sleeping scheduler is woken by whatever is posted to it, however often. There is no
// timer that would save it: one lost wake-up, and the test stands still until the watchdog comes.
#include "support/rounds.hpp"
#include "support/watchdog.hpp"

#include <coronet/scheduler_thread.hpp>
#include <coronet/work.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>
#include <thread>
#include <utility>

namespace coronet {
namespace {

using namespace test;

// 10^6 wake-ups in all, or 10^8. Those from a thread take three times as long: fewer of them.
int from_schedulers() {
    return test::rounds(800'000, 80'000'000);
}
int from_a_thread() {
    return test::rounds(200'000, 20'000'000);
}

void print(const char* what, int sent, const scheduler_stats& seen) {
    std::cout << what << ": sent " << sent << ", sleeps " << seen.sleeps << ", wake-ups "
              << seen.wakes << '\n';
}

/// Goes to the other scheduler each time it has run, until it has done so often enough.
class shuttle final : public work {
public:
    shuttle(scheduler& one, scheduler& other, int trips)
        : trips_left_(trips), here_(&one), there_(&other) {}
    void run() noexcept override {
        const int left = trips_left_.fetch_sub(1, std::memory_order_relaxed) - 1;
        std::swap(here_, there_);
        if (left == 0) {
            over_.store(true);
            over_.notify_one();
        } else if (!here_->post(*this)) {
            std::abort();
        }
    }
    void wait() const { over_.wait(false); }
    [[nodiscard]] int trips_left() const { return trips_left_.load(std::memory_order_relaxed); }

private:
    std::atomic<int> trips_left_; // read by the watchdog, too
    std::atomic<bool> over_{false};
    scheduler* here_; // where it is sent next, after the swap; it is in one place at a time
    scheduler* there_;
};

/// Pats the watchdog when the count has gone down since the last look.
template <class Count>
class progress {
public:
    progress(Count left, std::function<std::string()> report)
        : left_(std::move(left)), deadline_(std::move(report), std::chrono::seconds{20}) {}
    ~progress() {
        over_ = true;
        thread_.join();
    }
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;

private:
    void look() {
        for (int seen = left_(); !over_; std::this_thread::sleep_for(std::chrono::milliseconds{50}))
            if (const int now = left_(); now != seen) {
                seen = now;
                deadline_.pat();
            }
    }

    Count left_;
    watchdog deadline_;
    std::atomic<bool> over_{false};
    std::thread thread_{[this] { look(); }};
};

TEST(wake_ups, L3_two_schedulers_that_sleep_in_between_lose_none) {
    const int trips = from_schedulers();
    scheduler_thread one;
    scheduler_thread other;
    shuttle item{*one, *other, trips};
    one.start();
    other.start();
    {
        const progress seen{
            [&] { return item.trips_left(); }, [&] { return one->report() + other->report(); }};
        ASSERT_TRUE(one->post(item));
        item.wait();
    }
    for (scheduler_thread* each : {&one, &other}) {
        each->stop();
        ASSERT_TRUE(each->join());
        print("from scheduler to scheduler", trips / 2, (*each)->stats());
        EXPECT_GT((*each)->stats().sleeps, static_cast<std::uint64_t>(trips / 8));
    }
}

/// Posted again by a thread that sleeps until it has run.
class signalled final : public work {
public:
    void run() noexcept override {
        runs_.fetch_add(1, std::memory_order_release);
        runs_.notify_one();
    }
    void wait_for(int wanted) const {
        for (int seen = runs(); seen < wanted; seen = runs())
            runs_.wait(seen);
    }
    [[nodiscard]] int runs() const { return runs_.load(std::memory_order_acquire); }

private:
    std::atomic<int> runs_{0};
};

TEST(wake_ups, L3_a_scheduler_that_a_thread_wakes_again_and_again_loses_none) {
    const int posts = from_a_thread();
    scheduler_thread thread;
    thread.start();
    signalled item;
    {
        const progress seen{[&] { return item.runs(); }, [&] { return thread->report(); }};
        for (int sent = 1; sent <= posts; ++sent) {
            ASSERT_TRUE(thread->post(item));
            item.wait_for(sent);
        }
    }
    thread.stop();
    ASSERT_TRUE(thread.join());
    print("from a thread", posts, thread->stats());
    EXPECT_GT(thread->stats().sleeps, static_cast<std::uint64_t>(posts / 8));
}

} // namespace
} // namespace coronet
