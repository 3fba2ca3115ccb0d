// SPDX-License-Identifier: BSL-1.0
//
// Counts what this process takes from the heap, by malloc and all that is built on it (operator
// new, the frame cache). Any thread.
#pragma once

#include <cstddef>

namespace coronet::test {

/// Allocations since the process began.
[[nodiscard]] std::size_t allocation_count() noexcept;

} // namespace coronet::test
