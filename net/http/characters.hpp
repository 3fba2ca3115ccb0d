// SPDX-License-Identifier: BSL-1.0
//
// The character classes of RFC 9110 and RFC 3986 as one table of bits, and the few helpers on
// strings that a parser of protocol text needs. ASCII only, no locale. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace coronet::http {

enum character_class : std::uint8_t {
    token_character = 1,  ///< RFC 9110, 5.6.2: tchar.
    value_character = 2,  ///< RFC 9110, 5.5: field-vchar, SP and HTAB.
    target_character = 4, ///< RFC 3986: pchar, `/` and `?`, with `%` still to be looked at.
    host_character = 8,   ///< RFC 3986: reg-name, with `%` still to be looked at.
    digit_character = 16,
    hex_character = 32,
    plain_host_character = 64, ///< A host_character other than `%`.
};

namespace detail {

constexpr bool is_alphanumeric(unsigned c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

constexpr bool is_one_of(unsigned c, std::string_view set) {
    for (const char each : set)
        if (c == static_cast<unsigned char>(each)) return true;
    return false;
}

constexpr std::uint8_t classes_of(unsigned c) {
    const bool host = is_alphanumeric(c) || is_one_of(c, "-._~!$&'()*+,;=%");
    unsigned classes = 0;
    if (is_alphanumeric(c) || is_one_of(c, "!#$%&'*+-.^_`|~")) classes |= token_character;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) classes |= value_character;
    if (host || is_one_of(c, ":@/?")) classes |= target_character;
    if (host) classes |= host_character;
    if (host && c != '%') classes |= plain_host_character;
    if (c >= '0' && c <= '9') classes |= digit_character;
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
        classes |= hex_character;
    return static_cast<std::uint8_t>(classes);
}

constexpr std::array<std::uint8_t, 256> make_character_table() {
    std::array<std::uint8_t, 256> table{};
    for (unsigned c = 0; c < table.size(); ++c)
        table[c] = classes_of(c);
    return table;
}

inline constexpr auto character_table = make_character_table();

} // namespace detail

constexpr bool is(char c, character_class wanted) noexcept {
    return (detail::character_table[static_cast<unsigned char>(c)] & wanted) != 0;
}

/// How many bytes at the start of `text` are of the class.
constexpr std::size_t prefix_of(std::string_view text, character_class wanted) noexcept {
    std::size_t n = 0;
    while (n < text.size() && is(text[n], wanted))
        ++n;
    return n;
}

constexpr bool is_token(std::string_view text) noexcept {
    return !text.empty() && prefix_of(text, token_character) == text.size();
}

constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

/// Compares without regard to case; `lowered` is in lower case already.
constexpr bool equals_ignoring_case(std::string_view text, std::string_view lowered) noexcept {
    if (text.size() != lowered.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (lower(text[i]) != lowered[i]) return false;
    return true;
}

constexpr bool is_space_or_tab(char c) noexcept {
    return c == ' ' || c == '\t';
}

/// Without the white space at both ends.
constexpr std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && is_space_or_tab(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_space_or_tab(text.back()))
        text.remove_suffix(1);
    return text;
}

/// Takes the next element of a comma-separated list off `list`, without white space around it.
constexpr std::string_view take_element(std::string_view& list) noexcept {
    const std::size_t comma = list.find(',');
    const std::string_view element = list.substr(0, comma);
    list.remove_prefix(comma == list.npos ? list.size() : comma + 1);
    return trimmed(element);
}

} // namespace coronet::http
