/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch writes, all or nothing: each row that is replaced is kept until the end, and put
 * back when a later change does not fit. */
#include <assert.h>
#include <stdlib.h>

#include "base/array.h"
#include "store/memory_internal.h"

/* ---- writing rows ---- */

/* A row with room for 'more' bytes of strings, which are to be put at *ret_more with pack(). */
static void *row_new(size_t size, uint64_t a, uint64_t b, struct str text, size_t more,
                     char **ret_more)
{
    char *memory = malloc(size + text.len + more);
    if (!memory) out_of_memory();
    struct row *row = (struct row *)memory;
    memset(row, 0, size);
    char *at = memory + size;
    *row = (struct row){a, b, {at, text.len}};
    if (text.len) memcpy(at, text.data, text.len);
    if (ret_more) *ret_more = at + text.len;
    return row;
}

#define ROW_NEW(type, a, b) ((type *)row_new(sizeof(type), (a), (b), (struct str){0}, 0, NULL))

static struct str pack(char **at, struct str s)
{
    struct str packed = {*at, s.len};
    if (s.len) memcpy(*at, s.data, s.len);
    *at += s.len;
    return packed;
}

/* Puts 'new' where 'old' was; the caller has made sure that 'old' is what is there. */
static void replace(struct memory_store *memory, enum table table, struct row *old, struct row *new)
{
    GTree *tree = memory->database->tables[table];
    *ARRAY_PUSH(&memory->scratch, &memory->undo) = (struct undo){tree, old, new};
    if (new)
        g_tree_replace(tree, new, new);
    else if (old)
        g_tree_remove(tree, old);
}

/* A new row takes the place of one with its key, if there is one. */
static void put(struct memory_store *memory, enum table table, void *row)
{
    replace(memory, table, g_tree_lookup(memory->database->tables[table], row), row);
}

static void drop(struct memory_store *memory, enum table table, uint64_t a, uint64_t b)
{
    struct row *old = row_at(memory->database, table, a, b);
    if (old) replace(memory, table, old, NULL);
}

static void drop_of(struct memory_store *memory, enum table table, uint64_t a)
{
    for (;;) {
        struct rows rows = rows_of(memory->database, table, a, 0);
        struct row *row = rows_next(&rows);
        if (!row) return;
        replace(memory, table, row, NULL);
    }
}

static bool refuse(struct memory_store *memory, const char *error)
{
    memory->error = error;
    return false;
}

/* As a primary key would have it. */
static bool insert(struct memory_store *memory, enum table table, void *row, const char *error)
{
    if (g_tree_lookup(memory->database->tables[table], row)) {
        free(row);
        return refuse(memory, error);
    }
    replace(memory, table, NULL, row);
    return true;
}

static void finish(struct memory_store *memory, bool keep)
{
    while (memory->undo.count) {
        struct undo *undo = &memory->undo.items[--memory->undo.count];
        if (!keep && undo->old)
            g_tree_replace(undo->tree, undo->old, undo->old);
        else if (!keep && undo->new)
            g_tree_remove(undo->tree, undo->new);
        free(keep ? undo->old : undo->new);
    }
    memset(&memory->undo, 0, sizeof(memory->undo));
    arena_reset(&memory->scratch);
}

/* ---- bookings ---- */

static void index_move(struct memory_store *memory, enum table table, bool was, uint64_t was_under,
                       bool is, uint64_t is_under, uint64_t id)
{
    if (was == is && (!is || was_under == is_under)) return;
    if (was) drop(memory, table, was_under, id);
    if (is) put(memory, table, ROW_NEW(struct row, is_under, id));
}

