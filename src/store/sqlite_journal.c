/* SPDX-License-Identifier: Apache-2.0 */
/* The journal, of one booking and in the order in which it was written. There is one writer, which
 * counts the ids: what is committed has all ids below the next one. */
#include "base/array.h"
#include "base/json.h"
#include "store/feed.h"
#include "store/sqlite_internal.h"

static struct journal_entry entry_row(sqlite3_stmt *rows, struct arena *arena)
{
    return (struct journal_entry){
        .booking_id = sqlite_u64(rows, 0),
        .id = sqlite_u64(rows, 1),
        .event_id = sqlite_u64(rows, 2),
        .ticket_type_id = sqlite_u64(rows, 3),
        .from = (enum booking_status)sqlite3_column_int(rows, 4),
        .to = (enum booking_status)sqlite3_column_int(rows, 5),
        .quantity = sqlite_u32(rows, 6),
        .actor_id = sqlite_u64(rows, 7),
        .at = sqlite3_column_int64(rows, 8),
        .reason = sqlite_text(rows, 9, arena).data,
    };
}

enum store_status sqlite_booking_history(struct store *base, uint64_t booking_id,
                                         struct arena *arena, struct journal_list *ret_list)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    struct {
        struct journal_entry *items;
        size_t count, size;
    } entries = {0};
    sqlite3_stmt *rows = QUERY(store, HISTORY, NUM(booking_id));
    while (sqlite_next(store, rows))
        *ARRAY_PUSH(arena, &entries) = entry_row(rows, arena);
    *ret_list = (struct journal_list){entries.items, entries.count};
    return sqlite_end_read(store);
}

/* The events whose rows are wanted, as JSON; where they are too many, or all are wanted, NULL, and
 * more than FEED_LISTED of them. */
static struct sqlite_value listed_events(struct sqlite_store *store,
                                         const struct journal_query *query, struct arena *arena,
                                         size_t *ret_count)
{
    struct buf json = {0};
    *ret_count = 0;
    if (!query->event_id && !query->organizer_id) *ret_count = FEED_LISTED + 1;
    emit_open(&json, '[');
    if (query->event_id) {
        emit_u64(&json, query->event_id);
        *ret_count = 1;
    } else if (query->organizer_id) {
        sqlite3_stmt *rows =
            QUERY(store, FEED_EVENTS, NUM(query->organizer_id), NUM(FEED_LISTED + 1));
        for (; sqlite_next(store, rows); ++*ret_count)
            emit_u64(&json, sqlite_u64(rows, 0));
    }
    emit_close(&json, ']');
    struct str text = arena_str(arena, buf_str(&json));
    buf_free(&json);
    return *ret_count > FEED_LISTED ? NIL : TEXT(text);
}

enum store_status sqlite_list_journal(struct store *base, const struct journal_query *query,
                                      struct arena *arena, struct journal_page *ret_page)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    size_t listed;
    struct sqlite_value events = listed_events(store, query, arena, &listed);
    /* A bucket at a time: its rows come in order from the index, and no trip is saved by more. */
    struct feed feed = feed_begin(query, listed, 1, arena);
    feed.end = feed.last = (uint64_t)sqlite_number(store, QUERY(store, JOURNAL_END), 0);
    for (struct feed_span span; store->status == STORE_OK && feed_next(&feed, &span);) {
        sqlite3_stmt *rows = listed > FEED_LISTED
                                 ? QUERY(store, FEED, NUM(span.first), NUM(span.after),
                                         NUM(span.upto), NUM(span.limit), NUM(query->organizer_id))
                                 : QUERY(store, FEED_OF_EVENTS, NUM(span.first), NUM(span.after),
                                         NUM(span.upto), NUM(span.limit), events);
        while (sqlite_next(store, rows))
            *feed_add(&feed) = entry_row(rows, arena);
    }
    feed_end(&feed, ret_page);
    return sqlite_end_read(store);
}
