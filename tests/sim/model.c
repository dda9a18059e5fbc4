/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_KEPT_MS (INT64_C(24) * 60 * 60 * 1000)

static void *grown(void *items, size_t count, size_t *size, size_t item_size)
{
    if (count < *size) return items;
    *size = *size ? *size * 2 : 64;
    items = realloc(items, *size * item_size);
    if (!items) abort();
    return items;
}

void model_free(struct model *model)
{
    free(model->bookings);
    free(model->entries);
    free(model->keys);
}

/* ---- looking ---- */

struct m_user *model_user(struct model *model, uint64_t id)
{
    for (size_t i = 0; i < model->user_count; i++)
        if (model->users[i].id == id) return &model->users[i];
    return NULL;
}

struct m_event *model_event(struct model *model, uint64_t id)
{
    for (size_t i = 0; i < model->event_count; i++)
        if (model->events[i].id == id && !model->events[i].gone) return &model->events[i];
    return NULL;
}

struct m_booking *model_booking(struct model *model, uint64_t id)
{
    for (size_t i = model->booking_count; i > 0; i--)
        if (model->bookings[i - 1].id == id)
            return model->bookings[i - 1].removed ? NULL : &model->bookings[i - 1];
    return NULL;
}

static struct m_type *type_of(struct m_event *event, uint64_t type_id)
{
    for (uint32_t i = 0; i < event->type_count; i++)
        if (event->types[i].id == type_id) return &event->types[i];
    return NULL;
}

static bool is_active(const struct m_booking *booking)
{
    return !booking->removed &&
           (booking->status == BOOKING_WAITING || booking->status == BOOKING_CONFIRMED);
}

struct m_counters model_count(const struct model *model, uint64_t type_id)
{
    struct m_counters counters = {0};
    for (size_t i = 0; i < model->booking_count; i++) {
        const struct m_booking *booking = &model->bookings[i];
        if (booking->type_id != type_id) continue;
        if (booking->status == BOOKING_CONFIRMED) counters.booked += booking->quantity;
        if (booking->status == BOOKING_WAITING) {
            counters.waiting++;
            counters.wanted += booking->quantity;
        }
    }
    return counters;
}

uint32_t model_position(const struct model *model, const struct m_booking *booking,
                        uint64_t *ret_ahead)
{
    uint32_t position = 1;
    *ret_ahead = 0;
    for (const struct m_booking *other = model->bookings; other < booking; other++) {
        if (other->type_id != booking->type_id || other->status != BOOKING_WAITING) continue;
        position++;
        *ret_ahead += other->quantity;
    }
    return position;
}

uint32_t model_numbers(const struct model *model, const struct m_booking *booking,
                       uint32_t numbers[ANSWER_NUMBERS])
{
    uint32_t index = (uint32_t)(booking - model->bookings) + 1, count = 0;
    for (uint32_t number = 1; number <= booking->event->numbers; number++)
        if (booking->event->owner[number] == index && count < ANSWER_NUMBERS)
            numbers[count++] = number;
    return count;
}

