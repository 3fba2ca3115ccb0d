// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/detail/group.hpp>
#include <coronet/coro/detail/promise.hpp>

#include <utility>

namespace coronet::detail {

void group::open(promise_base& waiting, std::coroutine_handle<> handle) noexcept {
    waiting_ = &waiting;
    handle_ = handle;
    home_ = &waiting.in_branch().where();
    if (waiting.in_branch().stopped()) cancel();
    waiting.suspend_on(*this);
}

void group::add(branch& started) noexcept {
    hold();
    branches_.push_back(started);
    if (stopped_) started.request_stop();
}

void group::branch_ended(branch& ended) noexcept {
    branches_.erase(ended);
    on_ended(ended);
    release();
}

void group::cancel() noexcept {
    if (stopped_) return;
    require_home();
    stopped_ = true;
    on_cancel();
    for (branch* each = branches_.front(); each; each = branches_.after(*each))
        each->request_stop();
}

void group::run() noexcept {
    branch& waiting = waiting_->in_branch();
    waiting.clear_leaf();
    waiting.resume(std::exchange(handle_, nullptr));
}

std::source_location group::place() const noexcept {
    return waiting_ ? waiting_->place() : std::source_location{};
}

} // namespace coronet::detail
