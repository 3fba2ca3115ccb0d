// SPDX-License-Identifier: BSL-1.0
//
// The function of on_stop() is called once, by the stop that reaches it, before what it stands for
// is asked to end; and never when that has ended first.
#include <coronet/coro/on_stop.hpp>
#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/shield.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace coronet::on_stop_tests {
namespace {

using namespace std::chrono_literals;
using events = std::vector<const char*>;

/// What on_stop() calls.
void note(events* into) {
    into->push_back("told");
}

task<int> sleeps(duration delay, events* seen) {
    const auto slept = co_await sleep_for(delay);
    seen->push_back(slept ? "slept" : "cancelled");
    co_return slept ? 1 : 2;
}
task<int> announced(duration delay, events* seen) {
    co_return co_await on_stop(sleeps(delay, seen), note, seen);
}

task<result<int>> limited(events* seen) {
    co_return co_await with_timeout(1ms, announced(1h, seen));
}

TEST(on_stop, calls_once_before_what_it_awaits_is_cancelled) {
    events seen;
    const auto ended = run(limited(&seen));
    EXPECT_EQ(*ended, 2);
    EXPECT_EQ(seen, (events{"told", "cancelled"}));
}

TEST(on_stop, does_not_call_when_nothing_stops_it) {
    events seen;
    EXPECT_EQ(run(announced(0ms, &seen)), 1);
    EXPECT_EQ(seen, (events{"slept"}));
}

task<int> stopped_with(inplace_stop_token token, events* seen) {
    co_return co_await with_stop(token, announced(1h, seen));
}

TEST(on_stop, calls_at_once_when_a_stop_came_before) {
    inplace_stop_source source;
    source.request_stop();
    events seen;
    EXPECT_EQ(run(stopped_with(source.get_token(), &seen)), 2);
    EXPECT_EQ(seen, (events{"told", "cancelled"}));
}

void note_thread(std::thread::id* into) {
    *into = std::this_thread::get_id();
}
task<void> stopped_from_outside(std::thread::id* told_on) {
    inplace_stop_source source;
    std::thread stopper{[&source] { source.request_stop(); }};
    const auto slept =
        co_await with_stop(source.get_token(), on_stop(sleep_for(1h), note_thread, told_on));
    static_cast<void>(slept);
    stopper.join();
}

TEST(on_stop, calls_on_the_owner_thread_whoever_stops) {
    std::thread::id told_on;
    run(stopped_from_outside(&told_on));
    EXPECT_EQ(told_on, std::this_thread::get_id());
}

/// Two operations end in one turn. What the first belongs to has ended, and its frame is about to
/// go on, when the second has it stopped.
task<void> quick(events* seen) {
    const auto done = co_await on_stop(async::nop(), note, seen);
    seen->push_back(done ? "done" : "cancelled");
}
task<void> stop_siblings(scope siblings) {
    const auto done = co_await async::nop();
    static_cast<void>(done);
    siblings.request_stop();
}
task<void> spawn_stopper(scope siblings) {
    siblings.spawn(stop_siblings, siblings);
    co_return;
}
task<void> stop_as_it_ends(scope children, events* seen) {
    children.spawn(quick, seen);
    children.spawn(spawn_stopper, children); // its operation is submitted behind that of `quick`
    co_return;
}
task<void> stopped_as_it_ends(events* seen) {
    co_await with_scope(stop_as_it_ends, seen);
}

TEST(on_stop, does_not_call_when_what_it_awaits_has_just_ended) {
    events seen;
    run(stopped_as_it_ends(&seen));
    EXPECT_EQ(seen, (events{"done"}));
}

task<int> behind_a_shield(inplace_stop_token token, events* seen) {
    co_return co_await with_stop(token, shield(announced(0ms, seen)));
}

TEST(on_stop, is_not_reached_behind_a_shield) {
    inplace_stop_source source;
    source.request_stop();
    events seen;
    EXPECT_EQ(run(behind_a_shield(source.get_token(), &seen)), 1);
    EXPECT_EQ(seen, (events{"slept"}));
}

task<int> drained(events* seen) {
    scheduler::current()->stop();
    co_return co_await announced(1h, seen);
}

TEST(on_stop, calls_once_when_the_scheduler_is_stopped) {
    events seen;
    EXPECT_EQ(run(drained(&seen)), 2);
    EXPECT_EQ(seen, (events{"told", "cancelled"}));
}

/// A stop from within a stop: the group above is being cancelled already.
void stop_all_again(inplace_stop_source* source, scope around, int* calls) {
    ++*calls;
    source->request_stop();
    around.request_stop();
}
task<void> stop_again(scope around, inplace_stop_source* source, int* calls) {
    const auto slept = co_await on_stop(sleep_for(1h), stop_all_again, source, around, calls);
    static_cast<void>(slept);
}
task<void> stops_in_circles(scope children, inplace_stop_source* source, int* calls) {
    children.spawn(stop_again, children, source, calls);
    children.spawn(stop_again, children, source, calls);
    const auto turn = co_await async::nop();
    static_cast<void>(turn);
    source->request_stop();
}
task<void> stopped_in_circles(inplace_stop_source* source, int* calls) {
    co_await with_stop(source->get_token(), with_scope(stops_in_circles, source, calls));
}

TEST(on_stop, may_stop_what_is_being_stopped) {
    inplace_stop_source source;
    int calls = 0;
    run(stopped_in_circles(&source, &calls));
    EXPECT_EQ(calls, 2);
}

void add_up(std::unique_ptr<int> one, const std::string& text, int* into) {
    *into = *one + static_cast<int>(text.size());
}
task<void> with_moved_arguments(int* into) {
    auto one = std::make_unique<int>(3);
    const std::string text = "a text that is long enough for the heap";
    const auto ended =
        co_await with_timeout(0s, on_stop(sleep_for(1h), add_up, std::move(one), text, into));
    static_cast<void>(ended);
}

TEST(on_stop, takes_arguments_that_can_only_be_moved_and_copies_of_others) {
    int told = 0;
    run(with_moved_arguments(&told));
    EXPECT_EQ(told, 42);
}

/// A function object of one's own, which is named before the await.
struct moved_only {
    std::unique_ptr<int> held;
    void operator()(int* into) const { *into = *held; }
};
task<void> with_a_moved_function(int* into) {
    moved_only tell{std::make_unique<int>(3)};
    const auto ended = co_await with_timeout(0s, on_stop(sleep_for(1h), std::move(tell), into));
    static_cast<void>(ended);
}

TEST(on_stop, takes_a_function_that_can_only_be_moved) {
    int told = 0;
    run(with_a_moved_function(&told));
    EXPECT_EQ(told, 3);
}

void increment(const std::shared_ptr<int>& held) {
    ++*held;
}
task<std::size_t> destroyed_how_often(std::shared_ptr<int> counted) {
    const auto done = co_await on_stop(async::nop(), increment, counted);
    static_cast<void>(done);
    co_return static_cast<std::size_t>(counted.use_count());
}

TEST(on_stop, destroys_its_arguments_once) {
    const auto counted = std::make_shared<int>(0);
    EXPECT_EQ(run(destroyed_how_often(counted)), 2U); // this one and the parameter
    EXPECT_EQ(counted.use_count(), 1);
}

} // namespace
} // namespace coronet::on_stop_tests
