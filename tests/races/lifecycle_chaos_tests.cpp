// SPDX-License-Identifier: BSL-1.0
//
// Property: whatever four threads do to a scheduler at once (park, let go, post, stop, join), at
// whatever moments: none of them hangs, and of every scheduler that ends, each item posted has run
// once or was refused. Schedulers are stopped and replaced as it goes.
#include "support/chaos.hpp"
#include "support/rounds.hpp"
#include "support/spin.hpp"
#include "support/watchdog.hpp"

#include <coronet/scheduler_thread.hpp>
#include <coronet/work.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace coronet {
namespace {

using namespace std::chrono_literals;
using namespace test;

struct totals {
    std::atomic<long> schedulers{0};
    std::atomic<long> parked{0};
    std::atomic<long> refused_parks{0};
    std::atomic<long> timed_out_parks{0};
    std::atomic<long> executed{0};
    std::atomic<long> refused{0};
    std::atomic<long> wrong{0};
};

/// A scheduler and the sums of what it was given. Whoever lets go of it last checks them.
class target {
public:
    explicit target(totals& sums) : sums_(sums) {
        ++sums_.schedulers;
        thread_.start();
    }
    ~target() {
        if (executed_ + refused_ != posted_ || thread_->in_flight_count() != 0) ++sums_.wrong;
        sums_.executed += executed_;
        sums_.refused += refused_;
    }
    target(const target&) = delete;
    target& operator=(const target&) = delete;

    [[nodiscard]] scheduler_thread& thread() noexcept { return thread_; }
    [[nodiscard]] scheduler& loop() noexcept { return *thread_; }
    [[nodiscard]] std::string report() const { return thread_->report(); }

    void post() {
        ++posted_;
        auto made = std::make_unique<item>(*this);
        if (thread_->post(*made))
            static_cast<void>(made.release()); // it ends itself
        else
            ++refused_;
    }

private:
    class item final : public work {
    public:
        explicit item(target& by) noexcept : by_(by) {}
        void run() noexcept override {
            ++by_.executed_;
            delete this;
        }

    private:
        target& by_;
    };

    totals& sums_;
    std::atomic<long> posted_{0};
    std::atomic<long> executed_{0};
    std::atomic<long> refused_{0};
    scheduler_thread thread_;
};

/// Where the four find the scheduler of the moment.
class arena {
public:
    explicit arena(totals& sums) : sums_(sums), now_(std::make_shared<target>(sums)) {}

    std::shared_ptr<target> current() const {
        const std::scoped_lock lock{mutex_};
        return now_;
    }
    /// False if somebody else has replaced it.
    bool replace(const std::shared_ptr<target>& old) {
        auto next = std::make_shared<target>(sums_);
        {
            const std::scoped_lock lock{mutex_};
            if (now_ == old) {
                std::swap(now_, next);
                return true;
            }
        }
        next->thread().stop();
        if (!next->thread().join()) ++sums_.wrong;
        return false;
    }

private:
    totals& sums_;
    mutable std::mutex mutex_;
    std::shared_ptr<target> now_;
};

class troublemaker {
public:
    troublemaker(arena& place, totals& sums, std::uint64_t seed)
        : place_(place), sums_(sums), random_(static_cast<unsigned>(seed)) {}

    void act(int rounds) {
        watchdog deadline{[this] { return place_.current()->report(); }};
        for (int round = 0; round < rounds; ++round) {
            at_ = place_.current();
            act_once();
            deadline.pat();
        }
        guards_.clear();
        at_.reset();
    }

private:
    struct held {
        std::shared_ptr<target> of; // outlives the guard
        park_guard guard;
    };

