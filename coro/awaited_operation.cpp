// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/detail/awaited_operation.hpp>

#include <cerrno>

namespace coronet::detail {

awaited_operation::~awaited_operation() {
    if (!idle())
        die("a coroutine was destroyed while this await's operation was in flight", place());
}

std::source_location awaited_operation::place() const noexcept {
    return promise_ ? promise_->place() : std::source_location{};
}

bool awaited_operation::suspend(promise_base& promise, std::coroutine_handle<> frame) noexcept {
    branch& here = promise.in_branch();
    if (here.stopped()) [[unlikely]] {
        set_res(-ECANCELED);
        return false;
    }
    promise_ = &promise;
    frame_ = frame;
    promise.suspend_on(*this);
    here.where().start(*this);
    return true;
}

void awaited_operation::run() noexcept {
    branch& here = promise_->in_branch();
    here.clear_leaf();
    here.resume(frame_);
}

} // namespace coronet::detail
