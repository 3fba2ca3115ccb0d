// SPDX-License-Identifier: BSL-1.0
//
// A sanitizer brings an allocator of its own and calls a hook. Elsewhere the functions of the C
// library are replaced in this executable by ones that count and then call the original.
#include "allocation_count.hpp"

#include <atomic>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CORONET_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CORONET_SANITIZED 1
#endif

namespace {
constinit std::atomic<std::size_t> allocations{0};
void count() noexcept {
    allocations.fetch_add(1, std::memory_order_relaxed);
}
} // namespace

std::size_t coronet::test::allocation_count() noexcept {
    return allocations.load(std::memory_order_relaxed);
}

#ifdef CORONET_SANITIZED

// As sanitizer/allocator_interface.h has it, which g++ 12 does not bring.
extern "C" int __sanitizer_install_malloc_and_free_hooks(
    void (*on_malloc)(const volatile void*, std::size_t), void (*on_free)(const volatile void*)
);

namespace {
void on_malloc(const volatile void*, std::size_t) {
    count();
}
void on_free(const volatile void*) {}
[[maybe_unused]] const int installed =
    __sanitizer_install_malloc_and_free_hooks(&on_malloc, &on_free);
} // namespace

#else

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t number, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
    count();
    return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
    count();
    return __libc_calloc(number, size);
}
void* realloc(void* memory, std::size_t size) {
    count();
    return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
    count();
    return __libc_memalign(alignment, size);
}
}

#endif
