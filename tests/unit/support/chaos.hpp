// SPDX-License-Identifier: BSL-1.0
//
// While it lives, each thread that reaches a hook goes on at once, yields, or pauses for 10 to
// 500 us, as a seed says. The seed is printed when a test fails; CORONET_SEED=N repeats it (as far
// as the kernel's own scheduling lets it). Without hooks it does nothing.
#pragma once

#include <coronet/detail/hooks.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <thread>

namespace coronet::test {

class chaos {
public:
    chaos() : chaos(chosen_seed()) {}
    explicit chaos(std::uint64_t seed) : seed_(seed) {
#ifdef CORONET_HOOKS
        current_seed.store(seed);
        ++generation;
        detail::hook.store(&disturb, std::memory_order_release);
#endif
    }
    ~chaos() {
#ifdef CORONET_HOOKS
        detail::hook.store(nullptr, std::memory_order_release);
#endif
        if (::testing::Test::HasFailure()) std::cerr << "CORONET_SEED=" << seed_ << '\n';
    }
    chaos(const chaos&) = delete;
    chaos& operator=(const chaos&) = delete;

    [[nodiscard]] std::uint64_t seed() const noexcept {
        return seed_;
    }

private:
    static std::uint64_t chosen_seed() {
        if (const char* given = std::getenv("CORONET_SEED"))
            return std::strtoull(given, nullptr, 0);
        return std::random_device{}();
    }
#ifdef CORONET_HOOKS
    static inline std::atomic<std::uint64_t> current_seed{0};
    static inline std::atomic<unsigned> generation{0};
    static inline std::atomic<unsigned> thread_count{0};

    static void disturb(detail::hook_point, const void*) {
        thread_local unsigned seeded_for = 0;
        thread_local std::minstd_rand random;
        const unsigned now = generation.load(std::memory_order_relaxed);
        if (seeded_for != now) {
            seeded_for = now;
            random.seed(
                static_cast<unsigned>(current_seed.load(std::memory_order_relaxed)) +
                thread_count.fetch_add(1, std::memory_order_relaxed)
            );
        }
        const auto drawn = random() % 64;
        if (drawn < 12)
            std::this_thread::yield();
        else if (drawn == 12)
            std::this_thread::sleep_for(std::chrono::microseconds{10 + random() % 490});
    }
#endif
    std::uint64_t seed_;
};

} // namespace coronet::test
