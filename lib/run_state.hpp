// SPDX-License-Identifier: BSL-1.0
//
// The one control word of a scheduler: whether it runs, sleeps or is parked, and what it has been
// told. There is no second flag for any of these anywhere. Because every cause of a wake-up and the
// sleeping bit share one word, a sleeper cannot miss a flag: either its compare-exchange sees the
// flag, or whoever sets the flag sees the sleeper.
//
//   fresh    → starting  a thread is about to be made for it
//   fresh, starting → running   the first owner enters the loop
//   starting → failed    there is no thread, or it could not become the owner
//   running  → parked    the owner, at the loop's head, while park > 0 (looked at before stop)
//   parked   → running   the owner, once park = 0
//   running  → draining  the owner, at the loop's head, once stop is set and park = 0
//   draining → exited    the owner, when nothing is in flight and everything has been given back
//
//   stop      set by any thread, never cleared
//   notified  set by any thread after a push; cleared by the owner before it empties the mailbox
//   carried   with notified: every wake-up for it so far is a message in the ring of another
//             scheduler, which may not have submitted it yet; who comes next wakes as well
//   sleeping  set by the owner, only from a word without stop, park and notified; cleared by the
//             owner when it is back
//   park      how many want the owner to stand still; counted up only while it can still do so, and
//             no more after stop: so nobody waits for an owner that has gone
//
// All changes are read-modify-writes with acquire and release. Threads that wait for a phase, and
// the parked owner, sleep on the word as a futex.
#pragma once

#include <atomic>
#include <cstdint>

namespace coronet {

class run_state {
public:
    enum class phase : std::uint32_t { fresh, starting, running, parked, draining, exited, failed };

    /// Whether the caller must wake the owner: it slept, and nobody has woken it yet.
    using must_wake = bool;

    // ---- any thread ----

    must_wake set_stop() noexcept {
        const auto before = word_.fetch_or(stop_bit, std::memory_order_acq_rel);
        // Also if it was notified: that wake-up may be a message that its sender has yet to submit.
        return (before & sleeping_bit) && !(before & stop_bit);
    }
    /// `by_message`: the caller would wake the owner with its own ring's next system call only.
    must_wake set_notified(bool by_message = false) noexcept {
        auto expected = load();
        while (!exchange(expected, notified(expected, by_message))) {
        }
        return (expected & sleeping_bit) && awaits_wake(expected);
    }
    /// The same for who does not push anything and wants the owner to wake now.
    must_wake set_woken() noexcept {
        return (word_.fetch_or(notified_bit, std::memory_order_acq_rel) & sleeping_bit) != 0;
    }

    struct park_answer {
        bool counted;   ///< the owner will stand still, until unpark()
        bool parked;    ///< it does already
        must_wake wake; ///< it sleeps
    };
    park_answer request_park() noexcept {
        auto expected = load();
        while (can_park(expected))
            if (exchange(expected, expected + one_parker))
                return {true, phase_of(expected) == phase::parked, (expected & sleeping_bit) != 0};
        return {false, false, false};
    }
    /// True if nobody else wants it parked: whoever sleeps on the word is to be woken.
    [[nodiscard]] bool unpark() noexcept {
        return (word_.fetch_sub(one_parker, std::memory_order_acq_rel) & park_mask) == one_parker;
    }
    /// False if it was started, or stopped, before. Parked: the owner will be, before anything
    /// else.
    [[nodiscard]] bool try_start(bool parked) noexcept {
        auto expected = load();
        while (phase_of(expected) == phase::fresh && !(expected & stop_bit))
            if (exchange(
                    expected, with_phase(expected, phase::starting) + (parked ? one_parker : 0)
                ))
                return true;
        return false;
    }

    [[nodiscard]] phase current_phase() const noexcept { return phase_of(load()); }
    [[nodiscard]] bool stop_requested() const noexcept { return (load() & stop_bit) != 0; }
    [[nodiscard]] bool sleeping() const noexcept { return (load() & sleeping_bit) != 0; }
    [[nodiscard]] bool notified() const noexcept { return (load() & notified_bit) != 0; }
    [[nodiscard]] unsigned park_count() const noexcept { return park_count_of(load()); }

