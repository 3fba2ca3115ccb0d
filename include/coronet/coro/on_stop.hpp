// SPDX-License-Identifier: BSL-1.0
//
// A stop reaches operations, timers and tasks by itself. on_stop() is for what only the user knows
// how to end: a channel that must be closed, a library that has to be told. The function runs where
// a stop passes by on its way down, on the owner thread.
#pragma once

#include <coronet/coro/detail/child.hpp>
#include <coronet/coro/detail/group.hpp>
#include <coronet/coro/task.hpp>

#include <concepts>
#include <coroutine>
#include <functional>
#include <type_traits>
#include <utility>

namespace coronet {

namespace detail {

template <class T, class Function>
class [[nodiscard]] announced final : public group {
public:
    announced(Function&& tell, task<T>&& job) noexcept
        : tell_(std::move(tell)), child_(std::move(job)) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    void await_suspend(std::coroutine_handle<P> frame) noexcept {
        open(frame.promise(), frame);
        child_.start(*this);
    }
    T await_resume() { return child_.result().take(); }

private:
    void on_cancel() noexcept override {
        if (!over_) std::invoke(tell_);
    }
    void on_all_ended() noexcept override {
        over_ = true; // the frame is about to go on: a stop from now on is too late for this await
        group::on_all_ended();
    }

    Function tell_;
    child<T> child_;
    bool over_ = false;
};

} // namespace detail

/// Awaits `awaited` (a task or an operation). When a stop reaches this await, or came before it,
/// `tell()` is called once, before `awaited` is asked to end; not if `awaited` ended first.
///
/// The function is called in the middle of a stop: it awaits nothing and throws nothing (an
/// exception that leaves it ends the program). It may stop and cancel other things: nothing ends
/// before it has returned.
///
/// Result: what `awaited` gives.
/// Cancel: as `awaited`.
/// Lifetime: `tell` is taken over; what it refers to outlives the await.
/// Thread: owner, `tell()` too.
template <class A, std::invocable Function>
requires(!std::is_lvalue_reference_v<A>) auto on_stop(A&& awaited, Function tell) {
    using value = detail::value_of<A>;
    return detail::recipe<detail::announced<value, Function>, Function, task<value>>{
        std::move(tell), detail::as_task(std::move(awaited))};
}

} // namespace coronet