/* Either may be NULL. */
static void booking_index(struct memory_store *memory, const struct booking *old,
                          const struct booking *new)
{
    static const struct booking none = {.status = BOOKING_NONE};
    uint64_t id = old ? old->id : new->id;
    bool was = old != NULL, is = new != NULL;
    if (!old) old = &none;
    if (!new) new = &none;
    index_move(memory, BOOKINGS_OF_USER, was, old->user_id, is, new->user_id, id);
    index_move(memory, BOOKINGS_OF_EVENT, was, old->event_id, is, new->event_id, id);
    index_move(memory, ACTIVE_OF_USER, booking_is_active(old->status), old->user_id,
               booking_is_active(new->status), new->user_id, id);
    index_move(memory, WAITING_FOR_TYPE, old->status == BOOKING_WAITING, old->ticket_type_id,
               new->status == BOOKING_WAITING, new->ticket_type_id, id);
    index_move(memory, ENDED_AT, was && !booking_is_active(old->status), (uint64_t)old->updated_at,
               is && !booking_is_active(new->status), (uint64_t) new->updated_at, id);
}

static struct booking_row *booking_row(const struct booking *booking)
{
    struct booking_row *row = ROW_NEW(struct booking_row, booking->id, 0);
    row->row = *booking;
    row->row.numbers = NULL;
    row->row.number_count = 0;
    return row;
}

static bool booking_check(struct memory_store *memory, const struct booking *booking)
{
    return booking->quantity > 0 || refuse(memory, "a booking is of no tickets");
}

static bool booking_insert(struct memory_store *memory, const struct booking *booking)
{
    if (!booking_check(memory, booking)) return false;
    if (!insert(memory, BOOKINGS, booking_row(booking), "a booking has this id already"))
        return false;
    booking_index(memory, NULL, booking);
    return true;
}

static bool booking_update(struct memory_store *memory, const struct booking *booking)
{
    struct booking_row *old = row_at(memory->database, BOOKINGS, booking->id, 0);
    if (!old) return refuse(memory, "there is no such booking to update");
    if (!booking_check(memory, booking)) return false;
    struct booking_row *new = booking_row(&old->row);
    new->row.status = booking->status;
    new->row.quantity = booking->quantity;
    new->row.paid = booking->paid;
    new->row.updated_at = booking->updated_at;
    new->row.expires_at = booking->expires_at;
    replace(memory, BOOKINGS, &old->key, &new->key);
    booking_index(memory, &old->row, &new->row);
    return true;
}

static bool booking_delete(struct memory_store *memory, uint64_t id)
{
    struct booking_row *old = row_at(memory->database, BOOKINGS, id, 0);
    if (!old) return refuse(memory, "there is no such booking to delete");
    replace(memory, BOOKINGS, &old->key, NULL);
    booking_index(memory, &old->row, NULL);
    return true;
}

static bool journal_add(struct memory_store *memory, const struct journal_entry *entry)
{
    if (entry->quantity == 0) return refuse(memory, "a row of the journal is of no tickets");
    struct journal_row *row =
        ROW_NEW(struct journal_row, entry->booking_id, ++memory->database->journal_rows);
    row->row = *entry;
    row->row.id = row->key.b;
    put(memory, JOURNAL, row);
    put(memory, FEED, ROW_NEW(struct row, row->row.id, entry->booking_id));
    return true;
}

static bool payment_add(struct memory_store *memory, const struct payment *payment)
{
    char *at;
    struct payment_row *row = row_new(sizeof(*row), payment->booking_id, payment->id,
                                      (struct str){0}, payment->note.len, &at);
    row->row = *payment;
    row->row.note = pack(&at, payment->note);
    return insert(memory, PAYMENTS, row, "a payment has this id already");
}

/* ---- tickets ---- */

static bool tickets_new(struct memory_store *memory, const struct change *change)
{
    for (uint32_t i = 0; i < change->tickets.count; i++) {
        uint32_t number = change->tickets.number + i;
        struct ticket_row *row = ROW_NEW(struct ticket_row, change->tickets.event_id, number);
        row->booking_id = change->tickets.booking_id;
        row->is_booked = change->tickets.is_booked;
        if (!insert(memory, TICKETS, row, "the event has a ticket of this number already"))
            return false;
        put(memory, NUMBERS_OF, ROW_NEW(struct row, row->booking_id, number));
    }
    return true;
}

