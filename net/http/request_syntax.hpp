// SPDX-License-Identifier: BSL-1.0
//
// The small grammars inside a request head: numbers, versions, hosts, percent-encoding. Plain
// functions on text, any thread; the parser says which status a refusal has.
#pragma once

#include "characters.hpp"

#include <cstdint>
#include <string_view>

namespace coronet::http {

/// RFC 9112, 2.3: `HTTP/` DIGIT `.` DIGIT, case-sensitive.
[[nodiscard]] bool is_http_version(std::string_view text) noexcept;

/// 1*DIGIT that fits in 64 bits: no sign, no space, no list.
[[nodiscard]] bool parse_decimal(std::string_view text, std::uint64_t& value) noexcept;

/// All of the class, and every `%` followed by two hex digits.
[[nodiscard]] bool is_encoded(std::string_view text, character_class wanted) noexcept;

/// RFC 9110, 7.2: uri-host [ ":" port ], of which both may be empty. No user information.
[[nodiscard]] bool is_host_and_port(std::string_view text) noexcept;

} // namespace coronet::http
