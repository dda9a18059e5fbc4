/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Under AddressSanitizer what has not been handed out is poisoned, so that running over the
 * end and using something after a reset are caught here as they would be with malloc(). */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(data, size)   ((void)(data), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(data, size) ((void)(data), (void)(size))
#endif

enum { FIRST_SIZE = 4 << 10, KEPT_SIZE = 64 << 10, MOST_SIZE = 1 << 20, ALIGNMENT = 16 };

struct arena_block {
    struct arena_block *next; /* the older ones */
    size_t size;              /* with this head */
    _Alignas(ALIGNMENT) char data[];
};

static size_t block_room(const struct arena_block *block)
{
    return block->size - sizeof(*block);
}

static struct arena_block *block_new(size_t size)
{
    struct arena_block *block = malloc(size);
    if (!block) out_of_memory();
    block->size = size;
    ASAN_POISON_MEMORY_REGION(block->data, block_room(block));
    return block;
}

static void block_free(struct arena_block *block)
{
    ASAN_UNPOISON_MEMORY_REGION(block->data, block_room(block));
    free(block);
}

static void *arena_grow(struct arena *arena, size_t size, size_t room)
{
    struct arena_block *top = arena->block;
    size_t next_size = top ? top->size * 2 : FIRST_SIZE;
    if (next_size > MOST_SIZE) next_size = MOST_SIZE;

    struct arena_block *block;
    if (room > next_size - sizeof(*block)) {
        /* Too big for an ordinary block, so it gets one of its own. Behind the top one, where
         * there is one: that still has room for small things. */
        block = block_new(sizeof(*block) + room);
        block->next = top ? top->next : NULL;
        if (top) {
            top->next = block;
        } else {
            arena->block = block;
            arena->used = room;
        }
    } else {
        block = block_new(next_size);
        block->next = top;
        arena->block = block;
        arena->used = room;
    }
    ASAN_UNPOISON_MEMORY_REGION(block->data, size);
    return block->data;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 4) out_of_memory();
    size_t room = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (!arena->block || room > block_room(arena->block) - arena->used)
        return arena_grow(arena, size, room);
    char *data = arena->block->data + arena->used;
    arena->used += room;
    ASAN_UNPOISON_MEMORY_REGION(data, size);
    return data;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

void *arena_zalloc_many(struct arena *arena, size_t size, size_t count)
{
    size_t all;
    if (__builtin_mul_overflow(size, count, &all)) out_of_memory();
    return arena_zalloc(arena, all);
}

struct str arena_str(struct arena *arena, struct str s)
{
    char *data = arena_alloc(arena, s.len + 1);
    if (s.len) memcpy(data, s.data, s.len);
    data[s.len] = '\0';
    return (struct str){data, s.len};
}

const char *arena_cstr(struct arena *arena, struct str s)
{
    return arena_str(arena, s).data;
}

struct str arena_printf(struct arena *arena, const char *format, ...)
{
    char most[128]; /* what is longer is written twice */
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(most, sizeof(most), format, args);
    assert(len >= 0);
    char *data = arena_alloc(arena, (size_t)len + 1);
    if ((size_t)len < sizeof(most))
        memcpy(data, most, (size_t)len + 1);
    else
        vsnprintf(data, (size_t)len + 1, format, again);
    va_end(again);
    va_end(args);
    return (struct str){data, (size_t)len};
}

void arena_reset(struct arena *arena)
{
    struct arena_block *kept = NULL, *next;
    for (struct arena_block *block = arena->block; block; block = next) {
        next = block->next;
        if (block->size > KEPT_SIZE || (kept && kept->size >= block->size)) {
            block_free(block);
            continue;
        }
        if (kept) block_free(kept);
        kept = block;
    }
    if (kept) {
        kept->next = NULL;
        ASAN_POISON_MEMORY_REGION(kept->data, block_room(kept));
    }
    *arena = (struct arena){.block = kept};
}

void arena_free(struct arena *arena)
{
    struct arena_block *next;
    for (struct arena_block *block = arena->block; block; block = next) {
        next = block->next;
        block_free(block);
    }
    *arena = (struct arena){0};
}