/* 'booking_id' 0: nobody has it any more. A ticket goes from hand to hand by being returned. */
static bool ticket_move(struct memory_store *memory, uint64_t event_id, uint32_t number,
                        uint64_t booking_id, bool is_booked)
{
    struct ticket_row *old = row_at(memory->database, TICKETS, event_id, number);
    if (!old) return refuse(memory, "the event has no ticket of this number");
    if (booking_id && old->booking_id && old->booking_id != booking_id)
        return refuse(memory, "another booking has this ticket");
    if (!booking_id && !old->booking_id) return refuse(memory, "this ticket was returned before");
    struct ticket_row *new = ROW_NEW(struct ticket_row, event_id, number);
    new->booking_id = booking_id;
    new->is_booked = is_booked;
    replace(memory, TICKETS, &old->key, &new->key);
    if (old->booking_id)
        drop(memory, NUMBERS_OF, old->booking_id, number);
    else
        drop(memory, RETURNED, event_id, number);
    if (booking_id)
        put(memory, NUMBERS_OF, ROW_NEW(struct row, booking_id, number));
    else
        put(memory, RETURNED, ROW_NEW(struct row, event_id, number));
    return true;
}

/* ---- events ---- */

/* Every word with a newline before it, for words_in(). */
static struct str words_text(struct arena *arena, struct str text)
{
    struct words words = text_words(arena, text, SIZE_MAX);
    size_t len = 0;
    for (size_t i = 0; i < words.count; i++)
        len += 1 + words.items[i].len;
    char *data = arena_alloc(arena, len + 1), *at = data;
    for (size_t i = 0; i < words.count; i++) {
        *at++ = '\n';
        pack(&at, words.items[i]);
    }
    return (struct str){data, len};
}

static void event_put(struct memory_store *memory, const struct event *event)
{
    struct arena *scratch = &memory->scratch;
    struct str folded = text_fold(scratch, event->name),
               words[] = {
                   words_text(scratch, event->name),
                   words_text(scratch, event->venue),
                   words_text(scratch, event->description),
               };
    char *at;
    struct event_row *row =
        row_new(sizeof(*row), event->id, 0, (struct str){0},
                event->name.len + event->description.len + event->venue.len + event->timezone.len +
                    folded.len + words[0].len + words[1].len + words[2].len,
                &at);
    row->row = *event;
    row->row.types = NULL;
    row->row.type_count = 0;
    row->row.name = pack(&at, event->name);
    row->row.description = pack(&at, event->description);
    row->row.venue = pack(&at, event->venue);
    row->row.timezone = pack(&at, event->timezone);
    row->folded_name = pack(&at, folded);
    row->name_words = pack(&at, words[0]);
    row->venue_words = pack(&at, words[1]);
    row->description_words = pack(&at, words[2]);
    put(memory, EVENTS, row);
}

static void counters_put(struct memory_store *memory, const struct event *event)
{
    struct counters_row *row = ROW_NEW(struct counters_row, event->id, 0);
    row->next_number = event->next_number;
    row->ever_booked = event->ever_booked;
    put(memory, COUNTERS, row);
}

static struct type_row *type_row(const struct ticket_type *type)
{
    char *at;
    struct type_row *row =
        row_new(sizeof(*row), type->event_id, type->id, (struct str){0}, type->name.len, &at);
    row->row = *type;
    row->row.name = pack(&at, type->name);
    return row;
}

/* Rule 1, as the CHECK constraints of a database have it. The counters are unsigned: one
 * that went below zero is far above the capacity. */
static bool type_check(struct memory_store *memory, const struct ticket_type *type)
{
    if ((uint64_t)type->booked + type->held > type->capacity)
        return refuse(memory, "a ticket type has more booked and held than its capacity");
    if (type->wanted < type->waiting)
        return refuse(memory, "a ticket type has more bookings waiting than tickets wanted");
    return true;
}

static bool type_insert(struct memory_store *memory, const struct ticket_type *type)
{
    return type_check(memory, type) &&
           insert(memory, TYPES, type_row(type), "a ticket type has this id already");
}

static bool type_update(struct memory_store *memory, const struct ticket_type *type)
{
    struct type_row *old = row_at(memory->database, TYPES, type->event_id, type->id);
    if (!old) return refuse(memory, "there is no such ticket type to update");
    struct ticket_type after = *type;
    after.capacity = old->row.capacity;
    after.booked = old->row.booked;
    after.held = old->row.held;
    after.waiting = old->row.waiting;
    after.wanted = old->row.wanted;
    replace(memory, TYPES, &old->key, &type_row(&after)->key);
    return true;
}

