// SPDX-License-Identifier: BSL-1.0
//
// Waiting for time to pass, without a system call of its own.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/coro/detail/waiter.hpp>
#include <coronet/result.hpp>
#include <coronet/timer.hpp>

#include <coroutine>
#include <variant>

namespace coronet {

namespace detail {

class [[nodiscard]] sleep final : public pending_work, private timer {
public:
    explicit sleep(std::variant<duration, time_point> until) noexcept : until_(until) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        cancelled_ = !waiter_.suspend(frame, *this);
        if (!cancelled_) start();
        return !cancelled_;
    }
    result<void> await_resume() const noexcept {
        if (cancelled_) return std::errc::operation_canceled;
        return {};
    }

    void cancel() noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "sleep"; }
    [[nodiscard]] std::source_location place() const noexcept override { return waiter_.place(); }

private:
    void start() noexcept;
    void expire() noexcept override { waiter_.where().ready(*this); }
    void run() noexcept override { waiter_.resume(); }

    waiter waiter_;
    std::variant<duration, time_point> until_;
    bool cancelled_ = false;
};

} // namespace detail

/// Waits for at least `delay`, counted from the end of this turn of the loop. A delay that is too
/// long for the clock, in whatever unit, is one without an end.
///
/// Errors: std::errc::operation_canceled, when it ended early.
/// Cancel: total.
/// Thread: owner.
inline detail::sleep sleep_for(duration delay) noexcept {
    return detail::sleep{delay};
}
template <class Rep, class Period>
detail::sleep sleep_for(std::chrono::duration<Rep, Period> delay) noexcept {
    return detail::sleep{detail::to_duration(delay)};
}

/// Waits until `deadline`; at least one turn of the loop if it has passed.
///
/// Errors: std::errc::operation_canceled, when it ended early.
/// Cancel: total.
/// Thread: owner.
inline detail::sleep sleep_until(time_point deadline) noexcept {
    return detail::sleep{deadline};
}
template <class Duration>
detail::sleep sleep_until(std::chrono::time_point<clock, Duration> deadline) noexcept {
    return detail::sleep{detail::to_limit(deadline)};
}

} // namespace coronet
