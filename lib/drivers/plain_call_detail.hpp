// SPDX-License-Identifier: BSL-1.0
//
// What the plain calls have in common. They go past glibc: its wrappers are points where a thread
// may be cancelled, and those of sanitizers would look into buffers that are lent to the driver.
#pragma once

#include "plain_call.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include <sys/syscall.h>
#include <unistd.h>

namespace coronet::plain_call {

/// The result, or a negated errno. Also -EINTR: whoever interrupts a worker wants it to look up.
template <class... Arguments>
[[nodiscard]] std::int64_t called(long number, Arguments... arguments) noexcept {
    const std::int64_t rc = ::syscall(number, arguments...);
    return rc >= 0 ? rc : -errno;
}

[[nodiscard]] inline outcome ended(std::int64_t res) noexcept {
    return {verdict::ended, static_cast<std::int32_t>(res)};
}

/// An address that an entry carries as a number.
template <class T>
[[nodiscard]] T* at(std::uint64_t address) noexcept {
    return reinterpret_cast<T*>(address); // NOLINT(performance-no-int-to-ptr): that is the format
}

/// What one call transfers at most: MAX_RW_COUNT.
inline constexpr std::size_t transfer_max = 0x7ffff000;

/// How often one entry is served before the others have their turn.
inline constexpr int budget = 16;

} // namespace coronet::plain_call