static bool type_count(struct memory_store *memory, const struct ticket_type *type)
{
    struct type_row *old = row_at(memory->database, TYPES, type->event_id, type->id);
    if (!old) return refuse(memory, "there is no such ticket type to count in");
    struct ticket_type after = old->row;
    after.capacity = type->capacity;
    after.booked = type->booked;
    after.held = type->held;
    after.waiting = type->waiting;
    after.wanted = type->wanted;
    if (!type_check(memory, &after)) return false;
    replace(memory, TYPES, &old->key, &type_row(&after)->key);
    return true;
}

static bool event_insert(struct memory_store *memory, const struct event *event)
{
    if (row_at(memory->database, EVENTS, event->id, 0))
        return refuse(memory, "an event has this id already");
    event_put(memory, event);
    counters_put(memory, event);
    for (size_t i = 0; i < event->type_count; i++)
        if (!type_insert(memory, &event->types[i])) return false;
    return true;
}

static bool event_update(struct memory_store *memory, const struct event *event)
{
    if (!row_at(memory->database, EVENTS, event->id, 0))
        return refuse(memory, "there is no such event to update");
    event_put(memory, event);
    return true;
}

static bool event_delete(struct memory_store *memory, uint64_t id)
{
    if (!row_at(memory->database, EVENTS, id, 0))
        return refuse(memory, "there is no such event to delete");
    drop(memory, EVENTS, id, 0);
    drop(memory, COUNTERS, id, 0);
    drop_of(memory, TYPES, id);
    return true;
}

static bool booking_end(struct memory_store *memory, const struct change *change,
                        const struct booking_row *row)
{
    const struct journal_entry entry = {
        .booking_id = row->row.id,
        .event_id = row->row.event_id,
        .ticket_type_id = row->row.ticket_type_id,
        .from = row->row.status,
        .to = BOOKING_CANCELLED,
        .quantity = row->row.quantity,
        .actor_id = change->cancel.actor_id,
        .at = change->cancel.at,
        .reason = "event_cancelled",
    };
    if (!journal_add(memory, &entry)) return false;
    for (;;) {
        struct rows rows = rows_of(memory->database, NUMBERS_OF, row->row.id, 0);
        const struct row *number = rows_next(&rows);
        if (!number) break;
        if (!ticket_move(memory, row->row.event_id, (uint32_t)number->b, 0, false)) return false;
    }
    if (change->cancel.remove) return booking_delete(memory, row->row.id);
    struct booking after = row->row;
    after.status = BOOKING_CANCELLED;
    after.updated_at = change->cancel.at;
    return booking_update(memory, &after);
}

static bool event_cancel(struct memory_store *memory, const struct change *change)
{
    struct {
        struct booking_row **items;
        size_t count, size;
    } active = {0};
    struct rows rows = rows_of(memory->database, BOOKINGS_OF_EVENT, change->cancel.event_id, 0);
    for (const struct row *row; (row = rows_next(&rows));) {
        struct booking_row *booking = row_at(memory->database, BOOKINGS, row->b, 0);
        if (booking_is_active(booking->row.status))
            *ARRAY_PUSH(&memory->scratch, &active) = booking;
    }
    for (size_t i = 0; i < active.count; i++)
        if (!booking_end(memory, change, active.items[i])) return false;
    drop_of(memory, HOLDERS, change->cancel.event_id);
    return true;
}

static void holder_put(struct memory_store *memory, uint64_t event_id, uint64_t user_id,
                       uint32_t quantity)
{
    if (quantity == 0) {
        drop(memory, HOLDERS, event_id, user_id);
        return;
    }
    struct holder_row *row = ROW_NEW(struct holder_row, event_id, user_id);
    row->quantity = quantity;
    put(memory, HOLDERS, row);
}

