/* SPDX-License-Identifier: Apache-2.0 */
/* Bookings: the states, the arrows between them, and the rules that hold at every commit.
 *
 *              enough free and nobody waiting              nothing to pay now
 *   (request) ------------------------------> [held] -----------------------> [confirmed]
 *       |            decide_book               ^  .                               |
 *       | else                   waiting_serve |  . (later: time is up)           | decide_cancel
 *       |                                      |  +.....> [expired]               v
 *       +-------> [waiting] -------------------+                            [cancelled]
 *    decide_book      |              decide_cancel                                ^
 *                     +-----------------------------------------------------------+
 *
 * As long as nothing holds tickets for a payment, 'held' is passed through within the decision: the
 * journal shows the arrow from where a booking was to 'confirmed'.
 *
 *  1. For every ticket type: booked + held + available = capacity, none of them negative.
 *  2. A request waits, or is served, in the order in which it was committed. Nobody overtakes:
 *     while somebody waits for a ticket type, a new request for it joins the tail, even one
 *     that would fit.
 *  3. A ticket given back goes to the head of the line in the same transaction. If the head
 *     wants more than is free, it waits, and what is free is kept for it.
 *  4. An answer leaves only after what it says is on disk. (engine/batch.c)
 *  5. A request is applied once, however often it is sent with the same key. (engine/batch.c)
 *  6. A cancelled booking holds no tickets; its numbers go to the next in line or back on sale.
 *  7. Every change of state appends one row to the journal, in the same transaction; the counters
 * can be rebuilt from it.
 *
 * Reasons in the journal: "booked", "joined", "promoted", "cancelled", "event_cancelled",
 * "user_erased". */
#include <assert.h>

#include "core/parts.h"

bool ticket_type_is_sane(const struct ticket_type *type)
{
    return (uint64_t)type->booked + type->held <= type->capacity && type->wanted >= type->waiting &&
           (type->waiting > 0 || type->wanted == 0);
}

static void refuse(struct result *result, enum outcome outcome)
{
    result->outcome = outcome;
}

static void count(struct ticket_type *type, enum booking_status status, int64_t tickets,
                  int32_t bookings)
{
    switch (status) {
    case BOOKING_WAITING:
        assert(tickets >= 0 || type->wanted >= (uint64_t)-tickets);
        type->wanted += (uint64_t)tickets;
        type->waiting += (uint32_t)bookings;
        break;
    case BOOKING_HELD: type->held += (uint32_t)tickets; break;
    case BOOKING_CONFIRMED: type->booked += (uint32_t)tickets; break;
    case BOOKING_NONE:
    case BOOKING_CANCELLED:
    case BOOKING_EXPIRED: break;
    }
}

/* The line of 'type' got longer or shorter at the place of this booking. */
static void count_line(struct working_set *set, const struct booking *booking, int32_t bookings,
                       int64_t tickets)
{
    uint64_t block = booking->id >> LINE_BLOCK_BITS;
    struct line_change *change = map_get(&set->line_changes, booking->ticket_type_id, block);
    if (!change) {
        change = ARENA_NEW(set->arena, struct line_change);
        *change = (struct line_change){.ticket_type_id = booking->ticket_type_id, .block = block};
        map_put(&set->line_changes, set->arena, booking->ticket_type_id, block, change);
    }
    change->bookings += bookings;
    change->tickets += tickets;
}

void booking_move(struct working_set *set, struct type_entry *type, const struct booking *booking,
                  enum booking_status from, enum booking_status to, uint32_t quantity, bool whole,
                  uint64_t actor_id, const char *reason)
{
    assert(ticket_type_is_sane(&type->row));
    count(&type->row, from, -(int64_t)quantity, whole ? -1 : 0);
    count(&type->row, to, quantity, whole ? 1 : 0);
    assert(ticket_type_is_sane(&type->row));
    type->dirty = true;
    if (from == BOOKING_WAITING) count_line(set, booking, whole ? -1 : 0, -(int64_t)quantity);
    if (to == BOOKING_WAITING) count_line(set, booking, whole ? 1 : 0, quantity);

    working_set_change(set, CHANGE_JOURNAL)->journal = (struct journal_entry){
        .booking_id = booking->id,
        .event_id = booking->event_id,
        .ticket_type_id = booking->ticket_type_id,
        .from = from,
        .to = to,
        .quantity = quantity,
        .actor_id = actor_id,
        .at = set->now,
        .reason = reason,
    };
}

