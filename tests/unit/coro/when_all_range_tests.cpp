// SPDX-License-Identifier: BSL-1.0
//
// when_all of very many tasks: the work at the end of each does not grow with their number.
#include <coronet/coro/run.hpp>
#include <coronet/coro/schedule.hpp>
#include <coronet/coro/when_all.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <vector>

namespace coronet::when_all_range_tests {
namespace {

task<int> ends_next_turn(int value) {
    const auto turn = co_await schedule_on(*scheduler::current());
    static_cast<void>(turn);
    co_return value;
}
std::vector<task<int>> many(int count) {
    std::vector<task<int>> jobs;
    jobs.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i)
        jobs.push_back(ends_next_turn(i));
    return jobs;
}

/// Of this thread: what else the machine does is not in it.
std::chrono::nanoseconds time_used() {
    timespec used{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return std::chrono::seconds{used.tv_sec} + std::chrono::nanoseconds{used.tv_nsec};
}
task<std::chrono::nanoseconds> time_for(int count) {
    auto jobs = many(count);
    const auto begin = time_used();
    const auto all = co_await when_all(std::move(jobs));
    const auto end = time_used();
    if (all.size() != static_cast<std::size_t>(count) || all.back() != count - 1)
        throw std::logic_error("results are missing");
    co_return end - begin;
}
std::chrono::nanoseconds shortest_time_for(int count) {
    auto best = run(time_for(count));
    for (int i = 0; i < 4; ++i)
        best = std::min(best, run(time_for(count)));
    return best;
}

TEST(when_all, of_four_times_as_many_tasks_takes_about_four_times_as_long) {
    const auto few = shortest_time_for(5'000);
    const auto more = shortest_time_for(20'000);
    EXPECT_LT(more.count(), 9 * few.count()) << few.count() << " ns, then " << more.count();
}

} // namespace
} // namespace coronet::when_all_range_tests
