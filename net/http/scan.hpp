// SPDX-License-Identifier: BSL-1.0
//
// One function: how far a line can go before something must be decided. It is where a parser of
// text spends its time, so it looks at 16 bytes at a time where SSE2 is (every x86-64), and at 8
// in a plain word elsewhere. Never reads outside [begin, end). Any thread.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace coronet::http {

/// True for what ends a line or may not be in one: a control byte other than HTAB, or DEL.
constexpr bool is_line_stop(unsigned char c) noexcept {
    return (c < 0x20 && c != '\t') || c == 0x7f;
}

namespace detail {

inline const char* find_line_stop_by_byte(const char* at, const char* end) noexcept {
    while (at != end && !is_line_stop(static_cast<unsigned char>(*at)))
        ++at;
    return at;
}

// The bit trick marks every byte below 0x20, every DEL and every HTAB, and perhaps bytes above a
// marked one (a borrow): enough to know that a word without a mark holds no stop.
inline bool may_have_stop(std::uint64_t word) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101;
    constexpr std::uint64_t highs = 0x8080808080808080;
    const std::uint64_t below = (word - ones * 0x20) & ~word & highs;
    const std::uint64_t without_del = word ^ (ones * 0x7f);
    const std::uint64_t del = (without_del - ones) & ~without_del & highs;
    return (below | del) != 0;
}

inline const char* find_line_stop_by_word(const char* at, const char* end) noexcept {
    while (end - at >= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, sizeof word);
        if (may_have_stop(word)) {
            const char* stop = find_line_stop_by_byte(at, at + 8);
            if (stop != at + 8) return stop;
        }
        at += 8;
    }
    return find_line_stop_by_byte(at, end);
}

#ifdef __SSE2__
inline const char* find_line_stop_by_vector(const char* at, const char* end) noexcept {
    const __m128i last_control = _mm_set1_epi8(0x1f);
    const __m128i tab = _mm_set1_epi8('\t');
    const __m128i del = _mm_set1_epi8(0x7f);
    while (end - at >= 16) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
        const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
        const __m128i allowed = _mm_cmpeq_epi8(bytes, tab);
        const __m128i stops =
            _mm_or_si128(_mm_andnot_si128(allowed, control), _mm_cmpeq_epi8(bytes, del));
        const auto mask = static_cast<unsigned>(_mm_movemask_epi8(stops));
        if (mask != 0) return at + std::countr_zero(mask);
        at += 16;
    }
    return find_line_stop_by_word(at, end);
}
#endif

} // namespace detail

/// The first byte of [at, end) that ends a line or may not be in one; `end` when there is none.
inline const char* find_line_stop(const char* at, const char* end) noexcept {
#ifdef __SSE2__
    return detail::find_line_stop_by_vector(at, end);
#else
    return detail::find_line_stop_by_word(at, end);
#endif
}

} // namespace coronet::http
