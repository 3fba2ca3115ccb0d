// SPDX-License-Identifier: BSL-1.0
//
// The one control word of a scheduler: whether it runs, sleeps, has been notified or told to stop.
// There is no second flag for any of these anywhere. Because every cause of a wake-up and the
// sleeping bit share one word, a sleeper cannot miss a flag: either its compare-exchange sees the
// flag, or whoever sets the flag sees the sleeper.
//
//   fresh    → running   the first owner enters the loop
//   running  → draining  the owner, at the loop's head, once stop is set (or on shutdown)
//   draining → exited    the owner, when nothing is in flight and everything has been handed back
//   fresh    → exited    never run
//
//   stop      set by any thread, never cleared
//   notified  set by any thread after a push; cleared by the owner before it empties the mailbox
//   sleeping  set by the owner, only from a word without stop and notified; cleared by the owner
//   when it is back
//
// 16 bits are kept free for a count of parkers. All changes are read-modify-writes with acquire and
// release.
#pragma once

#include <atomic>
#include <cstdint>

namespace coronet {

class run_state {
public:
    enum class phase : std::uint32_t { fresh, running, draining, exited };

    /// Whether the caller must wake the owner: it slept, and nobody has woken it yet.
    using must_wake = bool;

    must_wake set_stop() noexcept {
        const auto before = word_.fetch_or(stop_bit, std::memory_order_acq_rel);
        // Also if it was notified: that wake-up may be a message that its sender has yet to submit.
        return (before & sleeping_bit) && !(before & stop_bit);
    }
    must_wake set_notified() noexcept {
        const auto before = word_.fetch_or(notified_bit, std::memory_order_acq_rel);
        return (before & sleeping_bit) && !(before & notified_bit);
    }
    /// The same for who does not push anything and wants the owner to wake now.
    must_wake set_woken() noexcept {
        return (word_.fetch_or(notified_bit, std::memory_order_acq_rel) & sleeping_bit) != 0;
    }
    /// Owner. True if something was pushed since the last time.
    bool take_notified() noexcept {
        if (!(load() & notified_bit)) return false; // the usual case costs no read-modify-write
        word_.fetch_and(~notified_bit, std::memory_order_acq_rel);
        return true;
    }
    /// Owner. False if it may not sleep: there is something to look at.
    bool try_sleep() noexcept {
        auto expected = load();
        while (!(expected & (notified_bit | (draining(expected) ? 0 : stop_bit))))
            if (word_.compare_exchange_weak(
                    expected, expected | sleeping_bit, std::memory_order_acq_rel,
                    std::memory_order_acquire
                ))
                return true;
        return false;
    }
    void wake_up() noexcept { word_.fetch_and(~sleeping_bit, std::memory_order_acq_rel); }

    void enter(phase next) noexcept {
        auto expected = load();
        while (!word_.compare_exchange_weak(
            expected, (expected & ~phase_mask) | static_cast<std::uint32_t>(next) << phase_shift,
            std::memory_order_acq_rel, std::memory_order_acquire
        )) {
        }
    }
    [[nodiscard]] phase current_phase() const noexcept { return phase_of(load()); }
    [[nodiscard]] bool stop_requested() const noexcept { return (load() & stop_bit) != 0; }

private:
    static constexpr std::uint32_t stop_bit = 1;
    static constexpr std::uint32_t notified_bit = 2;
    static constexpr std::uint32_t sleeping_bit = 4;
    static constexpr std::uint32_t phase_shift = 3;
    static constexpr std::uint32_t phase_mask = 7U << phase_shift;

    static phase phase_of(std::uint32_t word) noexcept {
        return static_cast<phase>((word & phase_mask) >> phase_shift);
    }
    // A draining owner has seen stop: it no longer keeps it awake.
    static bool draining(std::uint32_t word) noexcept { return phase_of(word) == phase::draining; }
    [[nodiscard]] std::uint32_t load() const noexcept {
        return word_.load(std::memory_order_acquire);
    }

    std::atomic<std::uint32_t> word_{0};
};

} // namespace coronet
