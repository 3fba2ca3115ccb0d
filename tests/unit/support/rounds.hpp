// SPDX-License-Identifier: BSL-1.0
//
// How often a race is run.
#pragma once

#include <chrono>
#include <cstdlib>
#include <string_view>

namespace coronet::test {

/// `usual`, or `many` with CORONET_LONG=1 in the environment.
inline int rounds(int usual, int many) {
    const char* wanted = std::getenv("CORONET_LONG");
    return wanted && std::string_view(wanted) == "1" ? many : usual;
}

/// For all of them together, on a machine where every wake-up may have to wait.
inline std::chrono::seconds longest_test() {
    return std::chrono::seconds{rounds(240, 7200)};
}

} // namespace coronet::test
