// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/detail/awaited_operation.hpp>

#include <cerrno>

namespace coronet::detail {

void awaited_operation::destroyed_in_flight() const noexcept {
    die("a coroutine was destroyed while this await's operation was in flight", place());
}

bool awaited_operation::stopped_before() noexcept {
    set_res(-ECANCELED);
    return false;
}

std::source_location awaited_operation::place() const noexcept {
    return promise_ ? promise_->place() : std::source_location{};
}

} // namespace coronet::detail
