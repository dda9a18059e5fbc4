/* SPDX-License-Identifier: Apache-2.0 */
/* What readers ask of the memory store. Each function is one look at one state; results are
 * copies, so that nothing of them changes after the lock is given back. */
#include <assert.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/clock.h"
#include "store/memory_internal.h"

enum { JOURNAL_LOOKS = 1000 }; /* rows of the journal that one call looks at */

static struct database *begin_read(struct store *store)
{
    struct database *database = ((struct memory_store *)store)->database;
    pthread_rwlock_rdlock(&database->lock);
    return database;
}

static enum store_status end_read(struct database *database)
{
    pthread_rwlock_unlock(&database->lock);
    return STORE_OK;
}

/* ---- words ---- */

/* Does a word of 'text', as memory_write.c writes it, begin with 'word'? */
static bool word_in(struct str text, struct str word)
{
    for (size_t i = 0; i + word.len < text.len; i++)
        if (text.data[i] == '\n' && memcmp(text.data + i + 1, word.data, word.len) == 0)
            return true;
    return false;
}

static bool words_in(struct str text, const struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        if (!word_in(text, words->items[i])) return false;
    return true;
}

/* ---- events ---- */

static struct event *whole_event(const struct database *database, const struct event_row *row,
                                 struct arena *arena)
{
    struct event *event = ARENA_NEW(arena, struct event);
    *event = memory_event(database, row, arena);
    event->types = memory_types(database, event->id, arena, &event->type_count);
    return event;
}

enum store_status memory_find_event(struct store *store, uint64_t id, struct arena *arena,
                                    struct event **ret_event)
{
    struct database *database = begin_read(store);
    const struct event_row *row = row_at(database, EVENTS, id, 0);
    *ret_event = row ? whole_event(database, row, arena) : NULL;
    return end_read(database);
}

static bool event_is_available(const struct database *database, const struct event *event,
                               int64_t now)
{
    if (event->status != EVENT_ON_SALE || (event->starts_at && event->starts_at <= now))
        return false;
    struct rows rows = rows_of(database, TYPES, event->id, 0);
    for (const struct type_row *type; (type = rows_next(&rows));)
        if (ticket_type_sells(&type->row)) return true;
    return false;
}

static bool event_words_match(const struct event_query *query, const struct event_row *row)
{
    for (size_t i = 0; i < query->q.count; i++)
        if (!word_in(row->name_words, query->q.items[i]) &&
            !word_in(row->venue_words, query->q.items[i]) &&
            !word_in(row->description_words, query->q.items[i]))
            return false;
    return words_in(row->name_words, &query->name) && words_in(row->venue_words, &query->venue);
}

static bool event_times_match(const struct event_query *query, const struct event *event)
{
    if (!query->has_day && !query->from && !query->to) return true;
    if (!event->starts_at) return false;
    if (query->has_day && zone_day(event->timezone, event->starts_at) != query->day) return false;
    if (query->from && event->starts_at < query->from) return false;
    return !query->to || event->starts_at < query->to;
}

static bool event_matches(const struct database *database, const struct event_query *query,
                          const struct event_row *row)
{
    const struct event *event = &row->row;
    if (query->status >= 0 && (int)event->status != query->status) return false;
    if (query->organizer && event->organizer_id != query->organizer) return false;
    if (event->status == EVENT_DRAFT && query->drafts_of != UINT64_MAX &&
        (!query->drafts_of || event->organizer_id != query->drafts_of))
        return false;
    return event_times_match(query, event) && event_words_match(query, row) &&
           (!query->available || event_is_available(database, event, query->now));
}

/* The place of an event in the order of a page. */
struct place {
    int64_t number;
    struct str text;
    uint64_t id;
    const struct event_row *row;
};

static int number_compare(int64_t one, int64_t two)
{
    return (one > two) - (one < two);
}

