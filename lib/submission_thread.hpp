// SPDX-License-Identifier: BSL-1.0
//
// Which kernel thread submits for a ring. Attaching a ring to another's thread may quietly make it
// a thread of its own (in a forked child, say), so whoever wants to know has to look.
#pragma once

#include <optional>

namespace coronet {

/// The id of the thread, once it runs; nothing where /proc does not tell, or when it has died.
/// Waits for a thread that has only just been created. Any thread.
[[nodiscard]] std::optional<int> submission_thread_of(int ring_fd);

} // namespace coronet
