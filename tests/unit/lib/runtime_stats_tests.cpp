// SPDX-License-Identifier: BSL-1.0
//
// The figures of all schedulers of a runtime, from outside, whatever these are at.
#include "call.hpp"
#include "run_until.hpp"

#include <coronet/error.hpp>
#include <coronet/runtime.hpp>

#include <gtest/gtest.h>

#include <deque>
#include <future>
#include <thread>
#include <vector>

namespace runtime_stats_tests {
namespace {

using coronet::errc;
using coronet::runtime;
using coronet::runtime_options;
using coronet::testing::call;
using coronet::testing::patience;

class runtime_stats : public ::testing::Test {
protected:
    static runtime_options two() {
        runtime_options options;
        options.threads = 2;
        return options;
    }
    /// A turn of its own for each.
    void run_items(std::size_t where, int count) {
        for (int i = 0; i < count; ++i) {
            std::promise<void> done;
            call item{[&] { done.set_value(); }};
            ASSERT_TRUE(threads.at(where).post(item));
            ASSERT_EQ(done.get_future().wait_for(patience), std::future_status::ready);
        }
    }
    runtime threads{two()};
};

TEST_F(runtime_stats, are_those_of_each_scheduler) {
    const auto before = threads.stats();
    ASSERT_TRUE(before);
    run_items(1, 100);
    const auto after = threads.stats();
    ASSERT_TRUE(after);
    ASSERT_EQ(after->size(), 2U);
    EXPECT_GE((*after)[1].turns, (*before)[1].turns + 100);
    EXPECT_LT((*after)[0].turns, (*before)[0].turns + 50);
}

TEST_F(runtime_stats, are_asked_for_by_several_threads_at_once) {
    std::deque<std::thread> askers;
    for (int i = 0; i < 4; ++i)
        askers.emplace_back([&] {
            for (int round = 0; round < 200; ++round) {
                const auto seen = threads.stats();
                ASSERT_TRUE(seen);
                ASSERT_GT((*seen)[0].turns, 0U);
                ASSERT_GT((*seen)[1].turns, 0U);
            }
        });
    for (auto& each : askers)
        each.join();
}

TEST_F(runtime_stats, are_the_last_ones_after_the_end) {
    run_items(0, 100);
    threads.stop();
    ASSERT_TRUE(threads.join());
    const auto seen = threads.stats();
    ASSERT_TRUE(seen);
    EXPECT_GE((*seen)[0].turns, 100U);
}

TEST_F(runtime_stats, come_while_all_is_stopped) {
    std::promise<void> begun;
    std::thread asker{[&] {
        begun.set_value();
        for (int round = 0; round < 1000; ++round)
            ASSERT_TRUE(threads.stats());
    }};
    begun.get_future().wait();
    threads.stop();
    asker.join();
}

TEST_F(runtime_stats, are_refused_where_waiting_would_be_for_ever) {
    std::error_code on_a_scheduler;
    std::promise<void> done;
    call item{[&] {
        on_a_scheduler = threads.stats().error();
        done.set_value();
    }};
    ASSERT_TRUE(threads.at(0).post(item));
    done.get_future().wait();
    EXPECT_EQ(on_a_scheduler, errc::would_deadlock);

    auto guard = threads.at(1).park();
    ASSERT_TRUE(guard);
    EXPECT_EQ(threads.stats().error(), errc::would_deadlock);
}

} // namespace
} // namespace runtime_stats_tests
