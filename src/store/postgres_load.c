/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch needs to know before it decides: one piece of statements, sent and answered at once.
 *
 * All events of the batch are locked by its first statement, in order of id, so that two batches
 * never wait for each other in a ring. Should a later turn find that it needs one more, it does not
 * wait for that: the batch is tried again. */
#include <assert.h>
#include <stdlib.h>

#include "base/array.h"
#include "store/postgres_internal.h"

enum { REPLAY_MS = 25 * 60 * 60 * 1000 }; /* older answers are not found: a day, and some */

struct loading {
    struct postgres_store *store;
    struct working_set *set;
    PGresult *events; /* until their types are there */
};

/* ---- rows ---- */

/* A one-dimensional array of bigint. */
static void take_numbers(struct str array, struct booking *booking, struct arena *arena)
{
    enum { HEADER = 20, ITEM = 12 };
    if (array.len <= HEADER) return;
    size_t count = (array.len - HEADER) / ITEM;
    booking->numbers = ARENA_ARRAY(arena, uint32_t, count);
    for (size_t i = 0; i < count; i++) {
        const unsigned char *low =
            (const unsigned char *)array.data + HEADER + i * ITEM + ITEM - sizeof(uint32_t);
        booking->numbers[i] = (uint32_t)low[0] << 24 | (uint32_t)low[1] << 16 |
                              (uint32_t)low[2] << 8 | (uint32_t)low[3];
    }
    booking->number_count = count;
}

struct booking postgres_booking_row(const PGresult *rows, int row, struct arena *arena)
{
    struct booking booking = {
        .id = postgres_u64(rows, row, 0),
        .user_id = postgres_u64(rows, row, 1),
        .event_id = postgres_u64(rows, row, 2),
        .ticket_type_id = postgres_u64(rows, row, 3),
        .quantity = postgres_u32(rows, row, 4),
        .status = (enum booking_status)postgres_i64(rows, row, 5),
        .unit_price = postgres_i64(rows, row, 6),
        .paid = postgres_i64(rows, row, 7),
        .created_at = postgres_i64(rows, row, 8),
        .updated_at = postgres_i64(rows, row, 9),
        .expires_at = postgres_i64(rows, row, 10),
    };
    take_numbers(postgres_peek(rows, row, 11), &booking, arena);
    return booking;
}

struct event postgres_event_row(const PGresult *rows, int row, struct arena *arena)
{
    struct event event = {
        .id = postgres_u64(rows, row, 0),
        .organizer_id = postgres_u64(rows, row, 1),
        .name = postgres_text(rows, row, 2, arena),
        .description = postgres_text(rows, row, 3, arena),
        .venue = postgres_text(rows, row, 4, arena),
        .timezone = postgres_text(rows, row, 5, arena),
        .starts_at = postgres_i64(rows, row, 7),
        .ends_at = postgres_i64(rows, row, 8),
        .status = (enum event_status)postgres_i64(rows, row, 9),
        .max_per_user = postgres_u32(rows, row, 10),
        .version = postgres_u64(rows, row, 11),
        .created_at = postgres_i64(rows, row, 12),
        .updated_at = postgres_i64(rows, row, 13),
        .next_number = postgres_u32(rows, row, 14),
        .ever_booked = postgres_i64(rows, row, 15) != 0,
    };
    postgres_currency(rows, row, 6, event.currency);
    return event;
}

struct user postgres_user_row(const PGresult *rows, int row, struct arena *arena)
{
    return (struct user){
        .id = postgres_u64(rows, row, 0),
        .email = postgres_text(rows, row, 1, arena),
        .username = postgres_text(rows, row, 2, arena),
        .name = postgres_text(rows, row, 3, arena),
        .password_hash = postgres_text(rows, row, 4, arena),
        .role = (enum role)postgres_i64(rows, row, 5),
        .created_at = postgres_i64(rows, row, 6),
        .erased_at = postgres_i64(rows, row, 7),
        .verified_at = postgres_i64(rows, row, 8),
        .mail = postgres_i64(rows, row, 9) != 0,
    };
}

struct ticket_type postgres_type_row(const PGresult *rows, int row, struct arena *arena)
{
    return (struct ticket_type){
        .event_id = postgres_u64(rows, row, 0),
        .id = postgres_u64(rows, row, 1),
        .name = postgres_text(rows, row, 2, arena),
        .capacity = postgres_u32(rows, row, 3),
        .booked = postgres_u32(rows, row, 4),
        .held = postgres_u32(rows, row, 5),
        .waiting = postgres_u32(rows, row, 6),
        .wanted = postgres_u64(rows, row, 7),
        .price = postgres_i64(rows, row, 8),
        .max_per_booking = postgres_u32(rows, row, 9),
        .sales_start = postgres_i64(rows, row, 10),
        .sales_end = postgres_i64(rows, row, 11),
    };
}

