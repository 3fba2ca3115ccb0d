// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/detail/frame_cache.hpp>
#include <coronet/detail/assert.hpp>
#include <coronet/detail/checkers.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

namespace coronet::detail {

namespace {

constexpr std::size_t granule = 64;
// What malloc adds to each block: with it a block takes whole granules, and no more.
constexpr std::size_t heap_overhead = 8;
constexpr std::size_t class_count = 64; // blocks of up to 4 KiB; larger ones are not kept

class frame_cache;

// In front of each frame. The frame behind it keeps the alignment of operator new.
struct alignas(__STDCPP_DEFAULT_NEW_ALIGNMENT__) block {
    frame_cache* home; // null: not kept by any cache
    std::size_t size_class;

    void* frame() noexcept { return this + 1; }
    static block* of(void* frame) noexcept { return static_cast<block*>(frame) - 1; }
    // A block that is kept links to the next one where its frame was.
    block*& next() noexcept { return *static_cast<block**>(frame()); }
    [[nodiscard]] std::size_t room() const noexcept { return size() - sizeof(block); }
    [[nodiscard]] std::size_t size() const noexcept { return size_of(size_class); }
    static constexpr std::size_t size_of(std::size_t size_class) noexcept {
        return size_class * granule - heap_overhead;
    }
    static constexpr std::size_t class_of(std::size_t frame_size) noexcept {
        return (frame_size + sizeof(block) + heap_overhead + granule - 1) / granule;
    }
};

class frame_cache {
public:
    void* allocate(std::size_t size_class) {
        if (!kept_[size_class]) take_returned();
        if (block* reused = kept_[size_class]) {
            allow(reused->frame(), reused->room());
            kept_[size_class] = reused->next();
            return reused->frame();
        }
        void* fresh = std::malloc(block::size_of(size_class));
        if (!fresh) throw std::bad_alloc{};
        ++block_count_;
        return (::new (fresh) block{this, size_class})->frame();
    }

    /// On the thread of this cache.
    void keep(block& freed) noexcept {
        freed.next() = std::exchange(kept_[freed.size_class], &freed);
        forbid(freed.frame(), freed.room());
    }

    /// On any other thread. The last block of an abandoned cache takes the cache with it.
    void send_home(block& freed) noexcept {
        block* head = returned_.load(std::memory_order_acquire);
        do {
            if (head == abandoned()) {
                std::free(&freed);
                if (block_count_after_abandoning_.fetch_sub(1, std::memory_order_acq_rel) == 1)
                    delete this;
                return;
            }
            freed.next() = head;
        } while (!returned_.compare_exchange_weak(
            head, &freed, std::memory_order_release, std::memory_order_acquire
        ));
    }

    /// The thread ends.
    void abandon() noexcept {
        for (block*& head : kept_)
            free_all(std::exchange(head, nullptr));
        // Counted before the door closes: whoever finds it closed counts down from here. One is
        // ours.
        block_count_after_abandoning_.store(block_count_ + 1, std::memory_order_relaxed);
        block* late = returned_.exchange(abandoned(), std::memory_order_acq_rel);
        const std::size_t before = block_count_;
        free_all_returned(late);
        const std::size_t gone = before - block_count_ + 1;
        if (block_count_after_abandoning_.fetch_sub(gone, std::memory_order_acq_rel) == gone)
            delete this;
    }

private:
    block* abandoned() noexcept { return reinterpret_cast<block*>(this); }

    void take_returned() noexcept {
        if (!returned_.load(std::memory_order_relaxed)) return;
        block* head = returned_.exchange(nullptr, std::memory_order_acquire);
        while (head) {
            block* next = head->next();
            keep(*head);
            head = next;
        }
    }
    void free_all(block* head) noexcept {
        while (head) {
            allow(head->frame(), head->room());
            free_one(std::exchange(head, head->next()));
        }
    }
    void free_all_returned(block* head) noexcept {
        while (head)
            free_one(std::exchange(head, head->next()));
    }
    void free_one(block* freed) noexcept {
        std::free(freed);
        --block_count_;
    }

    std::array<block*, class_count + 1> kept_{};
    std::size_t block_count_ = 0; // made by this cache and not given back to the heap
    std::atomic<block*> returned_{nullptr};
    std::atomic<std::size_t> block_count_after_abandoning_{0};
};

// Trivial, so that reaching it costs no guard; null before the first frame and after the thread's
// last.
constinit thread_local frame_cache* this_thread_cache = nullptr;

struct at_thread_end {
    ~at_thread_end() {
        if (frame_cache* cache = std::exchange(this_thread_cache, nullptr)) cache->abandon();
    }
};

frame_cache& cache_of_this_thread() {
    if (!this_thread_cache) [[unlikely]] {
        this_thread_cache = new frame_cache;
        static thread_local at_thread_end watch;
    }
    return *this_thread_cache;
}

} // namespace

void* allocate_frame(std::size_t size) {
    const std::size_t size_class = block::class_of(size);
    if (size_class <= class_count) return cache_of_this_thread().allocate(size_class);
    void* large = std::malloc(size + sizeof(block));
    if (!large) throw std::bad_alloc{};
    return (::new (large) block{nullptr, size_class})->frame();
}

void free_frame(void* frame) noexcept {
    block& freed = *block::of(frame);
    if (!freed.home)
        std::free(&freed);
    else if (freed.home == this_thread_cache)
        freed.home->keep(freed);
    else
        freed.home->send_home(freed);
}

} // namespace coronet::detail
