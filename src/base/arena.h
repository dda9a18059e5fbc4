/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h -- memory that is given back all at once.
 *
 * One arena a request, one a batch. Nothing inside is freed by itself; a reset
 * ends everything and keeps one block of at most 64 KiB for the next turn. Running out of
 * memory ends the process. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>
#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *block; /* the one being filled; blocks are chained */
    size_t used;
};

/* A zeroed 'struct arena' is an empty arena. */
void *arena_alloc(struct arena *arena, size_t size); /* 16-byte aligned, not cleared */
void *arena_zalloc(struct arena *arena, size_t size);
void *arena_zalloc_many(struct arena *arena, size_t size, size_t count);
struct str arena_str(struct arena *arena, struct str s); /* a copy, with a NUL behind it */
const char *arena_cstr(struct arena *arena, struct str s);
struct str arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void arena_reset(struct arena *arena); /* keeps one block */
void arena_free(struct arena *arena);

#define ARENA_NEW(arena, type)          ((type *)arena_zalloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_zalloc_many((arena), sizeof(type), (count)))

#endif