struct ticket_type *postgres_types_of(const PGresult *types, int *at, uint64_t event_id,
                                      struct arena *arena, size_t *ret_count)
{
    int first = *at, count = postgres_count(types);
    while (first < count && postgres_u64(types, first, 0) < event_id)
        first++;
    int end = first;
    while (end < count && postgres_u64(types, end, 0) == event_id)
        end++;
    *at = end;
    *ret_count = (size_t)(end - first);
    struct ticket_type *all = ARENA_ARRAY(arena, struct ticket_type, *ret_count + 1);
    for (int row = first; row < end; row++)
        all[row - first] = postgres_type_row(types, row, arena);
    return all;
}

/* ---- locks ---- */

static bool is_locked(const struct postgres_store *store, uint64_t event_id)
{
    for (size_t i = 0; i < store->locked.count; i++)
        if (store->locked.ids[i] == event_id) return true;
    return false;
}

static void note_lock(struct postgres_store *store, uint64_t event_id)
{
    if (is_locked(store, event_id)) return;
    if (store->locked.count == store->locked.size) {
        store->locked.size = store->locked.size ? 2 * store->locked.size : 64;
        store->locked.ids = realloc(store->locked.ids, store->locked.size * sizeof(uint64_t));
        if (!store->locked.ids) out_of_memory();
    }
    store->locked.ids[store->locked.count++] = event_id;
}

static bool send_locks(struct loading *loading)
{
    struct postgres_store *store = loading->store;
    struct postgres_array *events = postgres_fresh(store, 0), *bookings = postgres_fresh(store, 1),
                          *users = postgres_fresh(store, 2);
    const struct event_entry *event;
    for (size_t i = 0; (event = map_each(&loading->set->events, &i));)
        if (!event->loaded && !is_locked(store, event->id))
            postgres_array_number(events, (int64_t)event->id);
    const struct booking_entry *booking;
    for (size_t i = 0; (booking = map_each(&loading->set->bookings, &i));)
        if (!booking->loaded) postgres_array_number(bookings, (int64_t)booking->id);
    const struct user_bookings_entry *user;
    for (size_t i = 0; (user = map_each(&loading->set->user_bookings, &i));)
        if (!user->loaded) postgres_array_number(users, (int64_t)user->user_id);
    if (events->count + bookings->count + users->count == 0) return false;
    if (store->locked.count == 0 && bookings->count + users->count == 0)
        SEND(store, LOCK_EVENTS_ALONE, ARRAY(events));
    else if (store->locked.count == 0)
        SEND(store, LOCK_EVENTS, ARRAY(events), ARRAY(bookings), ARRAY(users));
    else
        SEND(store, LOCK_EVENTS_AT_ONCE, ARRAY(events), ARRAY(bookings), ARRAY(users));
    return true;
}

static void take_locks(struct loading *loading, const PGresult *rows)
{
    for (int row = 0; row < postgres_count(rows); row++)
        note_lock(loading->store, postgres_u64(rows, row, 0));
}

/* ---- events ---- */

static bool gather_events(const struct loading *loading, struct postgres_array *ids)
{
    const struct event_entry *event;
    for (size_t i = 0; (event = map_each(&loading->set->events, &i));)
        if (!event->loaded) postgres_array_number(ids, (int64_t)event->id);
    return ids->count > 0;
}

static bool send_events(struct loading *loading)
{
    struct postgres_array *ids = postgres_fresh(loading->store, 0);
    if (!gather_events(loading, ids)) return false;
    SEND(loading->store, EVENTS, ARRAY(ids));
    return true;
}

static bool send_types(struct loading *loading)
{
    struct postgres_array *ids = postgres_fresh(loading->store, 0);
    if (!gather_events(loading, ids)) return false;
    SEND(loading->store, TYPES, ARRAY(ids));
    return true;
}

/* Both are in the order of events. */
static void take_types(struct loading *loading, const PGresult *types)
{
    struct working_set *set = loading->set;
    int at = 0;
    for (int row = 0; row < postgres_count(loading->events); row++) {
        struct event event = postgres_event_row(loading->events, row, set->arena);
        size_t count;
        struct ticket_type *all = postgres_types_of(types, &at, event.id, set->arena, &count);
        working_set_put_event(set, working_set_event(set, event.id), &event, all, count);
    }
    struct event_entry *event;
    for (size_t i = 0; (event = map_each(&set->events, &i));)
        event->loaded = true; /* found or not */
}

