// SPDX-License-Identifier: BSL-1.0
//
// The Date field's value, made once a second on each thread. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace coronet::http {

/// The time now as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7), 29 characters.
///
/// Lifetime: until the next call on this thread.
inline constexpr std::size_t date_size = 29;

/// Of the wall clock: the date changes when it does.
[[nodiscard]] std::int64_t second_now() noexcept;
[[nodiscard]] std::string_view date_now() noexcept;

} // namespace coronet::http