static bool holders_rebuild(struct memory_store *memory, uint64_t event_id)
{
    const struct database *database = memory->database;
    const struct event_row *event = row_at(database, EVENTS, event_id, 0);
    drop_of(memory, HOLDERS, event_id);
    if (!event || !event->row.max_per_user) return true;
    struct rows rows = rows_of(database, BOOKINGS_OF_EVENT, event_id, 0);
    for (const struct row *row; (row = rows_next(&rows));) {
        const struct booking_row *booking = row_at(database, BOOKINGS, row->b, 0);
        if (!booking_is_active(booking->row.status)) continue;
        const struct holder_row *has = row_at(database, HOLDERS, event_id, booking->row.user_id);
        holder_put(memory, event_id, booking->row.user_id,
                   booking->row.quantity + (has ? has->quantity : 0));
    }
    return true;
}

/* ---- people ---- */

static bool login_put(struct memory_store *memory, bool is_email, struct str text, uint64_t id)
{
    if (!text.len) return true;
    struct str folded = text_fold(&memory->scratch, text);
    struct login_row *row = row_new(sizeof(*row), is_email, 0, folded, 0, NULL);
    row->user_id = id;
    return insert(memory, LOGINS, row,
                  is_email ? "somebody has this e-mail address already"
                           : "somebody has this user name already");
}

static void login_drop(struct memory_store *memory, bool is_email, struct str text)
{
    if (!text.len) return;
    struct str folded = text_fold(&memory->scratch, text);
    struct row *old = row_named(memory->database, LOGINS, is_email, folded);
    if (old) replace(memory, LOGINS, old, NULL);
}

static bool user_put(struct memory_store *memory, const struct user *user)
{
    struct str words = words_text(
        &memory->scratch, arena_printf(&memory->scratch, "%.*s\n%.*s\n%.*s", STR_FMT(user->name),
                                       STR_FMT(user->email), STR_FMT(user->username)));
    char *at;
    struct user_row *row = row_new(sizeof(*row), user->id, 0, (struct str){0},
                                   user->email.len + user->username.len + user->name.len +
                                       user->password_hash.len + words.len,
                                   &at);
    row->row = *user;
    row->row.email = pack(&at, user->email);
    row->row.username = pack(&at, user->username);
    row->row.name = pack(&at, user->name);
    row->row.password_hash = pack(&at, user->password_hash);
    row->words = pack(&at, words);
    put(memory, USERS, row);
    return login_put(memory, true, user->email, user->id) &&
           login_put(memory, false, user->username, user->id);
}

static bool user_insert(struct memory_store *memory, const struct user *user)
{
    if (row_at(memory->database, USERS, user->id, 0))
        return refuse(memory, "a user has this id already");
    return user_put(memory, user);
}

static bool user_update(struct memory_store *memory, const struct user *user)
{
    const struct user_row *old = row_at(memory->database, USERS, user->id, 0);
    if (!old) return refuse(memory, "there is no such user to update");
    login_drop(memory, true, old->row.email);
    login_drop(memory, false, old->row.username);
    return user_put(memory, user);
}

static bool revocation_add(struct memory_store *memory, uint64_t user_id, int64_t at)
{
    const struct revocation_row *old = row_at(memory->database, REVOCATIONS, user_id, 0);
    if (old && old->not_before >= at) return true;
    struct revocation_row *row = ROW_NEW(struct revocation_row, user_id, 0);
    row->not_before = at;
    put(memory, REVOCATIONS, row);
    return true;
}

/* ---- answers kept, and what has been kept long enough ---- */

static bool replay_add(struct memory_store *memory, const struct replay_key *key,
                       const struct replay_answer *answer)
{
    struct replay_name name = replay_name(key, hour_of(answer->at));
    char *at;
    struct replay_row *row =
        row_new(sizeof(*row), key->user_id, 0, (struct str){(const char *)&name, sizeof(name)},
                answer->body.len, &at);
    row->answer = *answer;
    row->answer.body = pack(&at, answer->body);
    return insert(memory, REPLAYS, row, "this Idempotency-Key has an answer already");
}

static void prune_bookings(struct memory_store *memory, int64_t before, uint32_t most)
{
    const struct row *ended;
    for (struct rows rows; most > 0; most--) {
        rows = rows_all(memory->database, ENDED_AT);
        ended = rows_next(&rows);
        if (!ended || (int64_t)ended->a >= before) return;
        booking_delete(memory, ended->b);
    }
}

