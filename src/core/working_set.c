/* SPDX-License-Identifier: Apache-2.0 */
#include "core/working_set.h"

#include <assert.h>

#include "base/array.h"
#include "base/text.h"
#include "core/parts.h"

void working_set_init(struct working_set *set, struct arena *arena, int64_t now)
{
    *set = (struct working_set){.arena = arena, .now = now};
}

/* ---- entries: found by key, made when first asked for ---- */

struct event_entry *working_set_event(const struct working_set *set, uint64_t id)
{
    return map_get(&set->events, id, 0);
}

struct type_entry *working_set_type(const struct working_set *set, uint64_t id)
{
    return map_get(&set->types, id, 0);
}

struct booking_entry *working_set_booking(const struct working_set *set, uint64_t id)
{
    return map_get(&set->bookings, id, 0);
}

struct user_entry *working_set_user(const struct working_set *set, uint64_t id)
{
    return map_get(&set->users, id, 0);
}

struct holder_entry *working_set_holder(const struct working_set *set, uint64_t event_id,
                                        uint64_t user_id)
{
    return map_get(&set->holders, event_id, user_id);
}

struct newest_entry *working_set_newest(const struct working_set *set, uint64_t event_id,
                                        uint64_t user_id)
{
    return map_get(&set->newest, event_id, user_id);
}

struct login_entry *working_set_login(const struct working_set *set, bool is_email,
                                      struct str folded)
{
    /* A batch has few registrations, each of which cost its client an Argon2 run. */
    for (size_t i = 0; i < set->logins.count; i++)
        if (set->logins.items[i]->is_email == is_email &&
            str_equal(set->logins.items[i]->folded, folded))
            return set->logins.items[i];
    return NULL;
}

/* An entry of 'map' under (a, b); a new one is cleared, and '*ret_new' tells. */
static void *entry(struct working_set *set, struct map *map, uint64_t a, uint64_t b, size_t size,
                   bool *ret_new)
{
    void *value = map_get(map, a, b);
    *ret_new = !value;
    if (!value) {
        value = arena_zalloc(set->arena, size);
        map_put(map, set->arena, a, b, value);
        set->wants = true;
    }
    return value;
}

static struct event_entry *want_event(struct working_set *set, uint64_t id)
{
    bool is_new;
    struct event_entry *event = entry(set, &set->events, id, 0, sizeof(*event), &is_new);
    event->id = id;
    return event;
}

static struct booking_entry *want_booking(struct working_set *set, uint64_t id)
{
    bool is_new;
    struct booking_entry *booking = entry(set, &set->bookings, id, 0, sizeof(*booking), &is_new);
    booking->id = id;
    return booking;
}

static void want_user(struct working_set *set, uint64_t id)
{
    bool is_new;
    struct user_entry *user = entry(set, &set->users, id, 0, sizeof(*user), &is_new);
    user->id = id;
}

static void want_holder(struct working_set *set, const struct event *event, uint64_t user_id)
{
    if (!event->max_per_user) return;
    bool is_new;
    struct holder_entry *holder =
        entry(set, &set->holders, event->id, user_id, sizeof(*holder), &is_new);
    holder->event_id = event->id;
    holder->user_id = user_id;
}

static struct newest_entry *want_newest(struct working_set *set, uint64_t event_id,
                                        uint64_t user_id)
{
    bool is_new;
    struct newest_entry *newest =
        entry(set, &set->newest, event_id, user_id, sizeof(*newest), &is_new);
    newest->event_id = event_id;
    newest->user_id = user_id;
    return newest;
}

struct message_entry *working_set_message(const struct working_set *set, uint64_t id)
{
    return map_get(&set->messages, id, 0);
}

struct webhook_entry *working_set_webhook(const struct working_set *set, uint64_t id)
{
    return map_get(&set->webhooks, id, 0);
}

static void want_webhook(struct working_set *set, uint64_t id)
{
    bool is_new;
    struct webhook_entry *webhook = entry(set, &set->webhooks, id, 0, sizeof(*webhook), &is_new);
    webhook->id = id;
}

static void want_message(struct working_set *set, uint64_t id)
{
    bool is_new;
    struct message_entry *message = entry(set, &set->messages, id, 0, sizeof(*message), &is_new);
    message->id = id;
}

