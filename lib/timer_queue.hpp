// SPDX-License-Identifier: BSL-1.0
//
// The timers of one scheduler, in a 4-ary heap. A timer armed with a delay is kept aside until the
// turn ends, so that one reading of the clock serves a whole turn and no timer counts time that
// passed before it was armed.
#pragma once

#include <coronet/timer.hpp>

#include <cstddef>
#include <vector>

namespace coronet {

class timer_queue {
public:
    timer_queue();

    void arm(timer& t, duration delay) noexcept;
    /// Ends the program if there is no memory left.
    void arm(timer& t, time_point deadline) noexcept;
    void disarm(timer& t) noexcept;

    [[nodiscard]] bool empty() const noexcept { return heap_.empty() && fresh_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return heap_.size() + fresh_count_; }
    /// Whether settle() has something to do.
    [[nodiscard]] bool unsettled() const noexcept { return !fresh_.empty(); }
    /// Gives the timers armed with a delay their deadline.
    void settle(time_point now) noexcept;

    /// Of the settled timers; time_point::max() if there is none.
    [[nodiscard]] time_point next_deadline() const noexcept {
        return heap_.empty() ? time_point::max() : heap_.front().deadline;
    }
    /// Calls expire() of each timer whose deadline is not after `now`.
    void expire(time_point now) noexcept;

private:
    struct entry {
        time_point deadline;
        timer* owner;
    };
    void place(std::size_t at, entry moved) noexcept;
    void sift_up(std::size_t at, entry moved) noexcept;
    void sift_down(std::size_t at, entry moved) noexcept;
    void remove(std::size_t at) noexcept;

    std::vector<entry> heap_;
    detail::intrusive_list<timer> fresh_;
    std::size_t fresh_count_ = 0;
};

} // namespace coronet
