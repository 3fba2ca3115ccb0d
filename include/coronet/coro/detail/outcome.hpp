// SPDX-License-Identifier: BSL-1.0
//
// Where a coroutine leaves what it came to, in the frame of whoever waits for it: its own frame is
// gone by then.
#pragma once

#include <coronet/detail/assert.hpp>

#include <exception>
#include <optional>
#include <system_error>
#include <utility>

namespace coronet::detail {

/// Beside the base of an exception that says so in the words of another library.
class cancelled_elsewhere {
protected:
    ~cancelled_elsewhere() = default;
};

/// Whether `thrown` says operation_canceled: what value() makes of an await that was cancelled.
inline bool tells_cancelled(const std::exception_ptr& thrown) noexcept {
    if (!thrown) return false;
    try {
        std::rethrow_exception(thrown);
    } catch (const cancelled_elsewhere&) {
        return true;
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
        value_.emplace(std::forward<U>(value));
    }
    /// Also after a value, if a destructor of the coroutine's locals throws.
    void set_exception(std::exception_ptr thrown) noexcept {
        value_.reset();
        thrown_ = std::move(thrown);
    }

    [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
    [[nodiscard]] const std::exception_ptr& exception() const noexcept { return thrown_; }
    /// The value, or throws the exception.
    T take() {
        if (thrown_) [[unlikely]]
            std::rethrow_exception(std::move(thrown_));
        CORONET_ASSERT(value_.has_value());
        return *std::move(value_);
    }

private:
    std::optional<T> value_;
    std::exception_ptr thrown_;
};

template <>
class outcome<void> {
public:
    void set_value() noexcept { done_ = true; }
    void set_exception(std::exception_ptr thrown) noexcept { thrown_ = std::move(thrown); }

    [[nodiscard]] bool has_value() const noexcept { return done_; }
    [[nodiscard]] const std::exception_ptr& exception() const noexcept { return thrown_; }
    void take() {
        if (thrown_) [[unlikely]]
            std::rethrow_exception(std::move(thrown_));
        CORONET_ASSERT(done_);
    }

private:
    std::exception_ptr thrown_;
    bool done_ = false;
};

} // namespace coronet::detail
