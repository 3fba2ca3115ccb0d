// SPDX-License-Identifier: BSL-1.0
//
// What a coroutine awaits of a pool: a function that is called on a worker, the pool's idleness and
// its end. The pool itself, and what these promise, is in <coronet/worker_pool.hpp>.
#pragma once

#include <coronet/coro/detail/child.hpp>
#include <coronet/coro/detail/outcome.hpp>
#include <coronet/coro/detail/recipe.hpp>
#include <coronet/coro/detail/waiter.hpp>
#include <coronet/detail/pool_wait.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/stop_token.hpp>
#include <coronet/worker_pool.hpp>

#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <source_location>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coronet {

namespace detail {

/// Where an item goes.
struct pool_place {
    worker_pool* pool;
    pool_account account;
    std::optional<serial_key> key;
};

/// An item that a coroutine waits for. It lives in the coroutine's frame.
class awaited_item : public pool_item {
public:
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        refused_ = !waiter_.suspend(frame, *this);
        if (!refused_) begin();
        return !refused_;
    }
    [[nodiscard]] std::source_location place() const noexcept override { return waiter_.place(); }

protected:
    explicit awaited_item(const pool_place& where) noexcept : where_(where) {}
    /// A worker may be at it.
    ~awaited_item() = default;

    /// Why it was not executed; nothing if it was.
    [[nodiscard]] std::error_code why_not() const noexcept {
        return refused_ ? std::make_error_code(std::errc::operation_canceled) : error();
    }

private:
    void begin() noexcept;
    void complete() noexcept override { waiter_.resume(); }

    pool_place where_;
    bool refused_ = false;
    waiter waiter_;
};

template <class Function, class... Arguments>
inline constexpr bool takes_stop_token =
    std::is_invocable_v<Function, inplace_stop_token, Arguments...>;

template <class Function, class... Arguments>
auto call_with_token(inplace_stop_token token, Function& function, Arguments&... arguments) {
    if constexpr (takes_stop_token<Function, Arguments...>)
        return std::invoke(std::move(function), token, std::move(arguments)...);
    else
        return std::invoke(std::move(function), std::move(arguments)...);
}

template <class Function, class... Arguments>
class [[nodiscard]] pooled_call final : public awaited_item {
    using value = decltype(call_with_token(
        inplace_stop_token{}, std::declval<Function&>(), std::declval<Arguments&>()...
    ));

public:
    pooled_call(const pool_place& where, Function&& function, std::tuple<Arguments...>&& arguments)
        : awaited_item(where), function_(std::move(function)), arguments_(std::move(arguments)) {}

    as_result<value> await_resume() {
        if (const std::error_code error = why_not()) return failed<as_result<value>>(error);
        return take_result(outcome_);
    }

private:
    void execute() noexcept override {
        try {
            call();
        } catch (...) {
            outcome_.set_exception(std::current_exception());
        }
    }
    void call() {
        const auto called = [this](Arguments&... each) -> value {
            return call_with_token(stop_token(), function_, each...);
        };
        if constexpr (std::is_void_v<value>) {
            std::apply(called, arguments_);
            outcome_.set_value();
        } else {
            outcome_.set_value(std::apply(called, arguments_));
        }
    }

    Function function_;
    std::tuple<Arguments...> arguments_;
    detail::outcome<value> outcome_;
};

template <class Function, class... Arguments>
auto pooled(pool_place where, Function&& function, Arguments&&... arguments) {
    using call = pooled_call<Function, Arguments...>;
    return recipe<call, pool_place, Function, std::tuple<Arguments...>>{
        where, std::move(function), std::tuple<Arguments...>{std::move(arguments)...}};
}

/// What worker_pool::drain() and shutdown() give.
class [[nodiscard]] pool_watch final : public pool_wait {
public:
    pool_watch(worker_pool& pool, until wanted) noexcept : pool_wait(pool, wanted) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        if (!waiter_.suspend(frame, *this)) {
            refuse(std::make_error_code(std::errc::operation_canceled));
            return false;
        }
        if (begin()) return true;
        waiter_.take_back();
        return false;
    }
    result<void> await_resume() const noexcept { return answer(); }
    [[nodiscard]] std::source_location place() const noexcept override { return waiter_.place(); }

private:
    void run() noexcept override { waiter_.resume(); }

    waiter waiter_;
};

} // namespace detail

template <class Function, class... Arguments>
auto worker_pool::run(Function function, Arguments... arguments) {
    return detail::pooled(
        {this, pool_account::unbounded, std::nullopt}, std::move(function), std::move(arguments)...
    );
}

template <class Function, class... Arguments>
auto worker_pool::run_bounded(Function function, Arguments... arguments) {
    return detail::pooled(
        {this, pool_account::bounded, std::nullopt}, std::move(function), std::move(arguments)...
    );
}

template <class Function, class... Arguments>
auto worker_pool::run_serialized(serial_key key, Function function, Arguments... arguments) {
    return detail::pooled(
        {this, pool_account::unbounded, key}, std::move(function), std::move(arguments)...
    );
}

inline detail::pool_watch worker_pool::drain() noexcept {
    return {*this, detail::pool_wait::until::idle};
}

inline detail::pool_watch worker_pool::shutdown() noexcept {
    return {*this, detail::pool_wait::until::ended};
}

} // namespace coronet
