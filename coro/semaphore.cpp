// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/semaphore.hpp>
#include <coronet/detail/assert.hpp>
#include <coronet/detail/cancel_batch.hpp>

#include <cstddef>
#include <mutex>

namespace coronet {

using detail::list_lock;

semaphore::~semaphore() {
    CORONET_ASSERT(waiting_.empty());
}

bool semaphore::try_acquire() noexcept {
    const std::scoped_lock lock{list_lock::of(this)};
    if (permits_ == 0) return false;
    --permits_;
    return true;
}

void semaphore::release(std::size_t count) noexcept {
    detail::cancel_batch woken{this};
    {
        const std::scoped_lock lock{list_lock::of(this)};
        for (; count > 0 && !waiting_.empty(); --count)
            woken.complete(*waiting_.front());
        permits_ += count;
    }
    woken.call_back();
}

std::size_t semaphore::available() const noexcept {
    const std::scoped_lock lock{list_lock::of(this)};
    return permits_;
}

bool detail::semaphore_wait::try_now(cancel_batch&) noexcept {
    if (source_->permits_ > 0) {
        --source_->permits_;
        return true;
    }
    source_->waiting_.add(*this);
    return false;
}

} // namespace coronet
