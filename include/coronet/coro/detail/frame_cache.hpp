// SPDX-License-Identifier: BSL-1.0
//
// Memory of coroutine frames, kept for reuse by the thread that allocated it: a connection in its
// steady state allocates nothing. A frame that ends on another thread goes home through a mailbox
// of its cache, and is found there when the cache has none left of its size. The cache of a thread
// that has ended stays until its last frame is back.
#pragma once

#include <cstddef>

namespace coronet::detail {

/// Throws std::bad_alloc. Aligned for every type that is not over-aligned.
[[nodiscard]] void* allocate_frame(std::size_t size);
/// Any thread.
void free_frame(void* frame) noexcept;

} // namespace coronet::detail
