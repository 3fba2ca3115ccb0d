// SPDX-License-Identifier: BSL-1.0
//
// What I/O gives: a value or a std::error_code, never both and never ignored. `transfer` is for
// what can be half done.
#pragma once

#include <coronet/detail/assert.hpp>
#include <coronet/error.hpp>

#include <cstddef>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>

namespace coronet {

/// A value or the reason why there is none.
template <class T>
class [[nodiscard]] result {
    static_assert(!std::is_reference_v<T>);

public:
    using value_type = T;

    result(T value) noexcept(std::is_nothrow_move_constructible_v<T>)
        : state_(std::in_place_index<0>, std::move(value)) {}
    result(std::error_code error) noexcept : state_(std::in_place_index<1>, error) {
        CORONET_ASSERT(error);
    }
    result(std::errc error) noexcept : result(std::make_error_code(error)) {}
    result(errc error) noexcept : result(make_error_code(error)) {}

    [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    /// The value; calling these without one is a bug and aborts.
    [[nodiscard]] T& operator*() & noexcept { return get(); }
    [[nodiscard]] const T& operator*() const& noexcept { return const_cast<result&>(*this).get(); }
    [[nodiscard]] T&& operator*() && noexcept { return std::move(get()); }
    [[nodiscard]] T* operator->() noexcept { return &get(); }
    [[nodiscard]] const T* operator->() const noexcept { return &**this; }

    /// The value, or throws the error as std::system_error.
    [[nodiscard]] T& value() & {
        throw_error();
        return get();
    }
    [[nodiscard]] const T& value() const& {
        throw_error();
        return **this;
    }
    [[nodiscard]] T&& value() && {
        throw_error();
        return std::move(get());
    }
    [[nodiscard]] T value_or(T otherwise) && {
        return has_value() ? std::move(get()) : std::move(otherwise);
    }

    /// The error; an empty code when there is a value.
    [[nodiscard]] std::error_code error() const noexcept {
        const auto* code = std::get_if<1>(&state_);
        return code ? *code : std::error_code{};
    }

private:
    T& get() noexcept {
        T* value = std::get_if<0>(&state_);
        CORONET_ASSERT(value != nullptr);
        return *value;
    }
    void throw_error() const {
        if (!has_value()) throw std::system_error(error());
    }

    std::variant<T, std::error_code> state_;
};

/// Success, or the reason why not.
template <>
class [[nodiscard]] result<void> {
public:
    using value_type = void;

    result() noexcept = default;
    result(std::error_code error) noexcept : error_(error) { CORONET_ASSERT(error); }
    result(std::errc error) noexcept : result(std::make_error_code(error)) {}
    result(errc error) noexcept : result(make_error_code(error)) {}

    [[nodiscard]] bool has_value() const noexcept { return !error_; }
    explicit operator bool() const noexcept { return has_value(); }
    /// Throws the error as std::system_error, if there is one.
    void value() const {
        if (error_) throw std::system_error(error_);
    }
    [[nodiscard]] std::error_code error() const noexcept { return error_; }

private:
    std::error_code error_;
};

template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<result<T>> = true;

/// What came of an operation that may be done in part: `bytes` are done, then `error` happened (or
/// nothing did).
struct [[nodiscard]] transfer {
    std::size_t bytes = 0;
    std::error_code error{};

    explicit operator bool() const noexcept { return !error; }
};

} // namespace coronet
