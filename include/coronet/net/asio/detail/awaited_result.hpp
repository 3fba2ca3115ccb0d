// SPDX-License-Identifier: BSL-1.0
//
// What an await makes of a completion handler's arguments: a leading error_code or exception_ptr
// is thrown if it says something, and is no part of the value; of several others a tuple is made.
#pragma once

#include <coronet/coro/detail/outcome.hpp>
#include <coronet/net/asio/config.hpp>

#include <cstddef>
#include <exception>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coronet::asiox::detail {

/// Coronet's scopes and time limits know it for what it is, whosever error codes Asio uses.
class operation_aborted final : public system_error, public coronet::detail::cancelled_elsewhere {
public:
    operation_aborted() : system_error(net::error::operation_aborted) {}
};

inline void throw_error(const error_code& error) {
    if (error == net::error::operation_aborted) throw operation_aborted();
    if (error) throw system_error(error);
}
inline void throw_error(const std::exception_ptr& thrown) {
    if (thrown) std::rethrow_exception(thrown);
}

template <class T>
inline constexpr bool is_error =
    std::is_same_v<T, error_code> || std::is_same_v<T, std::exception_ptr>;

/// Arguments of a handler; none of them is an error.
template <class... T>
struct awaited_value {
    using type = std::tuple<T...>;
    static type take(std::tuple<T...>&& arguments) { return std::move(arguments); }
};
template <>
struct awaited_value<> {
    using type = void;
    static void take(std::tuple<>&&) noexcept {}
};
template <class T>
struct awaited_value<T> {
    using type = T;
    static T take(std::tuple<T>&& arguments) { return std::get<0>(std::move(arguments)); }
};

template <class Error, class... T>
std::tuple<T...> without_error(std::tuple<Error, T...>&& arguments) {
    return std::apply(
        [](Error&, T&... values) { return std::tuple<T...>{std::move(values)...}; }, arguments
    );
}

template <class... Arguments>
struct awaited_result {
    using type = typename awaited_value<Arguments...>::type;
    static type take(std::tuple<Arguments...>&& arguments) {
        return awaited_value<Arguments...>::take(std::move(arguments));
    }
};
template <class Error, class... T>
requires is_error<Error>
struct awaited_result<Error, T...> {
    using type = typename awaited_value<T...>::type;
    static type take(std::tuple<Error, T...>&& arguments) {
        throw_error(std::get<0>(arguments));
        return awaited_value<T...>::take(without_error(std::move(arguments)));
    }
};

/// What an await gives whose handler was not called: throws operation_aborted, unless the value has
/// a place for it (as_tuple).
template <class Value>
struct aborted_result {
    [[noreturn]] static Value make() { throw operation_aborted(); }
};
template <class... T>
requires(std::is_default_constructible_v<T>&&...
) struct aborted_result<std::tuple<error_code, T...>> {
    static std::tuple<error_code, T...> make() {
        return {error_code(net::error::operation_aborted), T()...};
    }
};
template <class... T>
requires(std::is_default_constructible_v<T>&&...
) struct aborted_result<std::tuple<std::exception_ptr, T...>> {
    static std::tuple<std::exception_ptr, T...> make() {
        return {std::make_exception_ptr(operation_aborted()), T()...};
    }
};

} // namespace coronet::asiox::detail
