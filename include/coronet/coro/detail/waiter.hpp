// SPDX-License-Identifier: BSL-1.0
//
// A suspended frame, and how to go on with it.
#pragma once

#include <coronet/coro/detail/promise.hpp>

#include <coroutine>

namespace coronet::detail {

class waiter {
public:
    /// The frame suspends on `awaited`. False, and it does not, if everything in its branch is to
    /// end.
    template <coronet_promise P>
    [[nodiscard]] bool suspend(std::coroutine_handle<P> frame, pending_work& awaited) noexcept {
        promise_ = &frame.promise();
        frame_ = frame;
        if (promise_->in_branch().stopped()) return false;
        promise_->suspend_on(awaited);
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
        here.resume(frame_);
    }
    [[nodiscard]] scheduler& where() const noexcept { return promise_->in_branch().where(); }
    [[nodiscard]] branch& in_branch() const noexcept { return promise_->in_branch(); }

private:
    promise_base* promise_ = nullptr;
    std::coroutine_handle<> frame_;
};

} // namespace coronet::detail
