// SPDX-License-Identifier: BSL-1.0
//
// Property: whatever becomes of creations, whoever cancels, however often signals come: each item
// ends once, and none is lost. Of every ten creations about four fail, in each way there is.
#include "faulty_creation.hpp"
#include "lib/pool_call.hpp"
#include "support/chaos.hpp"
#include "support/rounds.hpp"
#include "support/watchdog.hpp"

#include <coronet/interruptible.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/worker_pool.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <deque>
#include <iostream>
#include <random>
#include <thread>
#include <vector>

#include <signal.h>
#include <time.h>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::pool_account;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::worker_pool;
using coronet::test::chaos;
using coronet::test::creation_judge;
using coronet::test::watchdog;
using outcome = coronet::pool_item::outcome;

constexpr std::size_t item_count = 48;

/// 30 % EAGAIN, 5 % EPERM, 5 % interruptions.
int judge() {
    thread_local std::minstd_rand random{std::random_device{}()};
    const auto drawn = random() % 100;
    if (drawn < 30) return EAGAIN;
    if (drawn < 35) return EPERM;
    if (drawn < 38) return EINTR;
    return drawn < 40 ? 512 : 0;
}

/// 10 kHz at this thread.
class storm {
public:
    storm() {
        struct sigaction ignored {};
        ignored.sa_handler = [](int) {};
        ::sigaction(SIGUSR1, &ignored, nullptr);
        sigevent here{};
        here.sigev_notify = SIGEV_THREAD_ID;
        here.sigev_signo = SIGUSR1;
        here._sigev_un._tid = ::gettid();
        ::timer_create(CLOCK_MONOTONIC, &here, &timer_);
        const itimerspec often{{0, 100'000}, {0, 100'000}};
        ::timer_settime(timer_, 0, &often, nullptr);
    }
    ~storm() { ::timer_delete(timer_); }
    storm(const storm&) = delete;
    storm& operator=(const storm&) = delete;

private:
    timer_t timer_{};
};

struct tally {
    std::array<std::uint64_t, 5> ends{};
    std::uint64_t submitted = 0;
    std::uint64_t completed = 0;
    std::uint64_t executed = 0;
};

/// Waits in one of several ways, or not at all.
void behave(std::uint64_t drawn, coronet::inplace_stop_token token) {
    switch (drawn % 8) {
    case 0:
        static_cast<void>(coronet::interruptible_wait(-1, 0, 3ms));
        break;
    case 1:
        coronet::interruptible([&] {
            const timespec a_while{0, 2'000'000};
            if (!token.stop_requested()) ::nanosleep(&a_while, nullptr);
        });
        break;
    case 2: {
        const coronet::blocking_scope blocks;
        std::this_thread::sleep_for(300us);
        break;
    }
    case 3:
        while (!token.stop_requested() && drawn-- % 4096 != 0)
            std::this_thread::yield();
        break;
    default:
        break;
    }
}

/// An item that is submitted again and again.
class busy_item final : public coronet::pool_item {
public:
    busy_item(tally& counts, std::uint64_t seed) : counts_(counts), random_(seed) {}

    void submit(worker_pool& pool, scheduler& home) {
        drawn_ = random_();
        executions_ = 0;
        ++counts_.submitted;
        current_id = 0;
        if (drawn_ % 5 == 0)
            pool.submit_serialized(*this, home, drawn_ / 5 % 3);
        else if (drawn_ % 5 == 1)
            pool.submit(*this, home, pool_account::bounded);
        else
            pool.submit(*this, home);
        current_id = id();
    }
    [[nodiscard]] bool waits() const noexcept { return submitted(); }
    std::atomic<std::uint64_t> current_id{0};

private:
    void execute() noexcept override {
        ++executions_;
        behave(drawn_ >> 8, stop_token());
    }
    void complete() noexcept override {
        ++counts_.completed;
        ++counts_.ends.at(static_cast<std::size_t>(ended()));
        const bool once = ended() == outcome::executed ? executions_ == 1 : executions_ == 0;
        EXPECT_TRUE(once) << "executed " << executions_ << " times";
        counts_.executed += executions_.load();
    }

    tally& counts_;
    std::mt19937_64 random_;
    std::uint64_t drawn_ = 0;
    std::atomic<unsigned> executions_{0};
};

TEST(worker_chaos, W_chaos_each_item_ends_once_whatever_becomes_of_creations) {
    const chaos disturbed;
    tally counts;
    std::deque<busy_item> items;
    for (std::size_t i = 0; i < item_count; ++i)
        items.emplace_back(counts, disturbed.seed() + i);
    scheduler_options options;
    options.workers.idle = 1ms;
    options.workers.bounded_min = 0;
    options.workers.unbounded_max = 16;
    scheduler loop{options};
    worker_pool& pool = loop.pool();
    loop.run_once(coronet::time_point::min());
    {
        watchdog limit{[&] { return loop.report(); }, 30s};
        std::atomic<bool> over{false};
        std::vector<std::thread> cancelling;
        for (unsigned number = 0; number < 2; ++number)
            cancelling.emplace_back([&, number] {
                std::minstd_rand random{static_cast<unsigned>(disturbed.seed()) + number};
                while (!over) {
                    if (const auto id = items[random() % item_count].current_id.load())
                        pool.cancel(id);
                    if (random() % 1024 == 0) pool.cancel_all();
                    std::this_thread::sleep_for(std::chrono::microseconds{random() % 300});
                }
            });
        creation_judge = &judge; // not for the threads of this test
        const storm rain;
        const auto end = coronet::clock::now() + std::chrono::seconds{coronet::test::rounds(5, 60)};
        std::minstd_rand random{static_cast<unsigned>(disturbed.seed())};
        for (std::uint64_t seen = 0; coronet::clock::now() < end && !HasFailure();) {
            if (counts.completed > seen + 100) {
                seen = counts.completed;
                limit.pat();
            }
            for (auto& each : items) {
                if (!each.waits() && random() % 4 == 0) each.submit(pool, loop);
                if (each.waits() && random() % 64 == 0) each.cancel();
            }
            if (random() % 512 == 0) static_cast<void>(pool.refresh_context());
            loop.run_once(coronet::clock::now() + std::chrono::microseconds{random() % 2000});
        }
        const auto outstanding = [&] {
            return std::any_of(items.begin(), items.end(), [](auto& each) { return each.waits(); });
        };
        while (outstanding())
            loop.run_once(coronet::clock::now() + 10ms);
        over = true;
        for (auto& each : cancelling)
            each.join();
        ASSERT_TRUE(pool.request_shutdown());
        while (!pool.ended())
            loop.run_once(coronet::clock::now() + 10ms);
    }
    creation_judge = nullptr;
    const auto stats = pool.stats();
    std::cout << "items " << counts.submitted << ": executed " << counts.ends[1] << ", cancelled "
              << counts.ends[2] << ", without a worker " << counts.ends[3] << "; workers created "
              << stats.created << ", retried " << stats.retried << ", failed " << stats.failed
              << ", signals " << stats.notifications << '\n';
    EXPECT_EQ(counts.submitted, counts.completed);
    EXPECT_EQ(counts.executed, counts.ends[1]);
    EXPECT_GT(counts.ends[1], 0U);
    EXPECT_GT(counts.ends[2], 0U);
    EXPECT_GT(stats.retried, 0U);
    EXPECT_GT(stats.failed, 0U);
    EXPECT_EQ(count_threads("crn-w"), 0U);
}

} // namespace
