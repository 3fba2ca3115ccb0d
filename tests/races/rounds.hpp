// SPDX-License-Identifier: BSL-1.0
//
// How often a race is run.
#pragma once

#include <cstdlib>
#include <string_view>

namespace coronet::test {

/// `usual`, or `many` with CORONET_LONG=1 in the environment.
inline int rounds(int usual, int many) {
    const char* wanted = std::getenv("CORONET_LONG");
    return wanted && std::string_view(wanted) == "1" ? many : usual;
}

} // namespace coronet::test
