// SPDX-License-Identifier: BSL-1.0
//
// How much stack lies between the shallowest and the deepest look(): what coroutines that hand over
// to each other must not add to, in any build.
#pragma once

#include <algorithm>
#include <cstdint>

namespace coronet::test {

struct stack_extent {
    [[gnu::noinline]] void look() {
        const char here = 0;
        const auto at = reinterpret_cast<std::uintptr_t>(&here);
        low = std::min(low, at);
        high = std::max(high, at);
    }
    [[nodiscard]] std::uintptr_t size() const { return high - low; }
    std::uintptr_t low = UINTPTR_MAX;
    std::uintptr_t high = 0;
};
constexpr std::uintptr_t few_frames = 8192;

} // namespace coronet::test
