// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/stop.hpp>
#include <coronet/detail/hooks.hpp>

namespace coronet::detail {

void stoppable_group::obey(inplace_stop_token token) noexcept {
    if (token.stop_requested())
        cancel();
    else if (token.stop_possible())
        callback_.emplace(token, send_message{this});
}

void stoppable_group::message_from_anywhere() noexcept {
    CORONET_HOOK(stop_sending, this);
    sent_.store(true, std::memory_order_release);
    const bool taken = home().post_internal(message_);
    CORONET_ASSERT(taken); // home cannot end before its groups have
    CORONET_HOOK(stop_sent, this);
}

void stoppable_group::message_arrived() noexcept {
    arrived_ = true;
    cancel();
    if (branches().empty() && !callback_) group::on_all_ended();
}

void stoppable_group::on_all_ended() noexcept {
    CORONET_HOOK(group_ending, this);
    callback_.reset(); // waits for a callback that runs on another thread
    if (sent_.load(std::memory_order_acquire) && !arrived_) return; // the message ends it
    group::on_all_ended();
}

} // namespace coronet::detail
