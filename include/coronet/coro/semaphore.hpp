// SPDX-License-Identifier: BSL-1.0
//
// A number of permits that coroutines of one scheduler or of several share: a limit on how many do
// something at once. Fair: permits go to whoever has waited longest. Who takes a permit need not be
// who gives it back.
#pragma once

#include <coronet/coro/detail/listed_wait.hpp>
#include <coronet/result.hpp>

#include <cstddef>

namespace coronet {

namespace detail {
class semaphore_wait;
} // namespace detail

class semaphore {
public:
    explicit semaphore(std::size_t permits) noexcept : permits_(permits) {}
    semaphore(const semaphore&) = delete;
    semaphore& operator=(const semaphore&) = delete;
    /// Nobody waits.
    ~semaphore();

    /// Takes one permit; waits for one if there is none.
    ///
    /// Errors: std::errc::operation_canceled, when it ended early.
    /// Cancel: total: the permit goes to the next one. If it was granted first, it has been taken.
    /// Lifetime: the semaphore outlives the await.
    /// Thread: the owner of any scheduler.
    [[nodiscard]] detail::semaphore_wait acquire() noexcept;

    /// Takes one permit if there is one. Thread: any.
    [[nodiscard]] bool try_acquire() noexcept;

    /// Gives `count` permits: to those who wait, then to those who come. Thread: any.
    void release(std::size_t count = 1) noexcept;

    /// Permits that nobody has; it may change at once. Thread: any.
    [[nodiscard]] std::size_t available() const noexcept;

private:
    friend class detail::semaphore_wait;
    std::size_t permits_;
    detail::waiter_list waiting_; // not empty: there are no permits
};

namespace detail {

class [[nodiscard]] semaphore_wait final : public listed_wait {
public:
    explicit semaphore_wait(semaphore& source) noexcept : listed_wait(&source), source_(&source) {}

    result<void> await_resume() const noexcept {
        if (cancelled()) return std::errc::operation_canceled;
        return {};
    }
    [[nodiscard]] std::string_view name() const noexcept override { return "semaphore"; }

private:
    [[nodiscard]] bool try_now(cancel_batch& woken) noexcept override;

    semaphore* source_;
};

} // namespace detail

inline detail::semaphore_wait semaphore::acquire() noexcept {
    return detail::semaphore_wait{*this};
}

} // namespace coronet
