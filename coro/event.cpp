// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/event.hpp>
#include <coronet/detail/assert.hpp>
#include <coronet/detail/cancel_batch.hpp>

#include <mutex>

namespace coronet {

using detail::list_lock;

event::~event() {
    CORONET_ASSERT(waiting_.empty());
}

void event::set() noexcept {
    detail::cancel_batch woken{this};
    {
        const std::scoped_lock lock{list_lock::of(this)};
        set_ = true;
        woken.complete_all(waiting_);
    }
    woken.call_back();
}

void event::reset() noexcept {
    const std::scoped_lock lock{list_lock::of(this)};
    set_ = false;
}

bool event::is_set() const noexcept {
    const std::scoped_lock lock{list_lock::of(this)};
    return set_;
}

bool detail::event_wait::try_now(cancel_batch&) noexcept {
    if (!awaited_->set_) awaited_->waiting_.add(*this);
    return awaited_->set_;
}

} // namespace coronet
