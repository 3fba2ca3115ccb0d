// SPDX-License-Identifier: BSL-1.0
//
// First in, first out, and nothing is in two queues.
#include "call.hpp"

#include <coronet/work.hpp>

#include <gtest/gtest.h>

namespace work_queue_tests {
namespace {

using coronet::work;
using coronet::work_queue;
using coronet::testing::call;

void nothing() {}

TEST(work_queue, is_empty_at_first) {
    work_queue queue;
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.pop(), nullptr);
}

TEST(work_queue, gives_items_in_the_order_they_came) {
    call a{nothing}, b{nothing}, c{nothing};
    work_queue queue;
    queue.push(a);
    queue.push(b);
    EXPECT_EQ(queue.pop(), &a);
    queue.push(c);
    EXPECT_EQ(queue.pop(), &b);
    EXPECT_EQ(queue.pop(), &c);
    EXPECT_TRUE(queue.empty());
}

TEST(work_queue, takes_an_item_again_once_it_has_left) {
    call item{nothing};
    work_queue queue;
    for (int round = 0; round < 3; ++round) {
        queue.push(item);
        EXPECT_EQ(queue.pop(), &item);
    }
    EXPECT_TRUE(queue.empty());
}

TEST(work_queue, lets_an_item_put_itself_back_while_it_runs) {
    work_queue queue;
    int runs = 0;
    call again{[&] {
        if (++runs < 3) queue.push(again);
    }};
    queue.push(again);
    while (work* item = queue.pop())
        item->run();
    EXPECT_EQ(runs, 3);
}

TEST(work_queue, a_copy_of_an_item_is_in_no_queue) {
    call original{nothing};
    work_queue queue;
    queue.push(original);
    const call copy{original}; // its destructor would complain
    EXPECT_EQ(queue.pop(), &original);
}

TEST(work_queue, aborts_when_an_item_is_pushed_twice) {
    call item{nothing};
    work_queue queue, other;
    queue.push(item);
    EXPECT_DEATH(other.push(item), "assertion failed: !item.queued_");
    queue.pop();
}

TEST(work, aborts_when_it_is_destroyed_in_a_queue) {
    work_queue queue;
    EXPECT_DEATH(
        {
            call item{nothing};
            queue.push(item);
        },
        "assertion failed: !queued_"
    );
}

} // namespace
} // namespace work_queue_tests
