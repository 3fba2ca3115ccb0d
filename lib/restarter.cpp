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

// What is given up; refused; without a worker.
constexpr std::array<duration, 11> lengths{0ms,  1ms,  2ms,  4ms,  8ms,  16ms,
                                           32ms, 64ms, 10ms, 50ms, 250ms};
constexpr std::size_t given_up = 0;
constexpr std::size_t refused = 0; // and the number of the refusal
constexpr std::size_t without_worker = 8;
} // namespace

restarter::~restarter() {
    timers_.disarm(*this);
}

bool restarter::delay(operation& op) noexcept {
    static_assert(lengths.size() == kind_count);
    if (without_worker + op.attempts_ == lengths.size()) return false;
    queue(op, without_worker + op.attempts_++);
    return true;
}

void restarter::pause(operation& op, unsigned refused_before) noexcept {
    queue(op, refused + refused_before);
}

void restarter::give_up(operation& op) noexcept {
    CORONET_ASSERT(op.state_ == operation::state::delayed);
    delayed_[given_up].erase(op); // from whichever list it is in
    queue(op, given_up);
}

void restarter::drop_all() noexcept {
    for (operation_list& each : delayed_)
        while (each.pop_front()) {
        }
    timers_.disarm(*this);
}

void restarter::queue(operation& op, std::size_t kind) noexcept {
    op.due_ = owner_.driver_.now() + lengths[kind];
    op.state_ = operation::state::delayed;
    delayed_[kind].push_back(op);
    arm_for_next();
}

void restarter::expire() noexcept {
    const time_point now = owner_.driver_.now();
    for (operation_list& each : delayed_)
        while (operation* first = each.front()) {
            if (first->due_ > now) break;
            each.erase(*first);
            end_pause(*first);
        }
    arm_for_next();
}

void restarter::end_pause(operation& op) noexcept {
    if (op.cancel_requested_)
        owner_.finish(op, -ECANCELED, 0);
    else
        owner_.resume(op);
}

time_point restarter::next_due() const noexcept {
    time_point next = time_point::max();
    for (const operation_list& each : delayed_)
        if (const operation* first = each.front()) next = std::min(next, first->due_);
    return next;
}

void restarter::arm_for_next() noexcept {
    const time_point next = next_due();
    if (armed() && armed_for_ == next) return;
    timers_.disarm(*this);
    armed_for_ = next;
    if (next != time_point::max()) timers_.arm(*this, next);
}

} // namespace coronet
