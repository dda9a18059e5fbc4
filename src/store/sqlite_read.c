/* SPDX-License-Identifier: Apache-2.0 */
/* What readers ask about bookings, tickets and people. The search for events is in sqlite_search.c.
 */
#include <assert.h>

#include "base/array.h"
#include "base/json.h"
#include "store/sqlite_internal.h"

enum {
    MANY_USERS = 64,       /* fewer: their bookings are looked for user by user */
    FEW_BUCKETS = 32,      /* of bookings; looking into as many is not worth avoiding */
    DESCRIBED_AT_ONCE = 2, /* of them, a millisecond each */
};

struct views {
    struct booking_view **items;
    size_t count, size;
};

static uint64_t id_below(uint64_t before)
{
    return before == 0 || before > INT64_MAX ? INT64_MAX : before;
}

/* ---- words ---- */

/* As the statements take them: a JSON array, or NULL for none. */
static struct sqlite_value words_json(const struct words *words, struct arena *arena)
{
    if (!words->count) return NIL;
    struct buf json = {0};
    emit_open(&json, '[');
    for (size_t i = 0; i < words->count; i++)
        emit_str(&json, words->items[i]);
    emit_close(&json, ']');
    struct str text = arena_str(arena, buf_str(&json));
    buf_free(&json);
    return TEXT(text);
}

/* The word of which fewest people's words begin with it; 'count' is SQLITE_MANY where all are
 * common, or there are none. */
struct rare_word {
    struct str word;
    int64_t count;
};

static struct rare_word rare_word(struct sqlite_store *store, const struct words *words)
{
    struct rare_word rare = {.count = SQLITE_MANY};
    for (size_t i = 0; i < words->count && rare.count > 0; i++) {
        struct str word = words->items[i];
        int64_t count =
            sqlite_number(store, QUERY(store, USER_WORD_COUNT, TEXT(word), NUM(rare.count)), 0);
        if (count < rare.count) rare = (struct rare_word){word, count};
    }
    return rare;
}

/* ---- bookings ---- */

static struct booking_view *view_row(sqlite3_stmt *rows, struct arena *arena)
{
    struct booking_view *view = ARENA_NEW(arena, struct booking_view);
    *view = (struct booking_view){
        .row = sqlite_booking_row(rows),
        .event_name = sqlite_text(rows, 11, arena),
        .event_venue = sqlite_text(rows, 12, arena),
        .event_timezone = sqlite_text(rows, 13, arena),
        .event_starts_at = sqlite3_column_int64(rows, 14),
        .event_status = (enum event_status)sqlite3_column_int(rows, 15),
        .organizer_id = sqlite_u64(rows, 16),
        .type_name = sqlite_text(rows, 18, arena),
        .user = {.id = sqlite_u64(rows, 1),
                 .name = sqlite_text(rows, 19, arena),
                 .email = sqlite_text(rows, 20, arena),
                 .username = sqlite_text(rows, 21, arena)},
    };
    sqlite_currency(rows, 17, view->currency);
    return view;
}

static void take_views(struct sqlite_store *store, sqlite3_stmt *rows, struct views *views,
                       struct arena *arena)
{
    while (sqlite_next(store, rows))
        *ARRAY_PUSH(arena, views) = view_row(rows, arena);
}

/* The blocks of the line before, and what stands before it in its own block. */
static void find_place(struct sqlite_store *store, struct booking_view *view)
{
    struct sqlite_value type = NUM(view->row.ticket_type_id);
    uint64_t block = view->row.id >> LINE_BLOCK_BITS;
    sqlite3_stmt *rows[] = {
        QUERY(store, PLACE_OF_BLOCK, type, NUM(block)),
        QUERY(store, PLACE_IN_BLOCK, type, NUM(block << LINE_BLOCK_BITS), NUM(view->row.id)),
    };
    view->position = 1;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (sqlite_next(store, rows[i])) {
            view->position += sqlite_u32(rows[i], 0);
            view->ahead += sqlite_u64(rows[i], 1);
        }
        sqlite_end(rows[i]);
    }
}

enum store_status sqlite_find_booking(struct store *base, uint64_t id, struct arena *arena,
                                      struct booking_view **ret_booking)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    struct booking_view *view = NULL;
    sqlite3_stmt *rows = QUERY(store, BOOKING_VIEW, NUM(id));
    if (sqlite_next(store, rows)) view = view_row(rows, arena);
    sqlite_end(rows);
    if (view) sqlite_numbers(store, &view->row, arena);
    if (view && view->row.status == BOOKING_WAITING) find_place(store, view);
    *ret_booking = view;
    return sqlite_end_read(store);
}

/* For who walks here next. Below the newest bucket nothing is added any more: ids rise from commit
 * to commit. */