static struct user_bookings_entry *want_user_bookings(struct working_set *set, uint64_t user_id)
{
    bool is_new;
    struct user_bookings_entry *all =
        entry(set, &set->user_bookings, user_id, 0, sizeof(*all), &is_new);
    all->user_id = user_id;
    return all;
}

static void want_login(struct working_set *set, bool is_email, struct str text)
{
    if (!text.len) return;
    struct str folded = text_fold(set->arena, text);
    if (working_set_login(set, is_email, folded)) return;
    struct login_entry *login = ARENA_NEW(set->arena, struct login_entry);
    *login = (struct login_entry){.is_email = is_email, .folded = folded};
    *ARRAY_PUSH(set->arena, &set->logins) = login;
    set->wants = true;
}

static void want_ids(struct working_set *set, enum sequence sequence, size_t count)
{
    set->ids[sequence].needed += count;
    if (count) set->wants = true;
}

struct replay_entry *working_set_want_replay(struct working_set *set, const struct replay_key *key)
{
    uint64_t a, b;
    memcpy(&a, key->key, sizeof(a));
    memcpy(&b, key->key + sizeof(a), sizeof(b));
    bool is_new;
    struct replay_entry *replay =
        entry(set, &set->replays, a ^ key->user_id, b, sizeof(*replay), &is_new);
    /* Two users whose 128-bit hashes differ by just their ids' difference: not in this universe,
     * but then it must not be answered with somebody else's answer. */
    assert(is_new || replay->key.user_id == key->user_id);
    replay->key = *key;
    return replay;
}

/* ---- what a command needs ---- */

/* 'freed' more tickets may go to the line of 'type'. Each of them serves at most one booking, as
 * does what was free before; one booking may have left the line, and one is looked at that does not
 * fit. */
static void want_line(struct working_set *set, struct type_entry *type, uint32_t freed)
{
    if (type->line_needed == 0) {
        uint32_t available = ticket_type_available(&type->row);
        type->line_needed = available + 1;
        if (type->row.waiting) type->event->numbers_needed += available;
    }
    type->line_needed += freed + 1;
    type->event->numbers_needed += freed;
    set->wants = true;
}

static bool plan_book(struct working_set *set, const struct command *command, unsigned stage)
{
    struct event_entry *event = want_event(set, command->book.event_id);
    if (stage == 0) {
        want_ids(set, SEQUENCE_BOOKING, 1);
        if (command->verified_only) want_user(set, command->actor.id);
        return false;
    }
    if (event->found) {
        want_holder(set, &event->row, command->actor.id);
        if (event_returned_total(event)) {
            event->numbers_needed += command->book.quantity;
            set->wants = true;
        }
    }
    return true;
}

/* The event of a booking, and then what giving its tickets back sets going. True when done. */
static bool plan_booking_end(struct working_set *set, const struct booking_entry *booking,
                             bool event_known)
{
    if (!booking->found) return true;
    const struct event_entry *event = want_event(set, booking->row.event_id);
    if (!event_known) return false;
    assert(event->found);
    want_line(set, working_set_type(set, booking->row.ticket_type_id), booking->row.quantity);
    want_holder(set, &event->row, booking->row.user_id);
    return true;
}

static bool plan_cancel(struct working_set *set, const struct command *command, unsigned stage)
{
    const struct booking_entry *booking = want_booking(set, command->cancel.booking_id);
    return stage > 0 && plan_booking_end(set, booking, stage > 1);
}

static bool plan_cancel_newest(struct working_set *set, const struct command *command,
                               unsigned stage)
{
    const struct newest_entry *newest =
        want_newest(set, command->cancel.event_id, command->actor.id);
    want_event(set, command->cancel.event_id);
    if (stage == 0) return false;
    if (!newest->booking_id) return true;
    const struct booking_entry *booking = want_booking(set, newest->booking_id);
    return stage > 1 && plan_booking_end(set, booking, true);
}

static bool plan_pay(struct working_set *set, const struct command *command, unsigned stage)
{
    const struct booking_entry *booking = want_booking(set, command->pay.booking_id);
    if (stage == 0) {
        want_ids(set, SEQUENCE_PAYMENT, 1);
        return false;
    }
    if (booking->found) want_event(set, booking->row.event_id);
    return true;
}

