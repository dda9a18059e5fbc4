/* SPDX-License-Identifier: Apache-2.0 */
#include "base/recycle.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

void *recycle_malloc(size_t size)
{
    return malloc(size);
}

void *recycle_realloc(void *data, size_t size)
{
    return realloc(data, size);
}

void recycle_free(void *data)
{
    free(data);
}

void recycle_release(void) {}

#else

enum {
    STEP = 64,                   /* sizes are rounded up to these */
    CLASSES = 4096 / STEP + 1,   /* larger ones are malloc()'s */
    KEPT_PER_CLASS = 256 * 1024, /* bytes */
};

struct block {
    size_t class;       /* 0: too large to be kept */
    struct block *next; /* while it is kept */
    _Alignas(16) char data[];
};

static _Thread_local struct {
    struct block *free;
    size_t count;
} kept[CLASSES];

static struct block *block_of(void *data)
{
    return (struct block *)((char *)data - offsetof(struct block, data));
}

/* 0 for what is too large. Rounded up with the head, so that powers of two stay together. */
static size_t class_of(size_t size)
{
    return size <= (size_t)(CLASSES - 1) * STEP ? (size + STEP - 1) / STEP + (size == 0) : 0;
}

void *recycle_malloc(size_t size)
{
    size_t class = class_of(size);
    struct block *block = class ? kept[class].free : NULL;
    if (block) {
        kept[class].free = block->next;
        kept[class].count--;
        return block->data;
    }
    if (size > SIZE_MAX / 2) return NULL;
    block = malloc(sizeof(*block) + (class ? class * STEP : size));
    if (!block) return NULL;
    block->class = class;
    return block->data;
}

void recycle_free(void *data)
{
    if (!data) return;
    struct block *block = block_of(data);
    size_t class = block->class;
    if (!class || kept[class].count >= KEPT_PER_CLASS / (class * STEP)) {
        free(block);
        return;
    }
    block->next = kept[class].free;
    kept[class].free = block;
    kept[class].count++;
}

void *recycle_realloc(void *data, size_t size)
{
    if (!data) return recycle_malloc(size);
    struct block *block = block_of(data);
    size_t class = class_of(size);
    if (class && class == block->class) return data;
    if (!class && !block->class) {
        if (size > SIZE_MAX / 2) return NULL;
        block = realloc(block, sizeof(*block) + size);
        return block ? block->data : NULL;
    }
    void *other = recycle_malloc(size);
    if (!other) return NULL;
    /* One of the two has a class: the smaller of the rooms. */
    size_t room = block->class * STEP;
    memcpy(other, data, block->class && room < size ? room : size);
    recycle_free(data);
    return other;
}

void recycle_release(void)
{
    for (size_t i = 0; i < CLASSES; i++) {
        struct block *next;
        for (struct block *block = kept[i].free; block; block = next) {
            next = block->next;
            free(block);
        }
        kept[i].free = NULL;
        kept[i].count = 0;
    }
}

#endif
