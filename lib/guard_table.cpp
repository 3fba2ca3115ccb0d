// SPDX-License-Identifier: BSL-1.0
#include "guard_table.hpp"

#include "engine.hpp"

#include <algorithm>

namespace coronet::detail {

guard_table& guard_table::of_process() noexcept {
    static auto& table = *new guard_table; // for threads that outlive main()
    return table;
}

bool guard_table::add(thread_number taker, const engine& held) {
    const std::scoped_lock lock{mutex_};
    if (keeps_waiting(held.owner.load(), taker)) return false;
    entries_.push_back({taker, &held});
    return true;
}

/// There are no circles yet, so this ends.
bool guard_table::keeps_waiting(thread_number holder, thread_number waiting) const noexcept {
    if (holder == 0) return false; // of a scheduler that has not begun, or has ended
    return std::ranges::any_of(entries_, [&](const entry& each) {
        if (each.taker != holder) return false;
        const thread_number kept = each.held->owner.load();
        return kept == waiting || keeps_waiting(kept, waiting);
    });
}

void guard_table::remove(thread_number taker, const engine& held) noexcept {
    const std::scoped_lock lock{mutex_};
    const auto found = std::ranges::find(entries_, entry{taker, &held});
    CORONET_ASSERT(found != entries_.end());
    entries_.erase(found);
}

bool guard_table::contains(thread_number taker, const engine& held) noexcept {
    const std::scoped_lock lock{mutex_};
    return std::ranges::find(entries_, entry{taker, &held}) != entries_.end();
}

} // namespace coronet::detail