static int place_compare(const void *left, const void *right, void *sort)
{
    const struct place *one = left, *two = right;
    int order = 0;
    switch (*(const enum event_sort *)sort) {
    case SORT_NAME: {
        size_t common = one->text.len < two->text.len ? one->text.len : two->text.len;
        if (common) order = memcmp(one->text.data, two->text.data, common);
        if (!order) order = (one->text.len > two->text.len) - (one->text.len < two->text.len);
        break;
    }
    case SORT_STARTS_AT:
    case SORT_STARTS_AT_DESCENDING:
        order = (one->number == 0) - (two->number == 0); /* without starts_at: last */
        if (!order && *(const enum event_sort *)sort == SORT_STARTS_AT)
            order = number_compare(one->number, two->number);
        else if (!order)
            order = number_compare(two->number, one->number);
        break;
    }
    return order ? order : (one->id > two->id) - (one->id < two->id);
}

enum store_status memory_search_events(struct store *store, const struct event_query *query,
                                       struct arena *arena, struct event_list *ret_list)
{
    struct database *database = begin_read(store);
    enum event_sort sort = query->sort;
    const struct place after = {query->after.number, query->after.text, query->after.id, NULL};
    struct {
        struct place *items;
        size_t count, size;
    } found = {0};
    struct rows rows = rows_all(database, EVENTS);
    for (const struct event_row *row; (row = rows_next(&rows));) {
        struct place place = {row->row.starts_at, row->folded_name, row->row.id, row};
        if (query->after.set && place_compare(&place, &after, &sort) <= 0) continue;
        if (event_matches(database, query, row)) *ARRAY_PUSH(arena, &found) = place;
    }
    if (found.count) qsort_r(found.items, found.count, sizeof(*found.items), place_compare, &sort);

    struct event_list list = {.count = found.count < query->limit ? found.count : query->limit};
    list.items = ARENA_ARRAY(arena, struct event *, list.count);
    for (size_t i = 0; i < list.count; i++) {
        const struct event *event = &found.items[i].row->row;
        if (query->known)
            list.items[i] = query->known(event->id, event->version, query->known_data);
        if (!list.items[i]) list.items[i] = whole_event(database, found.items[i].row, arena);
    }
    *ret_list = list;
    return end_read(database);
}

/* ---- bookings ---- */

/* What a manager sees of a person. */
static struct user shown_user(const struct database *database, uint64_t id, struct arena *arena)
{
    const struct user_row *row = row_at(database, USERS, id, 0);
    struct user user = {.id = id, .email = STR(""), .username = STR(""), .name = STR("")};
    if (!row || row->row.erased_at) return user;
    user.name = arena_str(arena, row->row.name);
    user.email = arena_str(arena, row->row.email);
    user.username = arena_str(arena, row->row.username);
    return user;
}

static struct booking_view *view(const struct database *database, const struct booking_row *row,
                                 struct arena *arena)
{
    struct booking_view *view = ARENA_NEW(arena, struct booking_view);
    view->row = memory_booking(database, row, arena);
    view->user = shown_user(database, row->row.user_id, arena);
    const struct event_row *event = row_at(database, EVENTS, row->row.event_id, 0);
    const struct type_row *type =
        row_at(database, TYPES, row->row.event_id, row->row.ticket_type_id);
    assert(event && type);
    view->event_name = arena_str(arena, event->row.name);
    view->event_venue = arena_str(arena, event->row.venue);
    view->event_timezone = arena_str(arena, event->row.timezone);
    view->type_name = arena_str(arena, type->row.name);
    view->event_starts_at = event->row.starts_at;
    view->event_status = event->row.status;
    view->organizer_id = event->row.organizer_id;
    memcpy(view->currency, event->row.currency, sizeof(view->currency));
    return view;
}

enum store_status memory_find_booking(struct store *store, uint64_t id, struct arena *arena,
                                      struct booking_view **ret_booking)
{
    struct database *database = begin_read(store);
    const struct booking_row *row = row_at(database, BOOKINGS, id, 0);
    struct booking_view *found = row ? view(database, row, arena) : NULL;
    if (found && found->row.status == BOOKING_WAITING) {
        struct rows line = rows_of(database, WAITING_FOR_TYPE, row->row.ticket_type_id, 0);
        const struct row *place;
        found->position = 1;
        while ((place = rows_next(&line)) && place->b < id) {
            const struct booking_row *before = row_at(database, BOOKINGS, place->b, 0);
            found->position++;
            found->ahead += before->row.quantity;
        }
    }
    *ret_booking = found;
    return end_read(database);
}

