// SPDX-License-Identifier: BSL-1.0
//
// Memory of frames is kept by the thread that allocated it, wherever it is freed.
#include <coronet/coro/detail/frame_cache.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace coronet::detail::frame_cache_tests {
namespace {

TEST(frame_cache, gives_the_same_memory_again) {
    void* first = allocate_frame(200);
    free_frame(first);
    void* second = allocate_frame(200);
    EXPECT_EQ(first, second);
    free_frame(second);
}

TEST(frame_cache, gives_memory_of_another_size_class_to_nobody_else) {
    void* small = allocate_frame(40);
    free_frame(small);
    void* larger = allocate_frame(400);
    EXPECT_NE(small, larger);
    std::memset(larger, 1, 400);
    free_frame(larger);
}

TEST(frame_cache, aligns_frames_as_operator_new_does) {
    for (std::size_t size = 1; size < 6'000; size += 97) {
        void* frame = allocate_frame(size);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(frame) % __STDCPP_DEFAULT_NEW_ALIGNMENT__, 0u);
        std::memset(frame, 1, size);
        free_frame(frame);
    }
}

TEST(frame_cache, gets_frames_back_that_another_thread_freed) {
    void* frame = allocate_frame(300);
    std::thread{[frame] { free_frame(frame); }}.join();
    void* again = allocate_frame(300);
    EXPECT_EQ(again, frame);
    free_frame(again);
}

TEST(frame_cache, lets_frames_outlive_the_thread_that_made_them) {
    std::array<void*, 3> frames{};
    std::thread{[&frames] {
        for (auto& each : frames)
            each = allocate_frame(100);
        free_frame(allocate_frame(100)); // one that is at home when the thread ends
    }}.join();
    for (void* each : frames) {
        std::memset(each, 1, 100);
        free_frame(each);
    }
}

// Property: no frame is given to two threads at once. Each writes its mark and finds it unchanged.
TEST(frame_cache, serves_threads_that_free_each_others_frames) {
    constexpr int thread_count = 4;
    constexpr int rounds = 20'000;
    std::array<std::atomic<int*>, 64> shelf{};
    const auto swap_frames = [&shelf](unsigned seed) {
        std::minstd_rand random{seed};
        for (int round = 0; round < rounds; ++round) {
            auto* frame = static_cast<int*>(allocate_frame(64 * (1 + random() % 3)));
            *frame = static_cast<int>(seed);
            int* other = shelf[random() % shelf.size()].exchange(frame);
            if (!other) continue;
            ASSERT_GT(*other, 0);
            *other = 0;
            free_frame(other);
        }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 1; i <= thread_count; ++i)
        threads.emplace_back(swap_frames, i);
    for (auto& each : threads)
        each.join();
    for (auto& each : shelf)
        if (int* left = each.exchange(nullptr)) free_frame(left);
}

} // namespace
} // namespace coronet::detail::frame_cache_tests
