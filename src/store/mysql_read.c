/* SPDX-License-Identifier: Apache-2.0 */
/* What readers ask about bookings, tickets and people. The search for events is in mysql_search.c.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/array.h"
#include "store/mysql_internal.h"

enum {
    MANY_USERS = 64,         /* fewer: their bookings are looked for user by user */
    BUCKETS_AT_ONCE = 16384, /* times users, in one statement */
};

struct views {
    struct booking_view **items;
    size_t count, size;
};

struct ids {
    uint64_t *items;
    size_t count, size;
};

static uint64_t id_below(uint64_t before)
{
    return before == 0 || before > INT64_MAX ? INT64_MAX : before;
}

/* ---- words ---- */

/* As the statements take them: a JSON array, or NULL for none. */
static struct maria_value words_value(const struct words *words, struct arena *arena)
{
    if (!words->count) return NIL;
    struct maria_set set = {0};
    for (size_t i = 0; i < words->count; i++)
        maria_set_add_text(&set, maria_cut(words->items[i], WORD_MAX));
    return maria_set_end(&set, arena);
}

struct maria_rare maria_rare_word(struct maria_store *store, enum maria_statement count_word,
                                  const struct words *words)
{
    struct maria_rare rare = {.count = MARIA_MANY};
    for (size_t i = 0; i < words->count; i++) {
        struct str word = maria_cut(words->items[i], WORD_MAX);
        const struct maria_value values[] = {BLOB(word), NUM(MARIA_MANY)};
        int64_t count = maria_number(store, maria_query(store, count_word, values, 2), 0);
        if (count < rare.count) rare = (struct maria_rare){word, count};
    }
    return rare;
}

/* ---- bookings ---- */

static struct booking_view *view_row(const struct maria_rows *rows, struct arena *arena)
{
    struct booking_view *view = ARENA_NEW(arena, struct booking_view);
    *view = (struct booking_view){
        .row = maria_booking_row(rows),
        .event_name = maria_text(rows, 11, arena),
        .event_venue = maria_text(rows, 12, arena),
        .event_timezone = maria_text(rows, 13, arena),
        .event_starts_at = maria_i64(rows, 14),
        .event_status = (enum event_status)maria_i64(rows, 15),
        .organizer_id = maria_u64(rows, 16),
        .type_name = maria_text(rows, 18, arena),
        .user = {.id = maria_u64(rows, 1),
                 .name = maria_text(rows, 19, arena),
                 .email = maria_text(rows, 20, arena),
                 .username = maria_text(rows, 21, arena)},
    };
    maria_currency(rows, 17, view->currency);
    return view;
}

static int newest_first(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
    return one > other ? -1 : one < other;
}

static void take_ids(struct maria_store *store, struct maria_rows *rows, struct ids *ids,
                     struct arena *arena)
{
    while (maria_next(store, rows))
        *ARRAY_PUSH(arena, ids) = maria_u64(rows, 0);
}

static void take_views(struct maria_store *store, const struct ids *ids, struct views *views,
                       struct arena *arena)
{
    struct maria_set set = {0};
    if (ids->count == 0) return;
    for (size_t i = 0; i < ids->count; i++)
        SET_ADD(&set, (int64_t)ids->items[i]);
    struct maria_rows *rows = QUERY(store, BOOKING_VIEWS, maria_set_end(&set, arena));
    while (maria_next(store, rows))
        *ARRAY_PUSH(arena, views) = view_row(rows, arena);
}

/* The blocks of the line before, and what stands before it in its own block. */
static void find_place(struct maria_store *store, struct booking_view *view)
{
    struct maria_value type = NUM(view->row.ticket_type_id);
    uint64_t block = view->row.id >> LINE_BLOCK_BITS;
    struct maria_rows *rows[] = {
        QUERY(store, PLACE_OF_BLOCK, type, NUM(block)),
        QUERY(store, PLACE_IN_BLOCK, type, NUM(block << LINE_BLOCK_BITS), NUM(view->row.id)),
    };
    view->position = 1;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (maria_next(store, rows[i])) {
            view->position += maria_u32(rows[i], 0);
            view->ahead += maria_u64(rows[i], 1);
        }
}

static void take_numbers(struct maria_store *store, const struct views *views, struct arena *arena)
{
    struct booking **bookings = ARENA_ARRAY(arena, struct booking *, views->count);
    for (size_t i = 0; i < views->count; i++)
        bookings[i] = &views->items[i]->row;
    maria_numbers_of(store, bookings, views->count, arena);
}

enum store_status maria_find_booking(struct store *base, uint64_t id, struct arena *arena,
                                     struct booking_view **ret_booking)
{
    struct maria_store *store = maria_begin_read(base);
    struct views views = {0};
    take_views(store, &(struct ids){&id, 1, 1}, &views, arena);
    take_numbers(store, &views, arena);
    *ret_booking = views.count ? views.items[0] : NULL;
    if (*ret_booking && (*ret_booking)->row.status == BOOKING_WAITING)
        find_place(store, *ret_booking);
    return maria_end_read(store);
}

