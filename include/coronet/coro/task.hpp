// SPDX-License-Identifier: BSL-1.0
//
// task<T> is a coroutine that has not begun. Awaiting it runs it and gives its value or throws its
// exception; handing it to a scope, when_all or run has it run there. It is awaited once. A task
// that nobody awaits never runs.
//
// Once begun, a frame belongs to nobody: it leaves its result where it is waited for and frees
// itself.
#pragma once

#include <coronet/coro/detail/outcome.hpp>
#include <coronet/coro/detail/promise.hpp>
#include <coronet/coro/detail/recipe.hpp>

#include <concepts>
#include <coroutine>
#include <exception>
#include <source_location>
#include <type_traits>
#include <utility>

namespace coronet {

template <class T = void>
class task;

namespace detail {

template <class T>
class task_awaiter;

template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<task<T>> = true;

/// An awaitable where it stands. (g++ 12 copies what await_transform returns by reference.)
template <class A>
class by_reference {
public:
    explicit by_reference(A& awaited) noexcept : awaited_(awaited) {}

    [[nodiscard]] bool await_ready() const noexcept { return awaited_.await_ready(); }
    template <coronet_promise P>
    auto await_suspend(std::coroutine_handle<P> frame) noexcept {
        return awaited_.await_suspend(frame);
    }
    decltype(auto) await_resume() { return awaited_.await_resume(); }

private:
    A& awaited_;
};

/// Of a coroutine that runs in a branch: what may be awaited in it, and how.
class awaiting_promise : public promise_base {
public:
    template <class U>
    task_awaiter<U> await_transform(
        task<U>&& awaited, std::source_location place = std::source_location::current()
    ) noexcept {
        set_place(place);
        return task_awaiter<U>{awaited};
    }
    template <is_recipe A>
    requires(!std::is_lvalue_reference_v<A>) typename A::awaiter
        await_transform(A&& awaited, std::source_location place = std::source_location::current()) {
        set_place(place);
        return std::move(awaited).make();
    }
    template <class A>
    requires(!is_task<std::remove_cvref_t<A>> && !is_recipe<std::remove_cvref_t<A>>) auto await_transform(
        A&& awaited, std::source_location place = std::source_location::current()
    ) noexcept {
        using awaitable = std::remove_reference_t<A>;
        static_assert(
            awaitable_here<std::remove_cv_t<awaitable>>,
            "a coronet::task awaits tasks and Coronet's own awaitables only"
        );
        set_place(place);
        return by_reference<awaitable>{awaited};
    }
};

/// Of a task's frame.
template <class T>
class task_promise_base : public awaiting_promise {
public:
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    /// The frame frees itself, then whoever waited goes on.
    [[nodiscard]] std::suspend_never final_suspend() noexcept {
        hand_over();
        return {};
    }
    void unhandled_exception() noexcept { outcome_->set_exception(std::current_exception()); }

    void deliver_to(outcome<T>& result) noexcept { outcome_ = &result; }

protected:
    outcome<T>* outcome_ = nullptr;
};

template <class T>
class task_promise final : public task_promise_base<T> {
public:
    [[nodiscard]] task<T> get_return_object() noexcept;
    template <class U>
    requires std::constructible_from<T, U>
    void return_value(U&& value) { this->outcome_->set_value(std::forward<U>(value)); }
};

template <>
class task_promise<void> final : public task_promise_base<void> {
public:
    [[nodiscard]] task<void> get_return_object() noexcept;
    void return_void() noexcept { outcome_->set_value(); }
};

} // namespace detail

/// A coroutine that gives a T when awaited.
template <class T>
class [[nodiscard]] task {
public:
    using promise_type = detail::task_promise<T>;
    using value_type = T;

    task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    task& operator=(task&& other) noexcept {
        std::swap(frame_, other.frame_);
        return *this;
    }
    ~task() {
        if (frame_) frame_.destroy(); // it has not begun
    }

    /// Gives up the frame, to begin it: its result goes to `result`. For Coronet's own combinators.
    [[nodiscard]] std::coroutine_handle<promise_type> begin(detail::outcome<T>& result) noexcept {
        CORONET_ASSERT(frame_ != nullptr); // awaited twice, or moved away
        frame_.promise().deliver_to(result);
        return std::exchange(frame_, nullptr);
    }

private:
    friend detail::task_promise<T>;
    explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
    std::coroutine_handle<promise_type> frame_;
};

namespace detail {

template <class T>
class task_awaiter {
public:
    /// `awaited` is there until the end of the await.
    explicit task_awaiter(task<T>& awaited) noexcept : task_(awaited) {}
    task_awaiter(const task_awaiter&) = delete;
    task_awaiter& operator=(const task_awaiter&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<P> parent) noexcept {
        const auto child = task_.begin(outcome_);
        child.promise().run_for(parent.promise(), parent);
        return !parent.promise().in_branch().call(child);
    }
    T await_resume() { return outcome_.take(); }

private:
    task<T>& task_;
    outcome<T> outcome_;
};

template <class T>
task<T> task_promise<T>::get_return_object() noexcept {
    return task<T>{std::coroutine_handle<task_promise>::from_promise(*this)};
}
inline task<void> task_promise<void>::get_return_object() noexcept {
    return task<void>{std::coroutine_handle<task_promise>::from_promise(*this)};
}

} // namespace detail

} // namespace coronet