/* Rows whose time is before 'before'; the table must not change while it is walked. */
static void prune_rows(struct memory_store *memory, enum table table, int64_t before, uint32_t most,
                       int64_t (*time_of)(const struct row *row))
{
    struct {
        struct row **items;
        size_t count, size;
    } old = {0};
    struct rows rows = rows_all(memory->database, table);
    for (struct row *row; old.count < most && (row = rows_next(&rows));)
        if (time_of(row) < before) *ARRAY_PUSH(&memory->scratch, &old) = row;
    for (size_t i = 0; i < old.count; i++)
        replace(memory, table, old.items[i], NULL);
}

static int64_t replay_time(const struct row *row)
{
    return hour_of(((const struct replay_row *)row)->answer.at);
}

static int64_t revocation_time(const struct row *row)
{
    return ((const struct revocation_row *)row)->not_before;
}

/* ---- who is to be told what ---- */

static void notice_put(struct memory_store *memory, const struct notice *notice)
{
    char *at;
    struct notice_row *row =
        row_new(sizeof(*row), notice->id, 0, (struct str){0}, notice->address.len, &at);
    row->row = *notice;
    row->row.address = pack(&at, notice->address);
    put(memory, NOTICES, row);
}

static bool notice_insert(struct memory_store *memory, const struct notice *notice)
{
    struct notice new = *notice;
    new.id = ++memory->database->notice_rows;
    notice_put(memory, &new);
    return true;
}

static bool notice_told(struct memory_store *memory, uint64_t id, uint64_t told)
{
    const struct notice_row *old = row_at(memory->database, NOTICES, id, 0);
    if (!old) return true;
    if (told == UINT64_MAX) {
        drop(memory, NOTICES, id, 0);
        return true;
    }
    struct notice new = old->row;
    new.told = told;
    notice_put(memory, &new);
    return true;
}

static struct message_row *message_row(const struct message *message)
{
    char *at;
    size_t more = message->key.len + message->error.len + message->body.len;
    struct message_row *row = row_new(sizeof(*row), message->id, 0, (struct str){0}, more, &at);
    row->row = *message;
    row->row.key = pack(&at, message->key);
    row->row.error = pack(&at, message->error);
    row->row.body = pack(&at, message->body);
    return row;
}

static bool message_insert(struct memory_store *memory, const struct message *message)
{
    if (row_named(memory->database, MESSAGE_KEYS, 0, message->key)) return true;
    struct message new = *message;
    new.id = ++memory->database->message_rows;
    put(memory, MESSAGE_KEYS, row_new(sizeof(struct row), 0, 0, message->key, 0, NULL));
    put(memory, MESSAGES, message_row(&new));
    return true;
}

static bool message_update(struct memory_store *memory, const struct message *message)
{
    const struct message_row *old = row_at(memory->database, MESSAGES, message->id, 0);
    if (!old) return refuse(memory, "there is no such message to update");
    struct message new = old->row;
    new.status = message->status;
    new.tries = message->tries;
    new.due_at = message->due_at;
    new.settled_at = message->settled_at;
    new.answer = message->answer;
    new.error = message->error;
    put(memory, MESSAGES, message_row(&new));
    return true;
}

static bool message_delete(struct memory_store *memory, uint64_t id)
{
    struct message_row *old = row_at(memory->database, MESSAGES, id, 0);
    if (!old) return true;
    replace(memory, MESSAGE_KEYS, row_named(memory->database, MESSAGE_KEYS, 0, old->row.key), NULL);
    replace(memory, MESSAGES, &old->key, NULL);
    return true;
}

static void webhook_put(struct memory_store *memory, const struct webhook *webhook)
{
    char *at;
    size_t more =
        webhook->secret.len + webhook->old_secret.len + webhook->url.len + webhook->description.len;
    struct webhook_row *row = row_new(sizeof(*row), webhook->id, 0, (struct str){0}, more, &at);
    row->row = *webhook;
    row->row.secret = pack(&at, webhook->secret);
    row->row.old_secret = pack(&at, webhook->old_secret);
    row->row.url = pack(&at, webhook->url);
    row->row.description = pack(&at, webhook->description);
    put(memory, WEBHOOKS, row);
}