/* What a person holds or waits for of an event with max_per_user. */
static void holder_count(struct working_set *set, const struct event *event, uint64_t user_id,
                         int64_t tickets)
{
    if (!event->max_per_user) return;
    struct holder_entry *holder = working_set_holder(set, event->id, user_id);
    assert(holder && holder->loaded && (tickets >= 0 || holder->quantity >= -tickets));
    holder->quantity += (uint32_t)tickets;
    holder->dirty = true;
}

void booking_spoils_searches(struct working_set *set, const struct booking *booking)
{
    struct newest_entry *newest = working_set_newest(set, booking->event_id, booking->user_id);
    if (newest) newest->stale = true;
}

/* ---- booking ---- */

/* The type that is meant; NULL after a refusal. */
static struct type_entry *book_type(const struct event_entry *event, const struct command *command,
                                    struct result *result)
{
    uint64_t id = command->book.ticket_type_id;
    for (size_t i = 0; i < event->row.type_count; i++)
        if (event->types[i]->row.id == id || (id == 0 && event->row.type_count == 1))
            return event->types[i];
    if (id != 0) {
        refuse(result, NO_SUCH_TICKET_TYPE);
        return NULL;
    }
    refuse(result, INVALID);
    result->pointer = "/ticket_type_id";
    result->detail = STR("is needed: the event has several ticket types");
    return NULL;
}

static bool too_many(struct working_set *set, struct result *result, const char *what,
                     uint32_t most, uint32_t quantity, uint32_t has)
{
    refuse(result, TOO_MANY);
    result->pointer = "/quantity";
    result->detail =
        has ? arena_printf(set->arena, "%s is %u tickets, %u were asked for and you have %u.", what,
                           most, quantity, has)
            : arena_printf(set->arena, "%s is %u tickets, %u were asked for.", what, most,
                           quantity);
    return false;
}

static bool book_is_within_limits(struct working_set *set, const struct event *event,
                                  const struct ticket_type *type, const struct command *command,
                                  struct result *result)
{
    uint32_t quantity = command->book.quantity;
    if (quantity > QUANTITY_MAX)
        return too_many(set, result, "The most in one booking", QUANTITY_MAX, quantity, 0);
    if (type->max_per_booking && quantity > type->max_per_booking)
        return too_many(set, result, "The most in one booking", type->max_per_booking, quantity, 0);
    if (quantity > type->capacity)
        return too_many(set, result, "The whole capacity", type->capacity, quantity, 0);
    if (event->max_per_user) {
        const struct holder_entry *holder = working_set_holder(set, event->id, command->actor.id);
        assert(holder && holder->loaded);
        if (quantity + holder->quantity > event->max_per_user)
            return too_many(set, result, "The most for one person", event->max_per_user, quantity,
                            holder->quantity);
    }
    return true;
}

/* A draft is there for those who manage it only. */
static bool event_is_there(const struct event_entry *event, const struct command *command)
{
    if (!event->found || event->gone) return false;
    return event->row.status != EVENT_DRAFT ||
           actor_manages(&command->actor, command->organizing_allowed, &event->row);
}

static bool may_book(const struct working_set *set, const struct command *command)
{
    if (!command->verified_only) return true;
    const struct user_entry *user = working_set_user(set, command->actor.id);
    return user->found && user->row.verified_at;
}

/* The ladder of refusals, in the documented order. */
static struct type_entry *book_check(struct working_set *set, const struct event_entry *event,
                                     const struct command *command, struct result *result)
{
    if (!event_is_there(event, command)) return refuse(result, NO_SUCH_EVENT), NULL;
    const struct event *row = &event->row;
    if (!may_book(set, command)) return refuse(result, EMAIL_NOT_VERIFIED), NULL;
    if (row->status != EVENT_ON_SALE) return refuse(result, NOT_ON_SALE), NULL;
    if (row->starts_at && row->starts_at <= set->now) return refuse(result, EVENT_STARTED), NULL;

    struct type_entry *type = book_type(event, command, result);
    if (!type) return NULL;
    if (type->row.sales_start > set->now) return refuse(result, SALES_NOT_STARTED), NULL;
    if (type->row.sales_end && type->row.sales_end <= set->now)
        return refuse(result, SALES_ENDED), NULL;
    if (!book_is_within_limits(set, row, &type->row, command, result)) return NULL;
    return type;
}

