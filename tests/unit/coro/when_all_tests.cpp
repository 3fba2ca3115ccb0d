// SPDX-License-Identifier: BSL-1.0
//
// Several awaits at once: all results, and what an exception does to the others.
#include "delayed.hpp"
#include "support/pairs.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_all.hpp>

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <stdexcept>

namespace coronet::when_all_tests {
namespace {

using namespace std::chrono_literals;

using test::nothing_after;
using test::value_after;

task<std::unique_ptr<int>> boxed(int value) {
    co_return std::make_unique<int>(value);
}
task<int> failing(std::string why) {
    throw std::runtime_error(why);
    co_return 0;
}

task<std::vector<int>> three() {
    const auto all =
        co_await when_all(value_after(20ms, 1), value_after(1ms, 2), value_after(10ms, 3));
    const auto [first, second, third] = all;
    co_return std::vector{first, second, third};
}

TEST(when_all, gives_results_in_the_order_of_its_arguments) {
    EXPECT_EQ(run(three()), (std::vector{1, 2, 3}));
}

task<duration> all_at_once() {
    const auto begin = clock::now();
    const auto all = co_await when_all(sleep_for(50ms), sleep_for(50ms), sleep_for(50ms));
    static_cast<void>(all);
    co_return clock::now() - begin;
}

TEST(when_all, runs_all_at_once) {
    EXPECT_LT(run(all_at_once()), 140ms);
}

task<int> mixed_kinds() {
    auto all = co_await when_all(boxed(4), nothing_after(1ms), async::nop(), value_after(1ms, 5));
    static_assert(std::is_same_v<std::tuple_element_t<1, decltype(all)>, std::monostate>);
    static_assert(std::is_same_v<std::tuple_element_t<2, decltype(all)>, result<void>>);
    co_return *std::get<0>(all) * 10 + std::get<3>(all);
}

TEST(when_all, takes_tasks_and_operations_of_any_type) {
    EXPECT_EQ(run(mixed_kinds()), 45);
}

task<bool> of_none() {
    const auto all = co_await when_all();
    co_return std::tuple_size_v<std::remove_cvref_t<decltype(all)>> == 0;
}

TEST(when_all, of_nothing_ends_at_once) {
    EXPECT_TRUE(run(of_none()));
}

task<void> until_stopped(duration delay, std::error_code* seen) {
    const auto slept = co_await sleep_for(delay);
    *seen = slept.error();
}
task<std::error_code> one_fails() {
    std::error_code other;
    try {
        const auto all = co_await when_all(until_stopped(1h, &other), failing("first"));
        static_cast<void>(all);
    } catch (const std::runtime_error&) {
        co_return other; // the other has ended before
    }
    co_return std::error_code{};
}

TEST(when_all, cancels_the_others_when_one_throws) {
    EXPECT_EQ(run(one_fails()), std::errc::operation_canceled);
}

task<int> failing_after(duration delay, std::string why) {
    const auto slept = co_await sleep_for(delay);
    static_cast<void>(slept);
    throw std::runtime_error(why);
    co_return 0;
}
task<std::string> all_fail() {
    try {
        const auto all = co_await when_all(failing_after(1h, "late"), failing_after(1ms, "early"));
        static_cast<void>(all);
    } catch (const std::runtime_error& thrown) {
        co_return std::string(thrown.what());
    }
    co_return std::string();
}

TEST(when_all, rethrows_the_exception_that_came_first) {
    EXPECT_EQ(run(all_fail()), "early");
}

// ---- a vector of tasks ----

task<std::vector<int>> range(int count) {
    std::vector<task<int>> jobs;
    for (int i = 0; i < count; ++i)
        jobs.push_back(value_after(duration{(count - i) % 7} * 100'000, i));
    co_return co_await when_all(std::move(jobs));
}

TEST(when_all, gives_a_vector_for_a_vector) {
    EXPECT_EQ(run(range(3)), (std::vector{0, 1, 2}));
    EXPECT_TRUE(run(range(0)).empty());
}

TEST(when_all, awaits_ten_thousand_tasks) {
    const auto all = run(range(10'000));
    ASSERT_EQ(all.size(), 10'000u);
    EXPECT_EQ(all[9'999], 9'999);
}

task<std::vector<int>> range_with_failure() {
    std::vector<task<int>> jobs;
    jobs.push_back(value_after(1h, 1));
    jobs.push_back(failing("second"));
    co_return co_await when_all(std::move(jobs));
}

TEST(when_all, of_a_vector_rethrows_what_one_of_them_threw) {
    EXPECT_THROW(static_cast<void>(run(range_with_failure())), std::runtime_error);
}

task<std::size_t> void_range() {
    std::vector<task<void>> jobs;
    jobs.push_back(nothing_after(1ms));
    jobs.push_back(nothing_after(2ms));
    const auto all = co_await when_all(std::move(jobs));
    co_return all.size();
}

TEST(when_all, takes_a_vector_of_void_tasks) {
    EXPECT_EQ(run(void_range()), 2u);
}

// ---- cancelled from outside ----

task<std::error_code> limited_range() {
    std::vector<task<void>> jobs;
    std::array<std::error_code, 3> seen;
    for (auto& each : seen)
        jobs.push_back(until_stopped(1h, &each));
    const auto all = co_await with_timeout(5ms, when_all(std::move(jobs)));
    static_cast<void>(all);
    for (const auto& each : seen)
        if (each != std::errc::operation_canceled) co_return each;
    co_return seen[0];
}

TEST(when_all, cancels_all_when_it_is_cancelled) {
    EXPECT_EQ(run(limited_range()), std::errc::operation_canceled);
}

} // namespace
} // namespace coronet::when_all_tests
