// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/detail/listed_wait.hpp>
#include <coronet/detail/assert.hpp>
#include <coronet/detail/cancel_batch.hpp>
#include <coronet/detail/hooks.hpp>
#include <coronet/scheduler.hpp>

#include <mutex>

namespace coronet::detail {

/// False, and not suspended, if there was nothing to wait for.
bool listed_wait::wait() noexcept {
    cancel_batch woken{list_};
    bool done = false;
    {
        const std::scoped_lock lock{list_lock::of(list_)};
        done = try_now(woken);
    }
    woken.call_back();
    // Not done: it may have been claimed already, but goes on in a later turn of this thread only.
    if (done)
        waiter_.take_back();
    else
        CORONET_HOOK(waiting, list_);
    return !done;
}

void listed_wait::cancel() noexcept {
    cancel_batch ended{list_};
    {
        const std::scoped_lock lock{list_lock::of(list_)};
        // Not found: it was claimed before and is on its way, with what it was given.
        static_cast<void>(ended.cancel(*this));
    }
    ended.call_back();
}

void listed_wait::called_back() noexcept {
    scheduler& home = waiter_.where();
    if (scheduler::current() == &home) {
        home.ready(*this);
        return;
    }
    const bool taken = home.post_internal(*this);
    CORONET_ASSERT(taken); // it cannot end before its branches have
}

} // namespace coronet::detail
