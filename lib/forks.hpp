// SPDX-License-Identifier: BSL-1.0
//
// Whether this process is a child of the one that made a scheduler. There its rings are the
// parent's and its threads do not exist: nothing of it may be touched. Asked for each operation, so
// it costs a load.
#pragma once

#include <atomic>

namespace coronet::forks {

/// From now on forks are counted.
void watch() noexcept;

extern std::atomic<unsigned> counted;

/// Forks between the first watch() in any ancestor and here.
[[nodiscard]] inline unsigned count() noexcept {
    return counted.load(std::memory_order_relaxed);
}

} // namespace coronet::forks