static bool send_returned(struct loading *loading)
{
    struct postgres_array *events = postgres_fresh(loading->store, 0),
                          *most = postgres_fresh(loading->store, 1);
    struct event_entry *event;
    for (size_t i = 0; (event = map_each(&loading->set->events, &i));) {
        if (!event->found || event->numbers_needed <= event->numbers_loaded) continue;
        event->returned.count = 0;
        event->numbers_loaded = event->numbers_needed;
        if (event_returned_total(event) == 0) continue;
        postgres_array_number(events, (int64_t)event->id);
        postgres_array_number(most, event->numbers_needed);
    }
    if (events->count) SEND(loading->store, RETURNED, ARRAY(events), ARRAY(most));
    return events->count > 0;
}

static void take_returned(struct loading *loading, const PGresult *rows)
{
    for (int row = 0; row < postgres_count(rows); row++)
        numbers_push(&working_set_event(loading->set, postgres_u64(rows, row, 0))->returned,
                     loading->set->arena, postgres_u32(rows, row, 1));
}

/* ---- bookings ---- */

static bool send_bookings(struct loading *loading)
{
    struct postgres_array *ids = postgres_fresh(loading->store, 0);
    struct booking_entry *booking;
    for (size_t i = 0; (booking = map_each(&loading->set->bookings, &i));)
        if (!booking->loaded) postgres_array_number(ids, (int64_t)booking->id);
    if (ids->count) SEND(loading->store, BOOKINGS, ARRAY(ids));
    return ids->count > 0;
}

static void take_bookings(struct loading *loading, const PGresult *rows)
{
    for (int row = 0; row < postgres_count(rows); row++) {
        struct booking booking = postgres_booking_row(rows, row, loading->set->arena);
        working_set_put_booking(loading->set, &booking);
    }
    struct booking_entry *booking;
    for (size_t i = 0; (booking = map_each(&loading->set->bookings, &i));)
        booking->loaded = true;
}

/* Nothing was decided yet, so what was loaded of the line before is simply loaded again. */
static bool send_lines(struct loading *loading)
{
    struct postgres_array *types = postgres_fresh(loading->store, 0),
                          *most = postgres_fresh(loading->store, 1);
    struct type_entry *type;
    for (size_t i = 0; (type = map_each(&loading->set->types, &i));) {
        if (type->line_needed <= type->line_loaded) continue;
        type->line_count = type->line_at = 0;
        type->line_live = 0;
        type->line_loaded = type->line_needed;
        if (type->row.waiting == 0) continue;
        postgres_array_number(types, (int64_t)type->row.id);
        postgres_array_number(most, type->line_needed);
    }
    if (types->count) SEND(loading->store, LINES, ARRAY(types), ARRAY(most));
    return types->count > 0;
}

static void take_lines(struct loading *loading, const PGresult *rows)
{
    for (int row = 0; row < postgres_count(rows); row++) {
        struct booking booking = postgres_booking_row(rows, row, loading->set->arena);
        working_set_put_waiting(loading->set,
                                map_get(&loading->set->types, booking.ticket_type_id, 0), &booking);
    }
}

static bool send_newest(struct loading *loading)
{
    struct postgres_array *events = postgres_fresh(loading->store, 0),
                          *users = postgres_fresh(loading->store, 1);
    struct newest_entry *newest;
    for (size_t i = 0; (newest = map_each(&loading->set->newest, &i));) {
        if (newest->loaded) continue;
        newest->loaded = true;
        postgres_array_number(events, (int64_t)newest->event_id);
        postgres_array_number(users, (int64_t)newest->user_id);
    }
    if (events->count) SEND(loading->store, NEWEST, ARRAY(events), ARRAY(users));
    return events->count > 0;
}

static void take_newest(struct loading *loading, const PGresult *rows)
{
    for (int row = 0; row < postgres_count(rows); row++)
        working_set_newest(loading->set, postgres_u64(rows, row, 0), postgres_u64(rows, row, 1))
            ->booking_id = postgres_u64(rows, row, 2);
}

static bool send_user_bookings(struct loading *loading)
{
    struct postgres_array *users = postgres_fresh(loading->store, 0);
    struct user_bookings_entry *all;
    for (size_t i = 0; (all = map_each(&loading->set->user_bookings, &i));) {
        if (all->loaded) continue;
        all->loaded = true;
        postgres_array_number(users, (int64_t)all->user_id);
    }
    if (users->count) SEND(loading->store, COMING, ARRAY(users), NUM(loading->set->now));
    return users->count > 0;
}

