// SPDX-License-Identifier: BSL-1.0
//
// How much of a peer's input is looked at before it is answered with an error. Plain values, set
// before run. Not about time: deadlines are in timeouts.
#pragma once

#include <chrono>
#include <cstdint>

namespace coronet::http {

/// Sizes beyond which a request is refused.
struct limits {
    std::uint32_t head_max =
        32 * 1024; ///< Request line and fields together: 431, or 414 in the request line.
    std::uint32_t target_max = 8 * 1024;      ///< The request target: 414.
    std::uint32_t field_count_max = 100;      ///< Field lines of a head: 431.
    std::uint64_t body_max = 8 * 1024 * 1024; ///< Content, after chunks are taken apart: 413.
    std::uint32_t chunk_extension_max = 256;  ///< Extension bytes of one chunk: 400.
    std::uint32_t trailer_max = 8 * 1024;     ///< Trailer fields together: 431.
    /// Input that is dropped after the last answer.
    std::uint64_t linger_max = 64 * 1024 * 1024;
};

/// How long each wait of a connection may last.
struct timeouts {
    std::chrono::nanoseconds idle =
        std::chrono::seconds{60}; ///< For the first byte of a request; then close.
    std::chrono::nanoseconds head =
        std::chrono::seconds{10}; ///< From the first byte to the whole head; then 408.
    std::chrono::nanoseconds body =
        std::chrono::seconds{30}; ///< Without a byte of the body; then 408.
    std::chrono::nanoseconds write =
        std::chrono::seconds{30}; ///< Without the peer taking a byte; then close.
    std::chrono::nanoseconds linger =
        std::chrono::seconds{2}; ///< For a peer to close after an error answer.
};

} // namespace coronet::http
