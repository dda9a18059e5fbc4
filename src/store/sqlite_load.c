/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch needs to know before it decides. */
#include <assert.h>

#include "base/array.h"
#include "store/sqlite_internal.h"

struct booking sqlite_booking_row(sqlite3_stmt *rows)
{
    return (struct booking){
        .id = sqlite_u64(rows, 0),
        .user_id = sqlite_u64(rows, 1),
        .event_id = sqlite_u64(rows, 2),
        .ticket_type_id = sqlite_u64(rows, 3),
        .quantity = sqlite_u32(rows, 4),
        .status = (enum booking_status)sqlite3_column_int(rows, 5),
        .unit_price = sqlite3_column_int64(rows, 6),
        .paid = sqlite3_column_int64(rows, 7),
        .created_at = sqlite3_column_int64(rows, 8),
        .updated_at = sqlite3_column_int64(rows, 9),
        .expires_at = sqlite3_column_int64(rows, 10),
    };
}

static struct event event_row(sqlite3_stmt *rows, struct arena *arena)
{
    struct event event = {
        .id = sqlite_u64(rows, 0),
        .organizer_id = sqlite_u64(rows, 1),
        .name = sqlite_text(rows, 2, arena),
        .description = sqlite_text(rows, 3, arena),
        .venue = sqlite_text(rows, 4, arena),
        .timezone = sqlite_text(rows, 5, arena),
        .starts_at = sqlite3_column_int64(rows, 7),
        .ends_at = sqlite3_column_int64(rows, 8),
        .status = (enum event_status)sqlite3_column_int(rows, 9),
        .max_per_user = sqlite_u32(rows, 10),
        .version = sqlite_u64(rows, 11),
        .created_at = sqlite3_column_int64(rows, 12),
        .updated_at = sqlite3_column_int64(rows, 13),
        .next_number = sqlite_u32(rows, 14),
        .ever_booked = sqlite3_column_int(rows, 15) != 0,
    };
    sqlite_currency(rows, 6, event.currency);
    return event;
}

struct user sqlite_user_row(sqlite3_stmt *rows, struct arena *arena)
{
    return (struct user){
        .id = sqlite_u64(rows, 0),
        .email = sqlite_text(rows, 1, arena),
        .username = sqlite_text(rows, 2, arena),
        .name = sqlite_text(rows, 3, arena),
        .password_hash = sqlite_text(rows, 4, arena),
        .role = (enum role)sqlite3_column_int(rows, 5),
        .created_at = sqlite3_column_int64(rows, 6),
        .erased_at = sqlite3_column_int64(rows, 7),
        .verified_at = sqlite3_column_int64(rows, 8),
        .mail = sqlite3_column_int(rows, 9) != 0,
    };
}

struct ticket_type *sqlite_types(struct sqlite_store *store, uint64_t event_id, struct arena *arena,
                                 size_t *ret_count)
{
    struct {
        struct ticket_type *items;
        size_t count, size;
    } types = {0};
    sqlite3_stmt *rows = QUERY(store, TYPES, NUM(event_id));
    while (sqlite_next(store, rows))
        *ARRAY_PUSH(arena, &types) = (struct ticket_type){
            .id = sqlite_u64(rows, 0),
            .event_id = event_id,
            .name = sqlite_text(rows, 1, arena),
            .capacity = sqlite_u32(rows, 2),
            .booked = sqlite_u32(rows, 3),
            .held = sqlite_u32(rows, 4),
            .waiting = sqlite_u32(rows, 5),
            .wanted = sqlite_u64(rows, 6),
            .price = sqlite3_column_int64(rows, 7),
            .max_per_booking = sqlite_u32(rows, 8),
            .sales_start = sqlite3_column_int64(rows, 9),
            .sales_end = sqlite3_column_int64(rows, 10),
        };
    *ret_count = types.count;
    return types.items;
}

void sqlite_numbers(struct sqlite_store *store, struct booking *booking, struct arena *arena)
{
    if (booking->status != BOOKING_HELD && booking->status != BOOKING_CONFIRMED) return;
    booking->numbers = ARENA_ARRAY(arena, uint32_t, booking->quantity);
    sqlite3_stmt *rows = QUERY(store, BOOKING_NUMBERS, NUM(booking->id));
    while (booking->number_count < booking->quantity && sqlite_next(store, rows))
        booking->numbers[booking->number_count++] = sqlite_u32(rows, 0);
    sqlite_end(rows);
}

struct sqlite_buckets sqlite_buckets(struct sqlite_store *store, uint64_t event_id)
{
    struct sqlite_buckets buckets = {0, -1};
    sqlite3_stmt *rows =
        event_id ? QUERY(store, BUCKETS_OF_EVENT, NUM(event_id)) : QUERY(store, BUCKETS);
    if (sqlite_next(store, rows) && sqlite3_column_type(rows, 1) != SQLITE_NULL)
        buckets =
            (struct sqlite_buckets){sqlite3_column_int64(rows, 0), sqlite3_column_int64(rows, 1)};
    sqlite_end(rows);
    return buckets;
}

