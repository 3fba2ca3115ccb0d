// SPDX-License-Identifier: BSL-1.0
#include "serial_order.hpp"

#include <coronet/detail/assert.hpp>

#include <utility>

namespace coronet::detail {

serial_link** serial_order::place_of(std::uint64_t key) noexcept {
    const auto mixed = key * 0x9e3779b97f4a7c15U; // Fibonacci hashing
    serial_link** place = &buckets_[mixed >> 58];
    while (*place && (*place)->key != key)
        place = &(*place)->next_first;
    return place;
}

bool serial_order::enter(serial_link& added, std::uint64_t key) noexcept {
    CORONET_ASSERT(added.next == nullptr);
    added.key = key;
    serial_link** const place = place_of(key);
    serial_link* const first = *place;
    if (!first) {
        added.next = added.previous = &added;
        *place = &added;
        return true;
    }
    added.next = first;
    added.previous = std::exchange(first->previous, &added);
    added.previous->next = &added;
    return false;
}

serial_link* serial_order::leave(serial_link& left) noexcept {
    CORONET_ASSERT(left.next != nullptr);
    serial_link** const place = place_of(left.key);
    const bool was_first = *place == &left;
    serial_link* const second = left.next == &left ? nullptr : left.next;
    left.previous->next = left.next;
    left.next->previous = left.previous;
    if (was_first) {
        *place = second ? second : left.next_first;
        if (second) second->next_first = left.next_first;
    }
    left.next = left.previous = left.next_first = nullptr;
    return was_first ? second : nullptr;
}

} // namespace coronet::detail
