// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/mutex.hpp>
#include <coronet/detail/assert.hpp>
#include <coronet/detail/cancel_batch.hpp>

#include <mutex>
#include <optional>
#include <utility>

namespace coronet {

using detail::list_lock;

mutex::~mutex() {
    CORONET_ASSERT(waiting_.empty());
    CORONET_ASSERT(!locked_);
}

std::optional<mutex::guard> mutex::try_lock() noexcept {
    const std::scoped_lock lock{list_lock::of(this)};
    if (std::exchange(locked_, true)) return std::nullopt;
    return guard{*this};
}

void mutex::unlock() noexcept {
    detail::cancel_batch woken{this};
    {
        const std::scoped_lock lock{list_lock::of(this)};
        // The next one has it from here on: it is never free in between.
        if (detail::listed_waiter* next = waiting_.front())
            woken.complete(*next);
        else
            locked_ = false;
    }
    woken.call_back();
}

bool detail::mutex_lock::try_now(cancel_batch&) noexcept {
    if (!std::exchange(wanted_->locked_, true)) return true;
    wanted_->waiting_.add(*this);
    return false;
}

} // namespace coronet
