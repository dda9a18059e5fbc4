/* SPDX-License-Identifier: Apache-2.0 */
/* The waiting list of a ticket type: its bookings in state 'waiting', in order of id, which is
 * the order in which they were committed.
 *
 * A batch holds the head of the line, as deep as its plan says that tickets may come free. Who
 * joins in this batch is put behind only where the whole line is here; otherwise there is a gap,
 * and the plan's bound says that nobody behind the gap is reached. */
#include <assert.h>

#include "base/array.h"
#include "core/parts.h"

void waiting_join(struct working_set *set, struct type_entry *type, struct booking_entry *booking)
{
    struct {
        struct booking_entry **items;
        size_t count, size;
    } line = {type->line, type->line_count, type->line_size};
    assert(!line.count || line.items[line.count - 1]->id < booking->id);
    *ARRAY_PUSH(set->arena, &line) = booking;
    type->line = line.items;
    type->line_count = line.count;
    type->line_size = line.size;
    type->line_live++;
    booking->in_line = true;
}

void waiting_leave(struct type_entry *type, struct booking_entry *booking)
{
    if (!booking->in_line) return;
    booking->in_line = false;
    assert(type->line_live);
    type->line_live--;
}

static struct booking_entry *waiting_head(struct type_entry *type)
{
    while (type->line_at < type->line_count && !type->line[type->line_at]->in_line)
        type->line_at++;
    if (type->line_at < type->line_count) return type->line[type->line_at];
    assert(type->row.waiting == 0); /* else the plan was too shallow */
    return NULL;
}

uint32_t waiting_serve(struct working_set *set, struct type_entry *type)
{
    uint32_t served = 0;
    struct booking_entry *head;
    /* Rules 2 and 3: strictly from the head. If it wants more than is free, what is free is kept
     * for it. */
    while (ticket_type_available(&type->row) > 0 && (head = waiting_head(type)) &&
           head->row.quantity <= ticket_type_available(&type->row)) {
        struct booking *booking = &head->row;
        tickets_give(set, type->event, booking);
        booking_move(set, type, booking, BOOKING_WAITING, BOOKING_CONFIRMED, booking->quantity,
                     true, 0, "promoted");
        booking->status = BOOKING_CONFIRMED;
        booking->updated_at = set->now;
        booking_spoils_searches(set, booking);
        working_set_change(set, CHANGE_BOOKING_UPDATE)->booking = booking;
        waiting_leave(type, head);
        served++;
    }
    return served;
}
