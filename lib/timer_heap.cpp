// SPDX-License-Identifier: BSL-1.0
#include "timer_heap.hpp"

#include <coronet/detail/assert.hpp>

#include <algorithm>
#include <new>

namespace coronet {

namespace {
constexpr std::size_t arity = 4;
constexpr std::size_t parent_of(std::size_t at) {
    return (at - 1) / arity;
}
constexpr std::size_t first_child_of(std::size_t at) {
    return at * arity + 1;
}
} // namespace

timer_heap::timer_heap() {
    heap_.reserve(64);
}

void timer_heap::insert(timer& t, time_point deadline) noexcept {
    try {
        heap_.push_back({});
    } catch (const std::bad_alloc&) {
        detail::die("no memory for one more timer"); // nobody could be told in time
    }
    sift_up(heap_.size() - 1, {deadline, &t});
}

timer* timer_heap::take_due(time_point now) noexcept {
    if (heap_.empty() || heap_.front().deadline > now) return nullptr;
    timer* const due = heap_.front().owner;
    remove(0);
    return due;
}

void timer_heap::place(std::size_t at, entry moved) noexcept {
    heap_[at] = moved;
    moved.owner->place_ = static_cast<std::uint32_t>(at);
}

void timer_heap::sift_up(std::size_t at, entry moved) noexcept {
    while (at > 0 && moved.deadline < heap_[parent_of(at)].deadline) {
        place(at, heap_[parent_of(at)]);
        at = parent_of(at);
    }
    place(at, moved);
}

void timer_heap::sift_down(std::size_t at, entry moved) noexcept {
    for (;;) {
        const std::size_t begin = first_child_of(at);
        if (begin >= heap_.size()) break;
        const std::size_t end = std::min(begin + arity, heap_.size());
        std::size_t least = begin;
        for (std::size_t child = begin + 1; child < end; ++child)
            if (heap_[child].deadline < heap_[least].deadline) least = child;
        if (heap_[least].deadline >= moved.deadline) break;
        place(at, heap_[least]);
        at = least;
    }
    place(at, moved);
}

void timer_heap::remove(std::size_t at) noexcept {
    const entry last = heap_.back();
    heap_.pop_back();
    if (at == heap_.size()) return;
    if (at > 0 && last.deadline < heap_[parent_of(at)].deadline)
        sift_up(at, last);
    else
        sift_down(at, last);
}

} // namespace coronet
