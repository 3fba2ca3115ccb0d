// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/latch.hpp>
#include <coronet/detail/assert.hpp>
#include <coronet/detail/cancel_batch.hpp>

#include <cstddef>
#include <mutex>

namespace coronet {

using detail::list_lock;

latch::~latch() {
    CORONET_ASSERT(waiting_.empty());
}

void latch::count_down(std::size_t arrivals) noexcept {
    detail::cancel_batch woken{this};
    {
        const std::scoped_lock lock{list_lock::of(this)};
        arrive(arrivals, woken);
    }
    woken.call_back();
}

bool latch::try_wait() const noexcept {
    const std::scoped_lock lock{list_lock::of(this)};
    return count_ == 0;
}

void latch::arrive(std::size_t arrivals, detail::cancel_batch& woken) noexcept {
    CORONET_ASSERT(arrivals <= count_);
    count_ -= arrivals;
    if (count_ == 0) woken.complete_all(waiting_);
}

bool detail::latch_wait::try_now(cancel_batch& woken) noexcept {
    awaited_->arrive(arrivals_, woken);
    if (awaited_->count_ == 0) return true;
    awaited_->waiting_.add(*this);
    return false;
}

} // namespace coronet
