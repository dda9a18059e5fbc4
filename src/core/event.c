/* SPDX-License-Identifier: Apache-2.0 */
/* Events: made, changed, closed, cancelled, and removed where nobody ever booked.
 *
 *   draft <---> on_sale <---> closed        any of them ---DELETE---> cancelled, for good
 *
 * The form of what comes in (lengths, known currency and time zone) was checked before; here is
 * what depends on what the event already is. */
#include <assert.h>

#include "core/parts.h"

bool actor_manages(const struct actor *actor, bool organizing_allowed, const struct event *event)
{
    return actor->id == 0 || actor->role == ROLE_ADMIN ||
           (organizing_allowed && actor->id == event->organizer_id);
}

static bool invalid(struct result *result, const char *pointer, const char *detail)
{
    result->outcome = INVALID;
    result->pointer = pointer;
    result->detail = str_of(detail);
    return false;
}

/* The times of an event and its sales windows against one another. */
static bool event_times_fit(const struct event *event, struct result *result)
{
    if (event->ends_at && !event->starts_at)
        return invalid(result, "/ends_at", "needs a starts_at before it");
    if (event->ends_at && event->ends_at < event->starts_at)
        return invalid(result, "/ends_at", "is before starts_at");
    return true;
}

static bool type_times_fit(const struct ticket_type *type, struct result *result)
{
    if (type->sales_start && type->sales_end && type->sales_end <= type->sales_start)
        return invalid(result, "/ticket_types",
                       "has a sales_end that is not after its sales_start");
    return true;
}

void decide_create_event(struct working_set *set, const struct command *command,
                         struct result *result)
{
    if (!command->organizing_allowed) {
        result->outcome = FORBIDDEN;
        return;
    }
    struct event *event = ARENA_NEW(set->arena, struct event);
    *event = command->create;
    if (event->starts_at && event->starts_at <= set->now) {
        invalid(result, "/starts_at", "is in the past");
        return;
    }
    if (!event_times_fit(event, result)) return;
    event->types = ARENA_ARRAY(set->arena, struct ticket_type, event->type_count);
    for (size_t i = 0; i < event->type_count; i++) {
        event->types[i] = command->create.types[i];
        if (!type_times_fit(&event->types[i], result)) return;
    }

    event->id = working_set_id(set, SEQUENCE_EVENT);
    event->organizer_id = command->actor.id;
    event->version = 1;
    event->next_number = 1;
    event->created_at = event->updated_at = set->now;
    for (size_t i = 0; i < event->type_count; i++) {
        event->types[i].id = working_set_id(set, SEQUENCE_TICKET_TYPE);
        event->types[i].event_id = event->id;
    }
    working_set_change(set, CHANGE_EVENT_INSERT)->event = event;
    result->event = event;
    result->outcome = OUTCOME_CREATED;
}

/* ---- changing ---- */

/* What the event will be; checks it, and changes nothing yet. */
static bool event_after(struct working_set *set, const struct event_update *update,
                        const struct event *event, struct event *after, struct result *result)
{
    const struct event *to = &update->event;
    *after = *event;
    if (update->fields & FIELD_NAME) after->name = to->name;
    if (update->fields & FIELD_DESCRIPTION) after->description = to->description;
    if (update->fields & FIELD_VENUE) after->venue = to->venue;
    if (update->fields & FIELD_STARTS_AT) after->starts_at = to->starts_at;
    if (update->fields & FIELD_ENDS_AT) after->ends_at = to->ends_at;
    if (update->fields & FIELD_TIMEZONE) after->timezone = to->timezone;
    if (update->fields & FIELD_CURRENCY)
        memcpy(after->currency, to->currency, sizeof(to->currency));
    if (update->fields & FIELD_STATUS) after->status = to->status;
    if (update->fields & FIELD_MAX_PER_USER) after->max_per_user = to->max_per_user;
    after->version++;
    after->updated_at = set->now;

    if (after->starts_at && after->starts_at != event->starts_at && after->starts_at <= set->now)
        return invalid(result, "/starts_at", "is in the past");
    if (event->ever_booked &&
        memcmp(after->currency, event->currency, sizeof(event->currency)) != 0)
        return invalid(result, "/currency", "cannot change once there are bookings");
    if (event->ever_booked && after->status == EVENT_DRAFT && event->status != EVENT_DRAFT)
        return invalid(result, "/status",
                       "cannot go back to draft once there are bookings: close the event");
    return event_times_fit(after, result);
}

