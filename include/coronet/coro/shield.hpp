// SPDX-License-Identifier: BSL-1.0
//
// A region that a stop does not reach: for what must be finished once it was begun (the last bytes
// of a protocol, a file that is renamed when it is complete). It is a group that does not pass on
// what it is asked from outside. So that nothing can hold up the end of a scheduler for ever, the
// group lives on the scheduler that it was begun on as a tree of its own does: stop() of that one
// cancels it. A stop of another does not: a branch that went over to B and began a shield there
// holds up the end of A, where its group waits for it, until the shield ends or B is stopped.
//
//   closed to outside → cancelled   the scheduler that it was begun on drains; never left
#pragma once

#include <coronet/coro/detail/child.hpp>
#include <coronet/coro/detail/group.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/scheduler.hpp>

#include <coroutine>
#include <type_traits>
#include <utility>

namespace coronet {

namespace detail {

class shielding_group : public group, private resident {
public:
    /// A stop of the branch that waits: not for what is below.
    void cancel() noexcept override {}

protected:
    shielding_group() noexcept = default;
    ~shielding_group() = default;

    void open_shield(promise_base& waiting, std::coroutine_handle<> frame) noexcept;

private:
    void cancel_all() noexcept override { group::cancel(); }
    void on_all_ended() noexcept override;
};

template <class T>
class [[nodiscard]] shielded final : public shielding_group {
public:
    explicit shielded(task<T>&& job) noexcept : child_(std::move(job)) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    void await_suspend(std::coroutine_handle<P> frame) noexcept {
        open_shield(frame.promise(), frame);
        child_.start(*this);
    }
    T await_resume() { return child_.result().take(); }

private:
    child<T> child_;
};

} // namespace detail

/// Awaits `unstopped` (a task or an operation), whatever is stopped around it: its awaits begin and
/// go on in a branch that was stopped before or is stopped meanwhile. Afterwards the coroutine is
/// as stopped as it was without. this_coroutine::stop_token() inside is that of the shield.
///
/// Result: what `unstopped` gives.
/// Errors: those of `unstopped`; operation_canceled in it once that scheduler has been stopped.
/// Cancel: none, but by stop() of the scheduler that it was begun on. A time limit or a scope
/// around it waits for it, and with them the end of their scheduler: give it a limit inside.
/// Thread: owner.
template <class A>
requires(!std::is_lvalue_reference_v<A>) auto shield(A&& unstopped) {
    using value = detail::value_of<A>;
    return detail::recipe<detail::shielded<value>, task<value>>{
        detail::as_task(std::move(unstopped))};
}

} // namespace coronet
