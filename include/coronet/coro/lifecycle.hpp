// SPDX-License-Identifier: BSL-1.0
//
// Waiting for another scheduler to stand still or to end, in a coroutine: scheduler::park() and
// join() would block this one, which others may wait for.
#pragma once

#include <coronet/coro/detail/waiter.hpp>
#include <coronet/detail/state_change.hpp>
#include <coronet/park_guard.hpp>
#include <coronet/result.hpp>
#include <coronet/scheduler.hpp>

#include <coroutine>
#include <source_location>
#include <system_error>

namespace coronet {

namespace detail {

class awaited_state_change : public state_change {
public:
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) {
        if (waiter_.suspend(frame, *this)) return !answered_at_once();
        refuse(std::make_error_code(std::errc::operation_canceled));
        return false;
    }
    [[nodiscard]] std::source_location place() const noexcept override { return waiter_.place(); }

protected:
    using state_change::state_change;
    ~awaited_state_change() = default;

private:
    bool answered_at_once() {
        if (begin(waiter_.where())) return false;
        waiter_.take_back();
        return true;
    }
    void run() noexcept override { waiter_.resume(); }

    waiter waiter_;
};

class [[nodiscard]] parking final : public awaited_state_change {
public:
    explicit parking(scheduler& target) noexcept : awaited_state_change(target, to::parked) {}
    result<park_guard> await_resume() { return guard(); }
};

class [[nodiscard]] joining final : public awaited_state_change {
public:
    explicit joining(scheduler& target) noexcept : awaited_state_change(target, to::ended) {}
    result<void> await_resume() const noexcept { return end(); }
};

} // namespace detail

/// Waits until `target` stands still, as scheduler::park() does.
///
/// Result: a guard that holds it; it goes on when the last guard is gone.
/// Errors: errc::stopped if it does not run or has been told to stop; errc::would_deadlock if it is
/// the scheduler of this coroutine, or holds (perhaps through others) a guard of that one;
/// std::errc::operation_canceled.
/// Cancel: total. A guard that was granted first is delivered.
/// Lifetime: `target` outlives the await.
/// Thread: owner (of this coroutine's scheduler).
inline detail::parking async_park(scheduler& target) noexcept {
    return detail::parking{target};
}

/// Waits until the loop of `target` has ended, as scheduler::join() does.
///
/// Errors: errc::would_deadlock if it is the scheduler of this coroutine, or while this thread
/// holds a guard of it; std::errc::operation_canceled.
/// Cancel: total.
/// Lifetime: `target` outlives the await.
/// Thread: owner (of this coroutine's scheduler).
inline detail::joining async_join(scheduler& target) noexcept {
    return detail::joining{target};
}

} // namespace coronet