/* Whoever follows the event is told when the last ticket goes. */
static void note_sold_out(struct working_set *set, const struct event_entry *event)
{
    for (size_t i = 0; i < event->row.type_count; i++)
        if (ticket_type_available(&event->types[i]->row) > 0) return;
    notice_add(set, (struct notice){.topic = TOPIC_EVENT_SOLD_OUT, .event_id = event->id});
}

void decide_book(struct working_set *set, const struct command *command, struct result *result)
{
    struct event_entry *event = working_set_event(set, command->book.event_id);
    struct type_entry *type = book_check(set, event, command, result);
    if (!type) return;

    uint32_t quantity = command->book.quantity;
    /* Rule 2: what would fit waits too while somebody waits. */
    bool served = type->row.waiting == 0 && quantity <= ticket_type_available(&type->row);
    if (!served && !command->book.join_waiting_list) return refuse(result, SOLD_OUT);

    struct booking_entry *entry =
        working_set_new_booking(set, &(struct booking){
                                         .id = working_set_id(set, SEQUENCE_BOOKING),
                                         .user_id = command->actor.id,
                                         .event_id = event->id,
                                         .ticket_type_id = type->row.id,
                                         .quantity = quantity,
                                         .status = served ? BOOKING_CONFIRMED : BOOKING_WAITING,
                                         .unit_price = type->row.price,
                                         .created_at = set->now,
                                         .updated_at = set->now,
                                     });
    struct booking *booking = &entry->row;
    working_set_change(set, CHANGE_BOOKING_INSERT)->booking = booking;

    if (served) {
        tickets_give(set, event, booking);
        booking_move(set, type, booking, BOOKING_NONE, BOOKING_CONFIRMED, quantity, true,
                     command->actor.id, "booked");
        note_sold_out(set, event);
        result->outcome = OUTCOME_CREATED;
    } else {
        bool line_is_whole = type->line_live == type->row.waiting;
        result->ahead = type->row.wanted;
        booking_move(set, type, booking, BOOKING_NONE, BOOKING_WAITING, quantity, true,
                     command->actor.id, "joined");
        if (line_is_whole) waiting_join(set, type, entry);
        result->position = type->row.waiting;
        result->outcome = OUTCOME_WAITING;
    }
    holder_count(set, &event->row, booking->user_id, quantity);
    booking_spoils_searches(set, booking);
    if (!event->row.ever_booked) event->row.ever_booked = event->numbers_dirty = true;
    result->event = &event->row;
    result->type = &type->row;
    result->booking = booking;
}

/* ---- cancelling ---- */

/* 'quantity' of the tickets, or of the places in line, are given back. */
static void booking_give_back(struct working_set *set, struct type_entry *type,
                              struct booking_entry *entry, uint32_t quantity, uint64_t actor_id,
                              const char *reason)
{
    struct booking *booking = &entry->row;
    bool whole = quantity == booking->quantity;
    if (booking->status != BOOKING_WAITING) tickets_return(set, type->event, booking, quantity);
    booking_move(set, type, booking, booking->status, BOOKING_CANCELLED, quantity, whole, actor_id,
                 reason);
    holder_count(set, &type->event->row, booking->user_id, -(int64_t)quantity);
    booking_spoils_searches(set, booking);
    booking->updated_at = set->now;
    if (!whole) {
        booking->quantity -= quantity;
    } else {
        waiting_leave(type, entry);
        booking->status = BOOKING_CANCELLED;
    }
    /* Rule 6: with KEEP_CANCELLED=0 the entry goes in the same transaction. */
    bool remove = whole && set->keep_cancelled_ms == 0;
    entry->found = !remove; /* for what comes later in this batch */
    working_set_change(set, remove ? CHANGE_BOOKING_DELETE : CHANGE_BOOKING_UPDATE)->booking =
        booking;
}

void booking_end(struct working_set *set, struct type_entry *type, struct booking_entry *booking,
                 uint64_t actor_id, const char *reason)
{
    booking_give_back(set, type, booking, booking->row.quantity, actor_id, reason);
}

