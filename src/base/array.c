/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"

enum { ARRAY_FIRST_SIZE = 8 };

void *array_grow(struct arena *arena, void *items, size_t count, size_t *size, size_t item_size)
{
    size_t bytes, more = *size ? *size * 2 : ARRAY_FIRST_SIZE;
    if (more < *size || __builtin_mul_overflow(more, item_size, &bytes)) out_of_memory();
    void *grown = arena_alloc(arena, bytes);
    if (count) memcpy(grown, items, count * item_size);
    *size = more;
    return grown;
}
