// SPDX-License-Identifier: BSL-1.0
//
// A limit that is too long for the clock, in whatever unit, is one without an end: it does not
// become "now".
#include "support/schedulers.hpp"
#include "support/watchdog.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/scheduler_thread.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <string>
#include <system_error>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>

namespace coronet::long_limit_tests {
namespace {

using namespace std::chrono_literals;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using clock_hours = std::chrono::time_point<clock, hours>;

class long_limit : public ::testing::Test {
    test::watchdog limit_{[] { return std::string("a limit without an end was waited for"); }};
};

/// What a sleep ends with whose own limit is a moment: timed_out, unless it ends before.
template <class Delay>
task<std::error_code> sleep_for_a_moment_of(Delay delay) {
    auto sleeping = sleep_for(delay);
    const auto slept = co_await with_timeout(5ms, std::move(sleeping));
    co_return slept.error();
}
task<std::error_code> sleep_for_a_moment_until(clock_hours deadline) {
    auto sleeping = sleep_until(deadline);
    const auto slept = co_await with_timeout(5ms, std::move(sleeping));
    co_return slept.error();
}

TEST_F(long_limit, a_sleep_without_an_end_does_not_end) {
    EXPECT_EQ(run(sleep_for_a_moment_of(seconds::max())), std::errc::timed_out);
    EXPECT_EQ(run(sleep_for_a_moment_of(hours::max())), std::errc::timed_out);
    EXPECT_EQ(run(sleep_for_a_moment_of(milliseconds::max())), std::errc::timed_out);
    EXPECT_EQ(run(sleep_for_a_moment_of(duration::max())), std::errc::timed_out);
    EXPECT_EQ(run(sleep_for_a_moment_until(clock_hours::max())), std::errc::timed_out);
    const std::chrono::duration<double> infinite{std::numeric_limits<double>::infinity()};
    EXPECT_EQ(run(sleep_for_a_moment_of(infinite)), std::errc::timed_out);
}

TEST_F(long_limit, a_sleep_until_long_ago_ends_at_once) {
    EXPECT_EQ(run(sleep_for_a_moment_of(hours::min())), std::error_code{});
    EXPECT_EQ(run(sleep_for_a_moment_until(clock_hours::min())), std::error_code{});
}

/// Nothing happens on the descriptor until somebody has waited for a moment.
template <class Limit>
task<std::error_code> wait_for_data(Limit limit) {
    const unique_fd source{::eventfd(0, EFD_CLOEXEC)};
    std::jthread sender{[fd = source.get()] {
        std::this_thread::sleep_for(5ms);
        ::eventfd_write(fd, 1);
    }};
    const auto ready = co_await with_timeout(limit, async::poll(source.get(), POLLIN));
    co_return ready.error();
}
task<void> wait_a_moment() {
    const auto slept = co_await sleep_for(5ms);
    slept.value();
}
template <class Limit>
task<std::error_code> wait_for_a_task(Limit limit) {
    const auto ended = co_await with_timeout(limit, wait_a_moment());
    co_return ended.error();
}

TEST_F(long_limit, an_operation_may_take_for_ever) {
    EXPECT_EQ(run(wait_for_data(seconds::max())), std::error_code{});
    EXPECT_EQ(run(wait_for_data(hours::max())), std::error_code{});
    EXPECT_EQ(run(wait_for_data(clock_hours::max())), std::error_code{});
}

TEST_F(long_limit, a_task_may_take_for_ever) {
    EXPECT_EQ(run(wait_for_a_task(seconds::max())), std::error_code{});
    EXPECT_EQ(run(wait_for_a_task(clock_hours::max())), std::error_code{});
}

TEST_F(long_limit, a_fraction_of_a_second_is_a_limit_too) {
    const std::chrono::duration<double> moment{0.005};
    auto endless = sleep_for_a_moment_of(moment / 1e9);
    EXPECT_EQ(run(std::move(endless)), std::error_code{});
    EXPECT_EQ(run(sleep_for_a_moment_of(moment * 1e9)), std::errc::timed_out);
}

TEST_F(long_limit, a_join_may_take_for_ever) {
    scheduler_thread worker;
    worker.start();
    std::jthread stopper{[&worker] {
        std::this_thread::sleep_for(5ms);
        worker.stop();
    }};
    EXPECT_TRUE(worker.join_for(seconds::max()));
    EXPECT_TRUE(worker->join_for(hours::max()));
}

TEST_F(long_limit, a_thread_may_park_for_ever) {
    scheduler_thread worker;
    worker.start();
    EXPECT_TRUE(worker->park_for(seconds::max()));
    EXPECT_TRUE(worker->park_for(hours::max()));
}

} // namespace
} // namespace coronet::long_limit_tests
