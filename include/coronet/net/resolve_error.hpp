// SPDX-License-Identifier: BSL-1.0
//
// Why a name has no address, in words of our own: getaddrinfo(3) has numbers that are no errno.
#pragma once

#include <system_error>
#include <type_traits>

namespace coronet {

enum class resolve_errc {
    host_not_found = 1, ///< there is no such name, or it has no address of the wanted kind
    try_again,          ///< no name server has answered; one may later
    refused,            ///< a name server has answered that it will not or cannot tell
};

/// The category of resolve_errc; its name is "coronet.resolve".
[[nodiscard]] const std::error_category& resolve_category() noexcept;

[[nodiscard]] std::error_code make_error_code(resolve_errc reason) noexcept;

} // namespace coronet

template <>
struct std::is_error_code_enum<coronet::resolve_errc> : std::true_type {};
