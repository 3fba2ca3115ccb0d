// SPDX-License-Identifier: BSL-1.0
#include "engine.hpp"
#include "thread_number.hpp"

#include <coronet/detail/state_change.hpp>

#include <new>

namespace coronet::detail {

bool state_change::begin(scheduler& home) {
    home_ = &home;
    taker_ = this_thread_number();
    engine& target = *target_->engine_;
    const bool own = target_ == home_ || (wanted_ == to::ended && target.holds_guard(taker_));
    if (own) {
        error_ = errc::would_deadlock;
        return false;
    }
    try {
        const auto answer = wanted_ == to::parked ? target.park(*this) : target.watch_end(*this);
        if (answer == engine::answer::never) error_ = errc::stopped;
        if (answer == engine::answer::would_deadlock) error_ = errc::would_deadlock;
        return answer == engine::answer::later;
    } catch (const std::bad_alloc&) {
        error_ = std::make_error_code(std::errc::not_enough_memory);
        return false;
    }
}

void state_change::told(bool reached) noexcept {
    if (!reached) {
        error_ = errc::stopped;
        if (wanted_ == to::parked) target_->engine_->unpark(taker_); // it was counted
    }
    const bool taken = home_->post_internal(*this);
    CORONET_ASSERT(taken); // home cannot end before what waits there has
}

void state_change::cancel() noexcept {
    engine& target = *target_->engine_;
    const bool first =
        wanted_ == to::parked ? target.forget_park(*this, taker_) : target.forget_watch(*this);
    if (!first) return; // it has been told
    error_ = std::make_error_code(std::errc::operation_canceled);
    home_->ready(*this);
}

result<park_guard> state_change::guard() {
    if (error_) return error_;
    return target_->engine_->granted(taker_);
}
result<void> state_change::end() const noexcept {
    if (error_) return error_;
    return {};
}

} // namespace coronet::detail
