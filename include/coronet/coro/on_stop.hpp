// SPDX-License-Identifier: BSL-1.0
//
// A stop reaches operations, timers and tasks by itself. on_stop() is for what only the user knows
// how to end: a channel that must be closed, a library that has to be told. The function runs where
// a stop passes by on its way down, on the owner thread.
//
// It takes a function and its arguments, as with_scope() does, and not a closure: g++ 12 destroys
// the captures of a closure twice that is written within an await.
#pragma once

#include <coronet/coro/detail/child.hpp>
#include <coronet/coro/detail/group.hpp>
#include <coronet/coro/task.hpp>

#include <concepts>
#include <coroutine>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coronet {

namespace detail {

template <class T, class Function, class... Arguments>
class [[nodiscard]] announced final : public group {
public:
    announced(task<T>&& job, Function&& tell, Arguments&&... arguments)
        : child_(std::move(job)), tell_(std::move(tell)), arguments_(std::move(arguments)...) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    void await_suspend(std::coroutine_handle<P> frame) noexcept {
        open(frame.promise(), frame);
        child_.start(*this);
    }
    T await_resume() { return child_.result().take(); }

private:
    void on_cancel() noexcept override {
        if (!over_) std::apply(std::move(tell_), std::move(arguments_));
    }
    void on_all_ended() noexcept override {
        over_ = true; // the frame is about to go on: a stop from now on is too late for this await
        group::on_all_ended();
    }

    child<T> child_;
    Function tell_;
    std::tuple<Arguments...> arguments_;
    bool over_ = false;
};

} // namespace detail

/// Awaits `awaited` (a task or an operation). When a stop reaches this await, or came before it,
/// `tell(arguments...)` is called once, before `awaited` is asked to end; not if `awaited` ended
/// first.
///
/// The function is called in the middle of a stop: it awaits nothing and throws nothing (an
/// exception that leaves it ends the program). It may stop and cancel other things: nothing ends
/// before it has returned.
///
/// Result: what `awaited` gives.
/// Cancel: as `awaited`.
/// Lifetime: `tell` and its arguments are copied or moved in; what they refer to outlives the
/// await. Thread: owner, `tell()` too.
template <class A, class Function, class... Arguments>
requires(!std::is_lvalue_reference_v<A> && std::invocable<std::decay_t<Function>, std::decay_t<Arguments>...>) auto on_stop(
    A&& awaited, Function&& tell, Arguments&&... arguments
) {
    using value = detail::value_of<A>;
    using awaiter = detail::announced<value, std::decay_t<Function>, std::decay_t<Arguments>...>;
    return detail::recipe<awaiter, task<value>, std::decay_t<Function>, std::decay_t<Arguments>...>{
        detail::as_task(std::move(awaited)), std::forward<Function>(tell),
        std::forward<Arguments>(arguments)...};
}

} // namespace coronet