static bool plan_update_event(struct working_set *set, const struct command *command,
                              unsigned stage)
{
    const struct event_update *update = &command->update;
    struct event_entry *event = want_event(set, update->event.id);
    if (stage == 0) {
        size_t added = 0;
        for (size_t i = 0; i < update->type_count; i++)
            added += update->types[i].type.id == 0;
        want_ids(set, SEQUENCE_TICKET_TYPE, added);
        return false;
    }
    for (size_t i = 0; event->found && i < update->type_count; i++) {
        struct type_entry *type = working_set_type(set, update->types[i].type.id);
        uint32_t capacity = update->types[i].type.capacity;
        if (type && type->event == event && (update->types[i].fields & FIELD_CAPACITY) &&
            capacity > type->row.capacity)
            want_line(set, type, capacity - type->row.capacity);
    }
    return true;
}

static bool plan_erase(struct working_set *set, const struct command *command, unsigned stage)
{
    const struct user_bookings_entry *all = want_user_bookings(set, command->user.user.id);
    want_user(set, command->user.user.id);
    if (stage == 0) return false;
    bool done = true;
    for (size_t i = 0; i < all->count; i++) {
        const struct booking_entry *booking = want_booking(set, all->booking_ids[i]);
        if (stage > 1) done = plan_booking_end(set, booking, stage > 2) && done;
    }
    return done && (stage > 1 || all->count == 0);
}

static bool plan_logins(struct working_set *set, const struct command *command)
{
    if (command->user.fields & FIELD_EMAIL) want_login(set, true, command->user.user.email);
    if (command->user.fields & FIELD_USERNAME) want_login(set, false, command->user.user.username);
    return true;
}

static bool plan_claim(struct working_set *set, const struct command *command)
{
    for (size_t i = 0; i < command->claim.count; i++)
        *ARRAY_PUSH(set->arena, &set->claims) =
            (struct claim_entry){.wanted = command->claim.items[i]};
    set->wants = true;
    return true;
}

/* The user's row is wanted for its lock: who makes two at once is counted one after the other. */
static bool plan_create_webhook(struct working_set *set, const struct command *command)
{
    want_ids(set, SEQUENCE_WEBHOOK, 1);
    want_user(set, command->actor.id);
    set->webhooks_of.user_id = command->actor.id;
    set->webhooks_of.needed = true;
    return true;
}

static bool plan_settle(struct working_set *set, const struct command *command)
{
    for (size_t i = 0; i < command->settle.count; i++)
        want_message(set, command->settle.items[i].message_id);
    return true;
}

bool working_set_plan(struct working_set *set, const struct command *command, unsigned *stage)
{
    unsigned at = (*stage)++;
    switch (command->kind) {
    case COMMAND_BOOK: return plan_book(set, command, at);
    case COMMAND_CANCEL: return plan_cancel(set, command, at);
    case COMMAND_CANCEL_NEWEST: return plan_cancel_newest(set, command, at);
    case COMMAND_PAY: return plan_pay(set, command, at);
    case COMMAND_CREATE_EVENT:
        want_ids(set, SEQUENCE_EVENT, 1);
        want_ids(set, SEQUENCE_TICKET_TYPE, command->create.type_count);
        return true;
    case COMMAND_UPDATE_EVENT: return plan_update_event(set, command, at);
    case COMMAND_DELETE_EVENT: want_event(set, command->event_id); return true;
    case COMMAND_REGISTER: want_ids(set, SEQUENCE_USER, 1); return plan_logins(set, command);
    case COMMAND_UPDATE_USER:
        want_user(set, command->user.user.id);
        return plan_logins(set, command);
    case COMMAND_SET_ROLE:
    case COMMAND_RESET_PASSWORD:
    case COMMAND_ASK_CONFIRMATION:
    case COMMAND_CONFIRM_EMAIL: want_user(set, command->user.user.id); return true;
    case COMMAND_ASK_RESET: want_login(set, true, command->user.user.email); return true;
    case COMMAND_ERASE_USER: return plan_erase(set, command, at);
    case COMMAND_TELL:
        set->position.needed = true;
        set->wants = true;
        return true;
    case COMMAND_CLAIM: return plan_claim(set, command);
    case COMMAND_SETTLE: return plan_settle(set, command);
    case COMMAND_RETRY:
    case COMMAND_DROP: want_message(set, command->message_id); return true;
    case COMMAND_CREATE_WEBHOOK: return plan_create_webhook(set, command);
    case COMMAND_UPDATE_WEBHOOK:
    case COMMAND_TEST_WEBHOOK:
    case COMMAND_DELETE_WEBHOOK: want_webhook(set, command->webhook.webhook.id); return true;
    case COMMAND_SIGN_OUT:
    case COMMAND_PRUNE: return true;
    case COMMAND_KINDS: break;
    }
    assert(!"a kind of command that is not planned");
    return true;
}

