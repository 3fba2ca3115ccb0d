// SPDX-License-Identifier: BSL-1.0
//
// Which thread holds (or wants) a guard of which scheduler, for the whole process. A thread that
// owns a scheduler may park others, and be parked itself: where that would make a circle of threads
// that wait for each other, the last one is refused.
#pragma once

#include <mutex>
#include <thread>
#include <vector>

namespace coronet::detail {

class engine;

class guard_table {
public:
    static guard_table& of_process() noexcept;

    /// False, and not added, if the owner of `held` already keeps `taker` waiting, directly or
    /// through others. Throws std::bad_alloc.
    [[nodiscard]] bool add(std::thread::id taker, const engine& held);
    void remove(std::thread::id taker, const engine& held) noexcept;
    [[nodiscard]] bool contains(std::thread::id taker, const engine& held) noexcept;

private:
    struct entry {
        std::thread::id taker;
        const engine* held;
        bool operator==(const entry&) const = default;
    };
    [[nodiscard]] bool
    keeps_waiting(std::thread::id holder, std::thread::id waiting) const noexcept;

    std::mutex mutex_;
    std::vector<entry> entries_;
};

} // namespace coronet::detail
