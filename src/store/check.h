/* SPDX-License-Identifier: Apache-2.0 */
/* check.h -- rules 1 and 7, proved from the rows of any store.
 *
 * A driver yields rows of whole numbers, all of one consistent state; what must agree with what
 * is decided here, once. */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include "store/store.h"

/* X(name), and the columns in order. NULL is 0. */
#define CHECK_ROWS(X)                                                                              \
    X(CHECK_COUNTS)   /* events, ticket types, users that are not erased; one row */               \
    X(CHECK_EVENTS)   /* id, max_per_user, next_number (0: there is none); by id */                \
    X(CHECK_TYPES)    /* id, event, capacity, booked, held, waiting, wanted; by id */              \
    X(CHECK_BOOKINGS) /* id, event, ticket type, status, quantity; by id */                        \
    /* Of each booking, by booking: booking, rows, an event, lowest and highest ticket type, and   \
     * what came in less what went out in tickets: wanted, held, booked. */                        \
    X(CHECK_JOURNAL)                                                                               \
    /* Of each booking that has tickets, by booking: booking, tickets, lowest and highest event,   \
     * lowest and highest is_booked. */                                                            \
    X(CHECK_TICKETS_OF_BOOKINGS)                                                                   \
    /* Of each event that has tickets: event, tickets, highest number, those with a booking, one   \
     * that is booked without one (0: none). */                                                    \
    X(CHECK_TICKETS_OF_EVENTS)                                                                     \
    /* Of each block of a line whose sums are not those of the bookings that wait there: ticket    \
     * type, block, bookings by the sum, bookings. */                                              \
    X(CHECK_LINE_BLOCKS)                                                                           \
    /* Of the event that begin() names, each user whose row in holders is not the sum of his       \
     * bookings: user, tickets by the row, tickets. */                                             \
    X(CHECK_HOLDERS)                                                                               \
    X(CHECK_PLACES) /* the highest id in the journal, the last that was given out; one row */

enum check_rows {
#define X(name) name,
    CHECK_ROWS(X)
#undef X
        CHECK_ROWS_COUNT,
};

enum { CHECK_COLUMNS = 8 };

/* The first member of a driver's own. Up to three kinds of rows are under way at once, each once.
 */
struct check_source {
    void (*begin)(struct check_source *source, enum check_rows rows, uint64_t event_id);
    /* False at the end, and after a failure. */
    bool (*next)(struct check_source *source, enum check_rows rows, int64_t row[CHECK_COLUMNS]);
    /* Nothing failed so far: after a failure rows end early, and what is missing is no breach. */
    bool (*is_well)(const struct check_source *source);
};

/* As store_check(). */
void check_rules(struct check_source *source, struct check_figures *ret_figures,
                 void (*breach)(const char *sentence, void *data), void *data);

#endif
