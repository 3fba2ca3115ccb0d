// SPDX-License-Identifier: BSL-1.0
//
// The one clock of timers and time limits (CLOCK_MONOTONIC), and limits in other units in its own:
// what is too long for it is for ever, where std::chrono would overflow in silence.
#pragma once

#include <chrono>
#include <concepts>
#include <ratio>
#include <utility>

namespace coronet {

using clock = std::chrono::steady_clock;
using time_point = clock::time_point;
using duration = clock::duration;

namespace detail {

/// A length of time in the clock's unit: the nearest that there is, and never shorter if it is in
/// between. Not a number is no time at all.
template <class Rep, class Period>
[[nodiscard]] constexpr duration to_duration(std::chrono::duration<Rep, Period> length) noexcept {
    using units = std::ratio_divide<Period, duration::period>;
    if constexpr (std::integral<Rep> && units::den == 1) {
        constexpr auto longest = duration::max().count() / units::num;
        constexpr auto shortest = duration::min().count() / units::num;
        if (std::cmp_greater(length.count(), longest)) return duration::max();
        if (std::cmp_less(length.count(), shortest)) return duration::min();
        return duration{static_cast<duration::rep>(length.count()) * units::num};
    } else {
        using precise = std::chrono::duration<long double, duration::period>;
        const precise wanted{length};
        if (!(wanted > precise{duration::min()}))
            return wanted <= precise{duration::min()} ? duration::min() : duration::zero();
        if (wanted >= precise{duration::max()}) return duration::max();
        return std::chrono::ceil<duration>(wanted);
    }
}

/// A limit, a duration or a point in time of this clock, as the engine takes it.
template <class Rep, class Period>
[[nodiscard]] constexpr duration to_limit(std::chrono::duration<Rep, Period> limit) noexcept {
    return to_duration(limit);
}
template <class Duration>
[[nodiscard]] constexpr time_point to_limit(std::chrono::time_point<clock, Duration> limit
) noexcept {
    return time_point{to_duration(limit.time_since_epoch())};
}

/// Never, if that is later than the clock can tell.
[[nodiscard]] constexpr time_point later(time_point from, duration by) noexcept {
    return by > time_point::max() - from ? time_point::max() : from + by;
}

} // namespace detail

} // namespace coronet
