/* SPDX-License-Identifier: Apache-2.0 */
/* map.h -- finds a pointer by two numbers; the memory is an arena's.
 *
 * Open addressing; nothing is ever taken out: made for the life of one batch. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdint.h>
#include "base/arena.h"

struct map_slot {
    uint64_t a, b;
    void *value; /* NULL: free */
};

struct map {
    struct map_slot *slots;
    size_t count, size; /* size is 0 or a power of two */
};

/* NULL when there is none. */
void *map_get(const struct map *map, uint64_t a, uint64_t b);

/* 'value' must not be NULL, nor the key be there already. */
void map_put(struct map *map, struct arena *arena, uint64_t a, uint64_t b, void *value);

/* for (size_t i = 0; (value = map_each(map, &i));) */
void *map_each(const struct map *map, size_t *at);

#endif
