// SPDX-License-Identifier: BSL-1.0
//
// The engine's own few log calls, in front of spdlog's default logger. Never used per operation.
#pragma once

#include <string_view>

namespace coronet::log {

void debug(std::string_view message) noexcept;
void info(std::string_view message) noexcept;
void warn(std::string_view message) noexcept;

} // namespace coronet::log