/* Those of a webhook, or those of a user. */
static void drop_messages(struct memory_store *memory, uint64_t webhook_id, uint64_t user_id)
{
    struct {
        uint64_t *items;
        size_t count, size;
    } ids = {0};
    struct rows rows = rows_all(memory->database, MESSAGES);
    for (struct message_row *row; (row = rows_next(&rows));)
        if ((webhook_id && row->row.webhook_id == webhook_id) ||
            (user_id && row->row.user_id == user_id))
            *ARRAY_PUSH(&memory->scratch, &ids) = row->row.id;
    for (size_t i = 0; i < ids.count; i++)
        message_delete(memory, ids.items[i]);
}

static bool forget_user(struct memory_store *memory, uint64_t user_id)
{
    struct {
        uint64_t *items;
        size_t count, size;
    } ids = {0};
    struct rows rows = rows_all(memory->database, WEBHOOKS);
    for (struct webhook_row *row; (row = rows_next(&rows));)
        if (row->row.user_id == user_id) *ARRAY_PUSH(&memory->scratch, &ids) = row->row.id;
    for (size_t i = 0; i < ids.count; i++)
        drop(memory, WEBHOOKS, ids.items[i], 0);
    drop_messages(memory, 0, user_id);
    return true;
}

static void prune_messages(struct memory_store *memory, const struct change *change)
{
    struct {
        uint64_t *items;
        size_t count, size;
    } old = {0};
    struct rows rows = rows_all(memory->database, MESSAGES);
    for (struct message_row *row; old.count < change->prune.most && (row = rows_next(&rows));)
        if (row->row.status != MESSAGE_WAITING && row->row.settled_at < change->prune.sent_before &&
            (row->row.status == MESSAGE_SENT || row->row.settled_at < change->prune.parked_before))
            *ARRAY_PUSH(&memory->scratch, &old) = row->row.id;
    for (size_t i = 0; i < old.count; i++)
        message_delete(memory, old.items[i]);
}

static bool prune(struct memory_store *memory, const struct change *change)
{
    uint32_t most = change->prune.most;
    prune_bookings(memory, change->prune.cancelled_before, most);
    prune_rows(memory, REPLAYS, hour_of(change->prune.replays_before), most, replay_time);
    prune_rows(memory, REVOCATIONS, change->prune.revocations_before, most, revocation_time);
    prune_messages(memory, change);
    return true;
}

/* ---- committing ---- */

static bool apply(struct memory_store *memory, const struct change *change)
{
    switch (change->kind) {
    case CHANGE_BOOKING_INSERT: return booking_insert(memory, change->booking);
    case CHANGE_BOOKING_UPDATE: return booking_update(memory, change->booking);
    case CHANGE_BOOKING_DELETE: return booking_delete(memory, change->booking->id);
    case CHANGE_TICKETS_NEW: return tickets_new(memory, change);
    case CHANGE_TICKET_GIVE:
        return ticket_move(memory, change->tickets.event_id, change->tickets.number,
                           change->tickets.booking_id, change->tickets.is_booked);
    case CHANGE_TICKET_RETURN:
        return ticket_move(memory, change->tickets.event_id, change->tickets.number, 0, false);
    case CHANGE_JOURNAL: return journal_add(memory, &change->journal);
    case CHANGE_PAYMENT: return payment_add(memory, change->payment);
    case CHANGE_EVENT_INSERT: return event_insert(memory, change->event);
    case CHANGE_EVENT_UPDATE: return event_update(memory, change->event);
    case CHANGE_EVENT_DELETE: return event_delete(memory, change->event_id);
    case CHANGE_EVENT_CANCEL: return event_cancel(memory, change);
    case CHANGE_TYPE_INSERT: return type_insert(memory, change->type);
    case CHANGE_TYPE_UPDATE: return type_update(memory, change->type);
    case CHANGE_HOLDERS_REBUILD: return holders_rebuild(memory, change->event_id);
    case CHANGE_USER_INSERT: return user_insert(memory, change->user);
    case CHANGE_USER_UPDATE: return user_update(memory, change->user);
    case CHANGE_REVOKE: return revocation_add(memory, change->revoke.user_id, change->revoke.at);
    case CHANGE_REPLAY: return replay_add(memory, change->replay.key, change->replay.answer);
    case CHANGE_PRUNE: return prune(memory, change);
    case CHANGE_NOTICE: return notice_insert(memory, &change->notice);
    case CHANGE_NOTICE_TOLD:
        return notice_told(memory, change->notice_told.id, change->notice_told.told);
    case CHANGE_POSITION: memory->position = change->position; return true;
    case CHANGE_MESSAGE_INSERT: return message_insert(memory, change->message);
    case CHANGE_MESSAGE_UPDATE: return message_update(memory, change->message);
    case CHANGE_MESSAGE_DELETE: return message_delete(memory, change->message->id);
    case CHANGE_WEBHOOK_INSERT:
    case CHANGE_WEBHOOK_UPDATE: webhook_put(memory, change->webhook); return true;
    case CHANGE_WEBHOOK_DELETE:
        drop(memory, WEBHOOKS, change->webhook->id, 0);
        drop_messages(memory, change->webhook->id, 0);
        return true;
    case CHANGE_FORGET_USER: return forget_user(memory, change->user_id);
    }
    assert(!"a kind of change that is not written");
    return false;
}

