// SPDX-License-Identifier: BSL-1.0
//
// What awaits on things that schedulers share have in common: they go on at once where they can,
// and on their own scheduler whoever lets them; a stop ends them and takes nothing with it; and if
// both come, one of them counts: what was given, or the stop.
#include "listed_kinds.hpp"
#include "support/schedulers.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/sleep.hpp>
#include <coronet/coro/stop.hpp>
#include <coronet/coro/timeout.hpp>
#include <coronet/coro/when_any.hpp>

#include <gtest/gtest.h>

#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>

namespace coronet::listed_wait_tests {
namespace {

using namespace std::chrono_literals;
using namespace test;

template <class Kind>
class listed_await : public ::testing::Test {
protected:
    Kind kind_;
    watchdog limit_{[] { return std::string("an await did not end"); }};
};

using kinds = ::testing::Types<
    listed_lock, listed_acquire, listed_event, listed_latch, listed_receive, listed_send,
    listed_rendezvous>;

struct kind_name {
    template <class Kind>
    static std::string GetName(int) {
        if constexpr (std::is_same_v<Kind, listed_lock>) return "lock";
        if constexpr (std::is_same_v<Kind, listed_acquire>) return "acquire";
        if constexpr (std::is_same_v<Kind, listed_event>) return "event";
        if constexpr (std::is_same_v<Kind, listed_latch>) return "latch";
        if constexpr (std::is_same_v<Kind, listed_receive>) return "receive";
        if constexpr (std::is_same_v<Kind, listed_send>) return "send";
        return "rendezvous";
    }
};
TYPED_TEST_SUITE(listed_await, kinds, kind_name);

template <class Kind>
task<std::error_code> plain(Kind* kind) {
    const auto ended = co_await kind->start();
    co_return ended.error();
}

template <class Kind>
task<std::error_code> limited(Kind* kind, duration limit) {
    const auto ended = co_await with_timeout(limit, kind->start());
    co_return ended.error();
}

template <class Kind>
task<std::error_code> stoppable(Kind* kind, inplace_stop_token token) {
    const auto ended = co_await with_stop(token, kind->start());
    co_return ended.error();
}

// ---- going on ----

/// A sender to a channel without room waits for its receiver, always.
template <class Kind>
constexpr bool always_waits = std::is_same_v<Kind, listed_rendezvous>;

template <class Kind>
task<void> run_beside(Kind* kind, bool* ran) {
    *ran = true;
    if (always_waits<Kind>) kind->feed();
    co_return;
}
template <class Kind>
task<bool> waits_beside_a_child(scope children, Kind* kind) {
    bool child_ran = false;
    children.spawn(run_beside<Kind>, kind, &child_ran);
    const auto ended = co_await kind->start();
    const bool suspended = child_ran;
    const auto joined = co_await children.join();
    if (!ended || !joined) throw std::runtime_error("it ended early");
    co_return suspended;
}
template <class Kind>
task<bool> suspends(Kind* kind) {
    co_return co_await with_scope(waits_beside_a_child<Kind>, kind);
}

TYPED_TEST(listed_await, suspends_only_where_there_is_something_to_wait_for) {
    if constexpr (!always_waits<TypeParam>) this->kind_.feed();
    EXPECT_EQ(run(suspends(&this->kind_)), always_waits<TypeParam>);
}

template <class Kind>
task<bool> goes_on_at_home(Kind* kind) {
    const scheduler* home = scheduler::current();
    const auto ended = co_await kind->start();
    co_return ended&& scheduler::current() == home;
}

template <class Kind>
task<void> feeds(Kind* kind) {
    kind->feed();
    co_return;
}

TYPED_TEST(listed_await, goes_on_at_home_when_another_scheduler_lets_it) {
    runtime both{threads(2)};
    auto waiting = begin_on(both.at(0), goes_on_at_home(&this->kind_));
    settle(both.at(0)); // it waits, or will find it done
    if constexpr (always_waits<TypeParam>) {
        while (!this->kind_.taken)
            sync_wait(both.at(1), feeds(&this->kind_));
    } else {
        sync_wait(both.at(1), feeds(&this->kind_));
    }
    EXPECT_TRUE(waiting.get());
}

// ---- ending early ----

TYPED_TEST(listed_await, never_begins_in_a_stopped_branch) {
    if constexpr (!always_waits<TypeParam>) this->kind_.feed();
    inplace_stop_source source;
    source.request_stop();
    EXPECT_EQ(run(stoppable(&this->kind_, source.get_token())), std::errc::operation_canceled);
    EXPECT_TRUE(this->kind_.kept());
}

TYPED_TEST(listed_await, takes_nothing_with_it_when_its_time_limit_has_passed) {
    EXPECT_EQ(run(limited(&this->kind_, 5ms)), std::errc::timed_out);
    if constexpr (always_waits<TypeParam>) {
        EXPECT_FALSE(this->kind_.what.try_receive()) << "the value of a sender that has gone";
    } else {
        this->kind_.feed();
        EXPECT_TRUE(this->kind_.kept());
    }
}

template <class Kind>
task<std::error_code> stopped_by_another_thread(Kind* kind) {
    inplace_stop_source source;
    std::thread stopper{[&source] { source.request_stop(); }};
    const auto ended = co_await with_stop(source.get_token(), kind->start());
    stopper.join();
    co_return ended.error();
}

TYPED_TEST(listed_await, ends_when_another_thread_stops_it) {
    for (int round = 0; round < 50; ++round)
        EXPECT_EQ(run(stopped_by_another_thread(&this->kind_)), std::errc::operation_canceled);
}

template <class Kind>
task<std::error_code> beaten_by_a_sibling(Kind* kind) {
    const auto first = co_await when_any(sleep_for(1ms), kind->start());
    if (first.index != 0) co_return std::make_error_code(std::errc::state_not_recoverable);
    co_return std::get<1>(first.results).error();
}

TYPED_TEST(listed_await, ends_when_a_sibling_was_first) {
    EXPECT_EQ(run(beaten_by_a_sibling(&this->kind_)), std::errc::operation_canceled);
}

template <class Kind>
task<void> end_scheduler(Kind* kind, std::error_code* outcome) {
    scheduler::current()->stop();
    const auto ended = co_await kind->start();
    *outcome = ended.error();
}

TYPED_TEST(listed_await, ends_when_its_scheduler_is_stopped) {
    std::error_code outcome;
    run(end_scheduler(&this->kind_, &outcome));
    EXPECT_EQ(outcome, std::errc::operation_canceled);
}

// ---- both at once ----

#ifdef CORONET_HOOKS

task<void> nothing() {
    co_return;
}

TEST(listed_wait_death, D3_a_frame_that_is_resumed_under_a_lists_lock_is_a_bug) {
    EXPECT_DEATH(
        {
            const int list = 0;
            const std::scoped_lock lock{detail::list_lock::of(&list)};
            run(nothing());
        },
        "held_count"
    );
}

TYPED_TEST(listed_await, delivers_what_it_was_given_just_before_the_stop) {
    runtime home{threads(1)};
    inplace_stop_source source;
    const void* shared = this->kind_.shared();
    script play;
    auto& waits = play.once(
        point::waiting, [] {}, shared
    );
    auto& claimed = play.hold(point::claimed, shared);
    auto waiting = begin_on(home.at(0), stoppable(&this->kind_, source.get_token()));
    waits.wait();
    std::thread feeder{[this] { this->kind_.feed(); }};
    claimed.wait();
    source.request_stop(); // what was waited for is on its way
    settle(home.at(0));
    claimed.release();
    feeder.join();
    EXPECT_EQ(waiting.get(), std::error_code{});
}

TYPED_TEST(listed_await, X9_leaves_what_is_given_after_the_stop_to_others) {
    runtime home{threads(1)};
    inplace_stop_source source;
    const void* shared = this->kind_.shared();
    script play;
    auto& waits = play.once(
        point::waiting, [] {}, shared
    );
    auto& claimed = play.hold(point::claimed, shared);
    auto waiting = begin_on(home.at(0), stoppable(&this->kind_, source.get_token()));
    waits.wait();
    source.request_stop();
    claimed.wait(); // the stop was first, and its callback is to come
    this->kind_.feed();
    claimed.release();
    EXPECT_EQ(waiting.get(), std::errc::operation_canceled);
    EXPECT_TRUE(this->kind_.kept());
}

#endif

} // namespace
} // namespace coronet::listed_wait_tests
