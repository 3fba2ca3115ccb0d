// SPDX-License-Identifier: BSL-1.0
//
// Something that happens, and coroutines of one scheduler or of several that wait for it. It stays
// set until reset() (a manual-reset event); setting it lets everybody go on who waits.
#pragma once

#include <coronet/coro/detail/listed_wait.hpp>
#include <coronet/result.hpp>

namespace coronet {

namespace detail {
class event_wait;
} // namespace detail

class event {
public:
    explicit event(bool is_set = false) noexcept : set_(is_set) {}
    event(const event&) = delete;
    event& operator=(const event&) = delete;
    /// Nobody waits. Those whom set() has let go on may destroy it while set() still tells others.
    ~event();

    /// Lets all go on who wait now, in the order in which they came, and all who come before
    /// reset(). Thread: any.
    void set() noexcept;
    /// Who comes from now on waits. Those whom set() has let go on are not called back. Thread:
    /// any.
    void reset() noexcept;
    /// It may change at once. Thread: any.
    [[nodiscard]] bool is_set() const noexcept;

    /// Waits until it is set; does not if it is.
    ///
    /// Errors: std::errc::operation_canceled, when it ended early.
    /// Cancel: total.
    /// Lifetime: the event lives until set() is called, or the await has ended.
    /// Thread: the owner of any scheduler.
    [[nodiscard]] detail::event_wait wait() noexcept;

private:
    friend class detail::event_wait;
    bool set_;
    detail::waiter_list waiting_; // not empty: it is not set
};

namespace detail {

class [[nodiscard]] event_wait final : public listed_wait {
public:
    explicit event_wait(event& awaited) noexcept : listed_wait(&awaited), awaited_(&awaited) {}

    result<void> await_resume() const noexcept {
        if (cancelled()) return std::errc::operation_canceled;
        return {};
    }
    [[nodiscard]] std::string_view name() const noexcept override { return "event"; }

private:
    [[nodiscard]] bool try_now(cancel_batch& woken) noexcept override;

    event* awaited_;
};

} // namespace detail

inline detail::event_wait event::wait() noexcept {
    return detail::event_wait{*this};
}

} // namespace coronet
