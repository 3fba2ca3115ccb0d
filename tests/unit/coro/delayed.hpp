// SPDX-License-Identifier: BSL-1.0
//
// Tasks that take their time, and throw operation_canceled when a stop shortens it.
#pragma once

#include <coronet/coro/sleep.hpp>
#include <coronet/coro/task.hpp>

namespace coronet::test {

inline task<int> value_after(duration delay, int value) {
    const auto slept = co_await sleep_for(delay);
    slept.value();
    co_return value;
}
inline task<void> nothing_after(duration delay) {
    const auto slept = co_await sleep_for(delay);
    slept.value();
}

} // namespace coronet::test
