/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch needs to know before it decides. Every kind of row is one statement, however many of
 * them are wanted.
 *
 * Locks are taken in one order by everybody, so that nobody waits for one who waits for him: events
 * by id, users by id, the sequences. All that belongs to an event is read once its lock is held. A
 * booking that is wanted leads to its event before anything is locked. Where a later turn wants an
 * event out of order all the same, it does not wait: the batch begins anew. */
#include <assert.h>
#include <stdlib.h>

#include "base/array.h"
#include "store/mysql_internal.h"

enum { NEWEST_AT_ONCE = 4096 };

struct booking maria_booking_row(const struct maria_rows *rows)
{
    return (struct booking){
        .id = maria_u64(rows, 0),
        .user_id = maria_u64(rows, 1),
        .event_id = maria_u64(rows, 2),
        .ticket_type_id = maria_u64(rows, 3),
        .quantity = maria_u32(rows, 4),
        .status = (enum booking_status)maria_i64(rows, 5),
        .unit_price = maria_i64(rows, 6),
        .paid = maria_i64(rows, 7),
        .created_at = maria_i64(rows, 8),
        .updated_at = maria_i64(rows, 9),
        .expires_at = maria_i64(rows, 10),
    };
}

struct event maria_event_row(const struct maria_rows *rows, struct arena *arena)
{
    struct event event = {
        .id = maria_u64(rows, 0),
        .organizer_id = maria_u64(rows, 1),
        .name = maria_text(rows, 2, arena),
        .description = maria_text(rows, 3, arena),
        .venue = maria_text(rows, 4, arena),
        .timezone = maria_text(rows, 5, arena),
        .starts_at = maria_i64(rows, 7),
        .ends_at = maria_i64(rows, 8),
        .status = (enum event_status)maria_i64(rows, 9),
        .max_per_user = maria_u32(rows, 10),
        .version = maria_u64(rows, 11),
        .created_at = maria_i64(rows, 12),
        .updated_at = maria_i64(rows, 13),
        .next_number = maria_u32(rows, 14),
        .ever_booked = maria_i64(rows, 15) != 0,
    };
    maria_currency(rows, 6, event.currency);
    return event;
}

struct user maria_user_row(const struct maria_rows *rows, struct arena *arena)
{
    return (struct user){
        .id = maria_u64(rows, 0),
        .email = maria_text(rows, 1, arena),
        .username = maria_text(rows, 2, arena),
        .name = maria_text(rows, 3, arena),
        .password_hash = maria_text(rows, 4, arena),
        .role = (enum role)maria_i64(rows, 5),
        .created_at = maria_i64(rows, 6),
        .erased_at = maria_i64(rows, 7),
        .verified_at = maria_i64(rows, 8),
        .mail = maria_i64(rows, 9) != 0,
    };
}

static struct ticket_type type_row(const struct maria_rows *rows, struct arena *arena)
{
    return (struct ticket_type){
        .event_id = maria_u64(rows, 0),
        .id = maria_u64(rows, 1),
        .name = maria_text(rows, 2, arena),
        .capacity = maria_u32(rows, 3),
        .booked = maria_u32(rows, 4),
        .held = maria_u32(rows, 5),
        .waiting = maria_u32(rows, 6),
        .wanted = maria_u64(rows, 7),
        .price = maria_i64(rows, 8),
        .max_per_booking = maria_u32(rows, 9),
        .sales_start = maria_i64(rows, 10),
        .sales_end = maria_i64(rows, 11),
    };
}

static int by_event_and_id(const void *a, const void *b)
{
    const struct ticket_type *one = a, *other = b;
    if (one->event_id != other->event_id) return one->event_id < other->event_id ? -1 : 1;
    return one->id < other->id ? -1 : one->id > other->id;
}

void maria_types_of(struct maria_store *store, struct event **events, size_t count,
                    struct arena *arena)
{
    if (count == 0) return;
    struct maria_set set = {0};
    struct map by_id = {0};
    for (size_t i = 0; i < count; i++) {
        SET_ADD(&set, (int64_t)events[i]->id);
        map_put(&by_id, arena, events[i]->id, 0, events[i]);
    }
    struct {
        struct ticket_type *items;
        size_t count, size;
    } types = {0};
    struct maria_value ids = maria_set_end(&set, arena);
    struct maria_rows *rows =
        count == 1 ? QUERY(store, TYPES_OF_EVENT, NUM(events[0]->id)) : QUERY(store, TYPES, ids);
    while (maria_next(store, rows))
        *ARRAY_PUSH(arena, &types) = type_row(rows, arena);
    if (types.count) qsort(types.items, types.count, sizeof(*types.items), by_event_and_id);
    for (size_t i = 0; i < types.count; i++) {
        struct event *event = map_get(&by_id, types.items[i].event_id, 0);
        if (event->type_count++ == 0) event->types = &types.items[i];
    }
}

