// SPDX-License-Identifier: BSL-1.0
//
// Which kernel thread submits for a ring. Attaching a ring to another's thread may quietly make it
// a thread of its own (in a forked child, say), so whoever wants to know has to look.
#pragma once

namespace coronet {

/// Whether one thread submits for both; no where /proc does not tell, or when it has died. Waits
/// for threads that have only just been created. Any thread.
[[nodiscard]] bool share_submission_thread(int ring_fd, int other_ring_fd);

} // namespace coronet
