/* SPDX-License-Identifier: Apache-2.0 */
/* homes.h -- which of several lanes a command belongs to.
 *
 * Nothing is wrong when two lanes work on one event: the store's locks decide, as they do between
 * processes. But then one waits for the other, and so an event has a home: a lane by its id. A
 * command that names only a booking goes to the home of its event where that is remembered, and
 * somewhere else where it is not. What names neither goes where its user's commands go. */
#ifndef ENGINE_HOMES_H
#define ENGINE_HOMES_H

#include "core/working_set.h"

struct homes;

struct homes *homes_new(size_t lanes);
void homes_free(struct homes *homes);

/* From 0 to lanes - 1. */
size_t homes_find(const struct homes *homes, const struct command *command);

/* Remembers the bookings that a batch knows. */
void homes_note(struct homes *homes, const struct working_set *set);

#endif
