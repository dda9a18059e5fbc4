/* SPDX-License-Identifier: Apache-2.0 */
/* move.h -- copies everything from one store into another, empty one.
 *
 * Rows go over table by table in pages (bulk.h), each page in one transaction with a note of how
 * far it came: so a move may be stopped at any moment, and the same move goes on from there. The
 * note is the setting "moving" of the target; while it stands there, nobody may serve from it. It
 * also tells what the source was like, so that a move does not go on when that has changed since.
 */
#ifndef STORE_MOVE_H
#define STORE_MOVE_H

#include "store/store.h"

/* What is told while it goes on; each may be NULL. */
struct move_listener {
    void (*began)(bool is_resumed, void *data);
    /* After each page, and at the end of each table. */
    void (*copied)(const char *table, uint64_t rows, bool is_end, void *data);
    void (*checking)(const char *which, void *data); /* "source", "target" */
    void (*breach)(const char *sentence, void *data);
    void *data;
};

/* Both are writers that nobody else writes to. True when everything is in the target and both ends
 * hold all rules with the same figures, *ret_figures; otherwise a sentence in *ret_error. */
bool store_move(struct store *source, struct store *target, const struct move_listener *listener,
                struct arena *arena, struct check_figures *ret_figures, const char **ret_error);

/* NULL when the store is whole; otherwise a sentence: it is the target of a move that has not
 * ended, or its settings cannot be read. */
const char *move_unfinished(struct store *writer, struct arena *arena);

#endif