struct event *sqlite_event(struct sqlite_store *store, uint64_t id, struct arena *arena)
{
    sqlite3_stmt *rows = QUERY(store, EVENT, NUM(id));
    if (!sqlite_next(store, rows)) return NULL;
    struct event *event = ARENA_NEW(arena, struct event);
    *event = event_row(rows, arena);
    sqlite_end(rows);
    event->types = sqlite_types(store, id, arena, &event->type_count);
    return store->status == STORE_OK ? event : NULL;
}

/* ---- entries ---- */

static void load_event(struct sqlite_store *store, struct working_set *set,
                       struct event_entry *entry)
{
    const struct event *event = sqlite_event(store, entry->id, set->arena);
    if (event)
        working_set_put_event(set, entry, event, event->types, event->type_count);
    else
        entry->loaded = true;
}

static void load_booking(struct sqlite_store *store, struct working_set *set,
                         struct booking_entry *entry)
{
    sqlite3_stmt *rows = QUERY(store, BOOKING, NUM(entry->id));
    if (!sqlite_next(store, rows)) {
        entry->loaded = true;
        return;
    }
    struct booking booking = sqlite_booking_row(rows);
    sqlite_end(rows);
    sqlite_numbers(store, &booking, set->arena);
    working_set_put_booking(set, &booking);
}

/* Nothing was decided yet, so what was loaded of the line before is simply loaded again. */
static void load_line(struct sqlite_store *store, struct working_set *set, struct type_entry *type)
{
    type->line_count = type->line_at = 0;
    type->line_live = 0;
    type->line_loaded = type->line_needed;
    if (type->row.waiting == 0) return;
    sqlite3_stmt *rows = QUERY(store, LINE, NUM(type->row.id), NUM(type->line_needed));
    while (sqlite_next(store, rows)) {
        struct booking booking = sqlite_booking_row(rows);
        working_set_put_waiting(set, type, &booking);
    }
}

static void load_returned(struct sqlite_store *store, struct working_set *set,
                          struct event_entry *event)
{
    event->returned.count = 0;
    event->numbers_loaded = event->numbers_needed;
    if (event_returned_total(event) == 0) return;
    sqlite3_stmt *rows = QUERY(store, RETURNED, NUM(event->id), NUM(event->numbers_needed));
    while (sqlite_next(store, rows))
        numbers_push(&event->returned, set->arena, sqlite_u32(rows, 0));
}

static void load_user(struct sqlite_store *store, struct working_set *set, struct user_entry *entry)
{
    sqlite3_stmt *rows = QUERY(store, USER, NUM(entry->id));
    entry->loaded = true;
    if (!sqlite_next(store, rows)) return;
    entry->found = true;
    entry->row = sqlite_user_row(rows, set->arena);
    sqlite_end(rows);
}

static void load_login(struct sqlite_store *store, struct login_entry *entry)
{
    sqlite3_stmt *rows = entry->is_email ? QUERY(store, USER_BY_EMAIL, TEXT(entry->folded))
                                         : QUERY(store, USER_BY_USERNAME, TEXT(entry->folded));
    entry->loaded = true;
    entry->user_id = (uint64_t)sqlite_number(store, rows, 0);
}

static void load_newest(struct sqlite_store *store, struct newest_entry *entry)
{
    struct sqlite_buckets buckets = sqlite_buckets(store, entry->event_id);
    entry->loaded = true;
    /* The newest that waits counts only where none has its tickets, in whatever bucket. */
    bool sure = false;
    for (int64_t at = buckets.last; !sure; at--) {
        at = bucket_filter_next(store->filter, buckets.first, at, entry->user_id);
        if (at < buckets.first) break;
        sqlite3_stmt *rows =
            QUERY(store, NEWEST, NUM(at), NUM(entry->user_id), NUM(entry->event_id));
        if (!sqlite_next(store, rows)) continue;
        sure = sqlite3_column_int(rows, 1) != BOOKING_WAITING;
        if (sure || !entry->booking_id) entry->booking_id = sqlite_u64(rows, 0);
        sqlite_end(rows);
    }
}

static void load_user_bookings(struct sqlite_store *store, struct working_set *set,
                               struct user_bookings_entry *entry)
{
    struct {
        uint64_t *items;
        size_t count, size;
    } ids = {0};
    struct sqlite_buckets buckets = sqlite_buckets(store, 0);
    for (int64_t at = buckets.first; at <= buckets.last; at++) {
        sqlite3_stmt *rows = QUERY(store, COMING, NUM(at), NUM(entry->user_id), NUM(set->now));
        while (sqlite_next(store, rows))
            *ARRAY_PUSH(set->arena, &ids) = sqlite_u64(rows, 0);
    }
    entry->loaded = true;
    entry->booking_ids = ids.items;
    entry->count = ids.count;
}

