// SPDX-License-Identifier: BSL-1.0
//
// Every item that was accepted comes out once; every other push was refused, and says so.
#include "call.hpp"
#include "mailbox.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <thread>
#include <vector>

namespace mailbox_tests {
namespace {

using coronet::mailbox;
using coronet::work;
using coronet::work_queue;
using coronet::testing::call;

void nothing() {}

TEST(mailbox, gives_items_oldest_first) {
    call a{nothing}, b{nothing}, c{nothing};
    mailbox box;
    for (call* each : {&a, &b, &c})
        EXPECT_TRUE(box.push(*each));
    EXPECT_FALSE(box.empty());
    work_queue queue;
    box.take_all(queue);
    EXPECT_TRUE(box.empty());
    EXPECT_EQ(queue.pop(), &a);
    EXPECT_EQ(queue.pop(), &b);
    EXPECT_EQ(queue.pop(), &c);
    EXPECT_EQ(queue.pop(), nullptr);
}

TEST(mailbox, appends_to_what_the_queue_holds) {
    call a{nothing}, b{nothing};
    work_queue queue;
    queue.push(a);
    mailbox box;
    EXPECT_TRUE(box.push(b));
    box.take_all(queue);
    EXPECT_EQ(queue.pop(), &a);
    EXPECT_EQ(queue.pop(), &b);
}

TEST(mailbox, hands_over_what_it_holds_when_it_is_closed) {
    call a{nothing};
    mailbox box;
    EXPECT_TRUE(box.push(a));
    work_queue queue;
    box.close(queue);
    EXPECT_EQ(queue.pop(), &a);
}

TEST(mailbox, L12_refuses_everything_once_it_is_closed) {
    call late{nothing};
    mailbox box;
    work_queue queue;
    box.close(queue);
    EXPECT_FALSE(box.push(late));
    EXPECT_TRUE(box.empty());
    box.take_all(queue);
    EXPECT_TRUE(queue.empty());
    queue.push(late); // it is free to go elsewhere
    EXPECT_EQ(queue.pop(), &late);
}

TEST(mailbox, stays_closed_when_it_is_closed_again) {
    mailbox box;
    work_queue queue;
    box.close(queue);
    box.close(queue);
    call late{nothing};
    EXPECT_FALSE(box.push(late));
    EXPECT_TRUE(queue.empty());
}

TEST(mailbox, aborts_when_an_item_is_pushed_that_is_in_a_queue_already) {
    call item{nothing};
    work_queue queue;
    queue.push(item);
    mailbox box;
    EXPECT_DEATH(static_cast<void>(box.push(item)), "assertion failed: !item.queued_");
    queue.pop();
}

// Threads push while the owner empties and, at some point, closes.
TEST(mailbox, L12_runs_or_refuses_each_item_exactly_once_under_many_threads) {
    constexpr std::size_t threads = 4;
    constexpr std::size_t items_each = 20'000;
    constexpr std::size_t late_each = 1'000; // come after it was closed, in any case
    mailbox box;
    std::atomic<std::size_t> refused{0};
    std::atomic<bool> closed{false};
    std::vector<std::deque<call>> items(threads);
    std::vector<int> runs(threads * items_each, 0);
    for (std::size_t t = 0; t < threads; ++t)
        for (std::size_t i = 0; i < items_each; ++i)
            items[t].emplace_back([&runs, at = t * items_each + i] { ++runs[at]; });

    std::vector<std::thread> posters;
    for (std::size_t t = 0; t < threads; ++t)
        posters.emplace_back([&, t] {
            for (std::size_t i = 0; i < items_each; ++i) {
                while (i == items_each - late_each && !closed)
                    std::this_thread::yield();
                if (!box.push(items[t][i])) refused.fetch_add(1);
            }
        });

    std::size_t executed = 0;
    work_queue queue;
    const auto run_all = [&] {
        while (work* item = queue.pop()) {
            item->run();
            ++executed;
        }
    };
    while (executed < threads * items_each / 2) {
        box.take_all(queue);
        run_all();
    }
    box.close(queue);
    closed = true;
    run_all();
    for (auto& each : posters)
        each.join();

    EXPECT_EQ(executed + refused.load(), threads * items_each);
    EXPECT_GE(refused.load(), threads * late_each);
    for (const int each : runs)
        ASSERT_LE(each, 1);
}

// What one thread pushed comes out in its order.
TEST(mailbox, keeps_the_order_of_each_thread) {
    constexpr int threads = 3;
    constexpr int items_each = 5'000;
    mailbox box;
    std::vector<int> last(threads, -1);
    bool ordered = true;
    std::vector<std::deque<call>> items(threads);
    for (int t = 0; t < threads; ++t)
        for (int i = 0; i < items_each; ++i)
            items[static_cast<std::size_t>(t)].emplace_back([&, t, i] {
                int& before = last[static_cast<std::size_t>(t)];
                ordered = ordered && before == i - 1;
                before = i;
            });
    std::vector<std::thread> posters;
    for (auto& mine : items)
        posters.emplace_back([&box, &mine] {
            for (call& each : mine)
                static_cast<void>(box.push(each));
        });
    work_queue queue;
    for (int executed = 0; executed < threads * items_each;) {
        box.take_all(queue);
        for (; work* item = queue.pop(); ++executed)
            item->run();
    }
    for (auto& each : posters)
        each.join();
    EXPECT_TRUE(ordered);
}

} // namespace
} // namespace mailbox_tests
