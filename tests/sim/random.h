/* SPDX-License-Identifier: Apache-2.0 */
/* random.h -- numbers that follow from a seed alone (splitmix64). */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 to below - 1. */
static inline uint32_t random_below(uint64_t *state, uint32_t below)
{
    return (uint32_t)(((random_next(state) >> 32) * below) >> 32);
}

/* 'low' to 'high', both included. */
static inline int64_t random_between(uint64_t *state, int64_t low, int64_t high)
{
    return low + (int64_t)(random_next(state) % (uint64_t)(high - low + 1));
}

static inline bool random_percent(uint64_t *state, uint32_t percent)
{
    return random_below(state, 100) < percent;
}

/* The index of one of 'count' weights. */
static inline uint32_t random_weighted(uint64_t *state, const uint8_t *weights, uint32_t count)
{
    uint32_t sum = 0, at = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += weights[i];
    uint32_t drawn = random_below(state, sum);
    while (at + 1 < count && drawn >= weights[at])
        drawn -= weights[at++];
    return at;
}

#endif