/* The newest buckets first, no more of them at a time than make a handy set, and no further than
 * the page is long. */
static void bookings_by_users(struct maria_store *store, const struct booking_query *query,
                              const uint64_t *users, size_t user_count, struct ids *ids,
                              struct arena *arena)
{
    struct maria_buckets buckets = maria_buckets(store, query->event_id, arena);
    uint64_t before = id_below(query->before);
    int64_t newest = (int64_t)((before - 1) >> BUCKET_BITS);
    int64_t at = buckets.last < newest ? buckets.last : newest;
    while (user_count && at >= buckets.first && ids->count < query->limit) {
        struct maria_set keys = {0};
        for (; at >= buckets.first && keys.count + user_count <= BUCKETS_AT_ONCE; at--)
            for (size_t i = 0; i < user_count; i++)
                SET_ADD(&keys, at, (int64_t)users[i]);
        take_ids(store,
                 QUERY(store, BOOKINGS_OF_USERS, maria_set_end(&keys, arena), NUM(before),
                       NUM(query->event_id), NUM(query->status), NUM(query->limit - ids->count)),
                 ids, arena);
        if (store->status != STORE_OK) break;
    }
}

/* Type by type, as bookings are found by their type, and of each no more than the page is long. */
static void bookings_by_types(struct maria_store *store, const struct booking_query *query,
                              struct ids *ids, struct arena *arena)
{
    struct event event = {.id = query->event_id}, *events[] = {&event};
    maria_types_of(store, events, 1, arena);
    struct maria_value words = words_value(&query->q, arena);
    for (size_t i = 0; i < event.type_count; i++)
        take_ids(store,
                 QUERY(store, BOOKINGS_OF_TYPE, NUM(event.types[i].id),
                       NUM(id_below(query->before)), NUM(query->status), words, NUM(query->limit)),
                 ids, arena);
    if (ids->count) qsort(ids->items, ids->count, sizeof(*ids->items), newest_first);
    if (ids->count > query->limit) ids->count = query->limit;
}

static bool user_has_words(struct maria_store *store, uint64_t user_id, const struct words *words,
                           struct arena *arena)
{
    if (!words->count) return true;
    struct maria_rows *rows =
        QUERY(store, USERS, NUM(user_id - 1), NUM(-1), words_value(words, arena), NUM(1));
    return (uint64_t)maria_number(store, rows, 0) == user_id;
}

/* The ids of those who match; false when they are many. */
static bool few_users(struct maria_store *store, const struct words *words, struct arena *arena,
                      uint64_t users[MANY_USERS], size_t *ret_count)
{
    *ret_count = 0;
    if (!words->count) return false;
    struct maria_rare rare = maria_rare_word(store, STATEMENT_USER_WORD_COUNT, words);
    if (rare.count >= MARIA_MANY) return false;
    struct maria_rows *rows =
        QUERY(store, USERS_BY_WORD, NUM(0), NUM(-1), words_value(words, arena), NUM(MANY_USERS + 1),
              BLOB(rare.word));
    while (maria_next(store, rows)) {
        if (*ret_count == MANY_USERS) return false;
        users[(*ret_count)++] = maria_u64(rows, 0);
    }
    return true;
}

enum store_status maria_list_bookings(struct store *base, const struct booking_query *query,
                                      struct arena *arena, struct booking_list *ret_list)
{
    struct maria_store *store = maria_begin_read(base);
    struct views views = {0};
    struct ids ids = {0};
    uint64_t users[MANY_USERS];
    size_t count;
    if (query->user_id) {
        if (user_has_words(store, query->user_id, &query->q, arena))
            bookings_by_users(store, query, &query->user_id, 1, &ids, arena);
    } else if (few_users(store, &query->q, arena, users, &count)) {
        bookings_by_users(store, query, users, count, &ids, arena);
    } else {
        bookings_by_types(store, query, &ids, arena);
    }
    take_views(store, &ids, &views, arena);
    take_numbers(store, &views, arena);
    *ret_list = (struct booking_list){views.items, views.count};
    return maria_end_read(store);
}

enum store_status maria_list_tickets(struct store *base, uint64_t event_id, uint32_t after,
                                     size_t limit, struct arena *arena,
                                     struct ticket_list *ret_list)
{
    struct maria_store *store = maria_begin_read(base);
    struct {
        struct ticket_view *items;
        size_t count, size;
    } tickets = {0};
    struct maria_rows *rows = QUERY(store, TICKETS, NUM(event_id), NUM(after), NUM(limit));
    while (maria_next(store, rows))
        *ARRAY_PUSH(arena, &tickets) = (struct ticket_view){
            .number = maria_u32(rows, 0),
            .is_booked = maria_i64(rows, 1) != 0,
            .booking_id = maria_u64(rows, 2),
            .user = {.id = maria_u64(rows, 3),
                     .name = maria_text(rows, 4, arena),
                     .email = maria_text(rows, 5, arena),
                     .username = maria_text(rows, 6, arena)},
        };
    *ret_list = (struct ticket_list){tickets.items, tickets.count};
    return maria_end_read(store);
}

