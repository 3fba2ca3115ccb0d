// SPDX-License-Identifier: BSL-1.0
//
// An event lets all go on who wait, stays set until it is reset, and may be destroyed by the first
// one that it has let go on.
#include "support/schedulers.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <coronet/coro/event.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/stop.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <system_error>
#include <thread>
#include <vector>

namespace coronet::event_tests {
namespace {

using namespace test;

TEST(event, stays_set_until_it_is_reset) {
    event what;
    EXPECT_FALSE(what.is_set());
    what.set();
    what.set();
    EXPECT_TRUE(what.is_set());
    what.reset();
    EXPECT_FALSE(what.is_set());
    EXPECT_TRUE(event{true}.is_set());
}

task<void> wait_and_note(event* what, int number, std::vector<int>* order) {
    const auto happened = co_await what->wait();
    if (happened) order->push_back(number);
}
task<void> set_for_three_and_one(scope children, event* what, std::vector<int>* order) {
    for (int i = 0; i < 3; ++i)
        children.spawn(wait_and_note, what, i, order);
    co_await pause();
    order->push_back(-1);
    what->set();
    what->reset();                                 // does not call them back
    children.spawn(wait_and_note, what, 3, order); // waits for the next time
    co_await pause();
    co_await pause();
    order->push_back(-2);
    what->set();
}

TEST(event, lets_all_go_on_in_their_order_and_those_after_a_reset_wait) {
    event what;
    std::vector<int> order;
    run(with_scope(set_for_three_and_one, &what, &order));
    EXPECT_EQ(order, (std::vector{-1, 0, 1, 2, -2, 3}));
}

task<bool> wait_and_destroy(std::unique_ptr<event>* what) {
    const auto happened = co_await (*what)->wait();
    what->reset();
    co_return happened.has_value();
}

#ifdef CORONET_HOOKS

task<std::error_code> wait_until_stopped(event* what, inplace_stop_token token) {
    const auto ended = co_await with_stop(token, what->wait());
    co_return ended.error();
}

// Two have been claimed; the first goes on and destroys the event, while the second has yet to be
// told. A stop that reaches the second must not look at what is gone.
TEST(event, D4_the_first_one_to_go_on_may_destroy_it_while_others_are_still_told) {
    const watchdog limit{[] { return "an event was waited for that is gone"; }};
    auto what = std::make_unique<event>();
    event* const at = what.get();
    runtime both{threads(2)};
    inplace_stop_source source;
    script play;
    auto& one_waits = play.once(
        point::waiting, [] {}, at
    );
    auto first = begin_on(both.at(0), wait_and_destroy(&what));
    one_waits.wait();
    auto& other_waits = play.once(
        point::waiting, [] {}, at
    );
    auto second = begin_on(both.at(1), wait_until_stopped(at, source.get_token()));
    other_waits.wait();

    play.once(
        point::before_callback, [] {}, at
    );
    auto& held = play.hold(point::before_callback, at);
    std::thread setter{[at] { at->set(); }};
    held.wait();
    EXPECT_TRUE(first.get());
    EXPECT_EQ(what, nullptr);
    source.request_stop();
    settle(both.at(1));
    held.release();
    setter.join();
    EXPECT_EQ(second.get(), std::error_code{});
}

#endif

TEST(event, may_be_destroyed_by_who_waited_for_it_while_another_thread_sets_it) {
    runtime other{threads(1)};
    for (int round = 0; round < 200; ++round) {
        auto what = std::make_unique<event>();
        std::thread setter{[at = what.get()] { at->set(); }};
        EXPECT_TRUE(sync_wait(other.at(0), wait_and_destroy(&what)));
        setter.join();
    }
}

} // namespace
} // namespace coronet::event_tests
