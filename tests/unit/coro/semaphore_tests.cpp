// SPDX-License-Identifier: BSL-1.0
//
// A semaphore lets as many in as it has permits, in the order in which they came.
#include "support/schedulers.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/semaphore.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace coronet::semaphore_tests {
namespace {

using namespace test;

TEST(semaphore, counts_its_permits) {
    semaphore what{2};
    EXPECT_TRUE(what.try_acquire());
    EXPECT_TRUE(what.try_acquire());
    EXPECT_FALSE(what.try_acquire());
    EXPECT_EQ(what.available(), 0u);
    what.release(3);
    EXPECT_EQ(what.available(), 3u);
}

struct crowd {
    semaphore limit{3};
    int inside = 0;
    int most = 0;
    int entered = 0;
};
task<void> enter(crowd* what) {
    const auto permitted = co_await what->limit.acquire();
    permitted.value();
    what->most = std::max(what->most, ++what->inside);
    co_await pause();
    --what->inside;
    ++what->entered;
    what->limit.release();
}
task<void> many_enter(scope children, crowd* what) {
    for (int i = 0; i < 100; ++i)
        children.spawn(enter, what);
    co_return;
}

TEST(semaphore, lets_as_many_in_as_it_has_permits) {
    crowd what;
    run(with_scope(many_enter, &what));
    EXPECT_EQ(what.most, 3);
    EXPECT_EQ(what.entered, 100);
    EXPECT_EQ(what.limit.available(), 3u);
}

task<void> acquire_and_note(semaphore* what, int number, std::vector<int>* order) {
    const auto permitted = co_await what->acquire();
    if (permitted) order->push_back(number);
}
task<void> release_two_of_four(scope children, semaphore* what, std::vector<int>* order) {
    for (int i = 0; i < 4; ++i)
        children.spawn(acquire_and_note, what, i, order);
    co_await pause();
    what->release(2);
    if (what->try_acquire()) order->push_back(-2); // overtakes
    co_await pause();
    order->push_back(-1);
    what->release(5); // three too many
}

TEST(semaphore, wakes_as_many_as_it_got_permits_for_in_their_order) {
    semaphore what{0};
    std::vector<int> order;
    run(with_scope(release_two_of_four, &what, &order));
    EXPECT_EQ(order, (std::vector{0, 1, -1, 2, 3}));
    EXPECT_EQ(what.available(), 3u);
}

} // namespace
} // namespace coronet::semaphore_tests