static bool apply_counters(struct memory_store *memory, const struct working_set *set)
{
    size_t at = 0;
    for (const struct event_entry *event; (event = map_each(&set->events, &at));) {
        if (!event->found || event->gone) continue;
        if (event->numbers_dirty) counters_put(memory, &event->row);
        for (size_t i = 0; i < event->row.type_count; i++)
            if (event->types[i]->dirty && !type_count(memory, &event->types[i]->row)) return false;
    }
    at = 0;
    for (const struct holder_entry *holder; (holder = map_each(&set->holders, &at));)
        if (holder->dirty) holder_put(memory, holder->event_id, holder->user_id, holder->quantity);
    return true;
}

/* Roles and revocations; a new user who is no more than that is nothing new to a directory. */
static bool moves_directory(const struct working_set *set)
{
    for (size_t i = 0; i < set->changes.count; i++) {
        const struct change *change = &set->changes.items[i];
        if (change->kind == CHANGE_USER_UPDATE || change->kind == CHANGE_REVOKE) return true;
        if (change->kind == CHANGE_USER_INSERT && change->user->role != ROLE_USER) return true;
    }
    return false;
}

enum store_status memory_commit(struct store *store, struct working_set *set)
{
    struct memory_store *memory = memory_writer(store);
    struct database *database = memory->database;

    pthread_rwlock_wrlock(&database->lock);
    assert(database->owner == memory);
    memory_end(memory);
    memory->position = database->position;
    bool fits = true;
    for (size_t i = 0; fits && i < set->changes.count; i++)
        fits = apply(memory, &set->changes.items[i]);
    fits = fits && apply_counters(memory, set);
    finish(memory, fits);
    for (int i = 0; fits && i < SEQUENCE_COUNT; i++)
        database->sequences[i] += set->ids[i].used;
    if (fits) database->position = memory->position;
    if (fits && moves_directory(set)) database->directory_version++;
    pthread_rwlock_unlock(&database->lock);

    memory->committed = fits;
    return fits ? STORE_OK : STORE_REFUSED;
}

enum store_status memory_setting(struct store *store, const char *name, struct str fallback,
                                 struct arena *arena, struct str *ret_value)
{
    struct memory_store *memory = memory_writer(store);
    pthread_rwlock_wrlock(&memory->database->lock);
    struct setting_row *row = row_named(memory->database, SETTINGS, 0, str_of(name));
    if (!row) {
        char *at;
        row = row_new(sizeof(*row), 0, 0, str_of(name), fallback.len, &at);
        row->value = pack(&at, fallback);
        put(memory, SETTINGS, row);
        finish(memory, true);
    }
    *ret_value = arena_str(arena, row->value);
    pthread_rwlock_unlock(&memory->database->lock);
    return STORE_OK;
}
