/* SPDX-License-Identifier: Apache-2.0 */
/* fates.h -- what becomes of each booking and each ticket number in a batch, for drivers that
 * write a row once, however often the batch changed it: as it is in the end.
 *
 *     fates_add(&fates, change);        for each change that is of bookings or tickets
 *     fates.bookings.items[i]->how      in the order in which they were first named
 *
 * Changes come in order. One that does not follow from those before it would, row by row, have
 * failed in the database; as it never gets there, it is noticed here: fates.error. What the rows
 * in the database must be like is said in each fate, and the driver's statements see to it. */
#ifndef STORE_FATES_H
#define STORE_FATES_H

#include "base/map.h"
#include "core/change.h"

struct booking_fate {
    const struct booking *booking; /* its last state */
    enum { FATE_INSERT, FATE_UPDATE, FATE_DELETE, FATE_NOTHING } how;
};

struct ticket_fate {
    uint64_t event_id;
    uint64_t was;   /* the booking that it must belong to before ... */
    bool is_given;  /* ... or to none */
    bool is_new;    /* there must be no row of it before, and these two say nothing */
    bool is_booked; /* from now on */
    uint32_t number;
    uint64_t booking_id; /* from now on; 0: it was returned */
};

struct fates {
    struct arena *arena;
    struct map booking_of, ticket_of;
    struct {
        struct booking_fate **items;
        size_t count, size;
    } bookings;
    struct {
        struct ticket_fate **items;
        size_t count, size;
    } tickets;
    const char *error; /* of the first change that does not follow, a constant; NULL: all do */
};

/* False for a change of something else, which is the caller's. What it points to must stay. */
bool fates_add(struct fates *fates, const struct change *change);

/* They are written; what comes now finds them in the database. 'error' stays. */
void fates_clear(struct fates *fates);

#endif
