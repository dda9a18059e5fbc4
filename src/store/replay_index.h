/* SPDX-License-Identifier: Apache-2.0 */
/* replay_index.h -- which row holds the answer to an Idempotency-Key, in memory.
 *
 * Keys are random: an index of them in a file is written all over, a page for each row. So the
 * rows are appended, and found through this; it is filled from them at start. 22 to 43 bytes for
 * each answer of the last 24 hours.
 *
 * A fingerprint may belong to several keys: whoever looks reads the rows and compares. A row that
 * is named here and was never written, because its batch failed, does no harm either. */
#ifndef STORE_REPLAY_INDEX_H
#define STORE_REPLAY_INDEX_H

#include "core/change.h"

/* Tables that are filled one after the other, each up to twice as large as the one before, so
 * that no answer ever waits until a large one has been copied. */
struct replay_table;
struct replay_index {
    struct replay_table *newest;
    unsigned char secret[16]; /* or somebody could send keys that all meet in one place */
};
void replay_index_init(struct replay_index *index);

/* Rows are added in the order of time. 'id' is not 0. */
void replay_index_add(struct replay_index *index, const struct replay_key *key, uint64_t id,
                      int64_t at);

/* The rows that may hold 'key', one a call, those of newer tables first; 0 when there are no more.
 * '*search' is {0} at first. */
struct replay_search {
    const struct replay_table *table;
    size_t at;
    bool begun;
};
uint64_t replay_index_find(const struct replay_index *index, const struct replay_key *key,
                           struct replay_search *search);

/* Frees the tables that hold nothing but rows from before that time. */
void replay_index_prune(struct replay_index *index, int64_t before);
void replay_index_free(struct replay_index *index);

#endif
