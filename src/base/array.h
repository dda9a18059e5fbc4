/* SPDX-License-Identifier: Apache-2.0 */
/* array.h -- a growing array of values in an arena.
 *
 *     struct { struct change *items; size_t count, size; } changes = {0};
 *     *ARRAY_PUSH(arena, &changes) = change;
 *
 * Growing copies into new arena memory and leaves the old behind, so a pointer
 * to an element is good only until the next push. */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include "base/arena.h"

void *array_grow(struct arena *arena, void *items, size_t count, size_t *size, size_t item_size);

#define ARRAY_PUSH(arena, array)                                                                   \
    ((array)->items = (array)->count < (array)->size                                               \
                          ? (array)->items                                                         \
                          : array_grow((arena), (array)->items, (array)->count, &(array)->size,    \
                                       sizeof(*(array)->items)),                                   \
     &(array)->items[(array)->count++])

#endif
