// SPDX-License-Identifier: BSL-1.0
//
// A name for a thread that is never given to another one. (A std::thread::id is, once its thread
// has ended.)
#pragma once

#include <atomic>
#include <cstdint>

namespace coronet {

using thread_number = std::uint64_t; // 0: of no thread

inline thread_number this_thread_number() noexcept {
    static constinit std::atomic<thread_number> last{0};
    thread_local const thread_number own = last.fetch_add(1, std::memory_order_relaxed) + 1;
    return own;
}

} // namespace coronet
