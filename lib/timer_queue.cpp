// SPDX-License-Identifier: BSL-1.0
#include "timer_queue.hpp"

#include <coronet/detail/assert.hpp>

#include <algorithm>

namespace coronet {

void timer_queue::arm(timer& t, duration delay) noexcept {
    CORONET_ASSERT(!t.armed());
    t.delay_ = delay;
    t.place_ = timer::fresh;
    fresh_.push_back(t);
    ++fresh_count_;
}

void timer_queue::arm(timer& t, time_point deadline) noexcept {
    CORONET_ASSERT(!t.armed());
    if (!far_.insert(t, deadline)) near_.insert(t, deadline);
}

void timer_queue::disarm(timer& t) noexcept {
    switch (t.place_) {
    case timer::unarmed:
        return;
    case timer::fresh:
        fresh_.erase(t);
        --fresh_count_;
        break;
    case timer::in_wheel:
        far_.erase(t);
        break;
    default:
        near_.erase(t);
        break;
    }
    t.place_ = timer::unarmed;
}

void timer_queue::settle(time_point now) noexcept {
    far_.advance(now, near_);
    while (timer* t = fresh_.pop_front()) {
        --fresh_count_;
        t->place_ = timer::unarmed;
        arm(*t, detail::later(now, std::max(t->delay_, duration::zero())));
    }
}

void timer_queue::expire(time_point now) noexcept {
    far_.advance(now, near_);
    // A timer that is armed again for the past has to wait for its next turn.
    for (std::size_t left = near_.size(); left > 0; --left) {
        timer* const due = near_.take_due(now);
        if (!due) break;
        due->place_ = timer::unarmed;
        due->expire();
    }
}

} // namespace coronet
