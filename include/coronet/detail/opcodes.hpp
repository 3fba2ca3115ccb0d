// SPDX-License-Identifier: BSL-1.0
//
// Opcodes and flags of io_uring that are younger than the oldest liburing that this builds with.
#pragma once

#include <cstdint>

namespace coronet::detail {

inline constexpr std::uint8_t op_ftruncate = 55; // IORING_OP_FTRUNCATE

inline constexpr std::uint16_t report_zero_copy_usage = 1U << 3; // IORING_SEND_ZC_REPORT_USAGE, 6.2
inline constexpr std::uint16_t receive_bundle = 1U << 4;         // IORING_RECVSEND_BUNDLE, 6.10

} // namespace coronet::detail
