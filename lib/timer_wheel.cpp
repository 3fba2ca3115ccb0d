// SPDX-License-Identifier: BSL-1.0
#include "timer_wheel.hpp"

#include "timer_heap.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace coronet {

bool timer_wheel::insert(timer& t, time_point deadline) noexcept {
    const tick wanted = tick_of(deadline);
    if (wanted <= now_) return false;
    // The highest digit in which it differs from now says how wide its slot is.
    const auto differing = static_cast<std::uint64_t>(wanted ^ now_);
    const unsigned level = (63U - static_cast<unsigned>(std::countl_zero(differing))) / slot_shift;
    slot* into = &beyond_;
    if (level < width_count) {
        width& chosen = widths_[level];
        const auto number = static_cast<unsigned>(wanted >> (slot_shift * level)) % slot_count;
        chosen.used |= std::uint64_t{1} << number;
        into = &chosen.slots[number];
    }
    t.deadline_ = deadline;
    t.place_ = timer::in_wheel;
    // What an empty slot remembers may be long past.
    into->first = into->timers.empty() ? deadline : std::min(into->first, deadline);
    into->timers.push_back(t);
    ++size_;
    return true;
}

/// Of the slots from `from` on. Those before it have begun, and are empty.
timer_wheel::slot* timer_wheel::first_used(width& of, unsigned from) noexcept {
    while (const std::uint64_t left = of.used >> from << from) {
        const auto number = static_cast<unsigned>(std::countr_zero(left));
        slot& found = of.slots[number];
        if (!found.timers.empty()) return &found;
        of.used &= ~(std::uint64_t{1} << number);
        found.first = time_point::max();
    }
    return nullptr;
}

time_point timer_wheel::next_deadline() noexcept {
    if (size_ == 0) return time_point::max();
    time_point first = beyond_.timers.empty() ? time_point::max() : beyond_.first;
    for (width& each : widths_)
        if (const slot* const found = first_used(each, 0)) first = std::min(first, found->first);
    return first;
}

void timer_wheel::advance(time_point now, timer_heap& near) noexcept {
    const tick before = std::exchange(now_, std::max(now_, tick_of(now)));
    if (before == now_ || size_ == 0) return;
    if (before >> (slot_shift * width_count) != now_ >> (slot_shift * width_count))
        move_on(beyond_, near);
    for (unsigned level = width_count; level-- > 0;) {
        const tick was = before >> (slot_shift * level);
        const tick is = now_ >> (slot_shift * level);
        if (was == is) continue;
        // What these slots stand for is over, or goes on in narrower ones.
        const tick passed = std::min<tick>(is - was, slot_count);
        for (tick step = passed; step-- > 0;) {
            const auto number = static_cast<unsigned>(is - step) % slot_count;
            if ((widths_[level].used >> number & 1) == 0) continue;
            widths_[level].used &= ~(std::uint64_t{1} << number);
            move_on(widths_[level].slots[number], near);
        }
    }
}

void timer_wheel::move_on(slot& begun, timer_heap& near) noexcept {
    begun.first = time_point::max();
    timer_list moving;
    moving.take_all(begun.timers);
    while (timer* const each = moving.pop_front()) {
        --size_;
        if (!insert(*each, each->deadline_)) near.insert(*each, each->deadline_);
    }
}

} // namespace coronet
