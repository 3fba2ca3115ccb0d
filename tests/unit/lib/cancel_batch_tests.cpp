// SPDX-License-Identifier: BSL-1.0
//
// Property: a waiter that several threads want to end is called back once, by whoever claimed it
// under the lock, with no lock held; what the callbacks do to the list does no harm. The sentences
// D1-D7 and T-S2.1-4 of the specification.
#include "support/watchdog.hpp"

#include <coronet/detail/cancel_batch.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <vector>

#ifdef CORONET_HOOKS
#include "support/script.hpp"
#endif

namespace coronet::detail::cancel_batch_tests {
namespace {

using phase = listed_waiter::phase;
using answer = cancel_batch::answer;

/// Something like a mutex or a pool: a list, and those who end waits in it.
class shared_list {
public:
    std::uint64_t add(listed_waiter& added) {
        const std::scoped_lock lock{list_lock::of(this)};
        return waiting_.add(added);
    }
    answer cancel(std::uint64_t ticket) {
        return batched([&](cancel_batch& batch) { return batch.cancel(waiting_, ticket); });
    }
    answer cancel(listed_waiter& waiter) {
        return batched([&](cancel_batch& batch) { return batch.cancel(waiter); });
    }
    void cancel_all() {
        batched([&](cancel_batch& batch) { batch.cancel_all(waiting_); });
    }
    /// What was waited for has happened, for the first of them.
    bool complete_first() {
        return batched([&](cancel_batch& batch) {
            listed_waiter* first = waiting_.front();
            if (first) batch.complete(*first);
            return first != nullptr;
        });
    }
    bool empty() {
        const std::scoped_lock lock{list_lock::of(this)};
        return waiting_.empty();
    }

private:
    template <class Claim>
    std::invoke_result_t<Claim, cancel_batch&> batched(Claim claim) {
        cancel_batch batch{this};
        struct call_back_at_the_end {
            cancel_batch& called;
            ~call_back_at_the_end() { called.call_back(); }
        } const end{batch};
        const std::scoped_lock lock{list_lock::of(this)};
        return claim(batch);
    }

    waiter_list waiting_;
};

class sample_waiter final : public listed_waiter {
public:
    explicit sample_waiter(std::function<void()> act = [] {}) : act_(std::move(act)) {}

    [[nodiscard]] int calls() const { return calls_.load(); }
    [[nodiscard]] bool cancelled() const { return current_phase() == phase::cancelling; }
    [[nodiscard]] bool completed() const { return current_phase() == phase::completing; }

private:
    void called_back() noexcept override {
        ++calls_;
        act_();
    }

