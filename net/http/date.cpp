// SPDX-License-Identifier: BSL-1.0
//
// The coarse clock costs a few nanoseconds; the calendar is asked only when the second changes.
#include "date.hpp"

#include <array>
#include <cstdio>

#include <time.h>

namespace coronet::http {

namespace {

struct cached_date {
    time_t second = -1;
    std::array<char, 32> text{};
};

// strftime would write the names in the language of the locale.
void write_date(cached_date& date) noexcept {
    static constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    tm parts{};
    gmtime_r(&date.second, &parts);
    std::snprintf(
        date.text.data(), date.text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
        days[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
        months[static_cast<std::size_t>(parts.tm_mon)], (parts.tm_year + 1900) % 10000,
        parts.tm_hour, parts.tm_min, parts.tm_sec
    );
}

} // namespace

std::int64_t second_now() noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return now.tv_sec;
}

std::string_view date_now() noexcept {
    static thread_local cached_date cached;
    const std::int64_t now = second_now();
    if (now != cached.second) {
        cached.second = now;
        write_date(cached);
    }
    return {cached.text.data(), date_size};
}

} // namespace coronet::http