static void take_user_bookings(struct loading *loading, const PGresult *rows)
{
    int count = postgres_count(rows);
    for (int row = 0; row < count; row++) {
        struct user_bookings_entry *all =
            map_get(&loading->set->user_bookings, postgres_u64(rows, row, 0), 0);
        if (!all->booking_ids)
            all->booking_ids = ARENA_ARRAY(loading->set->arena, uint64_t, (size_t)(count - row));
        all->booking_ids[all->count++] = postgres_u64(rows, row, 1);
    }
}

/* ---- people ---- */

static bool send_users(struct loading *loading)
{
    struct postgres_array *ids = postgres_fresh(loading->store, 0);
    struct user_entry *user;
    for (size_t i = 0; (user = map_each(&loading->set->users, &i));) {
        if (user->loaded) continue;
        user->loaded = true;
        postgres_array_number(ids, (int64_t)user->id);
    }
    if (ids->count) SEND(loading->store, LOCK_USERS, ARRAY(ids));
    return ids->count > 0;
}

static void take_users(struct loading *loading, const PGresult *rows)
{
    for (int row = 0; row < postgres_count(rows); row++) {
        struct user_entry *user = working_set_user(loading->set, postgres_u64(rows, row, 0));
        user->found = true;
        user->row = postgres_user_row(rows, row, loading->set->arena);
    }
}

static bool send_logins(struct loading *loading)
{
    struct postgres_array *emails = postgres_fresh(loading->store, 0),
                          *usernames = postgres_fresh(loading->store, 1);
    for (size_t i = 0; i < loading->set->logins.count; i++) {
        struct login_entry *login = loading->set->logins.items[i];
        if (login->loaded) continue;
        login->loaded = true;
        postgres_array_text(login->is_email ? emails : usernames, login->folded);
    }
    if (emails->count + usernames->count == 0) return false;
    SEND(loading->store, LOGINS, ARRAY(emails), ARRAY(usernames));
    return true;
}

static void take_logins(struct loading *loading, const PGresult *rows)
{
    for (int row = 0; row < postgres_count(rows); row++)
        working_set_login(loading->set, postgres_i64(rows, row, 1) != 0,
                          postgres_peek(rows, row, 0))
            ->user_id = postgres_u64(rows, row, 2);
}

static bool send_holders(struct loading *loading)
{
    struct postgres_array *events = postgres_fresh(loading->store, 0),
                          *users = postgres_fresh(loading->store, 1);
    struct holder_entry *holder;
    for (size_t i = 0; (holder = map_each(&loading->set->holders, &i));) {
        if (holder->loaded) continue;
        holder->loaded = true;
        postgres_array_number(events, (int64_t)holder->event_id);
        postgres_array_number(users, (int64_t)holder->user_id);
    }
    if (events->count) SEND(loading->store, HOLDERS, ARRAY(events), ARRAY(users));
    return events->count > 0;
}

static void take_holders(struct loading *loading, const PGresult *rows)
{
    for (int row = 0; row < postgres_count(rows); row++)
        working_set_holder(loading->set, postgres_u64(rows, row, 0), postgres_u64(rows, row, 1))
            ->quantity = postgres_u32(rows, row, 2);
}

static bool send_replays(struct loading *loading)
{
    struct postgres_array *users = postgres_fresh(loading->store, 0),
                          *keys = postgres_fresh(loading->store, 1);
    struct replay_entry *replay;
    for (size_t i = 0; (replay = map_each(&loading->set->replays, &i));) {
        if (replay->loaded) continue;
        replay->loaded = true;
        postgres_array_number(users, (int64_t)replay->key.user_id);
        postgres_array_text(keys,
                            (struct str){(const char *)replay->key.key, sizeof(replay->key.key)});
    }
    if (keys->count)
        SEND(loading->store, REPLAYS, ARRAY(users), ARRAY(keys),
             NUM(loading->set->now - REPLAY_MS));
    return keys->count > 0;
}

static void take_replays(struct loading *loading, const PGresult *rows)
{
    for (int row = 0; row < postgres_count(rows); row++) {
        struct replay_key key = {.user_id = postgres_u64(rows, row, 0)};
        struct str octets = postgres_peek(rows, row, 1), request = postgres_peek(rows, row, 2);
        assert(octets.len == sizeof(key.key));
        memcpy(key.key, octets.data, octets.len);
        struct replay_entry *entry = working_set_want_replay(loading->set, &key);
        assert(request.len == sizeof(entry->answer.request));
        entry->found = true;
        memcpy(entry->answer.request, request.data, request.len);
        entry->answer.status = (int)postgres_i64(rows, row, 3);
        entry->answer.at = postgres_i64(rows, row, 4);
        entry->answer.body = postgres_text(rows, row, 5, loading->set->arena);
    }
}