enum store_status maria_booking_payments(struct store *base, uint64_t booking_id,
                                         struct arena *arena, struct payment_list *ret_list)
{
    struct maria_store *store = maria_begin_read(base);
    struct {
        struct payment *items;
        size_t count, size;
    } payments = {0};
    struct maria_rows *rows = QUERY(store, PAYMENTS, NUM(booking_id));
    while (maria_next(store, rows)) {
        struct payment *payment = ARRAY_PUSH(arena, &payments);
        *payment = (struct payment){
            .id = maria_u64(rows, 0),
            .booking_id = booking_id,
            .actor_id = maria_u64(rows, 1),
            .amount = maria_i64(rows, 2),
            .method = (enum payment_method)maria_i64(rows, 4),
            .note = maria_text(rows, 5, arena),
            .created_at = maria_i64(rows, 6),
        };
        maria_currency(rows, 3, payment->currency);
    }
    *ret_list = (struct payment_list){payments.items, payments.count};
    return maria_end_read(store);
}

/* ---- people ---- */

static struct user *one_user(struct maria_store *store, struct maria_rows *rows,
                             struct arena *arena)
{
    if (!maria_next(store, rows)) return NULL;
    struct user *user = ARENA_NEW(arena, struct user);
    *user = maria_user_row(rows, arena);
    return user;
}

enum store_status maria_find_user(struct store *base, uint64_t id, struct str folded_email,
                                  struct str folded_username, struct arena *arena,
                                  struct user **ret_user)
{
    struct maria_store *store = maria_begin_read(base);
    struct user *user = NULL;
    struct str email = maria_cut(folded_email, KEY_MAX),
               username = maria_cut(folded_username, KEY_MAX);
    if (id) user = one_user(store, QUERY(store, USER, NUM(id)), arena);
    if (!id && email.len) user = one_user(store, QUERY(store, USER_BY_EMAIL, BLOB(email)), arena);
    if (!id && username.len && (!user || user->erased_at))
        user = one_user(store, QUERY(store, USER_BY_USERNAME, BLOB(username)), arena);
    if (!id && user && user->erased_at) user = NULL;
    *ret_user = user;
    return maria_end_read(store);
}

enum store_status maria_list_users(struct store *base, const struct user_query *query,
                                   struct arena *arena, struct user_list *ret_list)
{
    struct maria_store *store = maria_begin_read(base);
    struct maria_rare rare = maria_rare_word(store, STATEMENT_USER_WORD_COUNT, &query->q);
    struct maria_value after = NUM(query->after), role = NUM(query->role),
                       words = words_value(&query->q, arena), limit = NUM(query->limit);
    struct maria_rows *rows;
    if (rare.count < MARIA_MANY)
        rows = QUERY(store, USERS_BY_WORD, after, role, words, limit, BLOB(rare.word));
    else if (query->role > ROLE_USER)
        rows = QUERY(store, USERS_PRIVILEGED, after, role, words, limit);
    else
        rows = QUERY(store, USERS, after, role, words, limit);
    struct {
        struct user **items;
        size_t count, size;
    } users = {0};
    for (struct user *user; (user = one_user(store, rows, arena));)
        *ARRAY_PUSH(arena, &users) = user;
    *ret_list = (struct user_list){users.items, users.count};
    return maria_end_read(store);
}

enum store_status maria_load_directory(struct store *base, struct arena *arena,
                                       struct directory_rows *ret_rows)
{
    struct maria_store *store = maria_begin_read(base);
    struct {
        struct user **items;
        size_t count, size;
    } privileged = {0};
    struct maria_rows *rows = QUERY(store, PRIVILEGED);
    while (maria_next(store, rows)) {
        struct user *user = ARENA_NEW(arena, struct user);
        user->id = maria_u64(rows, 0);
        user->role = (enum role)maria_i64(rows, 1);
        *ARRAY_PUSH(arena, &privileged) = user;
    }
    struct {
        struct revocation *items;
        size_t count, size;
    } revocations = {0};
    rows = QUERY(store, REVOCATIONS);
    while (maria_next(store, rows))
        *ARRAY_PUSH(arena, &revocations) =
            (struct revocation){maria_u64(rows, 0), maria_i64(rows, 1)};
    *ret_rows = (struct directory_rows){
        .privileged = {privileged.items, privileged.count},
        .revocations = revocations.items,
        .revocation_count = revocations.count,
        .last_user_id = (uint64_t)maria_number(store, QUERY(store, LAST_USER), 0),
    };
    return maria_end_read(store);
}

enum store_status maria_directory_version(struct store *base, uint64_t *ret_version)
{
    struct maria_store *store = maria_begin_read(base);
    *ret_version = (uint64_t)maria_number(store, QUERY(store, VERSION), 0);
    return maria_end_read(store);
}
