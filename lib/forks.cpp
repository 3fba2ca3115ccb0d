// SPDX-License-Identifier: BSL-1.0
#include "forks.hpp"

#include <coronet/detail/forked_child.hpp>

#include <cstdio>

#include <pthread.h>
#include <unistd.h>

namespace coronet {

namespace forks {

std::atomic<unsigned> counted{0};

namespace {
void in_the_child() noexcept {
    counted.fetch_add(1, std::memory_order_relaxed);
}
} // namespace

void watch() noexcept {
    static const int watching = ::pthread_atfork(nullptr, nullptr, &in_the_child);
    static_cast<void>(watching); // it fails for want of memory only; then children are on their own
}

} // namespace forks

void detail::end_forked_child(const char* why) noexcept {
    constexpr int software_error = 70; // EX_SOFTWARE of sysexits.h
    std::fprintf(stderr, "coronet: %s\n", why);
    ::_exit(software_error); // what the parent has buffered is the parent's to write
}

} // namespace coronet
