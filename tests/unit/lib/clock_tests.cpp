// SPDX-License-Identifier: BSL-1.0
//
// Limits in other units than the clock's: exact where that is possible, never shorter, and for ever
// where they are too long.
#include <coronet/clock.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <ratio>

namespace clock_tests {
namespace {

using namespace std::chrono;
using namespace std::chrono_literals;
using coronet::duration;
using coronet::time_point;
using coronet::detail::later;
using coronet::detail::to_duration;
using coronet::detail::to_limit;

template <class Rep>
using seconds_of = std::chrono::duration<Rep>;

TEST(limit, in_a_coarse_unit_is_the_same) {
    EXPECT_EQ(to_duration(5ns), 5ns);
    EXPECT_EQ(to_duration(-7h), -7h);
    EXPECT_EQ(to_duration(seconds_of<std::uint8_t>{200}), 200s);
    EXPECT_EQ(to_duration(9'223'372'036s), 9'223'372'036s); // the last one that fits
    EXPECT_EQ(to_duration(-9'223'372'036s), -9'223'372'036s);
}

TEST(limit, that_is_too_long_is_for_ever) {
    EXPECT_EQ(to_duration(9'223'372'037s), duration::max());
    EXPECT_EQ(to_duration(nanoseconds::max()), duration::max());
    EXPECT_EQ(to_duration(microseconds::max()), duration::max());
    EXPECT_EQ(to_duration(seconds::max()), duration::max());
    EXPECT_EQ(to_duration(hours::max()), duration::max());
    EXPECT_EQ(to_duration(seconds_of<std::uint64_t>::max()), duration::max());
    EXPECT_EQ(to_duration(seconds_of<float>::max()), duration::max());
    EXPECT_EQ(to_limit(std::chrono::time_point<coronet::clock, hours>::max()), time_point::max());
}

TEST(limit, that_is_too_far_back_is_as_far_back_as_possible) {
    EXPECT_EQ(to_duration(-9'223'372'037s), duration::min());
    EXPECT_EQ(to_duration(hours::min()), duration::min());
    EXPECT_EQ(to_duration(seconds_of<double>{-1e300}), duration::min());
    EXPECT_EQ(to_limit(std::chrono::time_point<coronet::clock, hours>::min()), time_point::min());
}

TEST(limit, between_two_of_the_clocks_units_is_the_later_one) {
    using picoseconds = std::chrono::duration<std::int64_t, std::pico>;
    using thirds = std::chrono::duration<std::int64_t, std::ratio<1, 3>>;
    EXPECT_EQ(to_duration(picoseconds{1}), 1ns);
    EXPECT_EQ(to_duration(picoseconds{3000}), 3ns);
    EXPECT_EQ(to_duration(picoseconds{-1999}), -1ns);
    EXPECT_EQ(to_duration(thirds{1}), 333'333'334ns);
    EXPECT_EQ(to_duration(thirds::max()), duration::max());
    EXPECT_EQ(to_duration(seconds_of<double>{0.25}), 250ms);
    EXPECT_EQ(to_duration(nanoseconds{1} * 1.5), 2ns);
}

TEST(limit, at_the_edge_of_what_a_fraction_can_tell_does_not_overflow) {
    EXPECT_GT(to_duration(seconds_of<double>{9223372036.854775}), 9'223'372'036s);
    EXPECT_EQ(to_duration(seconds_of<double>{9223372036.854778}), duration::max());
}

TEST(limit, that_is_infinite_or_no_number_is_for_ever_or_nothing) {
    constexpr double infinite = std::numeric_limits<double>::infinity();
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    EXPECT_EQ(to_duration(seconds_of<double>{infinite}), duration::max());
    EXPECT_EQ(to_duration(seconds_of<double>{-infinite}), duration::min());
    EXPECT_EQ(to_duration(seconds_of<double>{none}), duration::zero());
}

TEST(limit, later_than_the_clock_can_tell_is_never) {
    const time_point now{1h};
    EXPECT_EQ(later(now, 1s), now + 1s);
    EXPECT_EQ(later(now, duration::max()), time_point::max());
    EXPECT_EQ(later(now, duration::max() - 1h), time_point::max());
    EXPECT_LT(later(now, duration::min()), now);
}

} // namespace
} // namespace clock_tests