sqlite3_stmt *sqlite_find_replay(struct sqlite_store *store, const struct replay_key *key,
                                 int64_t now)
{
    struct replay_search search = {0};
    struct str bytes = {(const char *)key->key, sizeof(key->key)};
    uint64_t id;
    while ((id = replay_index_find(&store->replays, key, &search))) {
        sqlite3_stmt *rows = QUERY(store, REPLAY, NUM(id), NUM(key->user_id), BLOB(bytes));
        if (!sqlite_next(store, rows)) continue;
        if (sqlite3_column_int64(rows, 2) > now - REPLAY_MS) return rows;
        sqlite_end(rows);
    }
    return NULL;
}

static void load_replay(struct sqlite_store *store, struct working_set *set,
                        struct replay_entry *entry)
{
    entry->loaded = true;
    sqlite3_stmt *rows = sqlite_find_replay(store, &entry->key, set->now);
    if (!rows) return;
    entry->found = true;
    struct str request = sqlite_text(rows, 0, set->arena);
    assert(request.len == sizeof(entry->answer.request));
    memcpy(entry->answer.request, request.data, request.len);
    entry->answer.status = sqlite3_column_int(rows, 1);
    entry->answer.at = sqlite3_column_int64(rows, 2);
    entry->answer.body = sqlite_text(rows, 3, set->arena);
    sqlite_end(rows);
}

/* From the sequence as it was at the beginning of the batch: what is not used is not spent. */
static void supply_ids(const struct sqlite_store *store, struct working_set *set)
{
    for (int i = 0; i < SEQUENCE_COUNT; i++) {
        struct id_supply *supply = &set->ids[i];
        if (supply->needed <= supply->count) continue;
        supply->ids = ARENA_ARRAY(set->arena, uint64_t, supply->needed);
        for (supply->count = 0; supply->count < supply->needed; supply->count++)
            supply->ids[supply->count] = store->next[i] + supply->count;
    }
}

/* ---- all of them ---- */

static void load_events(struct sqlite_store *store, struct working_set *set)
{
    struct event_entry *event;
    for (size_t i = 0; (event = map_each(&set->events, &i));)
        if (!event->loaded) load_event(store, set, event);
    for (size_t i = 0; (event = map_each(&set->events, &i));) {
        if (event->found && event->numbers_needed > event->numbers_loaded)
            load_returned(store, set, event);
    }
}

static void load_bookings(struct sqlite_store *store, struct working_set *set)
{
    struct booking_entry *booking;
    for (size_t i = 0; (booking = map_each(&set->bookings, &i));)
        if (!booking->loaded) load_booking(store, set, booking);

    struct type_entry *type;
    for (size_t i = 0; (type = map_each(&set->types, &i));)
        if (type->line_needed > type->line_loaded) load_line(store, set, type);

    struct newest_entry *newest;
    for (size_t i = 0; (newest = map_each(&set->newest, &i));)
        if (!newest->loaded) load_newest(store, newest);

    struct user_bookings_entry *user_bookings;
    for (size_t i = 0; (user_bookings = map_each(&set->user_bookings, &i));)
        if (!user_bookings->loaded) load_user_bookings(store, set, user_bookings);
}

static void load_people(struct sqlite_store *store, struct working_set *set)
{
    struct user_entry *user;
    for (size_t i = 0; (user = map_each(&set->users, &i));)
        if (!user->loaded) load_user(store, set, user);

    for (size_t i = 0; i < set->logins.count; i++)
        if (!set->logins.items[i]->loaded) load_login(store, set->logins.items[i]);

    struct holder_entry *holder;
    for (size_t i = 0; (holder = map_each(&set->holders, &i));) {
        if (holder->loaded) continue;
        holder->loaded = true;
        holder->quantity = (uint32_t)sqlite_number(
            store, QUERY(store, HOLDER, NUM(holder->event_id), NUM(holder->user_id)), 0);
    }

    struct replay_entry *replay;
    for (size_t i = 0; (replay = map_each(&set->replays, &i));)
        if (!replay->loaded) load_replay(store, set, replay);
}

enum store_status sqlite_load(struct store *base, struct working_set *set)
{
    struct sqlite_store *store = sqlite_begin_write(base);
    load_events(store, set);
    load_bookings(store, set);
    load_people(store, set);
    sqlite_load_outbox(store, set);
    sqlite_load_webhooks(store, set);
    supply_ids(store, set);
    if (store->status != STORE_OK) return sqlite_roll_back(store);
    set->wants = false;
    return STORE_OK;
}
