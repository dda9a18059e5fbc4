/* SPDX-License-Identifier: Apache-2.0 */
/* What readers ask about bookings, tickets and people. The search for events is in
 * postgres_search.c. */
#include "base/array.h"
#include "store/postgres_internal.h"

enum {
    MANY_USERS = 64,     /* fewer: their bookings are looked for user by user */
    BUCKET_BITS = 13,    /* as in the index bookings_by_user */
    BUCKETS_AT_ONCE = 32 /* the newest; then four times as many, and so on */
};

static uint64_t id_below(uint64_t before)
{
    return before == 0 || before > INT64_MAX ? INT64_MAX : before;
}

struct postgres_rare postgres_rare_word(struct postgres_store *store,
                                        enum postgres_statement count_word,
                                        const struct words *words)
{
    struct postgres_rare rare = {.count = POSTGRES_MANY};
    for (size_t i = 0; i < words->count; i++)
        postgres_send(store, count_word,
                      POSTGRES_VALUES(TEXT(words->items[i]), NUM(POSTGRES_MANY)));
    if (words->count) postgres_sync(store);
    for (size_t i = 0; i < words->count; i++) {
        int64_t count = postgres_number(postgres_result(store));
        if (count < rare.count) rare = (struct postgres_rare){words->items[i], count};
    }
    return rare;
}

/* ---- bookings ---- */

static struct booking_view *view_row(const PGresult *rows, int row, struct arena *arena)
{
    struct booking_view *view = ARENA_NEW(arena, struct booking_view);
    *view = (struct booking_view){
        .row = postgres_booking_row(rows, row, arena),
        .event_name = postgres_text(rows, row, 12, arena),
        .event_venue = postgres_text(rows, row, 13, arena),
        .event_timezone = postgres_text(rows, row, 14, arena),
        .event_starts_at = postgres_i64(rows, row, 15),
        .event_status = (enum event_status)postgres_i64(rows, row, 16),
        .organizer_id = postgres_u64(rows, row, 17),
        .type_name = postgres_text(rows, row, 19, arena),
        .user = {.id = postgres_u64(rows, row, 1),
                 .name = postgres_text(rows, row, 20, arena),
                 .email = postgres_text(rows, row, 21, arena),
                 .username = postgres_text(rows, row, 22, arena)},
    };
    postgres_currency(rows, row, 18, view->currency);
    return view;
}

enum store_status postgres_find_booking(struct store *base, uint64_t id, struct arena *arena,
                                        struct booking_view **ret_booking)
{
    struct postgres_store *store = postgres_begin_read(base, true);
    struct booking_view *view = NULL;
    SEND(store, BOOKING_VIEW, NUM(id));
    SEND(store, PLACE, NUM(id), NUM(1 << LINE_BLOCK_BITS));
    postgres_sync(store);
    PGresult *rows = postgres_result(store), *place = postgres_result(store);
    if (postgres_count(rows)) view = view_row(rows, 0, arena);
    if (view && postgres_count(place)) {
        view->position = 1 + postgres_u32(place, 0, 0);
        view->ahead = postgres_u64(place, 0, 1);
    }
    PQclear(rows);
    PQclear(place);
    *ret_booking = view;
    return postgres_end_read(store);
}

struct views {
    struct booking_view **items;
    size_t count, size;
};

static void take_views(PGresult *rows, struct views *views, struct arena *arena)
{
    for (int row = 0; row < postgres_count(rows); row++)
        *ARRAY_PUSH(arena, views) = view_row(rows, row, arena);
    PQclear(rows);
}

/* Of the users whose ids are in 'users': from the newest bucket down, until the page is full. */
static void bookings_of_users(struct postgres_store *store, const struct booking_query *query,
                              struct postgres_array *users, struct views *views,
                              struct arena *arena)
{
    PGresult *range = query->event_id ? QUERY(store, BUCKETS, NUM(query->event_id))
                                      : postgres_query(store, STATEMENT_BUCKETS_OF_ALL, NULL, 0);
    bool any = postgres_count(range) && !PQgetisnull(range, 0, 0);
    int64_t first = any ? postgres_i64(range, 0, 0) : 0, at = any ? postgres_i64(range, 0, 1) : -1;
    PQclear(range);
    uint64_t before = id_below(query->before);
    int64_t newest = (int64_t)((before - 1) >> BUCKET_BITS);
    if (at > newest) at = newest;
    for (int64_t most = BUCKETS_AT_ONCE; at >= first && views->count < query->limit; most *= 4) {
        int64_t from = at - most + 1 > first ? at - most + 1 : first;
        take_views(QUERY(store, BOOKINGS_OF_USERS, ARRAY(users), NUM(before), NUM(query->event_id),
                         NUM(query->status), NUM(query->limit - views->count), NUM(from), NUM(at)),
                   views, arena);
        at = from - 1;
    }
}

