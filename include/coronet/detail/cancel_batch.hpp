// SPDX-License-Identifier: BSL-1.0
//
// Lists of waiters that several threads use: a mutex's, a channel's, a pool's. Whoever ends a
// waiter's wait may be on any thread and may meet another who wants the same, and what it wakes may
// destroy the list. One routine for all of them: under the lock waiters are only claimed, that is
// moved into a batch on the claimer's stack; when the lock has been released, the batch calls them
// back, one after the other.
//
//   idle   → active        add(): it is in its list, for just as long as it is active
//   active → completing    complete(): what it waited for has happened
//   active → cancelling    cancel(): it is to wait no longer
//   either → idle          rearm(): it has been called back, and its owner uses it again
//
// The first three are made under the list's lock. Whoever makes the second one unlinks the waiter
// with it and is the only one who calls it back; who comes later does not find it in the list, so
// that what he has to give goes to the next waiter or stays (D1, D5). A batch is in the order of
// registration and owns nothing of the list: waiters that come meanwhile are not part of it, and a
// callback may cancel its neighbours, add waiters or destroy the list (D4, D6). A claimed waiter
// lives until it has been called back, as it cannot go on before.
//
// A lock belongs to no list and is never destroyed: it is one of a fixed number, found by the
// list's address. So a waiter that is cancelled on its own thread may still ask whether it was
// claimed when another one, claimed with it, has gone on and has destroyed the list. A thread holds
// at most one of these locks, takes nothing else under it and resumes and calls nobody; with
// CORONET_HOOKS that is asserted (D2, D3). (A channel moves values under it: their moves do not
// throw and may not use what has such a lock.)
//
// The other lists have no lock and do not need this. Operations, timers, the branches of a group
// and the joiners of a scope are touched by their scheduler's thread only; requests from elsewhere
// reach it as messages. Unlinking claims there, too (D1, D5). No callback in the sense above
// exists: an operation is ended by its completion, and timers, branches and joiners are put into
// the ready queue, which runs when no list is being walked (D2, D3, D4). Lists are in the order of
// registration, a timer's is that of time (D6). Cancelling goes by ids (operations) or through the
// leaf of a suspended branch, which is forgotten before the frame goes on (D7).
#pragma once

#include <coronet/detail/assert.hpp>
#include <coronet/detail/intrusive_list.hpp>

#include <cstdint>
#include <mutex>

namespace coronet::detail {

/// Guards the lists whose addresses lead to it. Fulfils BasicLockable.
class list_lock {
public:
    /// The lock of the list (or of the lists together) at this address.
    [[nodiscard]] static list_lock& of(const void* list) noexcept;

    void lock() noexcept;
    void unlock() noexcept;

    /// How many of them this thread holds; always 0 without CORONET_HOOKS.
    [[nodiscard]] static int held_count() noexcept;

private:
    std::mutex mutex_;
};

/// Somebody who waits. A list's lock guards all of it, until it has been claimed.
class listed_waiter : public list_hook<listed_waiter> {
public:
    enum class phase : std::uint8_t { idle, active, completing, cancelling };

    /// Also for the waiter itself, without the lock, once it has been called back.
    [[nodiscard]] phase current_phase() const noexcept { return phase_; }

protected:
    ~listed_waiter() = default;

    /// Back to idle, so that it can be added once more. It has been called back, or never waited.
    void rearm() noexcept {
        CORONET_ASSERT(phase_ != phase::active);
        phase_ = phase::idle;
    }
    /// It has been claimed. Runs once, on the claimer's thread, with no lock held; it may end the
    /// life of this object and of the list.
    virtual void called_back() noexcept = 0;

    /// It has been called back, and may be added to a list again.
    void may_wait_again() noexcept {
        CORONET_ASSERT(phase_ != phase::active && !linked());
        phase_ = phase::idle;
    }

private:
    friend class waiter_list;
    friend class cancel_batch;
    phase phase_ = phase::idle;
    std::uint64_t ticket_ = 0;
};

/// Those who wait for one thing, the first first. Every use under the lock.
class waiter_list {
public:
    [[nodiscard]] bool empty() const noexcept { return waiters_.empty(); }
    [[nodiscard]] listed_waiter* front() noexcept { return waiters_.front(); }

    /// `added` waits from here on.
    ///
    /// Result: its ticket; no other waiter of this list ever has the same.
    std::uint64_t add(listed_waiter& added) noexcept;

    /// Claims `waiter`, which is active, for who serves it at once and calls it back himself when
    /// he has; it was the one to be served.
    void take(listed_waiter& waiter) noexcept;
    /// `waiter`, which is active in this list, waits in `other` from here on, as its last.
    void move_to(waiter_list& other, listed_waiter& waiter) noexcept;

    /// The one after `waiter`, or null.
    [[nodiscard]] listed_waiter* after(listed_waiter& waiter) noexcept {
        return waiters_.after(waiter);
    }
    /// Of an active waiter.
    [[nodiscard]] static std::uint64_t ticket_of(const listed_waiter& waiter) noexcept {
        return waiter.ticket_;
    }

private:
    friend class cancel_batch;
    [[nodiscard]] listed_waiter* find(std::uint64_t ticket) noexcept;

    intrusive_list<listed_waiter> waiters_;
    std::uint64_t last_ticket_ = 0;
};

/// The waiters that one caller has claimed, at one time.
class cancel_batch {
public:
    enum class answer : std::uint8_t { claimed, not_found };

    /// `list` is what hooks are told.
    explicit cancel_batch(const void* list) noexcept : list_(list) {}
    cancel_batch(const cancel_batch&) = delete;
    cancel_batch& operator=(const cancel_batch&) = delete;
    ~cancel_batch() { CORONET_ASSERT(claimed_.empty()); }

    // ---- under the lock ----

    /// `waiter` is active.
    void complete(listed_waiter& waiter) noexcept;
    void complete_all(waiter_list& list) noexcept;
    /// Not found: it does not wait (any more); nothing happens.
    [[nodiscard]] answer cancel(listed_waiter& waiter) noexcept;
    /// The same for a waiter that may be gone for long.
    [[nodiscard]] answer cancel(waiter_list& list, std::uint64_t ticket) noexcept;
    void cancel_all(waiter_list& list) noexcept;

    // ---- with no lock held ----

    /// Calls those who were claimed back, in the order of claiming. The list may be gone afterwards
    /// or meanwhile.
    void call_back() noexcept;

private:
    void claim(listed_waiter& waiter, listed_waiter::phase next) noexcept;

    [[maybe_unused]] const void* list_; // is a number here
    intrusive_list<listed_waiter> claimed_;
};

/// Asserts that this thread holds no list's lock: foreign code is about to run.
#ifdef CORONET_HOOKS
inline void require_no_list_lock() noexcept {
    CORONET_ASSERT(list_lock::held_count() == 0);
}
#else
inline void require_no_list_lock() noexcept {}
#endif

} // namespace coronet::detail
