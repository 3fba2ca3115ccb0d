// SPDX-License-Identifier: BSL-1.0
//
// The signal that interrupts a worker's blocking call. Its handler does nothing, but that there is
// one, without SA_RESTART, makes the call end with EINTR. Threads of the program that do not know
// of it are never sent it; workers block it, but where they may be interrupted.
#pragma once

#include <signal.h>
#include <sys/types.h>

namespace coronet::notify_signal {

/// Installs the handler, once in the process. `wanted` 0: SIGRTMAX - 2.
///
/// Result: the signal's number. Throws std::system_error if somebody else handles it.
[[nodiscard]] int install(int wanted);

void send(int signal, pid_t thread) noexcept;

/// For this thread.
void set_blocked(int signal, bool blocked) noexcept;
[[nodiscard]] bool is_blocked(int signal) noexcept;
/// What has come and was blocked is gone.
void consume(int signal) noexcept;
/// This thread's mask, and the same without the signal: for ppoll(2).
[[nodiscard]] sigset_t mask_without(int signal) noexcept;

} // namespace coronet::notify_signal