void maria_numbers_of(struct maria_store *store, struct booking **bookings, size_t count,
                      struct arena *arena)
{
    struct maria_set set = {0};
    struct map by_id = {0};
    for (size_t i = 0; i < count; i++) {
        struct booking *booking = bookings[i];
        if (booking->status != BOOKING_HELD && booking->status != BOOKING_CONFIRMED) continue;
        booking->numbers = ARENA_ARRAY(arena, uint32_t, booking->quantity);
        map_put(&by_id, arena, booking->id, 0, booking);
        SET_ADD(&set, (int64_t)booking->id);
    }
    if (set.count == 0) return;
    struct maria_rows *rows = QUERY(store, NUMBERS, maria_set_end(&set, arena));
    while (maria_next(store, rows)) {
        struct booking *booking = map_get(&by_id, maria_u64(rows, 0), 0);
        if (booking->number_count == booking->quantity) continue;
        /* In the order of the index, which is theirs; were it another one, they belong here. */
        size_t at = booking->number_count++;
        uint32_t number = maria_u32(rows, 1);
        for (; at > 0 && booking->numbers[at - 1] > number; at--)
            booking->numbers[at] = booking->numbers[at - 1];
        booking->numbers[at] = number;
    }
}

/* ---- locks ---- */

struct ids {
    uint64_t *items;
    size_t count, size;
};

static int by_number(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
    return one < other ? -1 : one > other;
}

static void sort_ids(struct ids *ids)
{
    size_t kept = 0;
    if (ids->count) qsort(ids->items, ids->count, sizeof(*ids->items), by_number);
    for (size_t i = 0; i < ids->count; i++)
        if (i == 0 || ids->items[i] != ids->items[kept - 1]) ids->items[kept++] = ids->items[i];
    ids->count = kept;
}

static struct maria_value ids_value(const struct ids *ids, struct arena *arena)
{
    struct maria_set set = {0};
    for (size_t i = 0; i < ids->count; i++)
        SET_ADD(&set, (int64_t)ids->items[i]);
    return maria_set_end(&set, arena);
}

/* Of bookings: their events, which never change, so that this needs no lock. */
static void add_events_of_bookings(struct maria_store *store, const struct working_set *set,
                                   struct ids *events)
{
    struct ids bookings = {0};
    const struct booking_entry *booking;
    for (size_t i = 0; (booking = map_each(&set->bookings, &i));)
        if (!booking->loaded) *ARRAY_PUSH(set->arena, &bookings) = booking->id;
    if (bookings.count == 0) return;
    struct maria_rows *rows = QUERY(store, EVENTS_OF_BOOKINGS, ids_value(&bookings, set->arena));
    while (maria_next(store, rows))
        *ARRAY_PUSH(set->arena, events) = maria_u64(rows, 0);
}

static struct maria_value all_buckets(struct maria_store *store, struct arena *arena)
{
    struct maria_buckets buckets = maria_buckets(store, 0, arena);
    struct maria_set set = {0};
    for (int64_t at = buckets.first; at <= buckets.last; at++)
        SET_ADD(&set, at);
    return maria_set_end(&set, arena);
}

static struct maria_rows *query_coming(struct maria_store *store, const struct working_set *set,
                                       const struct user_bookings_entry *entry)
{
    return QUERY(store, COMING, all_buckets(store, set->arena), NUM(entry->user_id), NUM(set->now));
}

static void add_events_of_users(struct maria_store *store, const struct working_set *set,
                                struct ids *events)
{
    const struct user_bookings_entry *entry;
    for (size_t i = 0; (entry = map_each(&set->user_bookings, &i));) {
        if (entry->loaded) continue;
        struct maria_rows *rows = query_coming(store, set, entry);
        while (maria_next(store, rows))
            *ARRAY_PUSH(set->arena, events) = maria_u64(rows, 1);
    }
}

/* A single one, as in the rush for it, is found without a set. */
static struct maria_rows *lock_events(struct maria_store *store, const struct ids *ids,
                                      bool may_wait, struct arena *arena)
{
    if (ids->count == 1)
        return may_wait ? QUERY(store, LOCK_EVENT, NUM(ids->items[0]))
                        : QUERY(store, LOCK_EVENT_NOW, NUM(ids->items[0]));
    struct maria_value set = ids_value(ids, arena);
    return may_wait ? QUERY(store, LOCK_EVENTS, set) : QUERY(store, LOCK_EVENTS_NOW, set);
}

