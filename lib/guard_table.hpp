// SPDX-License-Identifier: BSL-1.0
//
// Which thread holds (or wants) a guard of which scheduler, for the whole process. A thread that
// owns a scheduler may park others, and be parked itself: where that would make a circle of threads
// that wait for each other, the last one is refused.
#pragma once

#include "thread_number.hpp"

#include <mutex>
#include <vector>

namespace coronet::detail {

class engine;

class guard_table {
public:
    static guard_table& of_process() noexcept;

    /// False, and not added, if the owner of `held` already keeps `taker` waiting, directly or
    /// through others. Throws std::bad_alloc.
    [[nodiscard]] bool add(thread_number taker, const engine& held);
    void remove(thread_number taker, const engine& held) noexcept;
    [[nodiscard]] bool contains(thread_number taker, const engine& held) noexcept;

private:
    struct entry {
        thread_number taker;
        const engine* held;
        bool operator==(const entry&) const = default;
    };
    [[nodiscard]] bool keeps_waiting(thread_number holder, thread_number waiting) const noexcept;

    std::mutex mutex_;
    std::vector<entry> entries_;
};

} // namespace coronet::detail
