// SPDX-License-Identifier: BSL-1.0
//
// A short while that no scheduler rounds up: it shifts two threads against each other, so that the
// rounds of a race test meet at different places. Nothing is synchronised by it.
#pragma once

#include <atomic>

namespace coronet::test {

inline void spin(int turns) {
    for (std::atomic<int> turn{0}; turn.fetch_add(1, std::memory_order_relaxed) < turns;) {
    }
}

} // namespace coronet::test