static void cancel(struct working_set *set, const struct command *command,
                   struct booking_entry *entry, struct result *result)
{
    struct booking *booking = &entry->row;
    struct event_entry *event = working_set_event(set, booking->event_id);
    struct type_entry *type = working_set_type(set, booking->ticket_type_id);
    bool manages = actor_manages(&command->actor, command->organizing_allowed, &event->row);
    if (booking->user_id != command->actor.id && !manages) return refuse(result, NO_SUCH_BOOKING);
    if (!booking_is_active(booking->status)) return refuse(result, ALREADY_CANCELLED);
    if (!manages && event->row.starts_at && event->row.starts_at <= set->now)
        return refuse(result, EVENT_STARTED);

    uint32_t quantity = command->cancel.quantity ? command->cancel.quantity : booking->quantity;
    if (quantity > booking->quantity) {
        too_many(set, result, "The booking", booking->quantity, quantity, 0);
        return;
    }
    result->was = booking->status;
    result->cancelled = quantity;
    booking_give_back(set, type, entry, quantity, command->actor.id, "cancelled");
    result->promoted = waiting_serve(set, type); /* rule 3 */
    result->outcome = OUTCOME_OK;
    result->event = &event->row;
    result->type = &type->row;
    result->booking = booking;
}

void decide_cancel(struct working_set *set, const struct command *command, struct result *result)
{
    struct booking_entry *booking = working_set_booking(set, command->cancel.booking_id);
    if (!booking->found) return refuse(result, NO_SUCH_BOOKING);
    cancel(set, command, booking, result);
}

void decide_cancel_newest(struct working_set *set, const struct command *command,
                          struct result *result)
{
    const struct event_entry *event = working_set_event(set, command->cancel.event_id);
    const struct newest_entry *newest =
        working_set_newest(set, command->cancel.event_id, command->actor.id);
    if (!event_is_there(event, command)) return refuse(result, NO_SUCH_EVENT);
    if (newest->stale) {
        result->again = true;
        return;
    }
    if (!newest->booking_id) return refuse(result, NOTHING_TO_CANCEL);
    struct booking_entry *booking = working_set_booking(set, newest->booking_id);
    if (!booking_is_active(booking->row.status)) {
        result->again = true; /* another command of this batch cancelled it by its reference */
        return;
    }
    cancel(set, command, booking, result);
}

/* ---- money received by hand ---- */

void decide_pay(struct working_set *set, const struct command *command, struct result *result)
{
    struct booking_entry *entry = working_set_booking(set, command->pay.booking_id);
    if (!entry->found) return refuse(result, NO_SUCH_BOOKING);
    struct booking *booking = &entry->row;
    struct event_entry *event = working_set_event(set, booking->event_id);
    if (!actor_manages(&command->actor, command->organizing_allowed, &event->row))
        return refuse(result, booking->user_id == command->actor.id ? FORBIDDEN : NO_SUCH_BOOKING);
    if (!booking_is_active(booking->status)) return refuse(result, ALREADY_CANCELLED);

    int64_t due = booking_total(booking) - booking->paid;
    if (command->pay.amount > due) {
        refuse(result, OVERPAID);
        result->detail =
            arena_printf(set->arena, "%lld is more than the %lld that are due.",
                         (long long)command->pay.amount, (long long)(due > 0 ? due : 0));
        return;
    }
    struct payment *payment = ARENA_NEW(set->arena, struct payment);
    *payment = (struct payment){
        .id = working_set_id(set, SEQUENCE_PAYMENT),
        .booking_id = booking->id,
        .actor_id = command->actor.id,
        .amount = command->pay.amount,
        .method = command->pay.method,
        .note = command->pay.note,
        .created_at = set->now,
    };
    memcpy(payment->currency, event->row.currency, sizeof(payment->currency));
    booking->paid += payment->amount;
    booking->updated_at = set->now;
    working_set_change(set, CHANGE_PAYMENT)->payment = payment;
    working_set_change(set, CHANGE_BOOKING_UPDATE)->booking = booking;
    result->outcome = OUTCOME_CREATED;
    result->event = &event->row;
    result->type = &working_set_type(set, booking->ticket_type_id)->row;
    result->booking = booking;
    result->payment = payment;
}