static void describe_buckets(struct sqlite_store *store, const struct sqlite_buckets *buckets)
{
    for (int i = 0; i < DESCRIBED_AT_ONCE; i++) {
        int64_t at = bucket_filter_unknown(store->filter, buckets->first, buckets->last - 1);
        if (at < buckets->first) return;
        sqlite3_stmt *rows = QUERY(store, BUCKET_USERS, NUM(at));
        while (sqlite_next(store, rows))
            bucket_filter_add(store->filter, at, sqlite_u64(rows, 0));
        if (store->status == STORE_OK) bucket_filter_complete(store->filter, at);
    }
}

/* The newest bucket first, each no further than the page is long. */
static void bookings_by_user(struct sqlite_store *store, const struct booking_query *query,
                             enum sqlite_statement which, struct sqlite_value users,
                             struct views *views, struct arena *arena)
{
    struct sqlite_buckets buckets = sqlite_buckets(store, query->event_id);
    uint64_t before = id_below(query->before);
    int64_t newest = (int64_t)((before - 1) / BOOKINGS_BUCKET);
    int looked = 0;
    for (int64_t at = buckets.last < newest ? buckets.last : newest; views->count < query->limit;
         at--, looked++) {
        if (query->user_id)
            at = bucket_filter_next(store->filter, buckets.first, at, query->user_id);
        if (at < buckets.first) break;
        const struct sqlite_value values[] = {NUM(at),
                                              users,
                                              NUM(before),
                                              NUM(query->event_id),
                                              NUM(query->status),
                                              NUM(query->limit - views->count)};
        take_views(store, sqlite_query(store, which, values, 6), views, arena);
    }
    if (query->user_id && looked > FEW_BUCKETS) describe_buckets(store, &buckets);
}

static bool user_has_words(struct sqlite_store *store, uint64_t user_id, const struct words *words,
                           struct arena *arena)
{
    if (!words->count) return true;
    sqlite3_stmt *rows =
        QUERY(store, USERS, NUM(user_id - 1), NUM(-1), words_json(words, arena), NUM(1));
    return (uint64_t)sqlite_number(store, rows, 0) == user_id;
}

/* The ids of those who match, as JSON; false when they are many. */
static bool few_users(struct sqlite_store *store, const struct words *words, struct arena *arena,
                      struct sqlite_value *ret_ids)
{
    if (!words->count) return false;
    struct rare_word rare = rare_word(store, words);
    if (rare.count >= SQLITE_MANY) return false;
    struct buf json = {0};
    size_t count = 0;
    emit_open(&json, '[');
    sqlite3_stmt *rows = QUERY(store, USERS_BY_WORD, NUM(0), NUM(-1), words_json(words, arena),
                               NUM(MANY_USERS + 1), TEXT(rare.word));
    for (; sqlite_next(store, rows); count++)
        emit_u64(&json, sqlite_u64(rows, 0));
    emit_close(&json, ']');
    *ret_ids = TEXT(arena_str(arena, buf_str(&json)));
    buf_free(&json);
    return count <= MANY_USERS;
}

enum store_status sqlite_list_bookings(struct store *base, const struct booking_query *query,
                                       struct arena *arena, struct booking_list *ret_list)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    struct views views = {0};
    struct sqlite_value users;
    if (query->user_id) {
        if (user_has_words(store, query->user_id, &query->q, arena))
            bookings_by_user(store, query, STATEMENT_BOOKINGS_OF_USER, NUM(query->user_id), &views,
                             arena);
    } else if (few_users(store, &query->q, arena, &users)) {
        bookings_by_user(store, query, STATEMENT_BOOKINGS_OF_USERS, users, &views, arena);
    } else {
        take_views(store,
                   QUERY(store, BOOKINGS_OF_EVENT, NUM(query->event_id),
                         NUM(id_below(query->before)), NUM(query->status),
                         words_json(&query->q, arena), NUM(query->limit)),
                   &views, arena);
    }
    for (size_t i = 0; i < views.count; i++)
        sqlite_numbers(store, &views.items[i]->row, arena);
    *ret_list = (struct booking_list){views.items, views.count};
    return sqlite_end_read(store);
}

enum store_status sqlite_list_tickets(struct store *base, uint64_t event_id, uint32_t after,
                                      size_t limit, struct arena *arena,
                                      struct ticket_list *ret_list)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    struct {
        struct ticket_view *items;
        size_t count, size;
    } tickets = {0};
    sqlite3_stmt *rows = QUERY(store, TICKETS, NUM(event_id), NUM(after), NUM(limit));
    while (sqlite_next(store, rows))
        *ARRAY_PUSH(arena, &tickets) = (struct ticket_view){
            .number = sqlite_u32(rows, 0),
            .is_booked = sqlite3_column_int(rows, 1) != 0,
            .booking_id = sqlite_u64(rows, 2),
            .user = {.id = sqlite_u64(rows, 3),
                     .name = sqlite_text(rows, 4, arena),
                     .email = sqlite_text(rows, 5, arena),
                     .username = sqlite_text(rows, 6, arena)},
        };
    *ret_list = (struct ticket_list){tickets.items, tickets.count};
    return sqlite_end_read(store);
}

