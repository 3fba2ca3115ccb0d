// SPDX-License-Identifier: BSL-1.0
//
// Opcodes of io_uring that are younger than the oldest liburing that this builds with.
#pragma once

#include <cstdint>

namespace coronet::detail {

inline constexpr std::uint8_t op_ftruncate = 55; // IORING_OP_FTRUNCATE

} // namespace coronet::detail