static bool user_has_words(struct postgres_store *store, uint64_t user_id,
                           const struct words *words)
{
    if (!words->count) return true;
    struct postgres_array *all = postgres_words(store, 0, words);
    PGresult *rows = QUERY(store, USERS, NUM(user_id - 1), NUM(-1), ARRAY(all), NUM(1));
    bool has = postgres_count(rows) && postgres_u64(rows, 0, 0) == user_id;
    PQclear(rows);
    return has;
}

/* The ids of those who match, in the first column; NULL when they are many. */
static struct postgres_array *few_users(struct postgres_store *store, const struct words *words)
{
    struct postgres_rare rare = postgres_rare_word(store, STATEMENT_USER_WORD_COUNT, words);
    if (rare.count >= POSTGRES_MANY) return NULL;
    PGresult *rows =
        QUERY(store, USERS_BY_WORD, NUM(0), NUM(-1), ARRAY(postgres_words(store, 0, words)),
              NUM(MANY_USERS + 1), TEXT(rare.word));
    int count = postgres_count(rows);
    struct postgres_array *ids = postgres_fresh(store, 0);
    for (int row = 0; row < count; row++)
        postgres_array_number(ids, postgres_i64(rows, row, 0));
    PQclear(rows);
    return count <= MANY_USERS ? ids : NULL;
}

enum store_status postgres_list_bookings(struct store *base, const struct booking_query *query,
                                         struct arena *arena, struct booking_list *ret_list)
{
    struct postgres_store *store = postgres_begin_read(base, query->user_id || query->q.count);
    struct views views = {0};
    struct postgres_array *users;
    if (query->user_id) {
        if (user_has_words(store, query->user_id, &query->q)) {
            users = postgres_fresh(store, 0);
            postgres_array_number(users, (int64_t)query->user_id);
            bookings_of_users(store, query, users, &views, arena);
        }
    } else if (query->q.count && (users = few_users(store, &query->q))) {
        bookings_of_users(store, query, users, &views, arena);
    } else {
        take_views(QUERY(store, BOOKINGS_OF_EVENT, NUM(query->event_id),
                         NUM(id_below(query->before)), NUM(query->status),
                         ARRAY(postgres_words(store, 0, &query->q)), NUM(query->limit)),
                   &views, arena);
    }
    *ret_list = (struct booking_list){views.items, views.count};
    return postgres_end_read(store);
}

enum store_status postgres_list_tickets(struct store *base, uint64_t event_id, uint32_t after,
                                        size_t limit, struct arena *arena,
                                        struct ticket_list *ret_list)
{
    struct postgres_store *store = postgres_begin_read(base, false);
    PGresult *rows = QUERY(store, TICKETS, NUM(event_id), NUM(after), NUM(limit));
    ret_list->count = (size_t)postgres_count(rows);
    ret_list->items = ARENA_ARRAY(arena, struct ticket_view, ret_list->count);
    for (int row = 0; row < postgres_count(rows); row++)
        ret_list->items[row] = (struct ticket_view){
            .number = postgres_u32(rows, row, 0),
            .is_booked = postgres_i64(rows, row, 1) != 0,
            .booking_id = postgres_u64(rows, row, 2),
            .user = {.id = postgres_u64(rows, row, 3),
                     .name = postgres_text(rows, row, 4, arena),
                     .email = postgres_text(rows, row, 5, arena),
                     .username = postgres_text(rows, row, 6, arena)},
        };
    PQclear(rows);
    return postgres_end_read(store);
}

enum store_status postgres_booking_payments(struct store *base, uint64_t booking_id,
                                            struct arena *arena, struct payment_list *ret_list)
{
    struct postgres_store *store = postgres_begin_read(base, false);
    PGresult *rows = QUERY(store, PAYMENTS, NUM(booking_id));
    ret_list->count = (size_t)postgres_count(rows);
    ret_list->items = ARENA_ARRAY(arena, struct payment, ret_list->count);
    for (int row = 0; row < postgres_count(rows); row++) {
        ret_list->items[row] = (struct payment){
            .id = postgres_u64(rows, row, 0),
            .booking_id = booking_id,
            .actor_id = postgres_u64(rows, row, 1),
            .amount = postgres_i64(rows, row, 2),
            .method = (enum payment_method)postgres_i64(rows, row, 4),
            .note = postgres_text(rows, row, 5, arena),
            .created_at = postgres_i64(rows, row, 6),
        };
        postgres_currency(rows, row, 3, ret_list->items[row].currency);
    }
    PQclear(rows);
    return postgres_end_read(store);
}

