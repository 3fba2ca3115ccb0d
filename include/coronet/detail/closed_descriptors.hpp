// SPDX-License-Identifier: BSL-1.0
//
// A descriptor's number means another file once it has been closed and opened again. Who remembers
// something of a number asks here whether it may have been closed since: counted for all numbers
// with the same low bits, in the whole process. What the C library closes is not seen.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace coronet::detail {

class closed_descriptors {
public:
    /// After close(2): the number can mean another file, and may have done so for a moment.
    static void note(int fd) noexcept {
        slot_of(fd).fetch_add(1, std::memory_order_relaxed);
        if (const auto tell = told_.load(std::memory_order_relaxed)) [[unlikely]]
            tell();
    }
    [[nodiscard]] static std::uint32_t count(int fd) noexcept {
        return slot_of(fd).load(std::memory_order_relaxed);
    }
    /// From now on `tell` is called after each closing, by the thread that closed; null: nobody is.
    /// It may be missed for as long as threads learn of it, so do not wait for it alone.
    static void tell_of_each(void (*tell)() noexcept) noexcept {
        told_.store(tell, std::memory_order_relaxed);
    }

private:
    static inline std::atomic<void (*)() noexcept> told_{nullptr};
    static constexpr std::size_t slots = 1024;
    static std::atomic<std::uint32_t>& slot_of(int fd) noexcept {
        static std::array<std::atomic<std::uint32_t>, slots> counts{};
        return counts[static_cast<std::size_t>(fd) % slots];
    }
};

} // namespace coronet::detail
