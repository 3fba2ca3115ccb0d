// SPDX-License-Identifier: BSL-1.0
#include "log.hpp"

#include <coronet/detail/warn.hpp>

#include <spdlog/spdlog.h>

namespace coronet::log {

void debug(std::string_view message) noexcept {
    spdlog::debug("coronet: {}", message);
}
void info(std::string_view message) noexcept {
    spdlog::info("coronet: {}", message);
}
void warn(std::string_view message) noexcept {
    spdlog::warn("coronet: {}", message);
}

} // namespace coronet::log

void coronet::detail::warn(std::string_view message) noexcept {
    log::warn(message);
}
