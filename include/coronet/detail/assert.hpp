// SPDX-License-Identifier: BSL-1.0
//
// CORONET_ASSERT is for bugs of this library and of its callers: it is always on, prints where and
// what, and aborts. What a peer, a file, a signal or the kernel can cause is an error, never an
// assertion.
#pragma once

#include <source_location>

namespace coronet::detail {

/// Prints `what` with its place to stderr and aborts.
[[noreturn]] void
die(const char* what, std::source_location where = std::source_location::current()) noexcept;

} // namespace coronet::detail

#define CORONET_ASSERT(condition)                                                                  \
    (static_cast<bool>(condition) ? static_cast<void>(0)                                           \
                                  : ::coronet::detail::die("assertion failed: " #condition))
