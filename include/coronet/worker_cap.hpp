// SPDX-License-Identifier: BSL-1.0
//
// How many workers several pools may have together. It is a limit for further ones: each account of
// each pool is given its first one in any case, as what is queued there could otherwise wait for a
// pool that never gives one back.
#pragma once

#include <atomic>

namespace coronet {

class worker_cap {
public:
    explicit worker_cap(unsigned max) noexcept : max_(max) {}

    /// One more; false if there are enough, unless `anyway`. Thread: any.
    [[nodiscard]] bool take(bool anyway) noexcept {
        unsigned count = count_.load(std::memory_order_relaxed);
        do {
            if (count >= max_ && !anyway) return false;
        } while (!count_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed));
        return true;
    }
    void give_back() noexcept { count_.fetch_sub(1, std::memory_order_relaxed); }
    [[nodiscard]] unsigned count() const noexcept { return count_.load(std::memory_order_relaxed); }

private:
    const unsigned max_;
    std::atomic<unsigned> count_{0};
};

} // namespace coronet
