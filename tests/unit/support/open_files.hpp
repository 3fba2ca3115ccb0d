// SPDX-License-Identifier: BSL-1.0
//
// How many descriptors this process has: counted before and after, to find the one that leaked.
#pragma once

#include <cstddef>
#include <filesystem>
#include <iterator>

namespace coronet::test {

inline std::size_t open_file_count() {
    const std::filesystem::directory_iterator open{"/proc/self/fd"};
    return static_cast<std::size_t>(std::distance(begin(open), end(open)));
}

} // namespace coronet::test