static bool booking_matches(const struct database *database, const struct booking_query *query,
                            const struct booking_row *row)
{
    if (query->user_id && row->row.user_id != query->user_id) return false;
    if (query->event_id && row->row.event_id != query->event_id) return false;
    if (query->status >= 0 && (int)row->row.status != query->status) return false;
    if (query->q.count == 0) return true;
    const struct user_row *user = row_at(database, USERS, row->row.user_id, 0);
    return user && words_in(user->words, &query->q);
}

enum store_status memory_list_bookings(struct store *store, const struct booking_query *query,
                                       struct arena *arena, struct booking_list *ret_list)
{
    assert(query->user_id || query->event_id);
    struct database *database = begin_read(store);
    struct {
        struct booking_view **items;
        size_t count, size;
    } found = {0};
    uint64_t before = query->before ? query->before : UINT64_MAX;
    struct rows rows = query->user_id
                           ? rows_below(database, BOOKINGS_OF_USER, query->user_id, before)
                           : rows_below(database, BOOKINGS_OF_EVENT, query->event_id, before);
    const struct row *entry;
    while (found.count < query->limit && (entry = rows_previous(&rows))) {
        const struct booking_row *row = row_at(database, BOOKINGS, entry->b, 0);
        if (booking_matches(database, query, row))
            *ARRAY_PUSH(arena, &found) = view(database, row, arena);
    }
    *ret_list = (struct booking_list){found.items, found.count};
    return end_read(database);
}

enum store_status memory_list_tickets(struct store *store, uint64_t event_id, uint32_t after,
                                      size_t limit, struct arena *arena,
                                      struct ticket_list *ret_list)
{
    struct database *database = begin_read(store);
    struct {
        struct ticket_view *items;
        size_t count, size;
    } found = {0};
    struct rows rows = rows_of(database, TICKETS, event_id, (uint64_t)after + 1);
    const struct ticket_row *row;
    while (found.count < limit && (row = rows_next(&rows))) {
        struct ticket_view *ticket = ARRAY_PUSH(arena, &found);
        *ticket = (struct ticket_view){
            .number = (uint32_t)row->key.b,
            .is_booked = row->is_booked,
            .booking_id = row->booking_id,
        };
        const struct booking_row *booking = row_at(database, BOOKINGS, row->booking_id, 0);
        ticket->user = shown_user(database, booking ? booking->row.user_id : 0, arena);
    }
    *ret_list = (struct ticket_list){found.items, found.count};
    return end_read(database);
}

enum store_status memory_booking_history(struct store *store, uint64_t booking_id,
                                         struct arena *arena, struct journal_list *ret_list)
{
    struct database *database = begin_read(store);
    struct {
        struct journal_entry *items;
        size_t count, size;
    } found = {0};
    struct rows rows = rows_of(database, JOURNAL, booking_id, 0);
    for (const struct journal_row *row; (row = rows_next(&rows));)
        *ARRAY_PUSH(arena, &found) = row->row;
    *ret_list = (struct journal_list){found.items, found.count};
    return end_read(database);
}

static bool entry_matches(const struct database *database, const struct journal_query *query,
                          const struct journal_entry *entry)
{
    if (query->event_id) return entry->event_id == query->event_id;
    if (!query->organizer_id) return true;
    const struct event_row *event = row_at(database, EVENTS, entry->event_id, 0);
    return event && event->row.organizer_id == query->organizer_id;
}

/* Ids are given out under the lock, and all of a batch is written under it. */
enum store_status memory_list_journal(struct store *store, const struct journal_query *query,
                                      struct arena *arena, struct journal_page *ret_page)
{
    struct database *database = begin_read(store);
    struct {
        struct journal_entry *items;
        size_t count, size;
    } found = {0};
    uint64_t at = query->after, end = database->journal_rows;
    struct rows rows = rows_all(database, FEED);
    rows.node = g_tree_lower_bound(database->tables[FEED], &(struct row){.a = at + 1});
    for (size_t looks = 0; looks < JOURNAL_LOOKS && found.count < query->limit; looks++) {
        const struct row *place = rows_next(&rows);
        if (!place) {
            if (at < end) at = end;
            break;
        }
        const struct journal_row *row = row_at(database, JOURNAL, place->b, place->a);
        at = place->a;
        if (entry_matches(database, query, &row->row)) *ARRAY_PUSH(arena, &found) = row->row;
    }
    *ret_page = (struct journal_page){found.items, found.count, at, end, end};
    return end_read(database);
}

