// SPDX-License-Identifier: BSL-1.0
//
// Mutual exclusion of coroutines, of one scheduler or of several: who waits for the lock is
// suspended and its thread does other things. Fair: the lock is handed to whoever has waited
// longest, so that nobody overtakes. The lock belongs to a guard, not to a thread.
//
// Not needed between coroutines of one scheduler that do not await while they use what they share.
// Not recursive.
#pragma once

#include <coronet/coro/detail/listed_wait.hpp>
#include <coronet/result.hpp>

#include <optional>
#include <utility>

namespace coronet {

class mutex;

namespace detail {
class mutex_lock;
} // namespace detail

class mutex {
public:
    class guard;

    mutex() noexcept = default;
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;
    /// Nobody holds it or waits for it.
    ~mutex();

    /// Waits for the lock; at once if it is free.
    ///
    /// Result: the lock, held until the guard's end.
    /// Errors: std::errc::operation_canceled, when it ended early.
    /// Cancel: total: the lock goes to the next one. If it was handed over first, it is the answer.
    /// Lifetime: the mutex outlives the await and the guard.
    /// Thread: the owner of any scheduler.
    [[nodiscard]] detail::mutex_lock lock() noexcept;

    /// The lock if it is free. Thread: any.
    [[nodiscard]] std::optional<guard> try_lock() noexcept;

private:
    friend class detail::mutex_lock;
    void unlock() noexcept;

    bool locked_ = false;
    detail::waiter_list waiting_; // not empty: it is locked
};

/// Holds the lock of a mutex, and gives it back at its end, on whichever thread that is.
class [[nodiscard]] mutex::guard {
public:
    guard(guard&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
    guard& operator=(guard&& other) noexcept {
        guard taken{std::move(other)};
        std::swap(held_, taken.held_);
        return *this;
    }
    ~guard() {
        if (held_) held_->unlock();
    }

    /// Gives the lock back now. It is held.
    void unlock() noexcept {
        CORONET_ASSERT(held_ != nullptr);
        std::exchange(held_, nullptr)->unlock();
    }

private:
    friend class mutex;
    friend class detail::mutex_lock;
    explicit guard(mutex& held) noexcept : held_(&held) {}
    mutex* held_;
};

namespace detail {

class [[nodiscard]] mutex_lock final : public listed_wait {
public:
    explicit mutex_lock(mutex& wanted) noexcept : listed_wait(&wanted), wanted_(&wanted) {}

    result<mutex::guard> await_resume() const noexcept {
        if (cancelled()) return std::errc::operation_canceled;
        return mutex::guard{*wanted_};
    }
    [[nodiscard]] std::string_view name() const noexcept override { return "mutex"; }

private:
    [[nodiscard]] bool try_now(cancel_batch& woken) noexcept override;

    mutex* wanted_;
};

} // namespace detail

inline detail::mutex_lock mutex::lock() noexcept {
    return detail::mutex_lock{*this};
}

} // namespace coronet
