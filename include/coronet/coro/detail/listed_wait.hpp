// SPDX-License-Identifier: BSL-1.0
//
// An await on something that coroutines of several schedulers share: what mutex, semaphore, event,
// latch and channel have in common. It either succeeds at once, without suspending, or waits in a
// list (detail/cancel_batch.hpp says how it leaves it); whoever claims it there, on whichever
// thread, hands it to the scheduler of its branch, and the frame goes on in a turn of that.
//
// `list` is the address of what is shared. It is used as a number once the wait has begun: a stop
// may come when the wait is over and the list is gone.
#pragma once

#include <coronet/coro/detail/waiter.hpp>
#include <coronet/detail/cancel_batch.hpp>
#include <coronet/work.hpp>

#include <coroutine>
#include <source_location>

namespace coronet::detail {

class listed_wait : public pending_work, public listed_waiter {
public:
    [[nodiscard]] bool await_ready() const noexcept { return false; } // the branch may be stopped
    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        rearm(); // the same object may be awaited again
        refused_ = !waiter_.suspend(frame, *this);
        return !refused_ && wait();
    }
    void cancel() noexcept final;
    [[nodiscard]] std::source_location place() const noexcept override { return waiter_.place(); }

protected:
    explicit listed_wait(const void* list) noexcept : list_(list) {}
    ~listed_wait() = default;

    /// Under the list's lock: does what is waited for, and gives true, or adds this to a list.
    /// Those whom it does a favour by it are completed in `woken`.
    [[nodiscard]] virtual bool try_now(cancel_batch& woken) noexcept = 0;

    /// For await_resume(): nothing happened, as the branch was stopped before or meanwhile.
    [[nodiscard]] bool cancelled() const noexcept {
        return refused_ || current_phase() == phase::cancelling;
    }

private:
    bool wait() noexcept;
    void called_back() noexcept final;
    void run() noexcept final { waiter_.resume(); }

    const void* list_;
    waiter waiter_;
    bool refused_ = false;
};

} // namespace coronet::detail