/* Reads, and locks, the events that are wanted and those of what is wanted. */
static void load_events(struct maria_store *store, struct working_set *set)
{
    struct ids ids = {0};
    struct event_entry *entry;
    for (size_t i = 0; (entry = map_each(&set->events, &i));)
        if (!entry->loaded) *ARRAY_PUSH(set->arena, &ids) = entry->id;
    add_events_of_bookings(store, set, &ids);
    add_events_of_users(store, set, &ids);
    if (ids.count == 0) return;
    sort_ids(&ids);
    bool may_wait = !store->locks_closed && ids.items[0] > store->last_locked;
    struct maria_rows *rows = lock_events(store, &ids, may_wait, set->arena);
    uint64_t last = ids.items[ids.count - 1];
    if (last > store->last_locked) store->last_locked = last;

    struct {
        struct event **items;
        size_t count, size;
    } events = {0};
    while (maria_next(store, rows)) {
        entry = working_set_event(set, maria_u64(rows, 0));
        if (!entry || entry->loaded) continue;
        struct event *event = ARENA_NEW(set->arena, struct event);
        *event = maria_event_row(rows, set->arena);
        *ARRAY_PUSH(set->arena, &events) = event;
    }
    maria_types_of(store, events.items, events.count, set->arena);
    if (store->status != STORE_OK) return;
    for (size_t i = 0; i < events.count; i++) {
        const struct event *event = events.items[i];
        working_set_put_event(set, working_set_event(set, event->id), event, event->types,
                              event->type_count);
    }
    for (size_t i = 0; (entry = map_each(&set->events, &i));)
        entry->loaded = true;
}

/* ---- bookings ---- */

static void load_wanted_bookings(struct maria_store *store, struct working_set *set)
{
    struct ids ids = {0};
    struct booking_entry *entry;
    for (size_t i = 0; (entry = map_each(&set->bookings, &i));)
        if (!entry->loaded) *ARRAY_PUSH(set->arena, &ids) = entry->id;
    if (ids.count == 0) return;
    struct {
        struct booking **items;
        size_t count, size;
    } bookings = {0};
    struct maria_rows *rows = QUERY(store, BOOKINGS, ids_value(&ids, set->arena));
    while (maria_next(store, rows)) {
        struct booking *booking = ARENA_NEW(set->arena, struct booking);
        *booking = maria_booking_row(rows);
        *ARRAY_PUSH(set->arena, &bookings) = booking;
    }
    maria_numbers_of(store, bookings.items, bookings.count, set->arena);
    if (store->status != STORE_OK) return;
    for (size_t i = 0; i < bookings.count; i++)
        working_set_put_booking(set, bookings.items[i]);
    for (size_t i = 0; i < ids.count; i++)
        working_set_booking(set, ids.items[i])->loaded = true;
}

/* Nothing was decided yet, so what was loaded of the line before is simply loaded again. */
static void load_line(struct maria_store *store, struct working_set *set, struct type_entry *type)
{
    type->line_count = type->line_at = 0;
    type->line_live = 0;
    type->line_loaded = type->line_needed;
    if (type->row.waiting == 0) return;
    struct maria_rows *rows = QUERY(store, LINE, NUM(type->row.id), NUM(type->line_needed));
    while (maria_next(store, rows)) {
        struct booking booking = maria_booking_row(rows);
        working_set_put_waiting(set, type, &booking);
    }
}

static void load_returned(struct maria_store *store, struct working_set *set,
                          struct event_entry *event)
{
    event->returned.count = 0;
    event->numbers_loaded = event->numbers_needed;
    if (event_returned_total(event) == 0) return;
    struct maria_rows *rows = QUERY(store, RETURNED, NUM(event->id), NUM(event->numbers_needed));
    while (maria_next(store, rows))
        numbers_push(&event->returned, set->arena, maria_u32(rows, 0));
}

struct maria_buckets maria_buckets(struct maria_store *store, uint64_t event_id,
                                   struct arena *arena)
{
    struct maria_buckets buckets = {0, -1};
    struct ids ids = {&event_id, 1, 1};
    struct maria_rows *rows =
        event_id ? QUERY(store, BUCKETS_OF_EVENTS, ids_value(&ids, arena)) : QUERY(store, BUCKETS);
    int first = event_id ? 1 : 0;
    if (maria_next(store, rows) && !maria_is_null(rows, first))
        buckets = (struct maria_buckets){maria_i64(rows, first) >> BUCKET_BITS,
                                         maria_i64(rows, first + 1) >> BUCKET_BITS};
    return buckets;
}

