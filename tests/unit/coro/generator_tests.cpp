// SPDX-License-Identifier: BSL-1.0
//
// generator<T>: a range, read once, that is computed while it is read.
#include "support/stack_extent.hpp"

#include <coronet/coro/generator.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace coronet::generator_tests {
namespace {

static_assert(std::ranges::input_range<generator<int>>);
static_assert(std::ranges::view<generator<int>>);
static_assert(!std::ranges::forward_range<generator<int>>);
static_assert(!std::copy_constructible<generator<int>>);
static_assert(std::is_same_v<std::ranges::range_reference_t<generator<std::string>>, std::string&>);
static_assert(std::is_same_v<std::ranges::range_reference_t<generator<const int&>>, const int&>);

generator<int> count_to(int last) {
    for (int i = 1; i <= last; ++i)
        co_yield i;
}
std::vector<int> all_of(generator<int> from) {
    std::vector<int> all;
    for (const int each : from)
        all.push_back(each);
    return all;
}

TEST(generator, gives_what_was_yielded_in_its_order) {
    EXPECT_EQ(all_of(count_to(4)), (std::vector{1, 2, 3, 4}));
}

TEST(generator, may_be_empty) {
    EXPECT_EQ(all_of(count_to(0)), std::vector<int>{});
}

TEST(generator, that_was_read_to_its_end_cannot_be_read_again) {
    auto some = count_to(2);
    for (const int each : some)
        EXPECT_GT(each, 0);
    EXPECT_DEATH(static_cast<void>(some.begin()), "assertion failed: !frame_.done");
}

generator<int> noting(std::vector<std::string>* events) {
    events->push_back("begun");
    co_yield 1;
    events->push_back("went on");
    co_yield 2;
    events->push_back("ended");
}

TEST(generator, runs_as_far_as_it_is_read) {
    std::vector<std::string> events;
    auto some = noting(&events);
    EXPECT_TRUE(events.empty());
    auto at = some.begin();
    EXPECT_EQ(events, (std::vector<std::string>{"begun"}));
    ++at;
    EXPECT_EQ(*at, 2);
    EXPECT_EQ(events, (std::vector<std::string>{"begun", "went on"}));
    at++;
    EXPECT_EQ(at, some.end());
    EXPECT_EQ(events.size(), 3u);
}

TEST(generator, is_a_view) {
    int sum = 0;
    for (const int each : count_to(1'000) | std::views::filter([](int i) { return i % 2 == 0; }) |
                              std::views::take(3))
        sum += each;
    EXPECT_EQ(sum, 2 + 4 + 6);
}

generator<std::string> words(std::string* own) {
    co_yield *own;
    co_yield std::string("a temporary that is too long to be kept inside");
    const std::string constant = "constant";
    co_yield constant;
}

TEST(generator, gives_elements_by_reference) {
    std::string own = "own";
    std::vector<std::string> seen;
    for (std::string& each : words(&own)) {
        seen.push_back(each);
        each += " changed";
    }
    EXPECT_EQ(
        seen, (std::vector<std::string>{
                  "own", "a temporary that is too long to be kept inside", "constant"})
    );
    EXPECT_EQ(own, "own changed");
}

generator<const std::string&> views_of(const std::vector<std::string>* from) {
    for (const auto& each : *from)
        co_yield each;
}

TEST(generator, of_references_copies_nothing) {
    const std::vector<std::string> from{"a", "b"};
    auto at = from.begin();
    for (const auto& each : views_of(&from))
        EXPECT_EQ(&each, &*at++);
}

generator<std::unique_ptr<int>> boxes(int count) {
    for (int i = 0; i < count; ++i)
        co_yield std::make_unique<int>(i);
}

TEST(generator, gives_what_can_only_be_moved) {
    std::vector<std::unique_ptr<int>> taken;
    for (auto& each : boxes(3))
        taken.push_back(std::move(each));
    ASSERT_EQ(taken.size(), 3u);
    EXPECT_EQ(*taken[2], 2);
}

generator<int> failing_after(int count) {
    for (int i = 0; i < count; ++i)
        co_yield i;
    throw std::runtime_error("own");
}

TEST(generator, throws_what_leaves_its_body_where_it_is_read) {
    auto at_once = failing_after(0);
    EXPECT_THROW(static_cast<void>(at_once.begin()), std::runtime_error);

    auto later = failing_after(1);
    auto at = later.begin();
    EXPECT_THROW(++at, std::runtime_error);
    EXPECT_EQ(at, later.end());
}

generator<int> holding(std::shared_ptr<int> argument) {
    const auto local = argument;
    for (;;)
        co_yield *local;
}

TEST(generator, frees_what_its_body_holds_wherever_it_is_left) {
    const auto held = std::make_shared<int>(1);
    {
        const auto never_begun = holding(held);
        EXPECT_EQ(held.use_count(), 2);
    }
    EXPECT_EQ(held.use_count(), 1);
    {
        auto begun = holding(held);
        EXPECT_EQ(*begun.begin(), 1);
        EXPECT_EQ(held.use_count(), 3);
    }
    EXPECT_EQ(held.use_count(), 1);
}

TEST(generator, can_be_moved_and_assigned) {
    auto first = count_to(2);
    auto second = std::move(first);
    second = count_to(3);
    EXPECT_EQ(all_of(std::move(second)).size(), 3u);
}

generator<int> depth(int levels, test::stack_extent* stack) {
    stack->look();
    if (levels == 0) co_return;
    co_yield levels;
    for (const int each : depth(levels - 1, stack))
        co_yield each;
}

TEST(generator, may_read_another_one) {
    test::stack_extent stack;
    EXPECT_EQ(all_of(depth(5, &stack)), (std::vector{5, 4, 3, 2, 1}));
}

generator<long> many(long count, test::stack_extent* stack) {
    for (long i = 0; i < count; ++i) {
        stack->look();
        co_yield i;
    }
}

TEST(generator, yields_a_million_times_on_one_stack_frame) {
    test::stack_extent stack;
    long sum = 0;
    for (const long each : many(1'000'000, &stack))
        sum += each;
    EXPECT_EQ(sum, 499'999'500'000);
    EXPECT_LT(stack.size(), test::few_frames);
}

} // namespace
} // namespace coronet::generator_tests
