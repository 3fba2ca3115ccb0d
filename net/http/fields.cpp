// SPDX-License-Identifier: BSL-1.0
//
// Field lines of an accepted head: every line has a colon and ends in CR LF, so finding them again
// needs no checks. Any thread.
#include "characters.hpp"

#include <coronet/net/http/fields.hpp>

namespace coronet::http {

void fields::iterator::take_line() noexcept {
    ended_ = rest_.empty();
    if (ended_) return;
    const std::size_t line_end = rest_.find('\r');
    const std::string_view line = rest_.substr(0, line_end);
    const std::size_t colon = line.find(':');
    current_ = {line.substr(0, colon), trimmed(line.substr(colon + 1))};
    rest_.remove_prefix(line_end + 2);
}

namespace {

bool same_name(std::string_view one, std::string_view other) noexcept {
    if (one.size() != other.size()) return false;
    for (std::size_t i = 0; i < one.size(); ++i)
        if (lower(one[i]) != lower(other[i])) return false;
    return true;
}

} // namespace

std::optional<std::string_view> fields::find(std::string_view name) const noexcept {
    for (const field& each : *this)
        if (same_name(each.name, name)) return each.value;
    return std::nullopt;
}

} // namespace coronet::http
