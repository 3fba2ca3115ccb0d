// SPDX-License-Identifier: BSL-1.0
//
// What a coroutine can ask about itself. These awaits never suspend.
#pragma once

#include <coronet/coro/detail/group.hpp>
#include <coronet/coro/detail/promise.hpp>
#include <coronet/stop_token.hpp>

#include <coroutine>

namespace coronet {

namespace detail {

template <class Answer>
class [[nodiscard]] question {
public:
    using function = Answer (*)(promise_base&) noexcept;
    explicit question(function ask) noexcept : ask_(ask) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        asked_ = &frame.promise();
        return false;
    }
    Answer await_resume() const noexcept { return ask_(*asked_); }

private:
    function ask_;
    promise_base* asked_ = nullptr;
};

} // namespace detail

namespace this_coroutine {

/// `scheduler& here = co_await this_coroutine::scheduler();`
inline auto scheduler() noexcept {
    return detail::question<coronet::scheduler&>{
        [](detail::promise_base& asked) noexcept -> coronet::scheduler& {
            return asked.in_branch().where();
        }};
}

/// The token that is stopped when the awaits of this coroutine are: for code that computes, or for
/// a callback. It stays the same when the coroutine moves to another scheduler.
///
/// A stop from around it (a scope, a limit, ...) reaches the token at once, also while the
/// coroutine computes on another scheduler; one of the scheduler where the coroutine is reaches it
/// there. Callbacks run in the middle of the stop, on the thread that it comes from: that of the
/// scheduler where the task was started, or of the one that was stopped.
///
/// Lifetime: of the task that was started (the child of a scope, what a limit, a when_all or run is
/// for): until it has ended.
/// Thread: owner; the token: any.
inline auto stop_token() noexcept {
    return detail::question<inplace_stop_token>{
        [](detail::promise_base& asked) noexcept { return asked.in_branch().stop_token(); }};
}

} // namespace this_coroutine

} // namespace coronet
