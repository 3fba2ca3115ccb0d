// SPDX-License-Identifier: BSL-1.0
//
// A task that runs as a branch of its own, for somebody who waits for it in a group, and how
// combinators turn what they are given into one.
#pragma once

#include <coronet/coro/detail/group.hpp>
#include <coronet/coro/task.hpp>
#include <coronet/result.hpp>

#include <concepts>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>

namespace coronet::detail {

template <class T>
class child {
public:
    explicit child(task<T>&& job) noexcept : job_(std::move(job)) {}

    /// It will run soon, in the group's home.
    void start(group& starter) noexcept {
        line_.emplace(starter);
        const auto frame = job_.begin(outcome_);
        line_->start(frame.promise(), frame);
    }
    /// The same on another scheduler. An error (see branch::move_to): it will never run.
    [[nodiscard]] std::error_code start_on(group& starter, scheduler& first) noexcept {
        line_.emplace(starter);
        const auto frame = job_.begin(outcome_);
        const auto refused = line_->start_on(first, frame.promise(), frame);
        if (refused) frame.destroy();
        return refused;
    }

    [[nodiscard]] bool is(const branch& line) const noexcept { return line_ && &*line_ == &line; }
    [[nodiscard]] outcome<T>& result() noexcept { return outcome_; }

private:
    task<T> job_;
    outcome<T> outcome_;
    std::optional<branch> line_;
};

/// Whether a T can say by itself that there was an error.
template <class T>
inline constexpr bool tells_errors =
    is_result<T> || std::same_as<T, transfer> || std::same_as<T, std::error_code>;

/// result<T>, but what can tell an error already stays what it is.
template <class T>
using as_result = std::conditional_t<tells_errors<T>, T, result<T>>;

/// One that tells `error`.
template <class R>
R failed(std::error_code error) noexcept {
    if constexpr (std::same_as<R, transfer>)
        return {0, error};
    else
        return error;
}

template <class T>
as_result<T> take_result(outcome<T>& from) {
    if constexpr (std::is_void_v<T>) {
        from.take();
        return {};
    } else {
        return from.take();
    }
}

/// The same for what a stop of its group has made throw operation_canceled.
template <class T>
as_result<T> take_result_or_cancelled(outcome<T>& from) {
    if (tells_cancelled(from.exception()))
        return failed<as_result<T>>(std::make_error_code(std::errc::operation_canceled));
    return take_result(from);
}

template <class A>
struct task_value {
    using type = await_result<A>;
};
template <is_recipe A>
struct task_value<A> {
    using type = await_result<typename A::awaiter>;
};
template <class T>
struct task_value<task<T>> {
    using type = T;
};
/// What awaiting an A gives.
template <class A>
using value_of = typename task_value<std::remove_cvref_t<A>>::type;

template <class T>
task<T> as_task(task<T> given) noexcept {
    return given;
}
template <class A>
requires(!is_task<A>) task<value_of<A>> as_task(A given) {
    co_return co_await std::move(given);
}

/// The same for those who give an as_result<> and can tell more than the value does by itself: an
/// awaitable whose value hides that it was cancelled has an overload beside it.
template <class A>
auto as_telling_task(A given) {
    return as_task(std::move(given));
}
template <class A>
using told_value_of =
    typename decltype(as_telling_task(std::declval<std::remove_cvref_t<A>>()))::value_type;

} // namespace coronet::detail
