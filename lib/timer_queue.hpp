// SPDX-License-Identifier: BSL-1.0
//
// The timers of one scheduler. Those due soon are in a heap, the others in a wheel, where disarming
// costs nothing. A timer armed with a delay is kept aside until the turn ends, so that one reading
// of the clock serves a whole turn and no timer counts time that passed before it was armed.
#pragma once

#include "timer_heap.hpp"
#include "timer_wheel.hpp"

#include <coronet/timer.hpp>

#include <algorithm>
#include <cstddef>

namespace coronet {

class timer_queue {
public:
    void arm(timer& t, duration delay) noexcept;
    /// Ends the program if there is no memory left.
    void arm(timer& t, time_point deadline) noexcept;
    void disarm(timer& t) noexcept;

    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] std::size_t size() const noexcept {
        return near_.size() + far_.size() + fresh_count_;
    }
    /// Whether settle() has something to do.
    [[nodiscard]] bool unsettled() const noexcept { return !fresh_.empty(); }
    /// Gives the timers armed with a delay their deadline.
    void settle(time_point now) noexcept;

    /// When to look again: not after the first deadline of the settled timers; time_point::max() if
    /// there is none.
    [[nodiscard]] time_point next_deadline() noexcept {
        return std::min(near_.next_deadline(), far_.next_deadline());
    }
    /// Calls expire() of each timer whose deadline is not after `now`, in their order.
    void expire(time_point now) noexcept;

private:
    timer_heap near_;
    timer_wheel far_;
    detail::intrusive_list<timer> fresh_;
    std::size_t fresh_count_ = 0;
};

} // namespace coronet
