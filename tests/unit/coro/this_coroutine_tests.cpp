// SPDX-License-Identifier: BSL-1.0
//
// What a coroutine knows about itself.
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/this_coroutine.hpp>
#include <coronet/coro/timeout.hpp>

#include <gtest/gtest.h>

#include <optional>

namespace coronet::this_coroutine_tests {
namespace {

using namespace std::chrono_literals;

task<bool> knows_its_scheduler() {
    scheduler& here = co_await this_coroutine::scheduler();
    co_return &here == scheduler::current();
}

TEST(this_coroutine, knows_the_scheduler_that_it_runs_on) {
    EXPECT_TRUE(run(knows_its_scheduler()));
}

task<int> count_until_stopped() {
    const auto token = co_await this_coroutine::stop_token();
    int turns = 0;
    while (!token.stop_requested()) {
        const auto slept = co_await sleep_for(1ms);
        static_cast<void>(slept);
        ++turns;
    }
    co_return turns;
}
task<result<int>> counted_for(duration limit) {
    co_return co_await with_timeout(limit, count_until_stopped());
}

TEST(this_coroutine, has_a_token_that_its_time_limit_stops) {
    const auto turns = run(counted_for(20ms));
    ASSERT_TRUE(turns);
    EXPECT_GT(*turns, 0);
}

task<int> callback_of_token() {
    const auto token = co_await this_coroutine::stop_token();
    int called = 0;
    const inplace_stop_callback on_stop{token, [&called] { ++called; }};
    scheduler& here = co_await this_coroutine::scheduler();
    here.stop();
    const auto slept = co_await sleep_for(1h);
    co_return slept ? -1 : called;
}

TEST(this_coroutine, has_a_token_that_calls_back_when_the_scheduler_is_stopped) {
    EXPECT_EQ(run(callback_of_token()), 1);
}

} // namespace
} // namespace coronet::this_coroutine_tests