static const char *complain(struct model *model, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static const char *complain(struct model *model, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(model->complaint, sizeof(model->complaint), format, arguments);
    va_end(arguments);
    return model->complaint;
}

static struct m_booking *line_head(struct model *model, uint64_t type_id)
{
    for (size_t i = 0; i < model->booking_count; i++)
        if (model->bookings[i].type_id == type_id && model->bookings[i].status == BOOKING_WAITING)
            return &model->bookings[i];
    return NULL;
}

const char *model_sane(struct model *model, const struct m_event *event)
{
    for (uint32_t i = 0; i < event->type_count; i++) {
        const struct m_type *type = &event->types[i];
        struct m_counters counters = model_count(model, type->id);
        if (counters.booked > type->capacity)
            return complain(model, "rule 1: %u booked of %u", counters.booked, type->capacity);
        const struct m_booking *head = line_head(model, type->id);
        if (head && head->quantity <= type->capacity - counters.booked)
            return complain(model, "rule 3: %u are free and the next in line wants %u",
                            type->capacity - counters.booked, head->quantity);
    }
    return NULL;
}

/* ---- keys ---- */

const struct m_key *model_key(const struct model *model, size_t count, uint64_t user_id,
                              uint32_t key, int64_t now)
{
    for (size_t i = count; i > 0; i--) {
        const struct m_key *known = &model->keys[i - 1];
        if (known->user_id == user_id && known->key == key)
            return now - known->at < KEYS_KEPT_MS ? known : NULL;
    }
    return NULL;
}

void model_key_add(struct model *model, const struct m_key *key)
{
    model->keys = grown(model->keys, model->key_count, &model->key_size, sizeof(*key));
    model->keys[model->key_count++] = *key;
}

/* ---- refusals: what may be answered instead, as a set ---- */

typedef uint64_t refusals;
_Static_assert(OUTCOME_COUNT <= 64, "a set of outcomes is 64 bits");
#define REFUSAL(outcome) ((refusals)1 << (outcome))

static bool manages(const struct command *command, const struct m_event *event)
{
    const struct actor *actor = &command->actor;
    if (actor->id == 0 || actor->role == ROLE_ADMIN) return true;
    return command->organizing_allowed && event->organizer_id == actor->id;
}

/* A draft is nothing to those who do not manage it. */
static bool sees(const struct command *command, const struct m_event *event)
{
    return event && (event->status != EVENT_DRAFT || manages(command, event));
}

static bool has_begun(const struct m_event *event, int64_t now)
{
    return event->starts_at != 0 && now >= event->starts_at;
}

/* ---- effects ---- */

static void journal(struct model *model, struct m_booking *booking, enum booking_status from,
                    enum booking_status to, uint32_t quantity, uint64_t actor_id, int64_t at,
                    const char *reason)
{
    int32_t index = (int32_t)model->entry_count;
    model->entries =
        grown(model->entries, model->entry_count, &model->entry_size, sizeof(*model->entries));
    model->entries[model->entry_count++] =
        (struct m_entry){from, to, quantity, actor_id, at, reason, -1};
    if (booking->first_entry < 0)
        booking->first_entry = index;
    else
        model->entries[booking->last_entry].next = index;
    booking->last_entry = index;
    booking->touched = true;
}

static void touch(struct model *model, const struct m_event *event)
{
    model->event_touched[event - model->events] = true;
}

/* The lowest that are free; new ones when all are taken. */
static void give_numbers(struct model *model, struct m_booking *booking)
{
    struct m_event *event = booking->event;
    uint32_t owner = (uint32_t)(booking - model->bookings) + 1, number = 1;
    for (uint32_t left = booking->quantity; left > 0; left--) {
        while (number <= event->numbers && event->owner[number])
            number++;
        if (number >= MODEL_NUMBERS) abort();
        if (number > event->numbers) event->numbers = number;
        event->owner[number] = owner;
    }
}

/* The highest 'count' of those it has. */
static void take_numbers(struct model *model, struct m_booking *booking, uint32_t count)
{
    struct m_event *event = booking->event;
    uint32_t owner = (uint32_t)(booking - model->bookings) + 1;
    for (uint32_t number = event->numbers; number > 0 && count > 0; number--) {
        if (event->owner[number] != owner) continue;
        event->owner[number] = 0;
        count--;
    }
}

/* Rules 2 and 3: strictly from the head. Returns how many were served. */
static uint32_t serve(struct model *model, struct m_event *event, uint64_t type_id, int64_t now)
{
    uint32_t served = 0;
    for (;;) {
        struct m_booking *head = line_head(model, type_id);
        uint32_t free = type_of(event, type_id)->capacity - model_count(model, type_id).booked;
        if (!head || head->quantity > free) return served;
        head->status = BOOKING_CONFIRMED;
        head->updated_at = now;
        give_numbers(model, head);
        journal(model, head, BOOKING_WAITING, BOOKING_CONFIRMED, head->quantity, 0, now,
                "promoted");
        served++;
    }
}

/* 'quantity' tickets, or places in line, are given back; nobody is served yet. */
static void give_back(struct model *model, struct m_booking *booking, uint32_t quantity,
                      uint64_t actor_id, int64_t now, const char *reason)
{
    journal(model, booking, booking->status, BOOKING_CANCELLED, quantity, actor_id, now, reason);
    if (booking->status == BOOKING_CONFIRMED) take_numbers(model, booking, quantity);
    booking->updated_at = now;
    if (quantity < booking->quantity) {
        booking->quantity -= quantity;
        return;
    }
    booking->status = BOOKING_CANCELLED;
    booking->removed = model->keep_cancelled_ms == 0;
}

/* ---- the answers that are expected ---- */

static void show_booking(struct model *model, struct answer *want, const struct m_booking *booking)
{
    want->event_id = booking->event->id;
    want->booking_id = booking->id;
    want->quantity = booking->quantity;
    want->status = booking->status;
    want->paid = booking->paid;
    want->total = is_active(booking) ? booking->unit_price * booking->quantity : 0;
    want->number_count = model_numbers(model, booking, want->numbers);
}

static void show_event(struct model *model, struct answer *want, const struct m_event *event)
{
    want->event_id = event->id;
    want->version = event->version;
    want->type_count = event->type_count;
    for (uint32_t i = 0; i < event->type_count; i++) {
        struct m_counters counters = model_count(model, event->types[i].id);
        want->types[i] = (struct answer_type){
            .id = event->types[i].id,
            .wanted = counters.wanted,
            .capacity = event->types[i].capacity,
            .booked = counters.booked,
            .waiting = counters.waiting,
        };
    }
}

/* ---- booking ---- */

static refusals book_refusals(struct model *model, const struct command *command,
                              struct m_event *event, int64_t now, struct m_type **ret_type)
{
    uint64_t type_id = command->book.ticket_type_id;
    uint32_t quantity = command->book.quantity;
    if (!sees(command, event)) return REFUSAL(NO_SUCH_EVENT);
    refusals set = 0;
    if (event->status != EVENT_ON_SALE) set |= REFUSAL(NOT_ON_SALE);
    if (has_begun(event, now)) set |= REFUSAL(EVENT_STARTED);

    struct m_type *type = type_of(event, type_id);
    if (type_id == 0 && event->type_count == 1) type = &event->types[0];
    if (!type) return set | REFUSAL(type_id ? NO_SUCH_TICKET_TYPE : INVALID);
    *ret_type = type;
    if (now < type->sales_start) set |= REFUSAL(SALES_NOT_STARTED);
    if (type->sales_end && now >= type->sales_end) set |= REFUSAL(SALES_ENDED);
    if (quantity > type->capacity || (type->max_per_booking && quantity > type->max_per_booking))
        set |= REFUSAL(TOO_MANY);
    uint32_t has = 0;
    for (size_t i = 0; i < model->booking_count; i++) {
        const struct m_booking *other = &model->bookings[i];
        if (other->event == event && other->user_id == command->actor.id && is_active(other))
            has += other->quantity;
    }
    if (event->max_per_user && has + quantity > event->max_per_user) set |= REFUSAL(TOO_MANY);
    return set;
}

static refusals judge_book(struct model *model, const struct command *command, int64_t now,
                           const struct answer *got, struct answer *want)
{
    struct m_event *event = model_event(model, command->book.event_id);
    struct m_type *type = NULL;
    refusals set = book_refusals(model, command, event, now, &type);
    if (set) return set;
    struct m_counters counters = model_count(model, type->id);
    uint32_t quantity = command->book.quantity;
    bool served = counters.waiting == 0 && quantity <= type->capacity - counters.booked;
    if (!served && !command->book.join_waiting_list) return REFUSAL(SOLD_OUT);

    model->bookings = grown(model->bookings, model->booking_count, &model->booking_size,
                            sizeof(struct m_booking));
    struct m_booking *booking = &model->bookings[model->booking_count++];
    *booking = (struct m_booking){
        .id = got->booking_id,
        .user_id = command->actor.id,
        .type_id = type->id,
        .event = event,
        .quantity = quantity,
        .status = served ? BOOKING_CONFIRMED : BOOKING_WAITING,
        .unit_price = type->price,
        .created_at = now,
        .updated_at = now,
        .first_entry = -1,
    };
    if (served) give_numbers(model, booking);
    journal(model, booking, BOOKING_NONE, booking->status, quantity, command->actor.id, now,
            served ? "booked" : "joined");
    event->ever_booked = true;
    want->outcome = served ? OUTCOME_CREATED : OUTCOME_WAITING;
    show_booking(model, want, booking);
    if (!served) want->position = model_position(model, booking, &want->ahead);
    touch(model, event);
    return 0;
}

static refusals judge_cancel(struct model *model, const struct command *command, int64_t now,
                             struct m_booking *booking, struct answer *want)
{
    if (!booking) return REFUSAL(NO_SUCH_BOOKING);
    struct m_event *event = booking->event;
    bool manager = manages(command, event);
    if (booking->user_id != command->actor.id && !manager) return REFUSAL(NO_SUCH_BOOKING);
    refusals set = 0;
    if (!is_active(booking)) set |= REFUSAL(ALREADY_CANCELLED);
    if (!manager && has_begun(event, now)) set |= REFUSAL(EVENT_STARTED);
    uint32_t quantity = command->cancel.quantity ? command->cancel.quantity : booking->quantity;
    if (is_active(booking) && quantity > booking->quantity) set |= REFUSAL(TOO_MANY);
    if (set) return set;

    give_back(model, booking, quantity, command->actor.id, now, "cancelled");
    want->outcome = OUTCOME_OK;
    want->cancelled = quantity;
    want->promoted = serve(model, event, booking->type_id, now);
    show_booking(model, want, booking);
    touch(model, event);
    return 0;
}

static refusals judge_cancel_newest(struct model *model, const struct command *command, int64_t now,
                                    struct answer *want)
{
    const struct m_event *event = model_event(model, command->cancel.event_id);
    if (!sees(command, event)) return REFUSAL(NO_SUCH_EVENT);
    struct m_booking *newest = NULL;
    for (size_t i = 0; i < model->booking_count; i++) {
        struct m_booking *booking = &model->bookings[i];
        if (booking->event != event || booking->user_id != command->actor.id || !is_active(booking))
            continue;
        if (!newest || newest->status == BOOKING_WAITING || booking->status == BOOKING_CONFIRMED)
            newest = booking;
    }
    return newest ? judge_cancel(model, command, now, newest, want) : REFUSAL(NOTHING_TO_CANCEL);
}

static refusals judge_pay(struct model *model, const struct command *command, int64_t now,
                          const struct answer *got, struct answer *want)
{
    struct m_booking *booking = model_booking(model, command->pay.booking_id);
    if (!booking) return REFUSAL(NO_SUCH_BOOKING);
    if (!manages(command, booking->event))
        return REFUSAL(booking->user_id == command->actor.id ? FORBIDDEN : NO_SUCH_BOOKING);
    if (!is_active(booking)) return REFUSAL(ALREADY_CANCELLED);
    if (booking->paid + command->pay.amount > booking->unit_price * booking->quantity)
        return REFUSAL(OVERPAID);
    booking->paid += command->pay.amount;
    booking->updated_at = now;
    booking->touched = true;
    want->outcome = OUTCOME_CREATED;
    want->payment_id = got->payment_id;
    show_booking(model, want, booking);
    touch(model, booking->event);
    return 0;
}

/* ---- events ---- */

static bool window_fits(int64_t start, int64_t end)
{
    return !start || !end || start < end;
}

static bool times_fit(int64_t starts_at, int64_t ends_at)
{
    return !ends_at || (starts_at && ends_at >= starts_at);
}

static refusals judge_create_event(struct model *model, const struct command *command, int64_t now,
                                   const struct answer *got, struct answer *want)
{
    const struct event *wanted = &command->create;
    if (!command->organizing_allowed) return REFUSAL(FORBIDDEN);
    bool fits = times_fit(wanted->starts_at, wanted->ends_at) &&
                !(wanted->starts_at && wanted->starts_at <= now);
    for (size_t i = 0; i < wanted->type_count; i++)
        fits &= window_fits(wanted->types[i].sales_start, wanted->types[i].sales_end);
    if (!fits) return REFUSAL(INVALID);

    if (model->event_count == MODEL_EVENTS || got->type_count > MODEL_TYPES) abort();
    struct m_event *event = &model->events[model->event_count++];
    *event = (struct m_event){
        .id = got->event_id,
        .organizer_id = command->actor.id,
        .version = 1,
        .name = wanted->name,
        .starts_at = wanted->starts_at,
        .ends_at = wanted->ends_at,
        .created_at = now,
        .updated_at = now,
        .status = wanted->status,
        .max_per_user = wanted->max_per_user,
        .type_count = (uint32_t)wanted->type_count,
    };
    memcpy(event->currency, wanted->currency, sizeof(event->currency));
    for (size_t i = 0; i < wanted->type_count; i++) {
        const struct ticket_type *type = &wanted->types[i];
        event->types[i] = (struct m_type){
            got->types[i].id, type->name,        type->capacity,  type->max_per_booking,
            type->price,      type->sales_start, type->sales_end,
        };
    }
    want->outcome = OUTCOME_CREATED;
    show_event(model, want, event);
    touch(model, event);
    return 0;
}

static void type_change(struct m_type *type, const struct ticket_type_update *update)
{
    if (update->fields & FIELD_NAME) type->name = update->type.name;
    if (update->fields & FIELD_CAPACITY) type->capacity = update->type.capacity;
    if (update->fields & FIELD_PRICE) type->price = update->type.price;
    if (update->fields & FIELD_MAX_PER_BOOKING)
        type->max_per_booking = update->type.max_per_booking;
    if (update->fields & FIELD_SALES_START) type->sales_start = update->type.sales_start;
    if (update->fields & FIELD_SALES_END) type->sales_end = update->type.sales_end;
}

static refusals type_refusals(struct model *model, struct m_event *event,
                              const struct event_update *update, size_t at)
{
    const struct ticket_type_update *one = &update->types[at];
    struct m_type after = {0};
    refusals set = 0;
    if (one->type.id) {
        const struct m_type *type = type_of(event, one->type.id);
        if (!type) return REFUSAL(NO_SUCH_TICKET_TYPE);
        after = *type;
    }
    for (size_t i = 0; i < at; i++)
        if (one->type.id && update->types[i].type.id == one->type.id) set |= REFUSAL(INVALID);
    type_change(&after, one);
    if (one->type.id && after.capacity < model_count(model, after.id).booked)
        set |= REFUSAL(CAPACITY_BELOW_BOOKED);
    if (!window_fits(after.sales_start, after.sales_end)) set |= REFUSAL(INVALID);
    return set;
}

static refusals update_refusals(struct model *model, const struct command *command,
                                struct m_event *event, int64_t now)
{
    const struct event_update *update = &command->update;
    const struct event *to = &update->event;
    if (!sees(command, event)) return REFUSAL(NO_SUCH_EVENT);
    if (!manages(command, event)) return REFUSAL(FORBIDDEN);
    refusals set = 0;
    if (update->version && update->version != event->version) set |= REFUSAL(STALE);
    if (event->status == EVENT_IS_CANCELLED) set |= REFUSAL(EVENT_CANCELLED);
    int64_t starts_at = update->fields & FIELD_STARTS_AT ? to->starts_at : event->starts_at;
    int64_t ends_at = update->fields & FIELD_ENDS_AT ? to->ends_at : event->ends_at;
    if (starts_at && starts_at != event->starts_at && starts_at <= now) set |= REFUSAL(INVALID);
    if (!times_fit(starts_at, ends_at)) set |= REFUSAL(INVALID);
    if (event->ever_booked && (update->fields & FIELD_CURRENCY) &&
        strcmp(to->currency, event->currency) != 0)
        set |= REFUSAL(INVALID);
    if (event->ever_booked && (update->fields & FIELD_STATUS) && to->status == EVENT_DRAFT &&
        event->status != EVENT_DRAFT)
        set |= REFUSAL(INVALID);
    for (size_t i = 0; i < update->type_count; i++)
        set |= type_refusals(model, event, update, i);
    return set;
}

static refusals judge_update_event(struct model *model, const struct command *command, int64_t now,
                                   const struct answer *got, struct answer *want)
{
    const struct event_update *update = &command->update;
    const struct event *to = &update->event;
    struct m_event *event = model_event(model, to->id);
    refusals set = update_refusals(model, command, event, now);
    if (set || !event) return set;
    if (update->fields & FIELD_NAME) event->name = to->name;
    if (update->fields & FIELD_STARTS_AT) event->starts_at = to->starts_at;
    if (update->fields & FIELD_ENDS_AT) event->ends_at = to->ends_at;
    if (update->fields & FIELD_CURRENCY)
        memcpy(event->currency, to->currency, sizeof(event->currency));
    if (update->fields & FIELD_STATUS) event->status = to->status;
    if (update->fields & FIELD_MAX_PER_USER) event->max_per_user = to->max_per_user;
    for (size_t i = 0; i < update->type_count; i++) {
        struct m_type *type = type_of(event, update->types[i].type.id);
        if (!update->types[i].type.id) {
            if (event->type_count == MODEL_TYPES) abort();
            type = &event->types[event->type_count];
            *type = (struct m_type){.id = got->types[event->type_count++].id};
        }
        type_change(type, &update->types[i]);
        want->promoted += serve(model, event, type->id, now);
    }
    event->version++;
    event->updated_at = now;
    want->outcome = OUTCOME_OK;
    show_event(model, want, event);
    touch(model, event);
    return 0;
}

static refusals judge_delete_event(struct model *model, const struct command *command, int64_t now,
                                   struct answer *want)
{
    struct m_event *event = model_event(model, command->event_id);
    if (!sees(command, event)) return REFUSAL(NO_SUCH_EVENT);
    if (!manages(command, event)) return REFUSAL(FORBIDDEN);
    touch(model, event);
    if (!event->ever_booked) {
        event->gone = true;
        want->outcome = OUTCOME_GONE;
        return 0;
    }
    if (event->status == EVENT_IS_CANCELLED) return REFUSAL(EVENT_CANCELLED);
    for (size_t i = 0; i < model->booking_count; i++) {
        struct m_booking *booking = &model->bookings[i];
        if (booking->event != event || !is_active(booking)) continue;
        if (booking->status == BOOKING_CONFIRMED) want->cancelled += booking->quantity;
        give_back(model, booking, booking->quantity, command->actor.id, now, "event_cancelled");
    }
    event->status = EVENT_IS_CANCELLED;
    event->version++;
    event->updated_at = now;
    want->outcome = OUTCOME_OK;
    show_event(model, want, event);
    return 0;
}

/* ---- people ---- */

/* Letters of the alphabet count alike in either case; the simulation has no others. */
static bool same_login(struct str one, struct str two)
{
    if (one.len != two.len || !one.len) return false;
    for (size_t i = 0; i < one.len; i++)
        if ((one.data[i] | 0x20) != (two.data[i] | 0x20)) return false;
    return true;
}

static refusals login_refusals(struct model *model, struct str email, struct str username,
                               uint64_t but)
{
    refusals set = 0;
    for (size_t i = 0; i < model->user_count; i++) {
        const struct m_user *user = &model->users[i];
        if (user->erased_at || user->id == but) continue;
        if (same_login(user->email, email)) set |= REFUSAL(EMAIL_TAKEN);
        if (same_login(user->username, username)) set |= REFUSAL(USERNAME_TAKEN);
    }
    return set;
}

static struct m_touched *touch_user(struct model *model, const struct m_user *user, bool has_role)
{
    struct m_touched *touched = &model->touched[model->touched_count++];
    *touched = (struct m_touched){
        .user = (size_t)(user - model->users), .has_role = has_role, .role = user->role};
    return touched;
}

/* Tokens issued up to now are dead; nor does the one live on that asks for it. */
static void revoke(struct model *model, const struct command *command, uint64_t user_id,
                   bool has_role, int64_t now)
{
    struct m_user *user = model_user(model, user_id);
    int64_t at = now;
    if (command->actor.id == user_id && command->actor.token_at > at) at = command->actor.token_at;
    if (at > user->not_before) user->not_before = at;
    struct m_touched *touched = touch_user(model, user, has_role);
    touched->is_revoked = true;
    touched->not_before = at;
}

static refusals judge_register(struct model *model, const struct command *command, int64_t now,
                               const struct answer *got, struct answer *want)
{
    const struct user *wanted = &command->user.user;
    refusals set = login_refusals(model, wanted->email, wanted->username, 0);
    if (set) return set;
    if (model->user_count == MODEL_USERS) abort();
    model->users[model->user_count++] = (struct m_user){
        .id = got->user_id,
        .email = wanted->email,
        .username = wanted->username,
        .name = wanted->name,
        .role = wanted->role,
        .created_at = now,
    };
    touch_user(model, &model->users[model->user_count - 1], true)->is_new = true;
    want->outcome = OUTCOME_CREATED;
    want->user_id = got->user_id;
    return 0;
}

static refusals judge_update_user(struct model *model, const struct command *command, int64_t now,
                                  struct answer *want)
{
    unsigned fields = command->user.fields;
    const struct user *to = &command->user.user;
    struct m_user *user = model_user(model, to->id);
    if (!user || user->erased_at) return REFUSAL(NO_SUCH_USER);
    refusals set =
        login_refusals(model, fields & FIELD_EMAIL ? to->email : (struct str){0},
                       fields & FIELD_USERNAME ? to->username : (struct str){0}, user->id);
    if (set) return set;
    if (fields & FIELD_NAME) user->name = to->name;
    if (fields & FIELD_EMAIL) user->email = to->email;
    if (fields & FIELD_USERNAME) user->username = to->username;
    if (fields & FIELD_PASSWORD)
        revoke(model, command, user->id, true, now);
    else
        touch_user(model, user, true);
    want->outcome = OUTCOME_OK;
    want->user_id = user->id;
    return 0;
}

static refusals judge_set_role(struct model *model, const struct command *command,
                               struct answer *want)
{
    if (command->actor.id && command->actor.role != ROLE_ADMIN) return REFUSAL(FORBIDDEN);
    struct m_user *user = model_user(model, command->user.user.id);
    if (!user || user->erased_at) return REFUSAL(NO_SUCH_USER);
    user->role = command->user.user.role;
    touch_user(model, user, true);
    want->outcome = OUTCOME_OK;
    want->user_id = user->id;
    return 0;
}

static refusals judge_sign_out(struct model *model, const struct command *command, int64_t now,
                               struct answer *want)
{
    revoke(model, command, command->user.user.id, false, now);
    want->outcome = OUTCOME_GONE;
    return 0;
}

/* One booking after the other, the oldest first, and after each the line is served. */
static refusals judge_erase(struct model *model, const struct command *command, int64_t now,
                            struct answer *want)
{
    struct m_user *user = model_user(model, command->user.user.id);
    if (!user || user->erased_at) return REFUSAL(NO_SUCH_USER);
    for (size_t i = 0; i < model->booking_count; i++) {
        struct m_booking *booking = &model->bookings[i];
        if (booking->user_id != user->id || !is_active(booking) || has_begun(booking->event, now))
            continue;
        give_back(model, booking, booking->quantity, user->id, now, "user_erased");
        want->promoted += serve(model, booking->event, booking->type_id, now);
        touch(model, booking->event);
    }
    user->email = user->username = user->name = (struct str){0};
    user->role = ROLE_USER;
    user->erased_at = now;
    revoke(model, command, user->id, true, now);
    want->outcome = OUTCOME_GONE;
    want->user_id = user->id;
    return 0;
}

static refusals judge_prune(struct model *model, int64_t now, struct answer *want)
{
    for (size_t i = 0; i < model->booking_count; i++) {
        struct m_booking *booking = &model->bookings[i];
        if (booking->status == BOOKING_CANCELLED &&
            booking->updated_at < now - model->keep_cancelled_ms) {
            booking->removed = booking->touched = true;
            touch(model, booking->event);
        }
    }
    want->outcome = OUTCOME_OK;
    return 0;
}

/* ---- the judgement ---- */

static refusals judge(struct model *model, const struct command *command, int64_t now,
                      const struct answer *got, struct answer *want)
{
    switch (command->kind) {
    case COMMAND_BOOK: return judge_book(model, command, now, got, want);
    case COMMAND_CANCEL:
        return judge_cancel(model, command, now, model_booking(model, command->cancel.booking_id),
                            want);
    case COMMAND_CANCEL_NEWEST: return judge_cancel_newest(model, command, now, want);
    case COMMAND_PAY: return judge_pay(model, command, now, got, want);
    case COMMAND_CREATE_EVENT: return judge_create_event(model, command, now, got, want);
    case COMMAND_UPDATE_EVENT: return judge_update_event(model, command, now, got, want);
    case COMMAND_DELETE_EVENT: return judge_delete_event(model, command, now, want);
    case COMMAND_REGISTER: return judge_register(model, command, now, got, want);
    case COMMAND_UPDATE_USER: return judge_update_user(model, command, now, want);
    case COMMAND_SET_ROLE: return judge_set_role(model, command, want);
    case COMMAND_SIGN_OUT: return judge_sign_out(model, command, now, want);
    case COMMAND_ERASE_USER: return judge_erase(model, command, now, want);
    case COMMAND_PRUNE: return judge_prune(model, now, want);
    default: break; /* what the outbox does is not simulated */
    }
    abort();
}

/* Ids that come with this answer are new, and rise in the order of commit. */
static const char *ids_are_wrong(struct model *model, const struct command *command,
                                 const struct answer *got)
{
    if (command->kind == COMMAND_BOOK &&
        (got->outcome == OUTCOME_CREATED || got->outcome == OUTCOME_WAITING)) {
        const struct m_booking *last =
            model->booking_count ? &model->bookings[model->booking_count - 1] : NULL;
        if (!got->booking_id || (last && got->booking_id <= last->id))
            return complain(model, "the booking's id is not above those before");
    }
    if (command->kind == COMMAND_CREATE_EVENT && got->outcome == OUTCOME_CREATED)
        for (size_t i = 0; i < model->event_count; i++)
            if (model->events[i].id >= got->event_id)
                return complain(model, "the event's id is not above those before");
    if (command->kind == COMMAND_CREATE_EVENT || command->kind == COMMAND_UPDATE_EVENT)
        for (uint32_t i = 0; i < got->type_count; i++) {
            bool known = false;
            for (size_t j = 0; j < model->event_count; j++)
                known |= model->events[j].id == got->event_id &&
                         type_of(&model->events[j], got->types[i].id) != NULL;
            if (!known && got->types[i].id <= model->last_type_id)
                return complain(model, "a ticket type's id is not above those before");
            if (!known) model->last_type_id = got->types[i].id;
        }
    if (command->kind == COMMAND_REGISTER && got->outcome == OUTCOME_CREATED &&
        (!got->user_id ||
         (model->user_count && model->users[model->user_count - 1].id >= got->user_id)))
        return complain(model, "the user's id is not above those before");
    if (command->kind == COMMAND_PAY && got->outcome == OUTCOME_CREATED) {
        if (got->payment_id <= model->last_payment_id)
            return complain(model, "the payment's id is not above those before");
        model->last_payment_id = got->payment_id;
    }
    return NULL;
}

static const char *compare(struct model *model, const struct answer *want, const struct answer *got)
{
    if (want->outcome != got->outcome)
        return complain(model, "answered %s, expected %s", outcome_texts[got->outcome].word,
                        outcome_texts[want->outcome].word);
#define SAME(member)                                                                               \
    if (want->member != got->member)                                                               \
        return complain(model, "answered " #member " %lld, expected %lld", (long long)got->member, \
                        (long long)want->member);
    SAME(event_id)
    SAME(booking_id)
    SAME(user_id)
    SAME(payment_id)
    SAME(status)
    SAME(quantity)
    SAME(position)
    SAME(ahead)
    SAME(promoted)
    SAME(cancelled)
    SAME(paid)
    SAME(total)
    SAME(version)
    SAME(number_count)
    SAME(type_count)
    for (uint32_t i = 0; i < want->number_count; i++) {
        SAME(numbers[i])
    }
    for (uint32_t i = 0; i < want->type_count; i++) {
        SAME(types[i].id)
        SAME(types[i].capacity)
        SAME(types[i].booked)
        SAME(types[i].held)
        SAME(types[i].waiting)
        SAME(types[i].wanted)
    }
#undef SAME
    return NULL;
}

const char *model_decide(struct model *model, const struct command *command, int64_t now,
                         bool alive, const struct answer *got)
{
    model->touched_count = 0;
    if (!alive || got->outcome == UNAUTHORIZED) {
        if (!alive && got->outcome == UNAUTHORIZED) return NULL;
        return complain(model, "answered %s to a token that is %s",
                        outcome_texts[got->outcome].word, alive ? "good" : "dead");
    }
    if (got->number_count > ANSWER_NUMBERS || got->type_count > MODEL_TYPES)
        return complain(model, "an answer with more than was asked for");
    const char *wrong = ids_are_wrong(model, command, got);
    if (wrong) return wrong;
    struct answer want = {0};
    refusals set = judge(model, command, now, got, &want);
    if (!set) return compare(model, &want, got);
    if (set & REFUSAL(got->outcome)) return NULL;
    unsigned first = 0;
    while (!(set & REFUSAL(first)))
        first++;
    return complain(model, "answered %s, expected %s", outcome_texts[got->outcome].word,
                    outcome_texts[first].word);
}
