// SPDX-License-Identifier: BSL-1.0
#include "restarter.hpp"

#include "dispatcher.hpp"
#include "timer_queue.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

namespace coronet {

namespace {
using namespace std::chrono_literals;
constexpr std::array<duration, 3> pauses{10ms, 50ms, 250ms};
} // namespace

restarter::~restarter() {
    CORONET_ASSERT(delayed_.empty());
    timers_.disarm(*this);
}

bool restarter::delay(operation& op) noexcept {
    if (op.attempts_ == pauses.size()) return false;
    pause(op, pauses[op.attempts_++]);
    return true;
}

void restarter::pause(operation& op, duration length) noexcept {
    delayed_.push_back({owner_.driver_.now() + length, &op});
    op.state_ = operation::state::delayed;
    arm_for_next();
}

void restarter::give_up(operation& op) noexcept {
    const auto given_up = std::ranges::find(delayed_, &op, &entry::op);
    CORONET_ASSERT(given_up != delayed_.end());
    given_up->due = owner_.driver_.now();
    arm_for_next();
}

void restarter::drop_all() noexcept {
    delayed_.clear();
    timers_.disarm(*this);
}

void restarter::expire() noexcept {
    const time_point now = owner_.driver_.now();
    for (std::size_t i = 0; i < delayed_.size();) {
        if (delayed_[i].due > now) {
            ++i;
            continue;
        }
        operation& op = *delayed_[i].op;
        delayed_[i] = delayed_.back();
        delayed_.pop_back();
        if (op.cancel_requested_)
            owner_.finish(op, -ECANCELED, 0);
        else
            owner_.resume(op);
    }
    arm_for_next();
}

void restarter::arm_for_next() noexcept {
    timers_.disarm(*this);
    if (delayed_.empty()) return;
    const auto next = std::ranges::min_element(delayed_, {}, &entry::due);
    timers_.arm(*this, next->due);
}

} // namespace coronet
