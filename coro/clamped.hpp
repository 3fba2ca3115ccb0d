// SPDX-License-Identifier: BSL-1.0
//
// How much one entry can ask for: the kernel takes no more bytes at once (read(2), MAX_RW_COUNT),
// and the entry's field is 32 bits wide.
#pragma once

#include <algorithm>
#include <cstddef>

namespace coronet::detail {

inline constexpr std::size_t transfer_max = 0x7ffff000;

inline unsigned clamped(std::size_t size) noexcept {
    return static_cast<unsigned>(std::min(size, transfer_max));
}

} // namespace coronet::detail
