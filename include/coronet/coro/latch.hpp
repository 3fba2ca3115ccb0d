// SPDX-License-Identifier: BSL-1.0
//
// Counts down to 0, once; coroutines of one scheduler or of several wait for that. For children of
// one scope, joining the scope is simpler.
#pragma once

#include <coronet/coro/detail/listed_wait.hpp>
#include <coronet/result.hpp>

#include <cstddef>

namespace coronet {

namespace detail {
class latch_wait;
} // namespace detail

class latch {
public:
    explicit latch(std::size_t count) noexcept : count_(count) {}
    latch(const latch&) = delete;
    latch& operator=(const latch&) = delete;
    /// Nobody waits. Who has waited may destroy it while the last count_down() still tells others.
    ~latch();

    /// `arrivals` fewer are missing; it is not more than that. At 0 all go on who wait. Thread:
    /// any.
    void count_down(std::size_t arrivals = 1) noexcept;
    /// Whether nobody is missing. Thread: any.
    [[nodiscard]] bool try_wait() const noexcept;

    /// Waits until nobody is missing.
    ///
    /// Errors: std::errc::operation_canceled, when it ended early.
    /// Cancel: total.
    /// Lifetime: the latch lives until it is at 0, or the await has ended.
    /// Thread: the owner of any scheduler.
    [[nodiscard]] detail::latch_wait wait() noexcept;

    /// count_down() and wait() at once.
    ///
    /// Errors: std::errc::operation_canceled, when it ended early.
    /// Cancel: partial: the arrival counts, also after a stop.
    /// Lifetime: as wait().
    /// Thread: the owner of any scheduler.
    [[nodiscard]] detail::latch_wait arrive_and_wait(std::size_t arrivals = 1) noexcept;

private:
    friend class detail::latch_wait;
    void arrive(std::size_t arrivals, detail::cancel_batch& woken) noexcept;

    std::size_t count_;
    detail::waiter_list waiting_; // not empty: the count is not 0
};

namespace detail {

class [[nodiscard]] latch_wait final : public listed_wait {
public:
    latch_wait(latch& awaited, std::size_t arrivals) noexcept
        : listed_wait(&awaited), awaited_(&awaited), arrivals_(arrivals) {}

    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        if (listed_wait::await_suspend(frame)) return true;
        if (cancelled()) awaited_->count_down(arrivals_); // others wait for it all the same
        return false;
    }
    result<void> await_resume() const noexcept {
        if (cancelled()) return std::errc::operation_canceled;
        return {};
    }
    [[nodiscard]] std::string_view name() const noexcept override { return "latch"; }

private:
    [[nodiscard]] bool try_now(cancel_batch& woken) noexcept override;

    latch* awaited_;
    std::size_t arrivals_;
};

} // namespace detail

inline detail::latch_wait latch::wait() noexcept {
    return detail::latch_wait{*this, 0};
}
inline detail::latch_wait latch::arrive_and_wait(std::size_t arrivals) noexcept {
    return detail::latch_wait{*this, arrivals};
}

} // namespace coronet
