// SPDX-License-Identifier: BSL-1.0
//
// Timers that are not due for a while, most of which are disarmed before: a limit on each read of
// 100,000 connections. Arming and disarming are a few stores, however many there are.
//
// Slots of 8 ms, 0.5 s, 34 s and 37 min, 64 of each: a timer is in the narrowest slot that does not
// begin yet. When time has come to a slot its timers move on to narrower ones, and at last to the
// queue's heap, which keeps their order; each moves at most as often as there are widths. Of each
// slot the earliest deadline is known (or an earlier one, if that timer has been disarmed), so
// nobody wakes up for the sake of moving them.
#pragma once

#include <coronet/detail/intrusive_list.hpp>
#include <coronet/timer.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace coronet {

class timer_heap;

class timer_wheel {
public:
    /// False: it is due too soon for a slot.
    [[nodiscard]] bool insert(timer& t, time_point deadline) noexcept;
    void erase(timer& t) noexcept {
        timer_list::unlink(t);
        --size_;
    }
    /// Moves the timers whose slots have begun; those due soon go to `near`.
    void advance(time_point now, timer_heap& near) noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// Not after the first deadline; time_point::max() if there is none.
    [[nodiscard]] time_point next_deadline() noexcept;

private:
    using timer_list = detail::intrusive_list<timer>;
    using tick = std::int64_t; // of the narrowest slots

    static constexpr unsigned tick_shift = 23; // nanoseconds
    static constexpr unsigned slot_shift = 6;
    static constexpr unsigned slot_count = 1U << slot_shift;
    static constexpr unsigned width_count = 4;

    struct slot {
        timer_list timers;
        time_point first = time_point::max();
    };
    struct width {
        std::array<slot, slot_count> slots;
        std::uint64_t used = 0; // which slots may have timers
    };

    [[nodiscard]] static tick tick_of(time_point time) noexcept {
        return time.time_since_epoch().count() >> tick_shift;
    }
    [[nodiscard]] slot* first_used(width& of, unsigned from) noexcept;
    void move_on(slot& begun, timer_heap& near) noexcept;

    tick now_ = 0;
    std::size_t size_ = 0;
    std::array<width, width_count> widths_;
    slot beyond_; // the widest
};

} // namespace coronet
