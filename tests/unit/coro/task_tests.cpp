// SPDX-License-Identifier: BSL-1.0
//
// What a task gives, when it runs, and that neither depth nor number of awaits costs stack.
#include "support/stack_extent.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/task.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace coronet::task_tests {
namespace {

using test::few_frames;
using test::stack_extent;

task<int> value(int given) {
    co_return given;
}

task<int> sum(task<int> left, task<int> right) {
    const int first = co_await std::move(left);
    const int second = co_await std::move(right);
    co_return first + second;
}

task<void> note(std::vector<std::string>* events, std::string event) {
    events->push_back(std::move(event));
    co_return;
}

task<std::unique_ptr<int>> boxed(int given) {
    co_return std::make_unique<int>(given);
}

task<int> failing(std::string why) {
    throw std::runtime_error(why);
    co_return 0;
}

task<int> holding(std::shared_ptr<int> held) {
    co_return *held;
}

TEST(task, gives_its_value) {
    EXPECT_EQ(run(sum(value(3), value(4))), 7);
}

TEST(task, gives_a_value_that_can_only_be_moved) {
    EXPECT_EQ(*run(boxed(5)), 5);
}

TEST(task, throws_what_its_body_threw) {
    try {
        run(sum(value(1), failing("second")));
        FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& thrown) {
        EXPECT_STREQ(thrown.what(), "second");
    }
}

task<void> awaits_later(std::vector<std::string>* events) {
    auto later = note(events, "inner");
    events->push_back("made");
    co_await std::move(later);
    events->push_back("resumed");
}

TEST(task, begins_when_it_is_awaited) {
    std::vector<std::string> events;
    run(awaits_later(&events));
    EXPECT_EQ(events, (std::vector<std::string>{"made", "inner", "resumed"}));
}

TEST(task, that_is_never_awaited_frees_its_arguments) {
    const auto held = std::make_shared<int>(1);
    {
        const auto unused = holding(held);
        EXPECT_EQ(held.use_count(), 2);
    }
    EXPECT_EQ(held.use_count(), 1);
}

task<long> count_after(std::shared_ptr<int> held) {
    const int given = co_await holding(held);
    static_cast<void>(given);
    co_return held.use_count();
}

TEST(task, has_freed_its_frame_when_its_awaiter_goes_on) {
    // The test's and the argument of run's task: not the one that the awaited frame had.
    const auto held = std::make_shared<int>(1);
    EXPECT_EQ(run(count_after(held)), 2);
    EXPECT_EQ(held.use_count(), 1);
}

task<int> moved_to(task<int> first) {
    task<int> second = value(0);
    second = std::move(first);
    co_return co_await std::move(second);
}

TEST(task, can_be_moved_until_it_begins) {
    EXPECT_EQ(run(moved_to(value(9))), 9);
}

// ---- exceptions on their way ----

task<void> wrapping() {
    std::exception_ptr inner;
    try {
        const int unused = co_await failing("inner");
        static_cast<void>(unused);
    } catch (...) {
        inner = std::current_exception();
    }
    try {
        std::rethrow_exception(inner);
    } catch (...) {
        std::throw_with_nested(std::runtime_error("outer"));
    }
}

TEST(task, keeps_nested_exceptions_nested) {
    try {
        run(wrapping());
        FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& outer) {
        EXPECT_STREQ(outer.what(), "outer");
        EXPECT_THROW(std::rethrow_if_nested(outer), std::runtime_error);
    }
}

task<int> caught() {
    int total = 0;
    for (int i = 0; i < 3; ++i) {
        try {
            total += 1;
            const int unused = co_await failing("again");
            total += unused + 100;
        } catch (const std::runtime_error&) {
            total += 10;
        }
    }
    co_return total;
}

TEST(task, goes_on_after_an_exception_that_it_caught) {
    EXPECT_EQ(run(caught()), 33);
}

task<int> failing_below(int levels) {
    if (levels == 0) throw std::runtime_error("bottom");
    const int below = co_await failing_below(levels - 1);
    co_return below;
}

TEST(task, lets_an_exception_through_a_thousand_levels) {
    EXPECT_THROW(run(failing_below(1'000)), std::runtime_error);
}

// ---- the stack ----

task<int> depth(int levels, stack_extent* stack) {
    stack->look();
    if (levels == 0) co_return 0;
    const int below = co_await depth(levels - 1, stack);
    stack->look();
    co_return below + 1;
}

TEST(task, nests_a_hundred_thousand_levels_on_a_flat_stack) {
    stack_extent stack;
    EXPECT_EQ(run(depth(100'000, &stack)), 100'000);
    EXPECT_LT(stack.size(), few_frames);
}

task<long> ready_tasks(long count, stack_extent* stack) {
    long total = 0;
    for (long i = 0; i < count; ++i) {
        const int one = co_await value(1);
        total += one;
        stack->look();
    }
    co_return total;
}

TEST(task, awaits_a_million_ready_tasks_on_one_stack_frame) {
    stack_extent stack;
    EXPECT_EQ(run(ready_tasks(1'000'000, &stack)), 1'000'000);
    EXPECT_LT(stack.size(), few_frames);
}

task<long> ready_operations(long count, stack_extent* stack) {
    const std::span<std::byte> nothing;
    long done = 0;
    for (long i = 0; i < count; ++i) {
        const auto received = co_await async::recv(-1, nothing);
        if (received) ++done;
        stack->look();
    }
    co_return done;
}

TEST(task, awaits_a_million_ready_operations_on_one_stack_frame) {
    stack_extent stack;
    EXPECT_EQ(run(ready_operations(1'000'000, &stack)), 1'000'000);
    EXPECT_LT(stack.size(), few_frames);
}

} // namespace
} // namespace coronet::task_tests
