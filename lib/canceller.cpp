// SPDX-License-Identifier: BSL-1.0
#include "canceller.hpp"

#include "dispatcher.hpp"
#include "timer_queue.hpp"

#include <coronet/detail/hooks.hpp>

#include <liburing.h>

#include <algorithm>
#include <utility>

namespace coronet {

namespace {
using namespace std::chrono_literals;
constexpr duration first_pause = 10ms;
constexpr duration longest_pause = 1000ms;
} // namespace

canceller::canceller(dispatcher& owner, timer_queue& timers, scheduler_stats& stats) noexcept
    : owner_(owner), timers_(timers), stats_(stats), pause_(first_pause) {}

canceller::~canceller() {
    timers_.disarm(*this);
}

void canceller::request(operation& op) noexcept {
    if (op.cancel_requested_) return;
    op.cancel_requested_ = true;
    CORONET_HOOK(cancel_requested, &op);
    left_alone_.erase(op);
    unsent_.push_back(op);
}

std::size_t canceller::request_all_on(int fd) noexcept {
    std::size_t count = 0;
    if (fd < 0) return 0; // many operations are on none
    for (operation* op = left_alone_.front(); op;) {
        operation* next = left_alone_.after(*op);
        if (op->works_on(fd)) {
            request(*op);
            ++count;
        }
        op = next;
    }
    return count;
}

std::size_t canceller::request_all() noexcept {
    std::size_t count = 0;
    for (; operation* op = left_alone_.front(); ++count)
        request(*op);
    return count;
}

void canceller::note_end() noexcept {
    if (!asked_.empty()) return;
    timers_.disarm(*this);
    pause_ = first_pause;
}

operation* canceller::any() noexcept {
    for (operation_list* each : {&left_alone_, &unsent_, &asked_})
        if (operation* op = each->front()) return op;
    return nullptr;
}

void canceller::send() noexcept {
    while (operation* op = unsent_.front()) {
        if (!send_one(*op)) return; // no slot: again in the next turn
    }
}

bool canceller::send_one(operation& op) noexcept {
    switch (op.state_) {
    case operation::state::delayed:
        owner_.restarter_.give_up(op);
        break;
    case operation::state::queued:
        break; // the dispatcher finds it marked when a slot is free
    default:
        CORONET_HOOK(before_cancel_sqe, &op);
        io_uring_sqe* sqe = owner_.driver_.cancel_slot();
        if (!sqe) return false;
        io_uring_prep_cancel64(sqe, op.id(), 0);
        sqe->user_data = 0; // the driver reports it as an answer
        ++stats_.cancels_sent;
    }
    unsent_.erase(op);
    asked_.push_back(op);
    const bool first_time = !std::exchange(op.cancel_sent_, true);
    if (first_time && pause_ > first_pause) { // those that take long are asked sooner, too
        pause_ = first_pause;
        timers_.disarm(*this);
    }
    if (!armed()) timers_.arm(*this, pause_);
    return true;
}

void canceller::expire() noexcept {
    const time_point now = owner_.driver_.now();
    while (operation* op = asked_.pop_front()) {
        unsent_.push_back(*op);
        ++stats_.cancels_resent;
        op->asked_again(now);
    }
    pause_ = std::min(2 * pause_, longest_pause);
}

void canceller::answered(std::int32_t res) noexcept {
    if (res == -ENOENT) ++stats_.cancels_not_found;
    if (res == -EALREADY) ++stats_.cancels_running;
}

} // namespace coronet
