// SPDX-License-Identifier: BSL-1.0
//
// Where a coroutine leaves what it came to, in the frame of whoever waits for it: its own frame is
// gone by then.
#pragma once

#include <coronet/detail/assert.hpp>

#include <exception>
#include <system_error>
#include <utility>
#include <variant>

namespace coronet::detail {

/// Whether `thrown` says operation_canceled: what value() makes of an await that was cancelled.
inline bool tells_cancelled(const std::exception_ptr& thrown) noexcept {
    if (!thrown) return false;
    try {
        std::rethrow_exception(thrown);
    } catch (const std::system_error& error) {
        return error.code() == std::errc::operation_canceled;
    } catch (...) {
        return false;
    }
}

template <class T>
class outcome {
public:
    template <class U>
    void set_value(U&& value) {
        state_.template emplace<1>(std::forward<U>(value));
    }
    void set_exception(std::exception_ptr thrown) noexcept {
        state_.template emplace<2>(std::move(thrown));
    }

    [[nodiscard]] bool has_value() const noexcept { return state_.index() == 1; }
    [[nodiscard]] std::exception_ptr exception() const noexcept {
        const auto* thrown = std::get_if<2>(&state_);
        return thrown ? *thrown : nullptr;
    }
    /// The value, or throws the exception.
    T take() {
        if (auto* thrown = std::get_if<2>(&state_)) std::rethrow_exception(std::move(*thrown));
        auto* value = std::get_if<1>(&state_);
        CORONET_ASSERT(value != nullptr);
        return std::move(*value);
    }

private:
    std::variant<std::monostate, T, std::exception_ptr> state_;
};

template <>
class outcome<void> {
public:
    void set_value() noexcept { done_ = true; }
    void set_exception(std::exception_ptr thrown) noexcept { thrown_ = std::move(thrown); }

    [[nodiscard]] bool has_value() const noexcept { return done_; }
    [[nodiscard]] std::exception_ptr exception() const noexcept { return thrown_; }
    void take() {
        if (thrown_) std::rethrow_exception(std::move(thrown_));
        CORONET_ASSERT(done_);
    }

private:
    std::exception_ptr thrown_;
    bool done_ = false;
};

} // namespace coronet::detail
