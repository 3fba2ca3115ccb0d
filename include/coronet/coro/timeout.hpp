// SPDX-License-Identifier: BSL-1.0
//
// A time limit for one await. When it has passed, what is awaited is cancelled, and waited for: the
// limit says when the end is asked for. If the operation won after all, its value is the answer.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/coro/detail/cancelled.hpp>
#include <coronet/coro/detail/child.hpp>
#include <coronet/coro/detail/promise.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/result.hpp>
#include <coronet/timer.hpp>

#include <concepts>
#include <coroutine>
#include <exception>
#include <system_error>
#include <type_traits>
#include <utility>

namespace coronet {

namespace detail {

template <class When>
concept time_limit = requires(When limit) {
    to_limit(limit);
};

/// A duration or a point in time, as the scheduler takes them.
template <time_limit When>
using limit_type = decltype(to_limit(std::declval<When>()));

/// What is told when the limit had passed: `timed_out`, if `answer` says that it was cancelled.
template <class T>
result<T> timed_out(result<T> answer) noexcept {
    if (says_cancelled(answer)) return std::errc::timed_out;
    return answer;
}
/// The bytes stay.
inline transfer timed_out(transfer answer) noexcept {
    if (answer.error == std::errc::operation_canceled)
        answer.error = std::make_error_code(std::errc::timed_out);
    return answer;
}
inline std::error_code timed_out(std::error_code answer) noexcept {
    if (answer == std::errc::operation_canceled) return std::make_error_code(std::errc::timed_out);
    return answer;
}

/// A single operation with a limit: no frame and no branch, just a timer beside it. (Before it: if
/// this is destroyed too early, the operation is to say so.)
template <class Operation, class Limit>
class [[nodiscard]] timed_operation final : private timer, public Operation {
public:
    timed_operation(Limit limit, Operation&& limited) noexcept
        : Operation(std::move(limited)), limit_(limit) {}

    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        if (!Operation::await_suspend(frame)) return false;
        this->where().arm(static_cast<timer&>(*this), limit_);
        return true;
    }
    auto await_resume() -> decltype(std::declval<Operation&>().await_resume()) {
        if (!expired_) [[likely]]
            return Operation::await_resume();
        return timed_out(Operation::await_resume());
    }

private:
    void expire() noexcept override {
        expired_ = true;
        this->cancel();
    }
    void run() noexcept override {
        this->where().disarm(*this);
        Operation::run();
    }

    Limit limit_;
    bool expired_ = false;
};

/// A task with a limit.
template <class T, class Limit>
class [[nodiscard]] timed_task final : public group, private timer {
public:
    timed_task(Limit limit, task<T>&& limited) noexcept
        : limit_(limit), child_(std::move(limited)) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    void await_suspend(std::coroutine_handle<P> frame) noexcept {
        open(frame.promise(), frame);
        home().arm(static_cast<timer&>(*this), limit_);
        child_.start(*this);
    }
    as_result<T> await_resume() {
        if (!expired_) return take_result(child_.result());
        try {
            return timed_out(take_result(child_.result()));
        } catch (...) {
            if (!tells_cancelled(std::current_exception())) throw;
            return failed<as_result<T>>(std::make_error_code(std::errc::timed_out));
        }
    }

private:
    void expire() noexcept override {
        expired_ = true;
        cancel();
    }
    void on_all_ended() noexcept override {
        home().disarm(*this);
        group::on_all_ended();
    }

    Limit limit_;
    child<T> child_;
    bool expired_ = false;
};

template <class A>
inline constexpr bool has_limit = false;
template <class Operation, class Limit>
inline constexpr bool has_limit<timed_operation<Operation, Limit>> = true;

/// What a timer beside it is enough for; a second limit needs a branch of its own.
template <class A>
concept leaf_operation =
    std::derived_from<std::remove_cvref_t<A>, leaf_await> && !has_limit<std::remove_cvref_t<A>>;

} // namespace detail

/// Awaits `limited` for as long as `limit` (a duration, or a point in time of coronet::clock)
/// allows; for ever, if that is too long for the clock.
///
/// Result: what `limited` gives; a task<T> gives result<T>, unless a T can tell an error itself
/// (result<U>, transfer, std::error_code).
/// Errors: those of `limited`; std::errc::timed_out if the limit had passed and `limited` says that
/// it was cancelled: by its error, by throwing operation_canceled, by an element next() of an
/// async_generator that did not come, or, of when_all and when_any, by all of the results. A task
/// that gives a value all the same (an int, or its end if it is void) has succeeded: nothing else
/// is known of it.
/// Cancel: as `limited`.
/// Lifetime: `limited` is taken over; awaited at once.
/// Thread: owner.
template <detail::time_limit When, detail::leaf_operation A>
requires(!std::is_lvalue_reference_v<A>) auto with_timeout(When limit, A&& limited) noexcept {
    return detail::timed_operation<A, detail::limit_type<When>>{
        detail::to_limit(limit), std::move(limited)};
}
template <detail::time_limit When, class A>
requires(!detail::leaf_operation<A> && !std::is_lvalue_reference_v<A>) auto with_timeout(
    When limit, A&& limited
) {
    using detail::as_telling_task;
    using limit_type = detail::limit_type<When>;
    using value = detail::told_value_of<A>;
    return detail::recipe<detail::timed_task<value, limit_type>, limit_type, task<value>>{
        detail::to_limit(limit), as_telling_task(std::move(limited))};
}

} // namespace coronet