/* ---- ids: drawn while the events are locked, so that they rise in the order of commit ---- */

static bool send_ids(struct loading *loading, enum sequence sequence)
{
    static const enum postgres_statement draws[SEQUENCE_COUNT] = {
        [SEQUENCE_EVENT] = STATEMENT_EVENT_IDS,
        [SEQUENCE_TICKET_TYPE] = STATEMENT_TICKET_TYPE_IDS,
        [SEQUENCE_BOOKING] = STATEMENT_BOOKING_IDS,
        [SEQUENCE_USER] = STATEMENT_USER_IDS,
        [SEQUENCE_PAYMENT] = STATEMENT_PAYMENT_IDS,
        [SEQUENCE_WEBHOOK] = STATEMENT_WEBHOOK_IDS,
    };
    const struct id_supply *supply = &loading->set->ids[sequence];
    if (supply->needed <= supply->count) return false;
    postgres_send(loading->store, draws[sequence],
                  POSTGRES_VALUES(NUM(supply->needed - supply->count)));
    return true;
}

static void take_ids(struct loading *loading, enum sequence sequence, const PGresult *rows)
{
    struct id_supply *supply = &loading->set->ids[sequence];
    size_t count = supply->count + (size_t)postgres_count(rows);
    uint64_t *ids = ARENA_ARRAY(loading->set->arena, uint64_t, count);
    if (supply->count) memcpy(ids, supply->ids, supply->count * sizeof(*ids));
    for (int row = 0; row < postgres_count(rows); row++)
        ids[supply->count++] = postgres_u64(rows, row, 0);
    supply->ids = ids;
}

/* ---- all of them ---- */

static const struct step {
    bool (*send)(struct loading *loading); /* false: there is nothing to ask */
    void (*take)(struct loading *loading, const PGresult *rows); /* NULL: kept for the next one */
} steps[] = {
    {send_locks, take_locks},       {send_events, NULL},
    {send_types, take_types},       {send_returned, take_returned},
    {send_bookings, take_bookings}, {send_lines, take_lines},
    {send_newest, take_newest},     {send_user_bookings, take_user_bookings},
    {send_users, take_users},       {send_logins, take_logins},
    {send_holders, take_holders},   {send_replays, take_replays},
};
enum { STEPS = sizeof(steps) / sizeof(steps[0]) };

static bool anything_to_do(const struct working_set *set)
{
    bool ids = false;
    for (int i = 0; i < SEQUENCE_COUNT; i++)
        ids |= set->ids[i].needed > set->ids[i].count;
    return set->wants || ids;
}

static void load_all(struct loading *loading)
{
    struct postgres_store *store = loading->store;
    bool sent[STEPS], drawn[SEQUENCE_COUNT];
    for (size_t i = 0; i < STEPS; i++)
        sent[i] = steps[i].send(loading);
    for (int i = 0; i < SEQUENCE_COUNT; i++)
        drawn[i] = send_ids(loading, (enum sequence)i);
    postgres_sync(store);
    for (size_t i = 0; i < STEPS; i++) {
        if (!sent[i]) continue;
        PGresult *rows = postgres_result(store);
        if (!steps[i].take) {
            loading->events = rows;
            continue;
        }
        if (store->status == STORE_OK) steps[i].take(loading, rows);
        PQclear(rows);
    }
    for (int i = 0; i < SEQUENCE_COUNT; i++) {
        if (!drawn[i]) continue;
        PGresult *rows = postgres_result(store);
        take_ids(loading, (enum sequence)i, rows);
        PQclear(rows);
    }
    postgres_finish(store);
    PQclear(loading->events);
}

enum store_status postgres_load(struct store *base, struct working_set *set)
{
    struct loading loading = {.store = postgres_begin_write(base), .set = set};
    if (anything_to_do(set)) {
        postgres_want_begin(loading.store);
        load_all(&loading);
        if (set->position.needed || set->claims.count || set->messages.count)
            postgres_load_outbox(loading.store, set);
        if (set->webhooks.count || set->webhooks_of.needed)
            postgres_load_webhooks(loading.store, set);
    }
    if (loading.store->status != STORE_OK) return postgres_roll_back(loading.store);
    set->wants = false;
    return STORE_OK;
}
