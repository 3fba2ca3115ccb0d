// SPDX-License-Identifier: BSL-1.0
//
// Timers by deadline, in a 4-ary heap: those that are due within milliseconds, and hence few.
#pragma once

#include <coronet/timer.hpp>

#include <cstddef>
#include <vector>

namespace coronet {

class timer_heap {
public:
    timer_heap();

    /// Ends the program if there is no memory left.
    void insert(timer& t, time_point deadline) noexcept;
    void erase(timer& t) noexcept { remove(t.place_); }
    /// The first one, taken out; null if none is due.
    [[nodiscard]] timer* take_due(time_point now) noexcept;

    [[nodiscard]] bool empty() const noexcept { return heap_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }
    [[nodiscard]] time_point next_deadline() const noexcept {
        return heap_.empty() ? time_point::max() : heap_.front().deadline;
    }

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
};

} // namespace coronet
