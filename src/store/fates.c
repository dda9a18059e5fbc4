/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fates.h"

#include "base/array.h"

static void refuse(struct fates *fates, const char *text)
{
    if (!fates->error) fates->error = text;
}

/* ---- bookings ---- */

static struct booking_fate *first_booking(struct fates *fates, const struct change *change)
{
    struct booking_fate *fate = ARENA_NEW(fates->arena, struct booking_fate);
    fate->how = change->kind == CHANGE_BOOKING_INSERT   ? FATE_INSERT
                : change->kind == CHANGE_BOOKING_UPDATE ? FATE_UPDATE
                                                        : FATE_DELETE;
    map_put(&fates->booking_of, fates->arena, change->booking->id, 0, fate);
    *ARRAY_PUSH(fates->arena, &fates->bookings) = fate;
    return fate;
}

static void add_booking(struct fates *fates, const struct change *change)
{
    struct booking_fate *fate = map_get(&fates->booking_of, change->booking->id, 0);
    if (!fate) {
        fate = first_booking(fates, change);
    } else if (change->kind == CHANGE_BOOKING_INSERT) {
        refuse(fates, "a booking's id is used twice");
    } else if (fate->how == FATE_DELETE || fate->how == FATE_NOTHING) {
        refuse(fates, "a booking to be changed is not there");
    } else if (change->kind == CHANGE_BOOKING_DELETE) {
        fate->how = fate->how == FATE_INSERT ? FATE_NOTHING : FATE_DELETE;
    }
    fate->booking = change->booking;
}

/* ---- tickets ---- */

static struct ticket_fate *fate_of(struct fates *fates, uint64_t event_id, uint32_t number,
                                   bool *ret_is_first)
{
    struct ticket_fate *fate = map_get(&fates->ticket_of, event_id, number);
    *ret_is_first = !fate;
    if (fate) return fate;
    fate = ARENA_NEW(fates->arena, struct ticket_fate);
    fate->event_id = event_id;
    fate->number = number;
    map_put(&fates->ticket_of, fates->arena, event_id, number, fate);
    *ARRAY_PUSH(fates->arena, &fates->tickets) = fate;
    return fate;
}

static void add_new_tickets(struct fates *fates, const struct change *change)
{
    for (uint32_t i = 0; i < change->tickets.count; i++) {
        bool is_first;
        struct ticket_fate *fate =
            fate_of(fates, change->tickets.event_id, change->tickets.number + i, &is_first);
        if (!is_first) refuse(fates, "a ticket number is given out twice");
        fate->is_new = true;
        fate->booking_id = change->tickets.booking_id;
        fate->is_booked = change->tickets.is_booked;
    }
}

/* Given: it was nobody's, or held by the same booking. Returned: it was the booking's. */
static void add_ticket(struct fates *fates, const struct change *change)
{
    uint64_t booking_id = change->tickets.booking_id;
    bool is_given = change->kind == CHANGE_TICKET_GIVE, is_first;
    struct ticket_fate *fate =
        fate_of(fates, change->tickets.event_id, change->tickets.number, &is_first);
    if (is_first) {
        fate->was = booking_id;
        fate->is_given = is_given;
    } else if (fate->booking_id != booking_id && !(is_given && fate->booking_id == 0)) {
        refuse(fates, is_given ? "a ticket to be given again was not returned"
                               : "a ticket to be returned is not the booking's");
    }
    fate->booking_id = is_given ? booking_id : 0;
    fate->is_booked = is_given && change->tickets.is_booked;
}

/* ---- both ---- */

bool fates_add(struct fates *fates, const struct change *change)
{
    switch (change->kind) {
    case CHANGE_BOOKING_INSERT:
    case CHANGE_BOOKING_UPDATE:
    case CHANGE_BOOKING_DELETE: add_booking(fates, change); return true;
    case CHANGE_TICKETS_NEW: add_new_tickets(fates, change); return true;
    case CHANGE_TICKET_GIVE:
    case CHANGE_TICKET_RETURN: add_ticket(fates, change); return true;
    default: return false;
    }
}

void fates_clear(struct fates *fates)
{
    *fates = (struct fates){.arena = fates->arena, .error = fates->error};
}
