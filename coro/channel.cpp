// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/channel.hpp>
#include <coronet/detail/assert.hpp>
#include <coronet/detail/cancel_batch.hpp>

#include <cstddef>
#include <mutex>

namespace coronet::detail {

channel_base::~channel_base() {
    CORONET_ASSERT(senders_.empty());
    CORONET_ASSERT(receivers_.empty());
}

void channel_base::close() noexcept {
    cancel_batch woken{this};
    {
        const std::scoped_lock lock{list_lock::of(this)};
        closed_ = true;
        // Without a value given or taken: that tells them.
        woken.complete_all(senders_);
        woken.complete_all(receivers_);
    }
    woken.call_back();
}

bool channel_base::closed() const noexcept {
    const std::scoped_lock lock{list_lock::of(this)};
    return closed_;
}

std::size_t channel_base::size() const noexcept {
    const std::scoped_lock lock{list_lock::of(this)};
    return size_;
}

} // namespace coronet::detail
