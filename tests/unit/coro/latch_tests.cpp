// SPDX-License-Identifier: BSL-1.0
//
// A latch lets all go on when the last one has arrived, and an arrival counts even if who arrives
// is stopped.
#include "support/schedulers.hpp"

#include <coronet/coro/latch.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/stop.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <system_error>
#include <thread>
#include <vector>

namespace coronet::latch_tests {
namespace {

using namespace test;

TEST(latch, counts_down_to_zero) {
    latch what{3};
    what.count_down(2);
    EXPECT_FALSE(what.try_wait());
    what.count_down();
    EXPECT_TRUE(what.try_wait());
}

TEST(latch_death, more_arrivals_than_expected_are_a_bug) {
    EXPECT_DEATH(latch{1}.count_down(2), "arrivals <= count_");
}

task<void> arrive_and_note(latch* what, int* arrived, std::vector<int>* seen) {
    co_await pause();
    ++*arrived;
    const auto all = co_await what->arrive_and_wait();
    if (all) seen->push_back(*arrived);
}
task<void> start_arrivals(scope children, latch* what, int* arrived, std::vector<int>* seen) {
    for (int i = 0; i < 5; ++i)
        children.spawn(arrive_and_note, what, arrived, seen);
    co_return;
}

TEST(latch, nobody_goes_on_before_all_have_arrived) {
    latch what{5};
    int arrived = 0;
    std::vector<int> seen;
    run(with_scope(start_arrivals, &what, &arrived, &seen));
    EXPECT_EQ(seen, (std::vector{5, 5, 5, 5, 5}));
}

task<std::error_code> arrive_stopped(latch* what, inplace_stop_token token) {
    const auto ended = co_await with_stop(token, what->arrive_and_wait());
    co_return ended.error();
}

TEST(latch, an_arrival_counts_in_a_stopped_branch) {
    latch what{1};
    inplace_stop_source source;
    source.request_stop();
    EXPECT_EQ(run(arrive_stopped(&what, source.get_token())), std::errc::operation_canceled);
    EXPECT_TRUE(what.try_wait());
}

task<std::error_code> arrive_and_be_stopped(latch* what) {
    inplace_stop_source source;
    std::thread stopper{[&source] { source.request_stop(); }};
    const auto ended = co_await with_stop(source.get_token(), what->arrive_and_wait());
    stopper.join();
    co_return ended.error();
}

TEST(latch, an_arrival_counts_when_the_wait_is_stopped) {
    latch what{2};
    EXPECT_EQ(run(arrive_and_be_stopped(&what)), std::errc::operation_canceled);
    EXPECT_FALSE(what.try_wait());
    what.count_down();
    EXPECT_TRUE(what.try_wait());
}

task<bool> wait_and_destroy(std::unique_ptr<latch>* what) {
    const auto all = co_await (*what)->wait();
    what->reset();
    co_return all.has_value();
}

TEST(latch, may_be_destroyed_by_who_waited_for_it_while_another_thread_arrives) {
    runtime other{threads(1)};
    for (int round = 0; round < 200; ++round) {
        auto what = std::make_unique<latch>(2);
        std::thread one{[at = what.get()] { at->count_down(); }};
        std::thread two{[at = what.get()] { at->count_down(); }};
        EXPECT_TRUE(sync_wait(other.at(0), wait_and_destroy(&what)));
        one.join();
        two.join();
    }
}

} // namespace
} // namespace coronet::latch_tests
