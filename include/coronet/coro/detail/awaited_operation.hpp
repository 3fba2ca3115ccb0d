// SPDX-License-Identifier: BSL-1.0
//
// An operation of the engine that a coroutine waits for: it lives in the coroutine's frame, is
// started when the coroutine suspends and resumes it in the turn of its terminal completion.
#pragma once

#include <coronet/coro/detail/promise.hpp>
#include <coronet/operation.hpp>
#include <coronet/result.hpp>
#include <coronet/unique_fd.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <source_location>

namespace coronet::detail {

class awaited_operation : public operation, public leaf_await {
public:
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    bool await_suspend(std::coroutine_handle<P> frame) noexcept {
        return suspend(frame.promise(), frame);
    }
    [[nodiscard]] std::source_location place() const noexcept override;

protected:
    awaited_operation() noexcept = default;
    awaited_operation(const awaited_operation&) noexcept = default;
    /// Catches a frame that is destroyed under the kernel's hands.
    ~awaited_operation() {
        if (!idle()) [[unlikely]]
            destroyed_in_flight();
    }

    void run() noexcept override {
        branch& here = promise_->in_branch();
        here.clear_leaf();
        here.resume(frame_);
    }

    /// False, and not suspended, if a stop came before.
    bool suspend(promise_base& promise, std::coroutine_handle<> frame) noexcept {
        branch& here = promise.in_branch();
        if (here.stopped()) [[unlikely]]
            return stopped_before();
        promise_ = &promise;
        frame_ = frame;
        promise.suspend_on(*this);
        here.where().start(*this);
        return true;
    }

    [[nodiscard]] scheduler& where() const noexcept { return *owner(); }

    // What await_resume() gives: the kernel's result, turned into a value or an error.
    [[nodiscard]] result<std::size_t> count() const noexcept {
        if (res() < 0) [[unlikely]]
            return error_of_result(res());
        return static_cast<std::size_t>(res());
    }
    [[nodiscard]] result<void> nothing() const noexcept {
        if (res() < 0) [[unlikely]]
            return error_of_result(res());
        return {};
    }
    [[nodiscard]] result<unique_fd> descriptor() const noexcept {
        if (res() < 0) [[unlikely]]
            return error_of_result(res());
        return unique_fd{res()};
    }

private:
    [[noreturn]] void destroyed_in_flight() const noexcept;
    bool stopped_before() noexcept;

    promise_base* promise_ = nullptr;
    std::coroutine_handle<> frame_; // means something from suspend() on
};

} // namespace coronet::detail
