// SPDX-License-Identifier: BSL-1.0
//
// For code that runs on a worker of a pool. A cancelled item's stop token is stopped; that ends no
// system call. In interruptible() one that blocks is interrupted; interruptible_wait() waits for a
// descriptor and ends when it is cancelled; a blocking_scope tells an account of computing items
// that this one does not compute now. Elsewhere than on a worker they do nothing special.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/result.hpp>

#include <functional>
#include <utility>

namespace coronet {

namespace detail {
class worker_thread;

class interruptible_region {
public:
    interruptible_region() noexcept;
    ~interruptible_region();
    interruptible_region(const interruptible_region&) = delete;
    interruptible_region& operator=(const interruptible_region&) = delete;

private:
    worker_thread* worker_; // null: nothing to undo
};

} // namespace detail

/// Calls `function(arguments...)`. If this item is cancelled, or has been, blocking system calls in
/// it end with EINTR, again and again until it returns: whoever gets EINTR looks at the stop token.
template <class Function, class... Arguments>
decltype(auto) interruptible(Function&& function, Arguments&&... arguments) {
    const detail::interruptible_region here;
    return std::invoke(std::forward<Function>(function), std::forward<Arguments>(arguments)...);
}

/// Waits until `fd` is ready for one of `events` (POLLIN, ...), as poll(2) does.
///
/// Result: the events that have come.
/// Errors: std::errc::timed_out after `limit`; those of poll(2).
/// Cancel: total; operation_canceled also if the item was cancelled before.
result<short> interruptible_wait(int fd, short events, duration limit = duration::max()) noexcept;

/// While it lives, this worker of the bounded account blocks: another one may be made in its place.
class blocking_scope {
public:
    blocking_scope() noexcept;
    ~blocking_scope();
    blocking_scope(const blocking_scope&) = delete;
    blocking_scope& operator=(const blocking_scope&) = delete;

private:
    detail::worker_thread* worker_;
};

} // namespace coronet
