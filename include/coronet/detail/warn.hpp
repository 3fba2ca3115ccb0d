// SPDX-License-Identifier: BSL-1.0
//
// The engine's log for the storeys above it. Never used per operation.
#pragma once

#include <string_view>

namespace coronet::detail {

void warn(std::string_view message) noexcept;

} // namespace coronet::detail
