// SPDX-License-Identifier: BSL-1.0
//
// A histogram of times in nanoseconds: 128 linear steps in every power of two, so that any
// percentile is right to within one per cent and adding a value costs a few instructions.
#pragma once

#include <stdint.h>

enum { SUB_BITS = 7, BUCKETS = 64 << SUB_BITS };

struct histogram {
    uint64_t count[BUCKETS];
    uint64_t total, max;
};

static inline unsigned bucket_of(uint64_t v) {
    if (v < (1u << SUB_BITS)) return (unsigned)v;
    unsigned shift = 63u - (unsigned)__builtin_clzll(v) - SUB_BITS;
    return ((shift + 1) << SUB_BITS) + (unsigned)((v >> shift) & ((1u << SUB_BITS) - 1));
}

static inline double bucket_value(unsigned b) {
    unsigned shift = b >> SUB_BITS;

    if (shift == 0) return b;
    return (double)(((1ull << SUB_BITS) + (b & ((1u << SUB_BITS) - 1))) << (shift - 1));
}

static inline void histogram_add(struct histogram* h, uint64_t v) {
    h->count[bucket_of(v)]++;
    h->total++;
    if (v > h->max) h->max = v;
}

static inline double percentile_us(const struct histogram* h, double p) {
    uint64_t want = (uint64_t)(p * (double)h->total), seen = 0;

    for (unsigned b = 0; b < BUCKETS; b++) {
        seen += h->count[b];
        if (seen > want) return bucket_value(b) / 1000.0;
    }
    return 0;
}
