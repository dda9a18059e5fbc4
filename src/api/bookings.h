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

/* Can the caller see the booking? Somebody else's is as good as none. */
bool booking_is_visible(const struct call *call, const struct booking_view *booking);
bool booking_is_managed(const struct call *call, const struct booking_view *booking);

#endif
