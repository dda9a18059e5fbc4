/* SPDX-License-Identifier: Apache-2.0 */
#include "store/replay_index.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { FIRST_SIZE = 1 << 10, MOST_SIZE = 1 << 20 };

struct replay_slot {
    uint64_t fingerprint;
    uint64_t id; /* 0: free */
};

struct replay_table {
    struct replay_table *older;
    size_t count, size; /* a power of two, at most three quarters full */
    int64_t last_at;
    struct replay_slot slots[];
};

void replay_index_init(struct replay_index *index)
{
    *index = (struct replay_index){0};
    static_assert(sizeof(index->secret) == crypto_shorthash_KEYBYTES, "a key");
    randombytes_buf(index->secret, sizeof(index->secret));
}

static uint64_t fingerprint_of(const struct replay_index *index, const struct replay_key *key)
{
    unsigned char text[sizeof(key->user_id) + sizeof(key->key)];
    uint64_t fingerprint;
    memcpy(text, &key->user_id, sizeof(key->user_id));
    memcpy(text + sizeof(key->user_id), key->key, sizeof(key->key));
    static_assert(sizeof(fingerprint) == crypto_shorthash_BYTES, "all of a hash");
    crypto_shorthash((unsigned char *)&fingerprint, text, sizeof(text), index->secret);
    return fingerprint;
}

static struct replay_table *table_new(struct replay_table *older)
{
    size_t size = !older ? FIRST_SIZE : older->size < MOST_SIZE ? older->size * 2 : MOST_SIZE;
    struct replay_table *table = calloc(1, sizeof(*table) + size * sizeof(table->slots[0]));
    if (!table) out_of_memory();
    table->older = older;
    table->size = size;
    return table;
}

void replay_index_add(struct replay_index *index, const struct replay_key *key, uint64_t id,
                      int64_t at)
{
    struct replay_table *table = index->newest;
    if (!table || table->count >= table->size / 4 * 3) table = index->newest = table_new(table);
    uint64_t fingerprint = fingerprint_of(index, key);
    size_t slot = fingerprint & (table->size - 1);
    while (table->slots[slot].id)
        slot = (slot + 1) & (table->size - 1);
    table->slots[slot] = (struct replay_slot){fingerprint, id};
    table->count++;
    table->last_at = at;
}

uint64_t replay_index_find(const struct replay_index *index, const struct replay_key *key,
                           struct replay_search *search)
{
    uint64_t fingerprint = fingerprint_of(index, key);
    if (!search->begun) *search = (struct replay_search){index->newest, fingerprint, true};
    for (; search->table; search->table = search->table->older, search->at = fingerprint) {
        const struct replay_table *table = search->table;
        for (;;) {
            const struct replay_slot *slot = &table->slots[search->at & (table->size - 1)];
            if (!slot->id) break;
            search->at++;
            if (slot->fingerprint == fingerprint) return slot->id;
        }
    }
    return 0;
}

void replay_index_prune(struct replay_index *index, int64_t before)
{
    struct replay_table **link = &index->newest;
    while (*link && (*link)->last_at >= before)
        link = &(*link)->older;
    struct replay_table *table = *link;
    *link = NULL;
    while (table) {
        struct replay_table *older = table->older;
        free(table);
        table = older;
    }
}

void replay_index_free(struct replay_index *index)
{
    replay_index_prune(index, INT64_MAX);
}
