/* SPDX-License-Identifier: Apache-2.0 */
/* histogram.h -- counts of values by size, from any thread, as Prometheus wants them.
 *
 * The bounds are the powers of two from 1 to 2^20, which suits batch sizes as they are and times in
 * units of 16 microseconds. Relaxed atomics: a reader may see a value in one place and not yet in
 * the other. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 22 };

struct histogram {
    _Atomic uint64_t
        counts[HISTOGRAM_BUCKETS]; /* [i]: values up to 2^i times the unit; last: the rest */
    _Atomic uint64_t sum;
};

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
    unsigned bucket = value <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(value - 1);
    if (bucket >= HISTOGRAM_BUCKETS) bucket = HISTOGRAM_BUCKETS - 1;
    atomic_fetch_add_explicit(&histogram->counts[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
}

#endif
