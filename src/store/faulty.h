/* SPDX-License-Identifier: Apache-2.0 */
/* faulty.h -- a store that fails when it is told to, around one that works: for tests.
 *
 *     struct fault_nth third = {.nth = 3, .fault = FAULT_UNKNOWN_DONE};
 *     struct fault_plan plan = {.next = fault_nth_commit, .data = &third};
 *     struct store *store = store_faulty(store_open(...), &plan);
 *
 * After a fault that a plan asked for, everything is as store.h says it is after that status. */
#ifndef STORE_FAULTY_H
#define STORE_FAULTY_H

#include "store/store.h"

enum fault {
    FAULT_NONE,
    FAULT_BUSY,
    FAULT_DOWN,
    FAULT_REFUSED,
    FAULT_UNKNOWN_DONE, /* STORE_UNKNOWN, and the batch is on disk */
    FAULT_UNKNOWN_LOST, /* STORE_UNKNOWN, and nothing was written */
    FAULT_SLOW,         /* works, after a while */
};

/* Only a commit can be unknown; elsewhere that is STORE_DOWN. */
enum fault_point {
    FAULT_AT_LOAD,
    FAULT_AT_COMMIT,
    FAULT_AT_WAS_COMMITTED,
    FAULT_AT_READ, /* every function of a reader, store_ping() too */
};

struct fault_plan {
    /* Asked before each operation, by the thread that the store belongs to; NULL: no faults. */
    enum fault (*next)(void *data, enum fault_point point);
    void *data;
    unsigned slow_ms; /* how long FAULT_SLOW takes */
    /* How that time passes; NULL: the thread sleeps. */
    void (*pass)(void *data, unsigned ms);
    /* A commit with a new booking by this user for this event is refused by the database, as often
     * as it is tried. 0 in one of them: any; in both: none is poisoned. */
    uint64_t poison_user_id, poison_event_id;
};

/* Takes 'inner' over, and closes it when it is closed. 'plan' must live as long. */
struct store *store_faulty(struct store *inner, const struct fault_plan *plan);

/* A plan: the nth commit from now, counted from 1, fails, and nothing else does. */
struct fault_nth {
    unsigned nth;
    enum fault fault;
    unsigned commits; /* asked for so far */
};
enum fault fault_nth_commit(void *fault_nth, enum fault_point point);

#endif