/* The newest that waits counts only where none has its tickets. */
static void take_newest(struct maria_store *store, struct working_set *set, struct maria_set *keys,
                        struct map *sure)
{
    if (keys->count == 0) return;
    struct maria_rows *rows = QUERY(store, NEWEST, maria_set_end(keys, set->arena));
    while (maria_next(store, rows)) {
        uint64_t id = maria_u64(rows, 0), event_id = maria_u64(rows, 2),
                 user_id = maria_u64(rows, 3);
        bool waits = maria_i64(rows, 1) == BOOKING_WAITING;
        struct newest_entry *entry = working_set_newest(set, event_id, user_id);
        bool was_sure = map_get(sure, event_id, user_id) != NULL;
        if (waits ? was_sure || id < entry->booking_id : was_sure && id < entry->booking_id)
            continue;
        entry->booking_id = id;
        if (!waits && !was_sure) map_put(sure, set->arena, event_id, user_id, entry);
    }
}

static void load_newest(struct maria_store *store, struct working_set *set)
{
    struct ids events = {0};
    struct newest_entry *entry;
    for (size_t i = 0; (entry = map_each(&set->newest, &i));)
        if (!entry->loaded) *ARRAY_PUSH(set->arena, &events) = entry->event_id;
    if (events.count == 0) return;
    sort_ids(&events);
    struct map ranges = {0}, sure = {0};
    struct maria_rows *rows = QUERY(store, BUCKETS_OF_EVENTS, ids_value(&events, set->arena));
    while (maria_next(store, rows)) {
        if (maria_is_null(rows, 1)) continue;
        struct maria_buckets *range = ARENA_NEW(set->arena, struct maria_buckets);
        *range = (struct maria_buckets){maria_i64(rows, 1) >> BUCKET_BITS,
                                        maria_i64(rows, 2) >> BUCKET_BITS};
        map_put(&ranges, set->arena, maria_u64(rows, 0), 0, range);
    }
    struct maria_set keys = {0};
    for (size_t i = 0; (entry = map_each(&set->newest, &i));) {
        const struct maria_buckets *range = map_get(&ranges, entry->event_id, 0);
        if (entry->loaded) continue;
        entry->loaded = true;
        for (int64_t at = range ? range->first : 1; at <= (range ? range->last : 0); at++) {
            SET_ADD(&keys, (int64_t)entry->event_id, (int64_t)entry->user_id, at);
            if (keys.count == NEWEST_AT_ONCE) take_newest(store, set, &keys, &sure);
        }
    }
    take_newest(store, set, &keys, &sure);
}

static void load_user_bookings(struct maria_store *store, struct working_set *set,
                               struct user_bookings_entry *entry)
{
    struct ids ids = {0};
    struct maria_rows *rows = query_coming(store, set, entry);
    while (maria_next(store, rows))
        *ARRAY_PUSH(set->arena, &ids) = maria_u64(rows, 0);
    entry->loaded = true;
    entry->booking_ids = ids.items;
    entry->count = ids.count;
}

static void load_bookings(struct maria_store *store, struct working_set *set)
{
    struct event_entry *event;
    for (size_t i = 0; (event = map_each(&set->events, &i));)
        if (event->found && event->numbers_needed > event->numbers_loaded)
            load_returned(store, set, event);
    load_wanted_bookings(store, set);
    struct type_entry *type;
    for (size_t i = 0; (type = map_each(&set->types, &i));)
        if (type->line_needed > type->line_loaded) load_line(store, set, type);
    load_newest(store, set);
    struct user_bookings_entry *user_bookings;
    for (size_t i = 0; (user_bookings = map_each(&set->user_bookings, &i));)
        if (!user_bookings->loaded) load_user_bookings(store, set, user_bookings);
}

/* ---- people ---- */

static void load_users(struct maria_store *store, struct working_set *set)
{
    struct ids ids = {0};
    struct user_entry *entry;
    for (size_t i = 0; (entry = map_each(&set->users, &i));)
        if (!entry->loaded) *ARRAY_PUSH(set->arena, &ids) = entry->id;
    if (ids.count == 0) return;
    sort_ids(&ids);
    struct maria_rows *rows = QUERY(store, LOCK_USERS, ids_value(&ids, set->arena));
    store->locks_closed = true;
    while (maria_next(store, rows)) {
        entry = working_set_user(set, maria_u64(rows, 0));
        entry->found = true;
        entry->row = maria_user_row(rows, set->arena);
    }
    for (size_t i = 0; i < ids.count; i++)
        working_set_user(set, ids.items[i])->loaded = true;
}

