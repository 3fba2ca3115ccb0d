// SPDX-License-Identifier: BSL-1.0
//
// Why a text is not an address. An error_code has room for a number only, so each reason is a
// number of its own here: the message can then tell a user what to type instead. Every one of them
// compares equal to std::errc::invalid_argument, for callers who only want to know that much.
#pragma once

#include <system_error>
#include <type_traits>

namespace coronet {

/// What is wrong with the text of an address.
enum class address_errc {
    malformed = 1,    ///< neither HOST:PORT nor unix:PATH
    host_not_numeric, ///< a name, or digits that are no IPv4 or IPv6 address
    brackets_missing, ///< IPv6 outside of brackets
    scope_unknown,    ///< the part after '%' is neither a number nor an interface of this machine
    port_missing,     ///< no ':' and number after the host
    port_invalid,     ///< not a plain decimal number from 0 to 65535
    path_has_nul,     ///< a file name cannot hold a NUL byte
};

/// The category of address_errc; its name is "coronet.address".
[[nodiscard]] const std::error_category& address_category() noexcept;

[[nodiscard]] std::error_code make_error_code(address_errc reason) noexcept;

} // namespace coronet

template <>
struct std::is_error_code_enum<coronet::address_errc> : std::true_type {};
