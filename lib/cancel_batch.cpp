// SPDX-License-Identifier: BSL-1.0
#include <coronet/detail/assert.hpp>
#include <coronet/detail/cancel_batch.hpp>
#include <coronet/detail/hooks.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace coronet::detail {

namespace {

// Enough that a few threads which work on different lists seldom meet; a cache line each.
constexpr std::size_t lock_count = 64;
struct alignas(64) own_line {
    list_lock lock;
};
constinit std::array<own_line, lock_count> locks;
// Never destroyed, so that a list may be used until the very end of the program.
static_assert(std::is_trivially_destructible_v<own_line>);

#ifdef CORONET_HOOKS
thread_local int held = 0;
#endif

} // namespace

// ---- the lock ----

list_lock& list_lock::of(const void* list) noexcept {
    // The product's upper bits depend on all bits of the address (Fibonacci hashing).
    const auto address = std::uint64_t{reinterpret_cast<std::uintptr_t>(list)};
    const auto mixed = address * 0x9e3779b97f4a7c15U;
    return locks[mixed >> 58].lock;
}
static_assert(lock_count == 1U << (64 - 58));

void list_lock::lock() noexcept {
#ifdef CORONET_HOOKS
    CORONET_ASSERT(held == 0); // two could be one and the same, or be taken in another order
    ++held;
#endif
    mutex_.lock();
}

void list_lock::unlock() noexcept {
    mutex_.unlock();
#ifdef CORONET_HOOKS
    --held;
#endif
}

int list_lock::held_count() noexcept {
#ifdef CORONET_HOOKS
    return held;
#else
    return 0;
#endif
}

// ---- the list ----

std::uint64_t waiter_list::add(listed_waiter& added) noexcept {
    CORONET_ASSERT(added.phase_ == listed_waiter::phase::idle);
    added.phase_ = listed_waiter::phase::active;
    added.ticket_ = ++last_ticket_;
    waiters_.push_back(added);
    return added.ticket_;
}

void waiter_list::take(listed_waiter& waiter) noexcept {
    CORONET_ASSERT(waiter.phase_ == listed_waiter::phase::active);
    waiter.phase_ = listed_waiter::phase::completing;
    waiters_.erase(waiter);
}

void waiter_list::move_to(waiter_list& other, listed_waiter& waiter) noexcept {
    CORONET_ASSERT(waiter.phase_ == listed_waiter::phase::active);
    waiters_.erase(waiter);
    waiter.ticket_ = ++other.last_ticket_;
    other.waiters_.push_back(waiter);
}

listed_waiter* waiter_list::find(std::uint64_t ticket) noexcept {
    for (listed_waiter* each = waiters_.front(); each; each = waiters_.after(*each))
        if (each->ticket_ == ticket) return each;
    return nullptr;
}

// ---- the batch ----

void cancel_batch::claim(listed_waiter& waiter, listed_waiter::phase next) noexcept {
    CORONET_ASSERT(waiter.phase_ == listed_waiter::phase::active);
    waiter.phase_ = next;
    waiter.unlink();
    claimed_.push_back(waiter);
}

void cancel_batch::complete(listed_waiter& waiter) noexcept {
    claim(waiter, listed_waiter::phase::completing);
}

void cancel_batch::complete_all(waiter_list& list) noexcept {
    while (listed_waiter* first = list.front())
        complete(*first);
}

cancel_batch::answer cancel_batch::cancel(listed_waiter& waiter) noexcept {
    if (waiter.phase_ != listed_waiter::phase::active) return answer::not_found;
    claim(waiter, listed_waiter::phase::cancelling);
    return answer::claimed;
}

cancel_batch::answer cancel_batch::cancel(waiter_list& list, std::uint64_t ticket) noexcept {
    listed_waiter* waiter = list.find(ticket);
    return waiter ? cancel(*waiter) : answer::not_found;
}

void cancel_batch::cancel_all(waiter_list& list) noexcept {
    while (listed_waiter* first = list.front())
        claim(*first, listed_waiter::phase::cancelling);
}

void cancel_batch::call_back() noexcept {
    if (claimed_.empty()) return;
    CORONET_HOOK(claimed, list_);
    while (listed_waiter* next = claimed_.pop_front()) {
        CORONET_HOOK(before_callback, list_);
        require_no_list_lock();
        next->called_back();
    }
}

} // namespace coronet::detail