enum store_status memory_booking_payments(struct store *store, uint64_t booking_id,
                                          struct arena *arena, struct payment_list *ret_list)
{
    struct database *database = begin_read(store);
    struct {
        struct payment *items;
        size_t count, size;
    } found = {0};
    struct rows rows = rows_of(database, PAYMENTS, booking_id, 0);
    for (const struct payment_row *row; (row = rows_next(&rows));) {
        struct payment *payment = ARRAY_PUSH(arena, &found);
        *payment = row->row;
        payment->note = arena_str(arena, payment->note);
    }
    *ret_list = (struct payment_list){found.items, found.count};
    return end_read(database);
}

/* ---- people ---- */

static const struct user_row *user_with_login(const struct database *database, bool is_email,
                                              struct str folded)
{
    const struct login_row *login =
        folded.len ? row_named(database, LOGINS, is_email, folded) : NULL;
    const struct user_row *row = login ? row_at(database, USERS, login->user_id, 0) : NULL;
    return row && !row->row.erased_at ? row : NULL;
}

enum store_status memory_find_user(struct store *store, uint64_t id, struct str folded_email,
                                   struct str folded_username, struct arena *arena,
                                   struct user **ret_user)
{
    struct database *database = begin_read(store);
    const struct user_row *row = NULL;
    if (id) {
        row = row_at(database, USERS, id, 0);
    } else {
        row = user_with_login(database, true, folded_email);
        if (!row) row = user_with_login(database, false, folded_username);
    }
    *ret_user = NULL;
    if (row) {
        *ret_user = ARENA_NEW(arena, struct user);
        **ret_user = memory_user(row, arena);
    }
    return end_read(database);
}

struct users {
    struct user **items;
    size_t count, size;
};

static struct user *add_user(struct users *users, struct arena *arena)
{
    struct user *user = ARENA_NEW(arena, struct user);
    *ARRAY_PUSH(arena, users) = user;
    return user;
}

enum store_status memory_list_users(struct store *store, const struct user_query *query,
                                    struct arena *arena, struct user_list *ret_list)
{
    struct database *database = begin_read(store);
    struct users found = {0};
    struct rows rows = {
        g_tree_upper_bound(database->tables[USERS], &(struct row){.a = query->after}), UINT64_MAX};
    const struct user_row *row;
    while (found.count < query->limit && (row = rows_next(&rows)))
        if ((query->role < 0 || (int)row->row.role == query->role) &&
            words_in(row->words, &query->q))
            *add_user(&found, arena) = memory_user(row, arena);
    *ret_list = (struct user_list){found.items, found.count};
    return end_read(database);
}

enum store_status memory_load_directory(struct store *store, struct arena *arena,
                                        struct directory_rows *ret_rows)
{
    struct database *database = begin_read(store);
    struct users privileged = {0};
    struct {
        struct revocation *items;
        size_t count, size;
    } revocations = {0};
    struct rows rows = rows_all(database, USERS);
    for (const struct user_row *row; (row = rows_next(&rows));)
        if (row->row.role != ROLE_USER)
            *add_user(&privileged, arena) = (struct user){
                .id = row->row.id,
                .role = row->row.role,
            };
    rows = rows_all(database, REVOCATIONS);
    for (const struct revocation_row *row; (row = rows_next(&rows));)
        *ARRAY_PUSH(arena, &revocations) = (struct revocation){row->key.a, row->not_before};

    GTreeNode *last = g_tree_node_last(database->tables[USERS]);
    *ret_rows = (struct directory_rows){
        .privileged = {privileged.items, privileged.count},
        .revocations = revocations.items,
        .revocation_count = revocations.count,
        .last_user_id = last ? ((const struct row *)g_tree_node_value(last))->a : 0,
    };
    return end_read(database);
}
