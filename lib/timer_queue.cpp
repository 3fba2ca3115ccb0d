// SPDX-License-Identifier: BSL-1.0
#include "timer_queue.hpp"

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

timer_queue::timer_queue() {
    heap_.reserve(64);
}

void timer_queue::arm(timer& t, duration delay) noexcept {
    CORONET_ASSERT(!t.armed());
    t.delay_ = delay;
    t.place_ = timer::fresh;
    fresh_.push_back(t);
    ++fresh_count_;
}

void timer_queue::arm(timer& t, time_point deadline) noexcept {
    CORONET_ASSERT(!t.armed());
    try {
        heap_.push_back({});
    } catch (const std::bad_alloc&) {
        detail::die("no memory for one more timer"); // nobody could be told in time
    }
    sift_up(heap_.size() - 1, {deadline, &t});
}

void timer_queue::disarm(timer& t) noexcept {
    if (!t.armed()) return;
    if (t.place_ == timer::fresh) {
        fresh_.erase(t);
        --fresh_count_;
    } else {
        remove(t.place_);
    }
    t.place_ = timer::unarmed;
}

void timer_queue::settle(time_point now) noexcept {
    while (timer* t = fresh_.pop_front()) {
        --fresh_count_;
        t->place_ = timer::unarmed;
        arm(*t, detail::later(now, std::max(t->delay_, duration::zero())));
    }
}

void timer_queue::expire(time_point now) noexcept {
    // A timer that is armed again for the past has to wait for its next turn.
    for (std::size_t left = heap_.size(); left > 0 && next_deadline() <= now; --left) {
        timer& due = *heap_.front().owner;
        remove(0);
        due.place_ = timer::unarmed;
        due.expire();
    }
}

void timer_queue::place(std::size_t at, entry moved) noexcept {
    heap_[at] = moved;
    moved.owner->place_ = static_cast<std::uint32_t>(at);
}

void timer_queue::sift_up(std::size_t at, entry moved) noexcept {
    while (at > 0 && moved.deadline < heap_[parent_of(at)].deadline) {
        place(at, heap_[parent_of(at)]);
        at = parent_of(at);
    }
    place(at, moved);
}

void timer_queue::sift_down(std::size_t at, entry moved) noexcept {
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

void timer_queue::remove(std::size_t at) noexcept {
    const entry last = heap_.back();
    heap_.pop_back();
    if (at == heap_.size()) return;
    if (at > 0 && last.deadline < heap_[parent_of(at)].deadline)
        sift_up(at, last);
    else
        sift_down(at, last);
}

} // namespace coronet
