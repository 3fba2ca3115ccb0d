// SPDX-License-Identifier: BSL-1.0
//
// The end of a forked child that went on in its parent's loop. The frames below it are the
// parent's: they can neither go on here nor be destroyed, as requests of the parent's work on them.
#pragma once

namespace coronet::detail {

/// Prints `why` to stderr and ends the process with status 70; nothing is destroyed or flushed. Not
/// by the log: a thread that does not exist here may hold its lock.
[[noreturn]] void end_forked_child(const char* why) noexcept;

} // namespace coronet::detail