static void load_logins(struct maria_store *store, struct working_set *set, bool is_email)
{
    struct maria_set texts = {0};
    for (size_t i = 0; i < set->logins.count; i++) {
        struct login_entry *entry = set->logins.items[i];
        if (entry->loaded || entry->is_email != is_email) continue;
        entry->loaded = true;
        maria_set_add_text(&texts, maria_cut(entry->folded, KEY_MAX));
    }
    if (texts.count == 0) return;
    struct maria_value value = maria_set_end(&texts, set->arena);
    struct maria_rows *rows =
        is_email ? QUERY(store, LOGINS_BY_EMAIL, value) : QUERY(store, LOGINS_BY_USERNAME, value);
    while (maria_next(store, rows)) {
        struct str folded = maria_octets(rows, 1);
        for (size_t i = 0; i < set->logins.count; i++) {
            struct login_entry *entry = set->logins.items[i];
            if (entry->is_email == is_email && str_equal(maria_cut(entry->folded, KEY_MAX), folded))
                entry->user_id = maria_u64(rows, 0);
        }
    }
}

static void load_holders(struct maria_store *store, struct working_set *set)
{
    struct maria_set pairs = {0};
    struct holder_entry *entry;
    for (size_t i = 0; (entry = map_each(&set->holders, &i));) {
        if (entry->loaded) continue;
        entry->loaded = true;
        SET_ADD(&pairs, (int64_t)entry->event_id, (int64_t)entry->user_id);
    }
    if (pairs.count == 0) return;
    struct maria_rows *rows = QUERY(store, HOLDERS, maria_set_end(&pairs, set->arena));
    while (maria_next(store, rows))
        working_set_holder(set, maria_u64(rows, 0), maria_u64(rows, 1))->quantity =
            maria_u32(rows, 2);
}

/* ---- answers that are kept ---- */

static void take_replay(const struct maria_rows *rows, struct replay_entry *entry,
                        struct arena *arena)
{
    struct str request = maria_octets(rows, 2);
    assert(request.len == sizeof(entry->answer.request));
    entry->found = true;
    memcpy(entry->answer.request, request.data, request.len);
    entry->answer.status = (int)maria_i64(rows, 3);
    entry->answer.at = maria_i64(rows, 4);
    entry->answer.body = maria_text(rows, 5, arena);
}

static void load_replays(struct maria_store *store, struct working_set *set)
{
    struct maria_set keys = {0};
    struct replay_entry *entry;
    for (size_t i = 0; (entry = map_each(&set->replays, &i));) {
        if (entry->loaded) continue;
        entry->loaded = true;
        maria_set_add_pair(&keys, (int64_t)entry->key.user_id,
                           maria_hex(entry->key.key, set->arena));
    }
    if (keys.count == 0) return;
    int64_t oldest = set->now / HOUR_MS - REPLAY_HOURS;
    struct maria_rows *rows = QUERY(store, REPLAYS, maria_set_end(&keys, set->arena));
    while (maria_next(store, rows)) {
        struct replay_key key = {.user_id = maria_u64(rows, 0)};
        struct str octets = maria_octets(rows, 1);
        assert(octets.len == sizeof(key.key));
        memcpy(key.key, octets.data, octets.len);
        if (maria_i64(rows, 4) / HOUR_MS < oldest) {
            store->drops_replays = true;
            continue;
        }
        take_replay(rows, working_set_want_replay(set, &key), set->arena);
    }
}

/* ---- ids ---- */

/* In the order of commit: whoever draws holds the sequences until his batch is over. */
static void supply_ids(struct maria_store *store, struct working_set *set)
{
    for (int i = 0; i < SEQUENCE_COUNT; i++) {
        struct id_supply *supply = &set->ids[i];
        if (supply->needed <= supply->count) continue;
        maria_load_sequences(store);
        supply->ids = ARENA_ARRAY(set->arena, uint64_t, supply->needed);
        for (supply->count = 0; supply->count < supply->needed; supply->count++)
            supply->ids[supply->count] = store->next[i] + supply->count;
    }
}

enum store_status maria_load(struct store *base, struct working_set *set)
{
    struct maria_store *store = maria_begin_write(base);
    load_events(store, set);
    load_bookings(store, set);
    load_users(store, set);
    load_logins(store, set, true);
    load_logins(store, set, false);
    load_holders(store, set);
    load_replays(store, set);
    maria_load_outbox(store, set);
    maria_load_webhooks(store, set);
    supply_ids(store, set);
    if (store->status != STORE_OK) return maria_roll_back(store);
    set->wants = false;
    return STORE_OK;
}
