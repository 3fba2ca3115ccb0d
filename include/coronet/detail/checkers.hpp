// SPDX-License-Identifier: BSL-1.0
//
// The kernel reads and writes memory that checkers believe to be ours. These calls tell them:
// ThreadSanitizer that a submission happens before its completion, AddressSanitizer that a receive
// buffer is the kernel's until then, and memcheck (in builds with CORONET_VALGRIND) which bytes the
// kernel has written. They are empty in plain builds.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif
#ifdef CORONET_VALGRIND
#include <valgrind/memcheck.h>
#endif

namespace coronet::detail {

#ifdef __SANITIZE_THREAD__
inline void happens_before(void* object) noexcept {
    __tsan_release(object);
}
inline void happens_after(void* object) noexcept {
    __tsan_acquire(object);
}
#else
inline void happens_before(void*) noexcept {}
inline void happens_after(void*) noexcept {}
#endif

#ifdef __SANITIZE_ADDRESS__
// Only whole 8-byte granules: the edges may share a granule with a neighbour that is still ours.
struct whole_granules {
    whole_granules(const void* data, std::size_t size) noexcept
        : begin((reinterpret_cast<std::uintptr_t>(data) + 7) & ~std::uintptr_t{7}),
          end((reinterpret_cast<std::uintptr_t>(data) + size) & ~std::uintptr_t{7}) {}
    [[nodiscard]] void* data() const noexcept { return reinterpret_cast<void*>(begin); }
    [[nodiscard]] std::size_t size() const noexcept { return end > begin ? end - begin : 0; }
    std::uintptr_t begin, end;
};
inline void lend_to_kernel(const void* data, std::size_t size) noexcept {
    const whole_granules lent{data, size};
    __asan_poison_memory_region(lent.data(), lent.size());
}
inline void unpoison(const void* data, std::size_t size) noexcept {
    const whole_granules lent{data, size};
    __asan_unpoison_memory_region(lent.data(), lent.size());
}
/// For memory that a cache keeps for later.
inline void forbid(void* data, std::size_t size) noexcept {
    __asan_poison_memory_region(data, size);
}
inline void allow(void* data, std::size_t size) noexcept {
    __asan_unpoison_memory_region(data, size);
}
#else
inline void lend_to_kernel(const void*, std::size_t) noexcept {}
inline void unpoison(const void*, std::size_t) noexcept {}
inline void forbid(void*, std::size_t) noexcept {}
inline void allow(void*, std::size_t) noexcept {}
#endif

/// Undoes lend_to_kernel(), which is called at submission: until here, reading or writing the
/// buffer is reported. `res` is the completion's: the bytes at the buffer's front that are defined.
inline void take_from_kernel(const void* data, std::size_t size, std::int32_t res) noexcept {
    unpoison(data, size);
#ifdef CORONET_VALGRIND
    if (res > 0) VALGRIND_MAKE_MEM_DEFINED(data, static_cast<std::size_t>(res));
#endif
    static_cast<void>(res);
}

} // namespace coronet::detail
