// SPDX-License-Identifier: BSL-1.0
//
// A coroutine that waits for somebody else's completion handler, which is called or destroyed on
// whichever thread. It knows no Asio.
//
//   suspended  the handler is with the operation; a stop asks the operation to end, on the
//              coroutine's scheduler
//   answered   the handler was called, or was destroyed without a call: exactly one of the two,
//              once, as there is one handler; a stop that comes now finds nothing to ask
//   resumed    by the coroutine's scheduler, in a turn after that
//
// It lives in the coroutine's frame. One that is destroyed before it is resumed ends the program
// with the place of the await.
#pragma once

#include <coronet/coro/detail/waiter.hpp>
#include <coronet/work.hpp>

#include <atomic>
#include <coroutine>
#include <source_location>
#include <string_view>

namespace coronet::asiox::detail {

class handler_wait : public pending_work {
public:
    handler_wait(const handler_wait&) = delete;
    handler_wait& operator=(const handler_wait&) = delete;

    /// Owner of where().
    void cancel() noexcept final;
    /// The scheduler that the coroutine is on.
    [[nodiscard]] scheduler& where() const noexcept { return waiter_.where(); }
    [[nodiscard]] std::string_view name() const noexcept override { return "handler"; }
    [[nodiscard]] std::source_location place() const noexcept override { return waiter_.place(); }

protected:
    handler_wait() noexcept = default;
    ~handler_wait() = default;

    /// False, and not suspended, if a stop came before.
    template <coronet::detail::coronet_promise P>
    [[nodiscard]] bool suspend(std::coroutine_handle<P> frame) noexcept {
        return waiter_.suspend(frame, *this);
    }
    /// The coroutine goes on soon; this may be gone at once. Any thread.
    void answered() noexcept;
    /// Asks the operation to end. Owner of where(), while it is not answered.
    virtual void ask_to_end() noexcept = 0;

private:
    void run() noexcept final { waiter_.resume(); }

    coronet::detail::waiter waiter_;
    std::atomic<bool> answered_{false};
};

} // namespace coronet::asiox::detail
