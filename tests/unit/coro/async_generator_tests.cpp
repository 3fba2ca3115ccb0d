// SPDX-License-Identifier: BSL-1.0
//
// async_generator<T>: elements that are waited for, in the branch of whoever waits.
#include "support/pairs.hpp"
#include "support/stack_extent.hpp"

#include <coronet/coro/async_generator.hpp>
#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/schedule.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/this_coroutine.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_any.hpp>
#include <coronet/runtime.hpp>

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace coronet::async_generator_tests {
namespace {

using namespace std::chrono_literals;

async_generator<int> count_to(int last) {
    for (int i = 1; i <= last; ++i) {
        const auto turn = co_await async::nop();
        if (!turn) co_return;
        co_yield i;
    }
}
template <class T>
task<std::vector<T>> all_of(async_generator<T> from) {
    std::vector<T> all;
    for (;;) {
        auto each = co_await from.next();
        if (!each) co_return all;
        all.push_back(std::move(*each));
    }
}

TEST(async_generator, gives_what_was_yielded_in_its_order) {
    EXPECT_EQ(run(all_of(count_to(4))), (std::vector{1, 2, 3, 4}));
}

TEST(async_generator, may_be_empty) {
    EXPECT_EQ(run(all_of(count_to(0))), std::vector<int>{});
}

task<bool> reads_behind_the_end() {
    auto numbers = count_to(1);
    const auto only = co_await numbers.next();
    const auto end = co_await numbers.next();
    const auto still = co_await numbers.next();
    co_return only && !end && !still;
}

TEST(async_generator, gives_nothing_again_and_again_when_it_has_ended) {
    EXPECT_TRUE(run(reads_behind_the_end()));
}

/// What arrives on a pipe, in pieces of at most four bytes.
async_generator<std::string> pieces(int fd) {
    std::array<std::byte, 4> room;
    for (;;) {
        const auto received = co_await async::read(fd, room);
        if (!received || *received == 0) co_return;
        co_yield std::string(reinterpret_cast<const char*>(room.data()), *received);
    }
}

TEST(async_generator, waits_for_its_elements) {
    test::pipe_pair pipe;
    EXPECT_EQ(::write(pipe.writer.get(), "abcdefg", 7), 7);
    pipe.writer.reset();
    EXPECT_EQ(run(all_of(pieces(pipe.reader.get()))), (std::vector<std::string>{"abcd", "efg"}));
}

async_generator<std::unique_ptr<int>> boxes(int count) {
    for (int i = 0; i < count; ++i)
        co_yield std::make_unique<int>(i);
}

TEST(async_generator, gives_what_can_only_be_moved) {
    const auto taken = run(all_of(boxes(3)));
    ASSERT_EQ(taken.size(), 3u);
    EXPECT_EQ(*taken[2], 2);
}

async_generator<std::string> copies() {
    const std::string constant = "constant";
    co_yield constant;
    co_yield constant;
    co_yield "converted";
}

TEST(async_generator, takes_what_an_element_can_be_made_of) {
    EXPECT_EQ(
        run(all_of(copies())), (std::vector<std::string>{"constant", "constant", "converted"})
    );
}

// ---- exceptions ----

async_generator<int> failing_after(int count) {
    for (int i = 0; i < count; ++i)
        co_yield i;
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    throw std::runtime_error("own");
}
task<int> read_until_it_throws(int count) {
    auto failing = failing_after(count);
    int read = 0;
    bool thrown = false;
    for (;;) {
        try {
            const auto each = co_await failing.next();
            if (!each) break;
            ++read;
        } catch (const std::runtime_error&) {
            thrown = true;
        }
    }
    co_return thrown ? read : -1;
}

TEST(async_generator, throws_what_leaves_its_body_out_of_next_and_has_ended_then) {
    EXPECT_EQ(run(read_until_it_throws(0)), 0);
    EXPECT_EQ(run(read_until_it_throws(2)), 2);
}

struct unwilling {
    unwilling() = default;
    unwilling(unwilling&&) { throw std::logic_error("will not be moved"); }
};
async_generator<unwilling> of_unwilling(bool* seen) {
    try {
        unwilling one;
        co_yield std::move(one);
    } catch (const std::logic_error&) {
        *seen = true;
    }
}
task<bool> read_unwilling(bool* seen) {
    auto from = of_unwilling(seen);
    const auto none = co_await from.next();
    co_return none.has_value();
}

TEST(async_generator, throws_into_its_body_when_an_element_cannot_be_moved) {
    bool seen = false;
    EXPECT_FALSE(run(read_unwilling(&seen)));
    EXPECT_TRUE(seen);
}

// ---- its life ----

async_generator<int> holding(std::shared_ptr<int> argument) {
    const auto local = argument;
    for (;;)
        co_yield *local;
}
task<std::array<long, 3>> left_at_a_yield(std::shared_ptr<int> held) {
    std::array<long, 3> counts{};
    {
        auto left = holding(held);
        counts[0] = held.use_count();
        const auto one = co_await left.next();
        counts[1] = one ? held.use_count() : -1;
    }
    counts[2] = held.use_count();
    co_return counts;
}

TEST(async_generator, destroyed_at_a_yield_frees_its_locals) {
    const auto held = std::make_shared<int>(1);
    const auto counts = run(left_at_a_yield(held));
    EXPECT_EQ(counts[1], counts[0] + 1); // its local
    EXPECT_EQ(counts[2], counts[0] - 1); // and its argument, too
    EXPECT_EQ(held.use_count(), 1);
}

TEST(async_generator, that_is_never_read_frees_its_arguments) {
    const auto held = std::make_shared<int>(1);
    {
        const auto unused = holding(held);
        EXPECT_EQ(held.use_count(), 2);
    }
    EXPECT_EQ(held.use_count(), 1);
}

task<int> read_from_two_branches() {
    auto numbers = count_to(2);
    const auto one = co_await with_timeout(1h, numbers.next());
    const auto two = co_await when_any(numbers.next(), sleep_for(1h));
    auto moved = std::move(numbers);
    const auto end = co_await moved.next();
    co_return **one + **std::get<0>(two.results) + (end ? 100 : 0);
}

TEST(async_generator, runs_in_the_branch_of_each_next) {
    EXPECT_EQ(run(read_from_two_branches()), 3);
}

// ---- stops ----

async_generator<int> endless_reads(int fd, std::error_code* error) {
    std::array<std::byte, 4> room;
    for (;;) {
        const auto received = co_await async::read(fd, room);
        *error = received.error();
        co_yield received ? static_cast<int>(*received) : -1;
    }
}
task<std::array<int, 2>> limited_then_not(int fd, int other, std::error_code* error) {
    auto reads = endless_reads(fd, error);
    const auto first = co_await with_timeout(1ms, reads.next());
    if (::write(other, "ab", 2) != 2) throw std::logic_error("write");
    const auto second = co_await reads.next();
    co_return std::array{first->value_or(0), second.value_or(0)};
}

TEST(async_generator, is_stopped_with_its_reader_and_goes_on_with_the_next) {
    test::pipe_pair pipe;
    std::error_code error;
    const auto read = run(limited_then_not(pipe.reader.get(), pipe.writer.get(), &error));
    EXPECT_EQ(read, (std::array{-1, 2}));
}

task<std::optional<int>> read_in_a_stopped_branch() {
    inplace_stop_source source;
    source.request_stop();
    auto numbers = count_to(1);
    co_return co_await with_stop(source.get_token(), numbers.next());
}

TEST(async_generator, awaits_nothing_in_a_stopped_branch) {
    EXPECT_FALSE(run(read_in_a_stopped_branch()));
}

// ---- where it runs ----

async_generator<scheduler*> places() {
    for (;;) {
        scheduler& here = co_await this_coroutine::scheduler();
        co_yield &here;
    }
}
task<bool> read_in_two_places(scheduler* other) {
    auto reads = places();
    const scheduler* home = scheduler::current();
    const auto first = co_await reads.next();
    const auto went = co_await schedule_on(*other);
    const auto second = co_await reads.next();
    co_return went&&* first == home&&* second == other;
}

TEST(async_generator, runs_on_the_scheduler_of_its_reader) {
    runtime_options options;
    options.threads = 1;
    runtime others{options};
    EXPECT_TRUE(run(read_in_two_places(&others.at(0))));
}

// ---- the stack ----

async_generator<long> many(long count, test::stack_extent* stack) {
    for (long i = 0; i < count; ++i) {
        stack->look();
        co_yield i;
    }
}
task<long> sum_of(long count, test::stack_extent* stack) {
    auto numbers = many(count, stack);
    long sum = 0;
    for (;;) {
        const auto each = co_await numbers.next();
        stack->look();
        if (!each) co_return sum;
        sum += *each;
    }
}

TEST(async_generator, yields_a_million_times_on_one_stack_frame) {
    test::stack_extent stack;
    EXPECT_EQ(run(sum_of(1'000'000, &stack)), 499'999'500'000);
    EXPECT_LT(stack.size(), test::few_frames);
}

} // namespace
} // namespace coronet::async_generator_tests
