// SPDX-License-Identifier: BSL-1.0
//
// What a worker does for a coroutine takes nothing from the heap once the worker is there; and a
// pool that nobody uses is not there.
#include "allocation_count.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/worker_pool.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <iterator>

namespace coronet::pool_tests {
namespace {

using test::allocation_count;

constexpr int warm_up = 200;
constexpr int rounds = 10'000;

int add(int a, int b) {
    return a + b;
}

task<std::size_t> allocations_of_calls() {
    worker_pool& pool = scheduler::current()->pool();
    std::size_t before = 0;
    for (int i = 0; i < warm_up + rounds; ++i) {
        if (i == warm_up) before = allocation_count();
        const auto sum = co_await pool.run(add, i, i);
        const auto again = co_await pool.run_bounded(add, i, i);
        const auto in_order = co_await pool.run_serialized(i, add, i, i);
        if (!sum || !again || !in_order) co_return std::size_t{999'999};
    }
    co_return allocation_count() - before;
}

TEST(steady_state, of_a_worker_pool_allocates_nothing) {
    EXPECT_EQ(run(allocations_of_calls()), 0u);
}

std::ptrdiff_t threads() {
    const std::filesystem::directory_iterator tasks{"/proc/self/task"};
    return std::distance(begin(tasks), end(tasks));
}

task<std::ptrdiff_t> threads_inside() {
    co_return threads();
}

TEST(steady_state, without_a_pool_has_no_thread_for_one) {
    const auto before = threads();
    EXPECT_EQ(run(threads_inside()), before);
}

} // namespace
} // namespace coronet::pool_tests