    std::function<void()> act_;
    std::atomic<int> calls_{0};
};

// ---- D1 ----

TEST(cancel_batch, D1_who_claims_a_waiter_is_the_only_one_who_ends_it) {
    shared_list list;
    sample_waiter waiter;
    list.add(waiter);
    EXPECT_EQ(list.cancel(waiter), answer::claimed);
    EXPECT_EQ(list.cancel(waiter), answer::not_found);
    EXPECT_FALSE(list.complete_first());
    EXPECT_EQ(waiter.calls(), 1);
    EXPECT_TRUE(waiter.cancelled());
}

TEST(cancel_batch, D1_a_completed_waiter_is_not_cancelled_any_more) {
    shared_list list;
    sample_waiter waiter;
    list.add(waiter);
    EXPECT_TRUE(list.complete_first());
    EXPECT_EQ(list.cancel(waiter), answer::not_found);
    EXPECT_EQ(waiter.calls(), 1);
    EXPECT_TRUE(waiter.completed());
}

// ---- D2, D3: what happens under the lock, and what outside ----

TEST(cancel_batch, D2_claiming_unlinks_and_calls_nobody) {
    shared_list owner; // for its lock
    waiter_list list;
    sample_waiter first, second;
    cancel_batch batch{&owner};
    {
        const std::scoped_lock lock{list_lock::of(&owner)};
        list.add(first);
        list.add(second);
        batch.cancel_all(list);
        EXPECT_TRUE(list.empty());
        EXPECT_EQ(first.calls() + second.calls(), 0);
    }
    batch.call_back();
    EXPECT_EQ(first.calls(), 1);
    EXPECT_EQ(second.calls(), 1);
}

#ifdef CORONET_HOOKS

using test::point;
using test::script;
using test::watchdog;

TEST(cancel_batch, D3_no_list_is_locked_during_a_callback) {
    shared_list list;
    int held = -1;
    sample_waiter waiter{[&] { held = list_lock::held_count(); }};
    list.add(waiter);
    list.cancel_all();
    EXPECT_EQ(held, 0);
    const std::scoped_lock lock{list_lock::of(&list)};
    EXPECT_EQ(list_lock::held_count(), 1) << "nobody counts";
}

TEST(cancel_batch_death, D3_a_callback_under_the_lock_is_a_bug) {
    EXPECT_DEATH(
        {
            waiter_list list;
            sample_waiter waiter;
            cancel_batch batch{&list};
            const std::scoped_lock lock{list_lock::of(&list)};
            list.add(waiter);
            batch.cancel_all(list);
            batch.call_back();
        },
        "held_count"
    );
}

TEST(cancel_batch_death, T_S2_4_a_thread_that_takes_a_second_list_lock_is_a_bug) {
    EXPECT_DEATH(
        {
            std::vector<shared_list> lists(2);
            const std::scoped_lock one{list_lock::of(&lists[0])};
            const std::scoped_lock other{list_lock::of(&lists[1])};
        },
        "held == 0"
    );
}

#endif

// ---- D4, T-S2.1, X10: what a callback may do ----

TEST(cancel_batch, T_S2_1_a_callback_may_end_the_life_of_its_waiter) {
    shared_list list;
    int ended = 0;
    std::deque<std::unique_ptr<sample_waiter>> waiters;
    for (int i = 0; i < 3; ++i) {
        waiters.push_back(std::make_unique<sample_waiter>([&waiters, &ended] {
            const auto gone = std::move(waiters.front()); // with this function; it is the first
            waiters.pop_front();
            ++ended;
        }));
        list.add(*waiters.back());
    }
    list.cancel_all();
    EXPECT_EQ(ended, 3);
}

TEST(cancel_batch, T_S2_1_a_callback_may_cancel_its_neighbour) {
    shared_list list;
    sample_waiter neighbour;
    std::vector<answer> answers;
    sample_waiter first{[&] {
        answers.push_back(list.cancel(neighbour));
        answers.push_back(list.cancel(neighbour));
    }};
    list.add(first);
    list.add(neighbour);
    EXPECT_EQ(list.cancel(first), answer::claimed);
    EXPECT_EQ(answers, (std::vector{answer::claimed, answer::not_found}));
    EXPECT_EQ(neighbour.calls(), 1);
}

TEST(cancel_batch, T_S2_1_a_callback_does_not_find_a_neighbour_of_its_own_batch) {
    shared_list list;
    sample_waiter neighbour;
    answer told{};
    sample_waiter first{[&] { told = list.cancel(neighbour); }};
    list.add(first);
    list.add(neighbour);
    list.cancel_all();
    EXPECT_EQ(told, answer::not_found);
    EXPECT_EQ(neighbour.calls(), 1);
}

TEST(cancel_batch, D4_a_callback_may_destroy_the_list) {
    auto list = std::make_unique<shared_list>();
    std::vector<int> order;
    sample_waiter first{[&] {
        order.push_back(1);
        list.reset();
    }};
    sample_waiter second{[&] { order.push_back(2); }};
    list->add(first);
    list->add(second);
    list->cancel_all();
    EXPECT_EQ(list, nullptr);
    EXPECT_EQ(order, (std::vector{1, 2}));
}

// The list is gone when the second one, which was claimed with the first, is asked to end: its own
// thread cannot know.
TEST(cancel_batch, D4_a_claimed_waiter_may_be_cancelled_when_the_list_is_gone) {
    auto list = std::make_unique<shared_list>();
    const void* at = list.get();
    answer told{};
    sample_waiter second;
    sample_waiter first{[&] {
        list.reset();
        cancel_batch batch{at};
        const std::scoped_lock lock{list_lock::of(at)};
        told = batch.cancel(second);
    }};
    list->add(first);
    list->add(second);
    list->cancel_all();
    EXPECT_EQ(told, answer::not_found);
    EXPECT_EQ(second.calls(), 1);
}

// ---- D6 ----

TEST(cancel_batch, D6_waiters_are_cancelled_once_each_in_the_order_of_registration) {
    shared_list list;
    std::vector<int> order;
    std::deque<sample_waiter> waiters;
    for (int i = 0; i < 100; ++i)
        list.add(waiters.emplace_back([&order, i] { order.push_back(i); }));
    list.cancel_all();
    ASSERT_EQ(order.size(), 100u);
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(cancel_batch, D6_a_waiter_that_comes_during_the_batch_is_not_part_of_it) {
    shared_list list;
    sample_waiter late;
    sample_waiter first{[&] { list.add(late); }};
    list.add(first);
    list.cancel_all();
    EXPECT_EQ(late.calls(), 0);
    EXPECT_FALSE(list.empty());
    list.cancel_all();
    EXPECT_EQ(late.calls(), 1);
}

// ---- D7 ----

TEST(cancel_batch, D7_cancelling_an_unknown_or_finished_waiter_finds_nobody) {
    shared_list list;
    auto waiter = std::make_unique<sample_waiter>();
    const auto ticket = list.add(*waiter);
    EXPECT_EQ(list.cancel(ticket + 1), answer::not_found);
    EXPECT_EQ(list.cancel(ticket), answer::claimed);
    EXPECT_EQ(waiter->calls(), 1);
    waiter.reset();
    EXPECT_EQ(list.cancel(ticket), answer::not_found); // and nothing that is gone was touched
}

TEST(cancel_batch, D7_an_old_ticket_does_not_meet_a_new_waiter_at_the_same_place) {
    shared_list list;
    std::optional<sample_waiter> waiter{std::in_place};
    const auto old = list.add(*waiter);
    list.cancel_all();
    waiter.emplace();
    list.add(*waiter);
    EXPECT_EQ(list.cancel(old), answer::not_found);
    EXPECT_EQ(waiter->calls(), 0);
    list.cancel_all();
}

// ---- T-S2.2, T-S2.3, X9, X10: threads ----

#ifdef CORONET_HOOKS

TEST(cancel_batch, T_S2_2_a_completion_between_claim_and_callback_finds_nobody) {
    const watchdog limit{[] { return "a completion met a claimed waiter"; }};
    shared_list list;
    sample_waiter waiter;
    list.add(waiter);
    script play;
    auto& held = play.hold(point::claimed, &list);
    std::thread canceller{[&] { list.cancel_all(); }};
    held.wait();
    EXPECT_FALSE(list.complete_first());
    EXPECT_EQ(list.cancel(waiter), answer::not_found);
    EXPECT_EQ(waiter.calls(), 0) << "called back by somebody who had not claimed it";
    held.release();
    canceller.join();
    EXPECT_EQ(waiter.calls(), 1);
    EXPECT_TRUE(waiter.cancelled());
}

/// How many of the waiters [begin, end) were claimed, at one time.
int cancel_some(
    const void* list, std::deque<sample_waiter>& waiters, std::size_t begin, std::size_t end
) {
    int claimed = 0;
    cancel_batch batch{list};
    {
        const std::scoped_lock lock{list_lock::of(list)};
        for (std::size_t i = begin; i < end; ++i)
            claimed += batch.cancel(waiters[i]) == answer::claimed ? 1 : 0;
    }
    batch.call_back();
    return claimed;
}

TEST(cancel_batch, T_S2_3_two_cancellers_of_overlapping_sets_call_each_waiter_once) {
    const watchdog limit{[] { return "two cancellers wait for each other"; }};
    shared_list list;
    std::deque<sample_waiter> waiters(15);
    for (auto& each : waiters)
        list.add(each);
    script play;
    auto& held = play.hold(point::claimed, &list);
    int first = 0;
    std::thread canceller{[&] { first = cancel_some(&list, waiters, 0, 10); }};
    held.wait();
    EXPECT_EQ(cancel_some(&list, waiters, 5, 15), 5);
    EXPECT_EQ(waiters[7].calls(), 0) << "it is the other's";
    held.release();
    canceller.join();
    EXPECT_EQ(first, 10);
    for (const auto& each : waiters)
        EXPECT_EQ(each.calls(), 1);
}

TEST(cancel_batch, X10_the_list_is_destroyed_by_another_thread_before_the_callback) {
    const watchdog limit{[] { return "a batch waits for its list"; }};
    auto list = std::make_unique<shared_list>();
    sample_waiter waiter;
    list->add(waiter);
    script play;
    auto& held = play.hold(point::before_callback, list.get());
    std::thread canceller{[&] { list->cancel_all(); }};
    held.wait();
    EXPECT_TRUE(list->empty());
    shared_list* gone = list.release();
    delete gone;
    held.release();
    canceller.join();
    EXPECT_EQ(waiter.calls(), 1);
}

TEST(cancel_batch, X10_a_callback_cancels_its_own_list_while_another_thread_cancels_it) {
    const watchdog limit{[] { return "two cancellers wait for each other"; }};
    shared_list list;
    sample_waiter second, late;
    sample_waiter first{[&] {
        list.add(late);
        list.cancel_all();
    }};
    list.add(first);
    list.add(second);
    script play;
    auto& held = play.hold(point::before_callback, &list);
    std::thread canceller{[&] { list.cancel_all(); }};
    held.wait();
    list.cancel_all(); // nothing is left for us
    held.release();
    canceller.join();
    for (const sample_waiter* each : {&first, &second, &late})
        EXPECT_EQ(each->calls(), 1);
}

#endif

/// Two threads cancel, each its part of the list, and the parts overlap; a third one completes.
void cancel_overlapping_sets(int round) {
    constexpr std::size_t count = 64;
    shared_list list;
    std::deque<sample_waiter> waiters(count);
    std::vector<std::uint64_t> tickets;
    for (auto& each : waiters)
        tickets.push_back(list.add(each));
    std::atomic<int> claimed{0};
    std::atomic<bool> go{false};
    const auto cancel_them = [&](std::size_t begin, std::size_t end) {
        while (!go)
            std::this_thread::yield();
        for (std::size_t i = begin; i < end; ++i)
            claimed += list.cancel(tickets[i]) == answer::claimed ? 1 : 0;
    };
    std::thread one{cancel_them, 0, count * 2 / 3}, other{cancel_them, count / 3, count};
    std::thread completer{[&] {
        while (!go)
            std::this_thread::yield();
        for (int i = 0; i < round % 20; ++i)
            claimed += list.complete_first() ? 1 : 0;
    }};
    go = true;
    one.join();
    other.join();
    completer.join();
    EXPECT_EQ(claimed.load(), static_cast<int>(count));
    for (auto& each : waiters)
        ASSERT_EQ(each.calls(), 1);
}

TEST(cancel_batch, cancellers_and_a_completer_that_race_call_each_waiter_once) {
    for (int round = 0; round < 200; ++round)
        cancel_overlapping_sets(round);
}

// Callbacks cancel in the other list, in both directions at once. The counter of held locks is on:
// a list that were still locked in a callback would abort here, and deadlock without it.
TEST(cancel_batch, T_S2_4_callbacks_that_cancel_each_others_lists_do_not_deadlock) {
    const test::watchdog limit{[] { return "two lists' locks were taken in both orders"; }};
    for (int round = 0; round < 500; ++round) {
        std::vector<shared_list> lists(2);
        std::deque<sample_waiter> bystanders(2);
        sample_waiter here{[&] { lists[1].cancel_all(); }};
        sample_waiter there{[&] { lists[0].cancel_all(); }};
        lists[0].add(here);
        lists[0].add(bystanders[0]);
        lists[1].add(there);
        lists[1].add(bystanders[1]);
        std::thread one{[&] { lists[0].cancel_all(); }};
        std::thread other{[&] { lists[1].cancel_all(); }};
        one.join();
        other.join();
        for (const sample_waiter* each : {&here, &there, &bystanders[0], &bystanders[1]})
            ASSERT_EQ(each->calls(), 1);
    }
}

} // namespace
} // namespace coronet::detail::cancel_batch_tests
