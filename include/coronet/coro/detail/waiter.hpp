// SPDX-License-Identifier: BSL-1.0
//
// A suspended frame, and how to go on with it. A waiter is part of the awaitable that the frame is
// suspended on, and so of the frame: if it is destroyed before it has resumed it, somebody destroys
// a frame that will be resumed.
#pragma once

#include <coronet/coro/detail/promise.hpp>

#include <coroutine>
#include <source_location>
#include <utility>

namespace coronet::detail {

class waiter {
public:
    waiter() noexcept = default;
    /// Awaitables are copied until they begin.
    waiter(const waiter& other) noexcept { CORONET_ASSERT(!other.frame_); }
    waiter& operator=(const waiter&) = delete;
    ~waiter() {
        if (frame_) [[unlikely]]
            die("a coroutine was destroyed while this await was in flight", place());
    }

    /// The frame suspends on `awaited`. False, and it does not, if everything in its branch is to
    /// end.
    template <coronet_promise P>
    [[nodiscard]] bool suspend(std::coroutine_handle<P> frame, pending_work& awaited) noexcept {
        if (frame.promise().in_branch().stopped()) return false;
        suspend_regardless(frame, awaited);
        return true;
    }
    /// The same, whatever has been stopped: for what ends soon and by itself.
    template <coronet_promise P>
    void suspend_regardless(std::coroutine_handle<P> frame, pending_work& awaited) noexcept {
        promise_ = &frame.promise();
        frame_ = frame;
        promise_->suspend_on(awaited);
    }
    void resume() noexcept {
        branch& here = promise_->in_branch();
        here.clear_leaf();
        here.resume(std::exchange(frame_, nullptr));
    }
    /// What it would have waited for is there: the frame goes on at once.
    void take_back() noexcept {
        in_branch().clear_leaf();
        frame_ = nullptr;
    }
    /// Somebody else resumes the frame, or nobody needs to.
    [[nodiscard]] std::coroutine_handle<> let_go() noexcept {
        return std::exchange(frame_, nullptr);
    }
    [[nodiscard]] scheduler& where() const noexcept { return promise_->in_branch().where(); }
    [[nodiscard]] branch& in_branch() const noexcept { return promise_->in_branch(); }
    /// The await; nowhere before it began.
    [[nodiscard]] std::source_location place() const noexcept {
        return promise_ ? promise_->place() : std::source_location{};
    }

private:
    promise_base* promise_ = nullptr;
    std::coroutine_handle<> frame_;
};

} // namespace coronet::detail
