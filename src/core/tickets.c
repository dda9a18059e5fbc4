/* SPDX-License-Identifier: Apache-2.0 */
/* Ticket numbers: small, unique within their event. A number that came back is given out again, the
 * lowest first, before a new one is made. Between decisions
 *
 *     next_number - 1 = numbers out (booked + held over all types) + numbers returned
 *
 * which is how a batch knows, without looking, that nothing was returned. */
#include <assert.h>

#include "core/parts.h"

void numbers_push(struct numbers *numbers, struct arena *arena, uint32_t number)
{
    if (numbers->count == numbers->size) {
        numbers->size = numbers->size ? numbers->size * 2 : 16;
        uint32_t *items = ARENA_ARRAY(arena, uint32_t, numbers->size);
        if (numbers->count) memcpy(items, numbers->items, numbers->count * sizeof(*items));
        numbers->items = items;
    }
    size_t at = numbers->count++;
    for (size_t up; at > 0 && numbers->items[up = (at - 1) / 2] > number; at = up)
        numbers->items[at] = numbers->items[up];
    numbers->items[at] = number;
}

uint32_t numbers_pop(struct numbers *numbers)
{
    assert(numbers->count);
    uint32_t lowest = numbers->items[0];
    uint32_t last = numbers->items[--numbers->count];
    size_t at = 0;
    for (size_t down; (down = 2 * at + 1) < numbers->count; at = down) {
        if (down + 1 < numbers->count && numbers->items[down + 1] < numbers->items[down]) down++;
        if (numbers->items[down] >= last) break;
        numbers->items[at] = numbers->items[down];
    }
    numbers->items[at] = last;
    return lowest;
}

void tickets_give(struct working_set *set, struct event_entry *event, struct booking *booking)
{
    uint32_t count = booking->quantity, given = 0;
    booking->numbers = ARENA_ARRAY(set->arena, uint32_t, count);
    booking->number_count = count;
    uint32_t returned = event_returned_total(event);

    for (; given < count && given < returned; given++) {
        uint32_t number = numbers_pop(&event->returned);
        booking->numbers[given] = number;
        struct change *change = working_set_change(set, CHANGE_TICKET_GIVE);
        change->tickets.event_id = event->id;
        change->tickets.booking_id = booking->id;
        change->tickets.number = number;
        change->tickets.count = 1;
        change->tickets.is_booked = true;
    }
    if (given == count) return;

    struct change *change = working_set_change(set, CHANGE_TICKETS_NEW);
    change->tickets.event_id = event->id;
    change->tickets.booking_id = booking->id;
    change->tickets.number = event->row.next_number;
    change->tickets.count = count - given;
    change->tickets.is_booked = true;
    while (given < count)
        booking->numbers[given++] = event->row.next_number++;
    event->numbers_dirty = true;
}

void tickets_return(struct working_set *set, struct event_entry *event, struct booking *booking,
                    uint32_t count)
{
    assert(count <= booking->number_count);
    while (count--) {
        uint32_t number = booking->numbers[--booking->number_count];
        numbers_push(&event->returned, set->arena, number);
        struct change *change = working_set_change(set, CHANGE_TICKET_RETURN);
        change->tickets.event_id = event->id;
        change->tickets.booking_id = booking->id;
        change->tickets.number = number;
        change->tickets.count = 1;
    }
}
