// SPDX-License-Identifier: BSL-1.0
#include "forks.hpp"

#include <atomic>

#include <pthread.h>

namespace coronet::forks {

namespace {
std::atomic<unsigned> count_of_forks{0};

void in_the_child() noexcept {
    count_of_forks.fetch_add(1, std::memory_order_relaxed);
}
} // namespace

unsigned count() noexcept {
    static const int watching = ::pthread_atfork(nullptr, nullptr, &in_the_child);
    static_cast<void>(watching); // it fails for want of memory only; then children are on their own
    return count_of_forks.load(std::memory_order_relaxed);
}

} // namespace coronet::forks