    /// To sleep on.
    [[nodiscard]] std::atomic<std::uint32_t>& word() noexcept { return word_; }
    [[nodiscard]] static phase phase_of(std::uint32_t word) noexcept {
        return static_cast<phase>((word & phase_mask) >> phase_shift);
    }
    [[nodiscard]] static unsigned park_count_of(std::uint32_t word) noexcept {
        return word >> park_shift;
    }

    // ---- owner ----

    /// True if something was pushed since the last time.
    bool take_notified() noexcept {
        if (!(load() & notified_bit)) return false; // the usual case costs no read-modify-write
        word_.fetch_and(~(notified_bit | carried_bit), std::memory_order_acq_rel);
        return true;
    }
    /// False if it may not sleep: there is something to look at.
    bool try_sleep() noexcept {
        auto expected = load();
        while (!(expected & keeps_awake(expected)))
            if (exchange(expected, expected | sleeping_bit)) return true;
        return false;
    }
    void wake_up() noexcept { word_.fetch_and(~sleeping_bit, std::memory_order_acq_rel); }

    /// What the owner is to do at the head of its loop.
    enum class order : std::uint8_t { run, park, drain };
    [[nodiscard]] order next_order() const noexcept {
        const auto now = load();
        if (now & park_mask) return order::park;
        return (now & stop_bit) ? order::drain : order::run;
    }
    /// running → parked, draining; parked → running. False if the flags no longer say so.
    bool try_park() noexcept { return try_enter(phase::parked, park_mask, true); }
    bool try_unpark() noexcept { return try_enter(phase::running, park_mask, false); }
    bool try_drain() noexcept {
        return stop_requested() && try_enter(phase::draining, park_mask, false);
    }
    /// Whatever the flags say.
    void enter(phase next) noexcept {
        auto expected = load();
        while (!exchange(expected, with_phase(expected, next))) {
        }
    }

private:
    static constexpr std::uint32_t stop_bit = 1;
    static constexpr std::uint32_t notified_bit = 2;
    static constexpr std::uint32_t sleeping_bit = 4;
    static constexpr std::uint32_t phase_shift = 3;
    static constexpr std::uint32_t phase_mask = 7U << phase_shift;
    static constexpr std::uint32_t carried_bit = 1U << 6;
    static constexpr std::uint32_t park_shift = 16;
    static constexpr std::uint32_t one_parker = 1U << park_shift;
    static constexpr std::uint32_t park_mask = ~std::uint32_t{0} << park_shift;

    static bool can_park(std::uint32_t word) noexcept {
        const phase now = phase_of(word);
        return !(word & stop_bit) && (word & park_mask) != park_mask &&
               (now == phase::starting || now == phase::running || now == phase::parked);
    }
    /// Nobody has woken the owner for certain.
    static bool awaits_wake(std::uint32_t word) noexcept {
        return !(word & notified_bit) || (word & carried_bit) != 0;
    }
    static std::uint32_t notified(std::uint32_t word, bool by_message) noexcept {
        const bool carried = by_message && awaits_wake(word);
        return (word & ~carried_bit) | notified_bit | (carried ? carried_bit : 0);
    }
    static std::uint32_t with_phase(std::uint32_t word, phase next) noexcept {
        return (word & ~phase_mask) | static_cast<std::uint32_t>(next) << phase_shift;
    }
    // A draining owner has seen stop: it no longer keeps it awake.
    static std::uint32_t keeps_awake(std::uint32_t word) noexcept {
        const bool draining = phase_of(word) == phase::draining;
        return notified_bit | park_mask | (draining ? 0 : stop_bit);
    }
    /// Where `mask` has a bit set, or none has, as `wanted` says.
    bool try_enter(phase next, std::uint32_t mask, bool wanted) noexcept {
        auto expected = load();
        while (((expected & mask) != 0) == wanted)
            if (exchange(expected, with_phase(expected, next))) return true;
        return false;
    }
    bool exchange(std::uint32_t& expected, std::uint32_t desired) noexcept {
        return word_.compare_exchange_weak(
            expected, desired, std::memory_order_acq_rel, std::memory_order_acquire
        );
    }
    [[nodiscard]] std::uint32_t load() const noexcept {
        return word_.load(std::memory_order_acquire);
    }

    std::atomic<std::uint32_t> word_{0};
};

} // namespace coronet