/* The same for one ticket type; 'current' is NULL for a new one. */
static bool type_after(struct working_set *set, const struct ticket_type_update *update,
                       const struct ticket_type *current, struct ticket_type *after,
                       struct result *result)
{
    const struct ticket_type *to = &update->type;
    *after = current ? *current : (struct ticket_type){0};
    if (update->fields & FIELD_NAME) after->name = to->name;
    if (update->fields & FIELD_CAPACITY) after->capacity = to->capacity;
    if (update->fields & FIELD_PRICE) after->price = to->price;
    if (update->fields & FIELD_MAX_PER_BOOKING) after->max_per_booking = to->max_per_booking;
    if (update->fields & FIELD_SALES_START) after->sales_start = to->sales_start;
    if (update->fields & FIELD_SALES_END) after->sales_end = to->sales_end;
    if ((uint64_t)after->booked + after->held > after->capacity) {
        result->outcome = CAPACITY_BELOW_BOOKED;
        result->pointer = "/ticket_types";
        result->detail = arena_printf(
            set->arena, "A capacity of %u is lower than the %u tickets that are booked and held.",
            after->capacity, after->booked + after->held);
        return false;
    }
    return type_times_fit(after, result);
}

/* Checks every part of the update; 'types' gets what each of its ticket types will be. */
static bool update_check(struct working_set *set, const struct command *command,
                         const struct event_entry *entry, struct event *after,
                         struct ticket_type *types, struct result *result)
{
    const struct event_update *update = &command->update;
    bool manages =
        entry->found && actor_manages(&command->actor, command->organizing_allowed, &entry->row);
    bool visible = entry->found && (manages || entry->row.status != EVENT_DRAFT);
    if (!visible || !manages) {
        result->outcome = visible ? FORBIDDEN : NO_SUCH_EVENT;
        return false;
    }
    if (update->version && update->version != entry->row.version) {
        result->outcome = STALE;
        result->event = working_set_event_copy(set, entry); /* for its validator */
        return false;
    }
    if (entry->row.status == EVENT_IS_CANCELLED) {
        result->outcome = EVENT_CANCELLED;
        return false;
    }
    if (!event_after(set, update, &entry->row, after, result)) return false;

    size_t added = 0;
    for (size_t i = 0; i < update->type_count; i++) {
        for (size_t j = 0; j < i; j++)
            if (update->types[i].type.id && update->types[i].type.id == update->types[j].type.id)
                return invalid(result, "/ticket_types", "name the same ticket type twice");
        const struct type_entry *type = NULL;
        if (update->types[i].type.id) {
            type = working_set_type(set, update->types[i].type.id);
            if (!type || type->event != entry) {
                result->outcome = NO_SUCH_TICKET_TYPE;
                return false;
            }
        } else if (entry->row.type_count + ++added > TICKET_TYPES_MAX) {
            return invalid(result, "/ticket_types", "are too many: an event has at most 50");
        }
        if (!type_after(set, &update->types[i], type ? &type->row : NULL, &types[i], result))
            return false;
    }
    return true;
}

/* Does it concern who has a ticket, and not only who sells them? */
static bool changes_for_guests(const struct event *before, const struct event *after)
{
    return !str_equal(before->name, after->name) || !str_equal(before->venue, after->venue) ||
           !str_equal(before->timezone, after->timezone) || before->starts_at != after->starts_at ||
           before->ends_at != after->ends_at;
}

