// SPDX-License-Identifier: BSL-1.0
//
// Signals as something to await. They are blocked in the thread that makes the set (and in threads
// that it starts afterwards), so make it before there are others: a signal goes to any thread that
// does not block it.
#pragma once

#include <coronet/coro/task.hpp>
#include <coronet/result.hpp>
#include <coronet/unique_fd.hpp>

#include <initializer_list>

#include <signal.h>

namespace coronet {

class signal_set {
public:
    /// Blocks `signals` in this thread. Throws std::system_error.
    signal_set(std::initializer_list<int> signals);
    /// Unblocks those that were not blocked before, in this thread.
    ~signal_set();
    signal_set(const signal_set&) = delete;
    signal_set& operator=(const signal_set&) = delete;

    /// Waits for the next of the signals to be pending, and takes it. Where the scheduler has a
    /// submission thread, only signals to the process end the wait (kill(2), a terminal), not those
    /// to this thread alone (pthread_kill(3), raise(3), SIGEV_THREAD_ID): that thread does the
    /// looking, and a signalfd shows each thread its own.
    ///
    /// Result: its number.
    /// Errors: std::errc::operation_canceled, when it ended early.
    /// Cancel: total: a signal that was not taken stays pending.
    /// Lifetime: the set outlives the await.
    /// Thread: owner.
    /// Kernel: IORING_OP_POLL_ADD on a signalfd(2).
    [[nodiscard]] task<result<int>> wait() const;

private:
    sigset_t added_{};
    unique_fd fd_;
};

} // namespace coronet
