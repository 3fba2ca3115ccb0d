// SPDX-License-Identifier: BSL-1.0
//
// The engine's start, its standing still, and those who wait for either or for its end. Every phase
// that somebody may wait for is entered under the waiters' lock, so that none comes between their
// look and their waiting; they are told after it has been released.
#include "engine.hpp"
#include "futex.hpp"
#include "guard_table.hpp"
#include "worker_thread.hpp"

#include <coronet/detail/hooks.hpp>

#include <utility>

namespace coronet {

void park_guard::release() noexcept {
    auto held = std::exchange(parked_, nullptr);
    if (!held) return;
    if (!held->in_forked_child())
        held->unpark(taker_);
    else // the parent's, and so is the lock that unparking takes
        static_cast<void>(new std::shared_ptr<detail::engine>(std::move(held)));
}

namespace detail {

namespace {

using phase = run_state::phase;
using state_waiters = intrusive_list<state_waiter>;

void tell_all(state_waiters& waiting, bool reached) noexcept {
    while (state_waiter* each = waiting.pop_front())
        each->told(reached);
}

} // namespace

/// Under the lock: from now on only the caller tells them.
void engine::claim_all(state_waiters& from, state_waiters& to) noexcept {
    while (state_waiter* each = from.pop_front()) {
        each->claimed_ = true;
        to.push_back(*each);
    }
}

/// Tells those who have waited for `next`, and those who now wait in vain.
void engine::enter(phase next) noexcept {
    state_waiters ended;
    state_waiters in_vain;
    {
        const std::scoped_lock lock{waiters_mutex_};
        state.enter(next);
        if (is_over(next)) {
            claim_all(end_waiters_, ended);
            claim_all(park_waiters_, in_vain);
        }
    }
    futex::wake_all(state.word());
    if (next == phase::exited) CORONET_HOOK(exited, &self);
    tell_all(ended, true);
    tell_all(in_vain, false);
}

// ---- start ----

result<void> engine::begin_start(bool parked) {
    const thread_number taker = this_thread_number();
    if (parked) {
        const bool added = guard_table::of_process().add(taker, *this);
        CORONET_ASSERT(added); // it has no owner who could hold a guard
    }
    if (state.try_start(parked)) return {};
    if (parked) guard_table::of_process().remove(taker, *this);
    return state.current_phase() == phase::fresh ? errc::stopped : errc::already_started;
}

void engine::abandon_start(bool parked) noexcept {
    if (parked) unpark(this_thread_number());
    start_failed();
}

void engine::start_failed() noexcept {
    enter(phase::failed);
}

void engine::end_unused() noexcept {
    driver_->close();
    enter(phase::exited);
}

void engine::wait_until_started() noexcept {
    for (;;) {
        const auto seen = state.word().load(std::memory_order_acquire);
        if (run_state::phase_of(seen) != phase::starting) return;
        futex::wait(state.word(), seen, time_point::max());
    }
}

// ---- standing still ----

void engine::stand_still() noexcept {
    // Whoever waits for a message of ours must not wait for our going on.
    driver_->send_wakes();
    CORONET_HOOK(parking, &self);
    state_waiters reached;
    {
        const std::scoped_lock lock{waiters_mutex_};
        if (!state.try_park()) return;
        claim_all(park_waiters_, reached);
    }
    futex::wake_all(state.word());
    tell_all(reached, true);
    CORONET_HOOK(parked, &self);
    while (!state.try_unpark()) {
        const auto seen = state.word().load(std::memory_order_acquire);
        if (run_state::park_count_of(seen) > 0) futex::wait(state.word(), seen, time_point::max());
    }
    CORONET_HOOK(unparked, &self);
}

result<park_guard> engine::park(time_point deadline) {
    if (in_forked_child()) return errc::stopped;
    if (!may_wait_here()) return errc::would_deadlock;
    const thread_number taker = this_thread_number();
    if (!guard_table::of_process().add(taker, *this)) return errc::would_deadlock;
    const auto asked = state.request_park();
    if (!asked.counted) {
        guard_table::of_process().remove(taker, *this);
        return errc::stopped;
    }
    wake_if(asked.wake, nullptr);
    return wait_until_parked(taker, deadline);
}

result<park_guard> engine::wait_until_parked(thread_number taker, time_point deadline) noexcept {
    for (;;) {
        const auto seen = state.word().load(std::memory_order_acquire);
        const phase now = run_state::phase_of(seen);
        if (now == phase::parked) return granted(taker);
        const bool in_vain = is_over(now);
        if (in_vain || clock::now() >= deadline) {
            unpark(taker);
            if (in_vain) return errc::stopped;
            return std::errc::timed_out;
        }
        futex::wait(state.word(), seen, deadline);
    }
}

result<park_guard> engine::take_first_guard() noexcept {
    return wait_until_parked(this_thread_number(), time_point::max());
}

void engine::unpark(thread_number taker) noexcept {
    guard_table::of_process().remove(taker, *this);
    CORONET_HOOK(unparking, &self);
    if (state.unpark()) futex::wake_all(state.word());
}

engine::answer engine::park(state_waiter& waiting) {
    if (in_forked_child()) return answer::never;
    const thread_number taker = this_thread_number();
    if (!guard_table::of_process().add(taker, *this)) return answer::would_deadlock;
    run_state::park_answer asked{};
    {
        const std::scoped_lock lock{waiters_mutex_};
        asked = state.request_park();
        if (asked.counted && !asked.parked) park_waiters_.push_back(waiting);
    }
    if (!asked.counted) {
        guard_table::of_process().remove(taker, *this);
        return answer::never;
    }
    if (asked.parked) return answer::reached;
    wake_if(asked.wake, nullptr);
    return answer::later;
}

bool engine::forget_park(state_waiter& waiting, thread_number taker) noexcept {
    {
        const std::scoped_lock lock{waiters_mutex_};
        if (waiting.claimed_) return false;
        park_waiters_.erase(waiting);
        waiting.claimed_ = true;
    }
    unpark(taker);
    return true;
}

// ---- the end ----

result<void> engine::join(time_point deadline) noexcept {
    if (in_forked_child()) return errc::stopped;
    if (!join_allowed()) return errc::would_deadlock;
    for (;;) {
        const auto seen = state.word().load(std::memory_order_acquire);
        if (is_over_for_joiners()) return {};
        if (clock::now() >= deadline) return std::errc::timed_out;
        futex::wait(state.word(), seen, deadline);
    }
}

bool engine::may_wait_here() const noexcept {
    // A scheduler waits at its end for its workers, and may wait for others' before.
    if (scheduler::current() || worker_thread::current()) return false;
    // The owner between two turns, too: nobody else will make the next one.
    return options.movable_owner || owner.load() != this_thread_number();
}

bool engine::join_allowed() const noexcept {
    return may_wait_here() && !holds_guard(this_thread_number());
}

bool engine::holds_guard(thread_number thread) const noexcept {
    return guard_table::of_process().contains(thread, *this);
}

engine::answer engine::watch_end(state_waiter& waiting) noexcept {
    if (in_forked_child()) return answer::never;
    const std::scoped_lock lock{waiters_mutex_};
    if (is_over_for_joiners()) return answer::reached;
    end_waiters_.push_back(waiting);
    return answer::later;
}

bool engine::forget_watch(state_waiter& waiting) noexcept {
    const std::scoped_lock lock{waiters_mutex_};
    if (waiting.claimed_) return false;
    end_waiters_.erase(waiting);
    waiting.claimed_ = true;
    return true;
}

} // namespace detail
} // namespace coronet
