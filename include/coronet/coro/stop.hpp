// SPDX-License-Identifier: BSL-1.0
//
// Stop requests from outside: with_stop() lets a token end one await and all that is below it.
// Nothing else takes a token: scopes, time limits and the scheduler's own stop reach every await
// below them by themselves.
#pragma once

#include <coronet/coro/detail/child.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/stop_token.hpp>

#include <atomic>
#include <coroutine>
#include <optional>
#include <type_traits>
#include <utility>

namespace coronet {

namespace detail {

/// A group that a token stops. The callback runs on whichever thread requests the stop; the request
/// travels to home as a message and is carried out there. The group ends only after the message has
/// been read.
class stoppable_group : public group {
protected:
    stoppable_group() noexcept = default;
    ~stoppable_group() = default;

    /// After open().
    void obey(inplace_stop_token token) noexcept;
    void on_all_ended() noexcept override;

private:
    struct send_message {
        stoppable_group* to;
        void operator()() const noexcept { to->message_from_anywhere(); }
    };
    struct message final : work {
        explicit message(stoppable_group& receiver) noexcept : to(receiver) {}
        void run() noexcept override { to.message_arrived(); }
        stoppable_group& to;
    };
    void message_from_anywhere() noexcept;
    void message_arrived() noexcept;

    std::optional<inplace_stop_callback<send_message>> callback_;
    message message_{*this};
    std::atomic<bool> sent_{false};
    bool arrived_ = false;
};

template <class T>
class [[nodiscard]] with_token final : public stoppable_group {
public:
    with_token(inplace_stop_token token, task<T>&& job) noexcept
        : token_(token), child_(std::move(job)) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    void await_suspend(std::coroutine_handle<P> frame) noexcept {
        open(frame.promise(), frame);
        hold();
        obey(token_);
        child_.start(*this);
        release();
    }
    T await_resume() { return child_.result().take(); }

private:
    inplace_stop_token token_;
    child<T> child_;
};

} // namespace detail

/// Awaits `stopped` (a task or an operation), which also ends early when `token` is stopped.
///
/// Result: what `stopped` gives.
/// Errors: those of `stopped`; operation_canceled where it was cancelled.
/// Cancel: as `stopped`.
/// Lifetime: the token's source outlives the await.
/// Thread: owner; the token may be stopped from any thread.
template <class A>
requires(!std::is_lvalue_reference_v<A>) auto with_stop(inplace_stop_token token, A&& stopped) {
    using value = detail::value_of<A>;
    return detail::recipe<detail::with_token<value>, inplace_stop_token, task<value>>{
        token, detail::as_task(std::move(stopped))};
}

} // namespace coronet
