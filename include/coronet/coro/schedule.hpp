// SPDX-License-Identifier: BSL-1.0
//
// Going to another scheduler. A coroutine stays where it is unless it asks to move: for good
// (schedule_on), or for the length of one task (run_on).
#pragma once

#include <coronet/coro/detail/child.hpp>
#include <coronet/coro/detail/waiter.hpp>
#include <coronet/result.hpp>

#include <coroutine>
#include <functional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coronet {

namespace detail {

class [[nodiscard]] move final : public pending_work {
public:
    explicit move(scheduler& target) noexcept : target_(target) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        if (!waiter_.suspend(frame, *this)) {
            error_ = std::make_error_code(std::errc::operation_canceled);
            return false;
        }
        return depart();
    }
    result<void> await_resume() const noexcept {
        if (error_) return error_;
        return {};
    }

    void cancel() noexcept override {} // it arrives soon
    [[nodiscard]] std::string_view name() const noexcept override { return "schedule_on"; }
    [[nodiscard]] std::source_location place() const noexcept override { return waiter_.place(); }

private:
    bool depart() noexcept;
    void run() noexcept override { waiter_.resume(); }

    scheduler& target_;
    waiter waiter_;
    std::error_code error_;
};

template <class T>
class [[nodiscard]] elsewhere final : public group {
public:
    elsewhere(scheduler* target, task<T>&& job) noexcept
        : target_(*target), child_(std::move(job)) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    void await_suspend(std::coroutine_handle<P> frame) noexcept {
        open(frame.promise(), frame);
        hold();
        refused_ = child_.start_on(*this, target_);
        release();
    }
    as_result<T> await_resume() {
        if (refused_) return failed<as_result<T>>(refused_);
        return take_result(child_.result());
    }

private:
    scheduler& target_;
    child<T> child_;
    std::error_code refused_;
};

} // namespace detail

/// Continues this coroutine, and those that wait for it, on `target`. On the present scheduler it
/// lets others run first.
///
/// Errors: errc::stopped, still here, if `target` has been stopped; not_enough_memory, still here;
/// operation_canceled after a stop.
/// Cancel: none; it arrives at once.
/// Lifetime: `target` outlives the group (scope, time limit, run, ...) that this branch belongs to,
/// also when the branch has left it again: a stop may still be on its way to where the branch was.
/// What a scope, time limit or run started ends where that is.
/// Thread: owner before; owner of `target` afterwards. A thread_local is another one then.
inline detail::move schedule_on(scheduler& target) noexcept {
    return detail::move{target};
}

/// Runs the task `function(arguments...)` on `target` and resumes here when it has ended.
///
/// Result: what the task gives; a task<T> gives result<T>.
/// Errors: those of the task; without having run it, errc::stopped if `target` has been stopped, or
/// not_enough_memory.
/// Cancel: cancels the task, there.
/// Lifetime: `target` outlives the await.
/// Thread: owner.
template <class Function, class... Arguments>
auto run_on(scheduler& target, Function&& function, Arguments&&... arguments) {
    auto job = std::invoke(std::forward<Function>(function), std::forward<Arguments>(arguments)...);
    using value = typename decltype(job)::value_type;
    return detail::recipe<detail::elsewhere<value>, scheduler*, task<value>>{
        &target, std::move(job)};
}

} // namespace coronet
