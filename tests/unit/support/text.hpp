// SPDX-License-Identifier: BSL-1.0
//
// Bytes as text, so that a failing test prints what it got.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace coronet::test {

inline std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span{text.data(), text.size()});
}

inline std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

} // namespace coronet::test
