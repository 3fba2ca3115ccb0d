// SPDX-License-Identifier: BSL-1.0
#include <coronet/detail/assert.hpp>
#include <coronet/net/asio/detail/handler_wait.hpp>
#include <coronet/net/asio/detail/send_to_scheduler.hpp>

namespace coronet::asiox::detail {

bool send_to(scheduler& target, work& item) noexcept {
    if (scheduler::current() == &target) {
        target.ready(item);
        return true;
    }
    return target.post_internal(item);
}

void handler_wait::cancel() noexcept {
    if (!answered_.load(std::memory_order_acquire)) ask_to_end();
}

void handler_wait::answered() noexcept {
    scheduler& home = where();
    answered_.store(true, std::memory_order_release);
    const bool taken = send_to(home, *this);
    // It cannot end before its branches have; in a forked child they are the parent's.
    CORONET_ASSERT(taken || home.in_forked_child());
}

} // namespace coronet::asiox::detail