/* ---- people ---- */

static struct user_list take_users(PGresult *rows, struct arena *arena)
{
    struct user_list list = {.count = (size_t)postgres_count(rows)};
    list.items = ARENA_ARRAY(arena, struct user *, list.count);
    for (size_t i = 0; i < list.count; i++) {
        list.items[i] = ARENA_NEW(arena, struct user);
        *list.items[i] = postgres_user_row(rows, (int)i, arena);
    }
    PQclear(rows);
    return list;
}

enum store_status postgres_find_user(struct store *base, uint64_t id, struct str folded_email,
                                     struct str folded_username, struct arena *arena,
                                     struct user **ret_user)
{
    struct postgres_store *store = postgres_begin_read(base, false);
    PGresult *rows = id ? QUERY(store, USER, NUM(id))
                        : QUERY(store, USER_BY_LOGIN, postgres_text_or_nil(folded_email),
                                postgres_text_or_nil(folded_username));
    struct user_list list = take_users(rows, arena);
    *ret_user = list.count ? list.items[0] : NULL;
    return postgres_end_read(store);
}

enum store_status postgres_list_users(struct store *base, const struct user_query *query,
                                      struct arena *arena, struct user_list *ret_list)
{
    struct postgres_store *store = postgres_begin_read(base, query->q.count > 0);
    struct postgres_rare rare = postgres_rare_word(store, STATEMENT_USER_WORD_COUNT, &query->q);
    struct postgres_value after = NUM(query->after), role = NUM(query->role),
                          words = ARRAY(postgres_words(store, 0, &query->q)),
                          limit = NUM(query->limit);
    PGresult *rows;
    if (rare.count < POSTGRES_MANY)
        rows = QUERY(store, USERS_BY_WORD, after, role, words, limit, TEXT(rare.word));
    else if (query->role > ROLE_USER)
        rows = QUERY(store, USERS_PRIVILEGED, after, role, words, limit);
    else
        rows = QUERY(store, USERS, after, role, words, limit);
    *ret_list = take_users(rows, arena);
    return postgres_end_read(store);
}

enum store_status postgres_load_directory(struct store *base, struct arena *arena,
                                          struct directory_rows *ret_rows)
{
    struct postgres_store *store = postgres_begin_read(base, true);
    postgres_send(store, STATEMENT_PRIVILEGED, NULL, 0);
    postgres_send(store, STATEMENT_REVOCATIONS, NULL, 0);
    postgres_send(store, STATEMENT_LAST_USER, NULL, 0);
    postgres_sync(store);
    PGresult *users = postgres_result(store), *revocations = postgres_result(store);
    size_t count = (size_t)postgres_count(users);
    *ret_rows = (struct directory_rows){
        .privileged = {ARENA_ARRAY(arena, struct user *, count), count},
        .revocation_count = (size_t)postgres_count(revocations),
        .last_user_id = (uint64_t)postgres_number(postgres_result(store)),
    };
    for (size_t i = 0; i < count; i++) {
        struct user *user = ret_rows->privileged.items[i] = ARENA_NEW(arena, struct user);
        user->id = postgres_u64(users, (int)i, 0);
        user->role = (enum role)postgres_i64(users, (int)i, 1);
    }
    ret_rows->revocations = ARENA_ARRAY(arena, struct revocation, ret_rows->revocation_count);
    for (size_t i = 0; i < ret_rows->revocation_count; i++)
        ret_rows->revocations[i] = (struct revocation){postgres_u64(revocations, (int)i, 0),
                                                       postgres_i64(revocations, (int)i, 1)};
    PQclear(users);
    PQclear(revocations);
    return postgres_end_read(store);
}

enum store_status postgres_directory_version(struct store *base, uint64_t *ret_version)
{
    struct postgres_store *store = postgres_begin_read(base, false);
    *ret_version =
        (uint64_t)postgres_number(postgres_query(store, STATEMENT_DIRECTORY_VERSION, NULL, 0));
    return postgres_end_read(store);
}