enum store_status sqlite_booking_payments(struct store *base, uint64_t booking_id,
                                          struct arena *arena, struct payment_list *ret_list)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    struct {
        struct payment *items;
        size_t count, size;
    } payments = {0};
    sqlite3_stmt *rows = QUERY(store, PAYMENTS, NUM(booking_id));
    while (sqlite_next(store, rows)) {
        struct payment *payment = ARRAY_PUSH(arena, &payments);
        *payment = (struct payment){
            .id = sqlite_u64(rows, 0),
            .booking_id = booking_id,
            .actor_id = sqlite_u64(rows, 1),
            .amount = sqlite3_column_int64(rows, 2),
            .method = (enum payment_method)sqlite3_column_int(rows, 4),
            .note = sqlite_text(rows, 5, arena),
            .created_at = sqlite3_column_int64(rows, 6),
        };
        sqlite_currency(rows, 3, payment->currency);
    }
    *ret_list = (struct payment_list){payments.items, payments.count};
    return sqlite_end_read(store);
}

/* ---- people ---- */

static struct user *one_user(struct sqlite_store *store, sqlite3_stmt *rows, struct arena *arena)
{
    struct user *user = NULL;
    if (sqlite_next(store, rows)) {
        user = ARENA_NEW(arena, struct user);
        *user = sqlite_user_row(rows, arena);
    }
    sqlite_end(rows);
    return user;
}

enum store_status sqlite_find_user(struct store *base, uint64_t id, struct str folded_email,
                                   struct str folded_username, struct arena *arena,
                                   struct user **ret_user)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    struct user *user = NULL;
    if (id) user = one_user(store, QUERY(store, USER, NUM(id)), arena);
    if (!id && folded_email.len)
        user = one_user(store, QUERY(store, USER_BY_EMAIL, TEXT(folded_email)), arena);
    if (!id && folded_username.len && (!user || user->erased_at))
        user = one_user(store, QUERY(store, USER_BY_USERNAME, TEXT(folded_username)), arena);
    if (!id && user && user->erased_at) user = NULL;
    *ret_user = user;
    return sqlite_end_read(store);
}

static void take_users(struct sqlite_store *store, sqlite3_stmt *rows, struct arena *arena,
                       struct user_list *ret_list)
{
    struct {
        struct user **items;
        size_t count, size;
    } users = {0};
    while (sqlite_next(store, rows)) {
        struct user *user = ARENA_NEW(arena, struct user);
        *user = sqlite_user_row(rows, arena);
        *ARRAY_PUSH(arena, &users) = user;
    }
    *ret_list = (struct user_list){users.items, users.count};
}

enum store_status sqlite_list_users(struct store *base, const struct user_query *query,
                                    struct arena *arena, struct user_list *ret_list)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    struct rare_word rare = rare_word(store, &query->q);
    struct sqlite_value after = NUM(query->after), role = NUM(query->role),
                        words = words_json(&query->q, arena), limit = NUM(query->limit);
    sqlite3_stmt *rows;
    if (rare.count < SQLITE_MANY)
        rows = QUERY(store, USERS_BY_WORD, after, role, words, limit, TEXT(rare.word));
    else if (query->role > ROLE_USER)
        rows = QUERY(store, USERS_PRIVILEGED, after, role, words, limit);
    else
        rows = QUERY(store, USERS, after, role, words, limit);
    take_users(store, rows, arena, ret_list);
    return sqlite_end_read(store);
}

enum store_status sqlite_load_directory(struct store *base, struct arena *arena,
                                        struct directory_rows *ret_rows)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    struct {
        struct user **items;
        size_t count, size;
    } privileged = {0};
    sqlite3_stmt *rows = QUERY(store, PRIVILEGED);
    while (sqlite_next(store, rows)) {
        struct user *user = ARENA_NEW(arena, struct user);
        user->id = sqlite_u64(rows, 0);
        user->role = (enum role)sqlite3_column_int(rows, 1);
        *ARRAY_PUSH(arena, &privileged) = user;
    }
    struct {
        struct revocation *items;
        size_t count, size;
    } revocations = {0};
    rows = QUERY(store, REVOCATIONS);
    while (sqlite_next(store, rows))
        *ARRAY_PUSH(arena, &revocations) =
            (struct revocation){sqlite_u64(rows, 0), sqlite3_column_int64(rows, 1)};
    *ret_rows = (struct directory_rows){
        .privileged = {privileged.items, privileged.count},
        .revocations = revocations.items,
        .revocation_count = revocations.count,
        .last_user_id = (uint64_t)sqlite_number(store, QUERY(store, LAST_USER), 0),
    };
    return sqlite_end_read(store);
}
