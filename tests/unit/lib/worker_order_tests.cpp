// SPDX-License-Identifier: BSL-1.0
//
// Items that run one after the other: those of one key.
#include "pool_call.hpp"
#include "serial_order.hpp"
#include "support/watchdog.hpp"

#include <coronet/scheduler.hpp>
#include <coronet/worker_pool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

namespace worker_order_tests {
namespace {

using namespace coronet::testing;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::worker_pool;
using coronet::detail::serial_link;
using coronet::detail::serial_order;
using coronet::test::watchdog;
using outcome = coronet::pool_item::outcome;

// ---- the order alone ----

TEST(serial_order, lets_the_first_of_each_key_and_then_the_next) {
    serial_order order;
    serial_link a1, a2, a3, b1;
    EXPECT_TRUE(order.enter(a1, 1));
    EXPECT_FALSE(order.enter(a2, 1));
    EXPECT_FALSE(order.enter(a3, 1));
    EXPECT_TRUE(order.enter(b1, 2));
    EXPECT_EQ(order.leave(a1), &a2);
    EXPECT_EQ(order.leave(a2), &a3);
    EXPECT_EQ(order.leave(a3), nullptr);
    EXPECT_EQ(order.leave(b1), nullptr);
    EXPECT_TRUE(order.enter(a1, 1));
    EXPECT_EQ(order.leave(a1), nullptr);
}

TEST(serial_order, lets_nobody_when_one_of_the_middle_or_the_end_leaves) {
    serial_order order;
    serial_link first, second, third;
    EXPECT_TRUE(order.enter(first, 1));
    EXPECT_FALSE(order.enter(second, 1));
    EXPECT_FALSE(order.enter(third, 1));
    EXPECT_EQ(order.leave(second), nullptr);
    EXPECT_EQ(order.leave(first), &third);
    EXPECT_EQ(order.leave(third), nullptr);
}

TEST(serial_order, W18_keeps_keys_apart_that_share_a_bucket) {
    serial_order order;
    std::deque<serial_link> links(1'000); // far more keys than buckets
    for (std::uint64_t key = 0; key < links.size(); ++key)
        EXPECT_TRUE(order.enter(links[key], key)) << key;
    std::deque<serial_link> seconds(links.size());
    for (std::uint64_t key = 0; key < links.size(); ++key)
        EXPECT_FALSE(order.enter(seconds[key], key)) << key;
    for (std::uint64_t key = 0; key < links.size(); key += 2)
        EXPECT_EQ(order.leave(links[key]), &seconds[key]) << key;
    for (std::uint64_t key = links.size(); key-- > 0;)
        EXPECT_EQ(
            order.leave(key % 2 == 0 ? seconds[key] : links[key]),
            key % 2 == 0 ? nullptr : &seconds[key]
        ) << key;
    for (std::uint64_t key = 1; key < links.size(); key += 2)
        EXPECT_EQ(order.leave(seconds[key]), nullptr) << key;
}

// ---- in a pool ----

class worker_order : public ::testing::Test {
protected:
    void until(const std::function<bool()>& happened) { run_until(loop, happened); }

    std::deque<held_call> held{4};
    std::deque<pool_call> calls{4};
    scheduler loop;
    worker_pool& pool = loop.pool();
    watchdog limit{[this] { return loop.report(); }};
};

TEST_F(worker_order, W18_items_of_a_key_run_one_at_a_time_in_their_order) {
    constexpr int keys = 5;
    constexpr int each_key = 200;
    std::mutex mutex;
    std::map<int, std::vector<int>> order;
    std::array<std::atomic<int>, keys> inside{};
    std::atomic<bool> together{false};
    std::deque<pool_call> items;
    for (int i = 0; i < keys * each_key; ++i)
        items.emplace_back([&, i] {
            auto& here = inside[static_cast<std::size_t>(i % keys)];
            if (++here > 1) together = true;
            {
                const std::scoped_lock lock{mutex};
                order[i % keys].push_back(i / keys);
            }
            --here;
        });
    for (int i = 0; i < keys * each_key; ++i)
        pool.submit_serialized(items[static_cast<std::size_t>(i)], loop, i % keys);
    until([&] { return all_over(items); });
    EXPECT_FALSE(together);
    for (const auto& [key, numbers] : order) {
        ASSERT_EQ(numbers.size(), std::size_t{each_key});
        EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end())) << "key " << key;
    }
}

TEST_F(worker_order, W18_another_key_is_not_delayed) {
    for (int i = 0; i < 3; ++i)
        pool.submit_serialized(held[static_cast<std::size_t>(i)], loop, &held);
    until([&] { return held[0].runs(); });
    pool.submit_serialized(calls[0], loop, &calls);
    pool.submit(calls[1], loop);
    until([&] { return calls[0].over() && calls[1].over(); });
    EXPECT_FALSE(held[1].runs());
    for (auto& each : held)
        each.let_go();
    until([&] { return held[2].over(); });
}

TEST_F(worker_order, W18_a_cancelled_item_lets_those_behind_it_pass) {
    // The one that runs is asked, one in the middle and one at the head of the queue are cancelled.
    pool_call running{[](pool_call& self) {
        while (!self.stop_token().stop_requested())
            std::this_thread::yield();
    }};
    pool.submit_serialized(running, loop, 7);
    for (auto& each : calls)
        pool.submit_serialized(each, loop, 7);
    until([&] { return running.executed > 0; });
    calls[1].cancel();
    calls[0].cancel();
    running.cancel();
    until([&] { return running.over() && all_over(calls); });
    EXPECT_EQ(running.how, outcome::executed);
    EXPECT_EQ(calls[0].how, outcome::cancelled);
    EXPECT_EQ(calls[1].how, outcome::cancelled);
    EXPECT_EQ(calls[2].how, outcome::executed);
    EXPECT_EQ(calls[3].how, outcome::executed);
}

TEST(worker_order_with_one_worker, W18_a_queued_head_that_is_cancelled_passes_its_place_on) {
    std::deque<pool_call> calls(2);
    held_call busy;
    scheduler_options options;
    options.workers.unbounded_max = 1;
    scheduler loop{options};
    worker_pool& pool = loop.pool();
    pool.submit(busy, loop);
    run_until(loop, [&] { return busy.runs(); });
    pool.submit_serialized(calls[0], loop, 7); // at the head, and queued
    pool.submit_serialized(calls[1], loop, 7);
    calls[0].cancel();
    busy.let_go();
    run_until(loop, [&] { return all_over(calls) && busy.over(); });
    EXPECT_EQ(calls[0].how, outcome::cancelled);
    EXPECT_EQ(calls[1].how, outcome::executed);
}

} // namespace
} // namespace worker_order_tests
