// SPDX-License-Identifier: BSL-1.0
//
// What is sent: bytes that repeat after a prime number, so that every byte tells its position and
// no power of two hides a mistake. C and C++.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { PRIME = 65521 };

// Fills `pattern`, which has PRIME bytes and as many more as are taken from one position at most.
static inline void fill_pattern(unsigned char* pattern, size_t size) {
    uint32_t x = 2463534242u;

    for (size_t i = 0; i < size; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        pattern[i] = i < PRIME ? (x >> 11 & 0xff) : pattern[i - PRIME];
    }
}

// Whether `p` goes on with the pattern at `*pos`; moves `*pos` behind it.
static inline bool
follows_pattern(const unsigned char* pattern, const unsigned char* p, size_t* pos, size_t n) {
    for (size_t done = 0; done < n;) {
        const size_t left = n - done, m = PRIME - *pos < left ? PRIME - *pos : left;
        if (memcmp(p + done, pattern + *pos, m) != 0) return false;
        *pos = (*pos + m) % PRIME;
        done += m;
    }
    return true;
}
