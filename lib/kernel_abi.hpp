// SPDX-License-Identifier: BSL-1.0
//
// Numbers of the kernel's io_uring interface that liburing 2.3 has no name for
// (include/uapi/linux/io_uring.h). They are ABI and do not change; whether the running kernel knows
// them is found by probing.
#pragma once

#include <cstdint>

namespace coronet::kernel {

inline constexpr unsigned register_enable_rings = 12;     // 5.10
inline constexpr unsigned register_napi = 27;             // 6.9
inline constexpr unsigned register_send_msg_ring = 31;    // 6.13
inline constexpr unsigned enter_abs_timer = 1U << 5;      // 6.12
inline constexpr unsigned enter_no_iowait = 1U << 7;      // 6.15
inline constexpr unsigned feature_min_timeout = 1U << 15; // 6.12, with enter_abs_timer
inline constexpr unsigned feature_no_iowait = 1U << 17;   // 6.15

/// io_uring_getevents_arg, of which `min_wait` (in microseconds) was padding before 6.12.
struct wait_argument {
    std::uint64_t signals;
    std::uint32_t signals_size;
    std::uint32_t min_wait;
    std::uint64_t timeout;
};

/// io_uring_napi. Registering gives back what was there before.
struct napi_registration {
    std::uint32_t busy_poll_time; // in microseconds
    std::uint8_t prefer_busy_poll;
    std::uint8_t reserved[11];
};
static_assert(sizeof(wait_argument) == 24 && sizeof(napi_registration) == 16);

/// io_uring_buf_reg, whose `flags` were padding before 6.4.
struct buffer_registration {
    std::uint64_t address;
    std::uint32_t entries;
    std::uint16_t group;
    std::uint16_t flags;
    std::uint64_t reserved[3];
};
inline constexpr unsigned buffers_incremental = 2; // 6.12, IOU_PBUF_RING_INC

// Restart requests that io_uring may report as a result (include/linux/errno.h).
inline constexpr int erestartsys = 512;
inline constexpr int erestartnointr = 513;
inline constexpr int erestartnohand = 514;
inline constexpr int erestart_restartblock = 516;

} // namespace coronet::kernel