/* ---- for stores ---- */

struct booking_entry *working_set_put_booking(struct working_set *set,
                                              const struct booking *booking)
{
    bool is_new;
    struct booking_entry *entry_ =
        entry(set, &set->bookings, booking->id, 0, sizeof(*entry_), &is_new);
    if (entry_->loaded) return entry_; /* already here: as a booking of its own, or in a line */
    *entry_ =
        (struct booking_entry){.id = booking->id, .loaded = true, .found = true, .row = *booking};
    return entry_;
}

struct booking_entry *working_set_new_booking(struct working_set *set,
                                              const struct booking *booking)
{
    bool wanted = set->wants;
    struct booking_entry *made = want_booking(set, booking->id);
    set->wants = wanted; /* it is here: nothing is left to load */
    assert(!made->found);
    *made =
        (struct booking_entry){.id = booking->id, .loaded = true, .found = true, .row = *booking};
    return made;
}

void working_set_put_event(struct working_set *set, struct event_entry *entry_,
                           const struct event *event, const struct ticket_type *types, size_t count)
{
    assert(!entry_->loaded && event->id == entry_->id);
    entry_->loaded = entry_->found = true;
    entry_->row = *event;
    entry_->row.type_count = 0;
    entry_->row.types = NULL;
    for (size_t i = 0; i < count; i++)
        working_set_add_type(set, entry_, &types[i]);
}

void working_set_add_type(struct working_set *set, struct event_entry *event,
                          const struct ticket_type *row)
{
    assert(ticket_type_is_sane(row) && row->event_id == event->id);
    size_t count = event->row.type_count;
    struct type_entry **types = ARENA_ARRAY(set->arena, struct type_entry *, count + 1);
    if (count) memcpy(types, event->types, count * sizeof(*types));
    types[count] = ARENA_NEW(set->arena, struct type_entry);
    types[count]->row = *row;
    types[count]->event = event;
    map_put(&set->types, set->arena, row->id, 0, types[count]);
    event->types = types;
    event->row.type_count = count + 1;
}

struct event *working_set_event_copy(const struct working_set *set, const struct event_entry *event)
{
    struct event *copy = ARENA_NEW(set->arena, struct event);
    *copy = event->row;
    copy->types = ARENA_ARRAY(set->arena, struct ticket_type, copy->type_count);
    for (size_t i = 0; i < copy->type_count; i++)
        copy->types[i] = event->types[i]->row;
    return copy;
}

uint32_t event_returned_total(const struct event_entry *event)
{
    uint32_t given = 0;
    for (size_t i = 0; i < event->row.type_count; i++)
        given += event->types[i]->row.booked + event->types[i]->row.held;
    assert(given < event->row.next_number);
    return event->row.next_number - 1 - given;
}

void working_set_put_waiting(struct working_set *set, struct type_entry *type,
                             const struct booking *booking)
{
    assert(booking->status == BOOKING_WAITING && booking->ticket_type_id == type->row.id);
    waiting_join(set, type, working_set_put_booking(set, booking));
}

void working_set_put_claimed(struct working_set *set, struct claim_entry *claim,
                             const struct message *message)
{
    bool is_new;
    struct message_entry *entry_ =
        entry(set, &set->messages, message->id, 0, sizeof(*entry_), &is_new);
    *entry_ =
        (struct message_entry){.id = message->id, .loaded = true, .found = true, .row = *message};
    *ARRAY_PUSH(set->arena, claim) = entry_;
}

uint64_t working_set_id(struct working_set *set, enum sequence sequence)
{
    struct id_supply *supply = &set->ids[sequence];
    assert(supply->used < supply->count);
    return supply->ids[supply->used++];
}

struct change *working_set_change(struct working_set *set, enum change_kind kind)
{
    struct change *change = ARRAY_PUSH(set->arena, &set->changes);
    *change = (struct change){.kind = kind};
    return change;
}
