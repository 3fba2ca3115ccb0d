// SPDX-License-Identifier: BSL-1.0
//
// A point in time that a scheduler calls back at. Timers live in user space: arming and disarming
// make no system call. All of it on the owner thread.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/detail/intrusive_list.hpp>

#include <cstdint>

namespace coronet {

class timer : private detail::list_hook<timer> {
public:
    /// Called by the scheduler when the time has come; the timer is disarmed before.
    virtual void expire() noexcept = 0;

    [[nodiscard]] bool armed() const noexcept { return place_ != unarmed; }

protected:
    timer() noexcept = default;
    timer(const timer&) noexcept : detail::list_hook<timer>() {} // a copy is not armed
    timer& operator=(const timer&) = delete;
    ~timer() { CORONET_ASSERT(!armed()); }

private:
    friend class timer_queue;
    friend class timer_heap;
    friend class timer_wheel;
    friend class detail::intrusive_list<timer>;
    // Where it is; other values: in the heap, there.
    static constexpr std::uint32_t unarmed = UINT32_MAX;
    static constexpr std::uint32_t fresh = UINT32_MAX - 1;
    static constexpr std::uint32_t in_wheel = UINT32_MAX - 2;

    union {
        duration delay_; // while it is fresh
        time_point deadline_{};
    };
    std::uint32_t place_ = unarmed;
};

} // namespace coronet
