// SPDX-License-Identifier: BSL-1.0
//
// Feeds the same bytes to a parser in every way that they can be split, each time from a buffer of
// exactly the right size at a new address: an outcome that depends on the split, a kept pointer and
// a byte read too far all show (the last two under ASan).
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace coronet::http::testing {

/// What has been received after each arrival: growing prefixes of one text.
using arrivals = std::vector<std::size_t>;

/// Everything at once, every two-way split, and one byte at a time.
inline std::vector<arrivals> all_splits(std::size_t size) {
    std::vector<arrivals> splits{{size}};
    for (std::size_t first = 0; first < size; ++first)
        splits.push_back({first, size});
    arrivals bytes;
    for (std::size_t n = 1; n <= size; ++n)
        bytes.push_back(n);
    splits.push_back(bytes);
    return splits;
}

/// A copy in memory of its own, without room behind it.
inline std::vector<char> copy_of(std::string_view text) {
    return {text.begin(), text.end()};
}

inline std::string_view view_of(const std::vector<char>& bytes) {
    return {bytes.data(), bytes.size()};
}

} // namespace coronet::http::testing