void decide_update_event(struct working_set *set, const struct command *command,
                         struct result *result)
{
    const struct event_update *update = &command->update;
    struct event_entry *entry = working_set_event(set, update->event.id);
    struct ticket_type *types = ARENA_ARRAY(set->arena, struct ticket_type, update->type_count);
    struct event after;
    if (!update_check(set, command, entry, &after, types, result)) return;

    bool limit_changed = after.max_per_user != entry->row.max_per_user;
    if (entry->row.status != EVENT_DRAFT && changes_for_guests(&entry->row, &after))
        notice_add(set, (struct notice){.topic = TOPIC_EVENT_CHANGED,
                                        .event_id = entry->id,
                                        .user_id = command->actor.id});
    entry->row = after;
    working_set_change(set, CHANGE_EVENT_UPDATE)->event = &entry->row;
    if (limit_changed) working_set_change(set, CHANGE_HOLDERS_REBUILD)->event_id = entry->id;

    for (size_t i = 0; i < update->type_count; i++) {
        struct type_entry *type = working_set_type(set, types[i].id);
        if (!type) {
            types[i].id = working_set_id(set, SEQUENCE_TICKET_TYPE);
            types[i].event_id = entry->id;
            working_set_add_type(set, entry, &types[i]);
            working_set_change(set, CHANGE_TYPE_INSERT)->type =
                &working_set_type(set, types[i].id)->row;
            continue;
        }
        bool grew = types[i].capacity > type->row.capacity;
        type->row = types[i];
        type->dirty = true;
        working_set_change(set, CHANGE_TYPE_UPDATE)->type = &type->row;
        /* Else nothing came free, and the plan has not loaded the line. */
        if (grew) result->promoted += waiting_serve(set, type);
    }
    result->outcome = OUTCOME_OK;
    result->event = working_set_event_copy(set, entry);
}

/* ---- the end of an event ---- */

void decide_delete_event(struct working_set *set, const struct command *command,
                         struct result *result)
{
    struct event_entry *entry = working_set_event(set, command->event_id);
    bool manages =
        entry->found && actor_manages(&command->actor, command->organizing_allowed, &entry->row);
    if (!entry->found || (!manages && entry->row.status == EVENT_DRAFT)) {
        result->outcome = NO_SUCH_EVENT;
        return;
    }
    if (!manages) {
        result->outcome = FORBIDDEN;
        return;
    }
    if (!entry->row.ever_booked) {
        working_set_change(set, CHANGE_EVENT_DELETE)->event_id = entry->id;
        entry->gone = true;
        result->outcome = OUTCOME_GONE;
        return;
    }
    if (entry->row.status == EVENT_IS_CANCELLED) {
        result->outcome = EVENT_CANCELLED;
        return;
    }
    /* In sets, by the store: an event may have a million bookings. */
    struct change *change = working_set_change(set, CHANGE_EVENT_CANCEL);
    change->cancel.event_id = entry->id;
    change->cancel.actor_id = command->actor.id;
    change->cancel.at = set->now;
    change->cancel.remove = set->keep_cancelled_ms == 0;
    for (size_t i = 0; i < entry->row.type_count; i++) {
        struct type_entry *type = entry->types[i];
        result->cancelled += type->row.booked + type->row.held;
        type->row.booked = type->row.held = type->row.waiting = 0;
        type->row.wanted = 0;
        type->dirty = true;
    }
    notice_add(set, (struct notice){.topic = TOPIC_EVENT_CANCELLED,
                                    .event_id = entry->id,
                                    .user_id = command->actor.id});
    entry->row.status = EVENT_IS_CANCELLED;
    entry->row.version++;
    entry->row.updated_at = set->now;
    working_set_change(set, CHANGE_EVENT_UPDATE)->event = &entry->row;
    result->outcome = OUTCOME_OK;
    result->event = working_set_event_copy(set, entry);
}
