// SPDX-License-Identifier: BSL-1.0
//
// The small grammars inside a request head. Any thread.
#include "request_syntax.hpp"

#include <limits>

namespace coronet::http {

bool is_http_version(std::string_view text) noexcept {
    return text.size() == 8 && text.substr(0, 5) == "HTTP/" && is(text[5], digit_character) &&
           text[6] == '.' && is(text[7], digit_character);
}

bool parse_decimal(std::string_view text, std::uint64_t& value) noexcept {
    constexpr auto value_max = std::numeric_limits<std::uint64_t>::max();
    if (text.empty()) return false;
    value = 0;
    for (const char c : text) {
        if (!is(c, digit_character)) return false;
        const auto digit = static_cast<std::uint64_t>(c - '0');
        if (value > (value_max - digit) / 10) return false;
        value = value * 10 + digit;
    }
    return true;
}

bool is_encoded(std::string_view text, character_class wanted) noexcept {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!is(text[i], wanted)) return false;
        if (text[i] != '%') continue;
        if (text.size() - i < 3 || !is(text[i + 1], hex_character) ||
            !is(text[i + 2], hex_character))
            return false;
        i += 2;
    }
    return true;
}

namespace {

// RFC 3986, 3.2.2: the addresses inside brackets. Whether it is a good address is not asked.
bool is_ip_literal(std::string_view text) noexcept {
    if (text.size() < 4 || text.front() != '[' || text.back() != ']') return false;
    for (const char c : text.substr(1, text.size() - 2))
        if (!is(c, hex_character) && c != ':' && c != '.') return false;
    return true;
}

} // namespace

bool is_host_and_port(std::string_view text) noexcept {
    // Most hosts are a plain name: one look is enough.
    const std::size_t plain = prefix_of(text, plain_host_character);
    if (plain == text.size()) return true;
    const std::size_t bracket = text.rfind(']');
    const std::size_t host_min = bracket == text.npos ? 0 : bracket;
    const std::size_t colon = text.find(':', host_min);
    const std::string_view host = text.substr(0, colon);
    if (colon != text.npos) {
        const std::string_view port = text.substr(colon + 1);
        if (prefix_of(port, digit_character) != port.size()) return false;
    }
    return bracket == text.npos ? is_encoded(host, host_character) : is_ip_literal(host);
}

} // namespace coronet::http
