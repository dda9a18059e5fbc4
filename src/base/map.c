/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <assert.h>

enum { MAP_FIRST_SIZE = 64 };

/* The finaliser of splitmix64: cheap, and good enough for numbers that come in order. */
static size_t map_hash(uint64_t a, uint64_t b)
{
    uint64_t x = a ^ (b * 0x9e3779b97f4a7c15u);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (size_t)(x ^ (x >> 31));
}

static struct map_slot *map_find(const struct map *map, uint64_t a, uint64_t b)
{
    size_t at = map_hash(a, b) & (map->size - 1);
    while (map->slots[at].value && (map->slots[at].a != a || map->slots[at].b != b))
        at = (at + 1) & (map->size - 1);
    return &map->slots[at];
}

void *map_get(const struct map *map, uint64_t a, uint64_t b)
{
    return map->count ? map_find(map, a, b)->value : NULL;
}

static void map_grow(struct map *map, struct arena *arena)
{
    struct map old = *map;
    map->size = old.size ? old.size * 2 : MAP_FIRST_SIZE;
    map->slots = ARENA_ARRAY(arena, struct map_slot, map->size);
    for (size_t i = 0; i < old.size; i++)
        if (old.slots[i].value) *map_find(map, old.slots[i].a, old.slots[i].b) = old.slots[i];
}

void map_put(struct map *map, struct arena *arena, uint64_t a, uint64_t b, void *value)
{
    assert(value);
    if (map->count * 2 >= map->size) map_grow(map, arena);
    struct map_slot *slot = map_find(map, a, b);
    assert(!slot->value);
    *slot = (struct map_slot){a, b, value};
    map->count++;
}

void *map_each(const struct map *map, size_t *at)
{
    while (*at < map->size) {
        void *value = map->slots[(*at)++].value;
        if (value) return value;
    }
    return NULL;
}
