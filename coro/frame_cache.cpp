// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/detail/frame_cache.hpp>
#include <coronet/detail/assert.hpp>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

namespace coronet::detail {

constinit thread_local frame_shelf* this_thread_shelf = nullptr;

namespace {

class frame_cache final : public frame_shelf {
public:
    /// None is kept.
    void* allocate(std::size_t size_class) {
        take_returned();
        if (void* const reused = take(size_class)) return reused;
        void* const fresh = std::malloc(frame_block::size_of(size_class));
        if (!fresh) throw std::bad_alloc{};
        ++block_count_;
        return (::new (fresh) frame_block{this, size_class})->frame();
    }

    /// On any other thread. The last block of an abandoned cache takes the cache with it.
    void send_home(frame_block& freed) noexcept {
        frame_block* head = returned_.load(std::memory_order_acquire);
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
        for (frame_block*& head : kept)
            free_all(std::exchange(head, nullptr));
        // Counted before the door closes: whoever finds it closed counts down from here. One is
        // ours.
        block_count_after_abandoning_.store(block_count_ + 1, std::memory_order_relaxed);
        frame_block* late = returned_.exchange(abandoned(), std::memory_order_acq_rel);
        const std::size_t before = block_count_;
        free_all_returned(late);
        const std::size_t gone = before - block_count_ + 1;
        if (block_count_after_abandoning_.fetch_sub(gone, std::memory_order_acq_rel) == gone)
            delete this;
    }

private:
    frame_block* abandoned() noexcept { return reinterpret_cast<frame_block*>(this); }

    void take_returned() noexcept {
        if (!returned_.load(std::memory_order_relaxed)) return;
        frame_block* head = returned_.exchange(nullptr, std::memory_order_acquire);
        while (head) {
            frame_block* next = head->next();
            keep(*head);
            head = next;
        }
    }
    void free_all(frame_block* head) noexcept {
        while (head) {
            allow(head->frame(), head->room());
            free_one(std::exchange(head, head->next()));
        }
    }
    void free_all_returned(frame_block* head) noexcept {
        while (head)
            free_one(std::exchange(head, head->next()));
    }
    void free_one(frame_block* freed) noexcept {
        std::free(freed);
        --block_count_;
    }

    std::size_t block_count_ = 0; // made by this cache and not given back to the heap
    std::atomic<frame_block*> returned_{nullptr};
    std::atomic<std::size_t> block_count_after_abandoning_{0};
};

struct at_thread_end {
    ~at_thread_end() {
        if (frame_shelf* const shelf = std::exchange(this_thread_shelf, nullptr))
            static_cast<frame_cache*>(shelf)->abandon();
    }
};

frame_cache& cache_of_this_thread() {
    if (!this_thread_shelf) [[unlikely]] {
        this_thread_shelf = new frame_cache;
        static thread_local at_thread_end watch;
    }
    return static_cast<frame_cache&>(*this_thread_shelf);
}

} // namespace

void* allocate_fresh_frame(std::size_t size) {
    const std::size_t size_class = frame_block::class_of(size);
    if (size_class <= frame_shelf::class_count) return cache_of_this_thread().allocate(size_class);
    void* const large = std::malloc(size + sizeof(frame_block));
    if (!large) throw std::bad_alloc{};
    return (::new (large) frame_block{nullptr, size_class})->frame();
}

void free_frame_elsewhere(frame_block& freed) noexcept {
    if (freed.home)
        static_cast<frame_cache*>(freed.home)->send_home(freed);
    else
        std::free(&freed);
}

} // namespace coronet::detail
