/* SPDX-License-Identifier: Apache-2.0 */
/* bookings.h -- what several files need of bookings: their lists, and reading them. */
#ifndef API_BOOKINGS_H
#define API_BOOKINGS_H

#include "api/fields.h"

/* status, event or q, limit and cursor as the two lists of bookings have them. */
void booking_query_read(struct parameters *parameters, struct booking_query *query);

/* A page of bookings as the answer. */
void booking_list_answer(struct call *call, struct store *store, const struct booking_query *query,
                         bool with_user);

/* Can he see the booking? Somebody else's is as good as none, as NULL is. */
bool booking_is_visible(const struct actor *actor, bool may_organize,
                        const struct booking_view *booking);

/* The id that the path names; false: answered. */
bool booking_path_id(struct call *call, uint64_t *ret_id);

/* On a reader: the booking call->id, if it is there and the caller's to see; NULL: answered. */
struct booking_view *booking_find(struct call *call, struct store *store);

#endif
