// SPDX-License-Identifier: BSL-1.0
//
// One body, by length or in chunks. Owner thread.
#include <coronet/net/http/body_reader.hpp>

#include <algorithm>

namespace coronet::http {

body_reader::step body_reader::next(std::string_view input) noexcept {
    if (complete_) return {outcome::complete, 0, {}};
    if (chunked_) {
        const step taken = chunks_.next(input);
        complete_ = taken.outcome == outcome::complete;
        return taken;
    }
    if (input.empty()) return {outcome::incomplete, 0, {}};
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
    left_ -= size;
    complete_ = left_ == 0;
    return {outcome::data, size, input.substr(0, size)};
}

} // namespace coronet::http
