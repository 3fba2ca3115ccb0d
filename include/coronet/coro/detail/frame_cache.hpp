// SPDX-License-Identifier: BSL-1.0
//
// Memory of coroutine frames, kept for reuse by the thread that allocated it: a connection in its
// steady state allocates nothing. A frame that ends on another thread goes home through a mailbox
// of its cache, and is found there when the cache has none left of its size. The cache of a thread
// that has ended stays until its last frame is back.
#pragma once

#include <coronet/detail/checkers.hpp>

#include <array>
#include <cstddef>
#include <utility>

namespace coronet::detail {

struct frame_shelf;

/// In front of each frame. The frame behind it keeps the alignment of operator new.
struct alignas(__STDCPP_DEFAULT_NEW_ALIGNMENT__) frame_block {
    static constexpr std::size_t granule = 64;
    // What malloc adds to each block: with it a block takes whole granules, and no more.
    static constexpr std::size_t heap_overhead = 8;

    frame_shelf* home; // null: not kept by anybody
    std::size_t size_class;

    [[nodiscard]] static constexpr std::size_t class_of(std::size_t size) noexcept {
        return (size + sizeof(frame_block) + heap_overhead + granule - 1) / granule;
    }
    [[nodiscard]] static frame_block* of(void* frame) noexcept {
        return static_cast<frame_block*>(frame) - 1;
    }
    [[nodiscard]] void* frame() noexcept { return this + 1; }
    /// One that is kept links to the next one where its frame was.
    [[nodiscard]] frame_block*& next() noexcept { return *static_cast<frame_block**>(frame()); }
    [[nodiscard]] static constexpr std::size_t size_of(std::size_t size_class) noexcept {
        return size_class * granule - heap_overhead;
    }
    [[nodiscard]] std::size_t room() const noexcept {
        return size_of(size_class) - sizeof(frame_block);
    }
};

/// What a thread keeps, by size.
struct frame_shelf {
    static constexpr std::size_t class_count = 64; // up to 4 KiB; larger ones are not kept

    [[nodiscard]] void* take(std::size_t size_class) noexcept {
        frame_block* const reused = kept[size_class];
        if (!reused) return nullptr;
        allow(reused->frame(), reused->room());
        kept[size_class] = reused->next();
        return reused->frame();
    }
    void keep(frame_block& freed) noexcept {
        freed.next() = std::exchange(kept[freed.size_class], &freed);
        forbid(freed.frame(), freed.room());
    }

    std::array<frame_block*, class_count + 1> kept{};
};

// Trivial, so that reaching it costs no guard; null before the first frame of a thread and after
// its last.
extern constinit thread_local frame_shelf* this_thread_shelf;

[[nodiscard]] void* allocate_fresh_frame(std::size_t size);
void free_frame_elsewhere(frame_block& freed) noexcept;

/// Throws std::bad_alloc. Aligned for every type that is not over-aligned.
[[nodiscard]] inline void* allocate_frame(std::size_t size) {
    const std::size_t size_class = frame_block::class_of(size);
    frame_shelf* const here = this_thread_shelf;
    if (size_class <= frame_shelf::class_count && here) [[likely]]
        if (void* const reused = here->take(size_class)) return reused;
    return allocate_fresh_frame(size);
}

/// Any thread.
inline void free_frame(void* frame) noexcept {
    frame_block& freed = *frame_block::of(frame);
    if (freed.home && freed.home == this_thread_shelf) [[likely]]
        freed.home->keep(freed);
    else
        free_frame_elsewhere(freed);
}

} // namespace coronet::detail