    void act_once() {
        const auto drawn = random_() % 128;
        if (drawn == 0) return stop_and_join();
        if (drawn < 4) return stop_only();
        if (drawn < 24) return keep(at_->loop().park());
        if (drawn < 44)
            return keep(at_->loop().park_for(std::chrono::microseconds{random_() % 300}));
        if (drawn < 76) return let_one_go();
        if (drawn < 80) return try_to_join();
        at_->post();
    }
    void keep(result<park_guard> parked) {
        if (parked) {
            ++sums_.parked;
            guards_.push_back({at_, std::move(*parked)});
            // Who holds many keeps the others from getting anywhere.
            if (guards_.size() > 2) guards_.clear();
        } else if (parked.error() == errc::stopped) {
            ++sums_.refused_parks;
        } else if (parked.error() == std::errc::timed_out) {
            ++sums_.timed_out_parks;
        } else {
            ++sums_.wrong;
        }
    }
    void let_one_go() {
        if (!guards_.empty()) guards_.pop_back();
    }
    /// For a while others find a scheduler that has been stopped.
    void stop_only() {
        at_->thread().stop();
        guards_.clear(); // it cannot end while it stands still
        if (place_.replace(at_)) join();
    }
    void stop_and_join() {
        guards_.clear();
        static_cast<void>(place_.replace(at_));
        at_->thread().stop();
        join();
    }
    void join() {
        if (!at_->thread().join()) ++sums_.wrong;
    }
    void try_to_join() {
        const auto ended = at_->thread().join_for(std::chrono::microseconds{random_() % 200});
        const bool expected = ended || ended.error() == std::errc::timed_out ||
                              (ended.error() == errc::would_deadlock && !guards_.empty());
        if (!expected) ++sums_.wrong;
    }

    arena& place_;
    totals& sums_;
    std::minstd_rand random_;
    std::shared_ptr<target> at_;
    std::vector<held> guards_;
};

void print(const totals& sums, std::uint64_t seed) {
    std::cout << "seed " << seed << ": schedulers " << sums.schedulers << ", parked " << sums.parked
              << ", refused parks " << sums.refused_parks << ", parks out of time "
              << sums.timed_out_parks << ", items run " << sums.executed << ", items refused "
              << sums.refused << '\n';
}

TEST(lifecycle_chaos, S1_3_four_threads_park_post_stop_and_join_and_nobody_hangs) {
    const int rounds_each = test::rounds(5'000, 100'000) / 4;
    const chaos disturbed;
    totals sums;
    {
        arena place{sums};
        std::vector<std::thread> threads;
        for (std::uint64_t each = 1; each <= 4; ++each)
            threads.emplace_back([&, each] {
                troublemaker{place, sums, disturbed.seed() + each}.act(rounds_each);
            });
        for (auto& each : threads)
            each.join();
        const auto last = place.current();
        last->thread().stop();
        EXPECT_TRUE(last->thread().join());
    }
    print(sums, disturbed.seed());
    EXPECT_EQ(sums.wrong, 0);
    EXPECT_GT(sums.schedulers, 1);
    EXPECT_GT(sums.parked, 0);
    EXPECT_GT(sums.executed, 0);
}

// Among four, each wakes what another has failed to wake. Here nobody does.
TEST(lifecycle_chaos, S1_3_a_park_or_a_stop_that_comes_as_the_owner_goes_to_sleep_is_seen) {
    const int rounds = test::rounds(3'000, 60'000);
    constexpr int rounds_each = 10; // with one scheduler
    const chaos disturbed;
    totals sums;
    std::unique_ptr<target> at;
    watchdog deadline{[&] { return at->report(); }};
    for (int round = 0; round < rounds; ++round) {
        if (round % rounds_each == 0) at = std::make_unique<target>(sums);
        at->post(); // it wakes up, runs this, and goes to sleep
        spin(round * 13 % 5'000);
        EXPECT_TRUE(at->loop().park());
        deadline.pat();
        if (round % rounds_each < rounds_each - 1) continue;
        at->post();
        spin(round * 13 % 5'000);
        at->thread().stop();
        EXPECT_TRUE(at->thread().join());
    }
    at.reset();
    print(sums, disturbed.seed());
    EXPECT_EQ(sums.wrong, 0);
    EXPECT_EQ(sums.executed, rounds + rounds / rounds_each);
}

} // namespace
} // namespace coronet
