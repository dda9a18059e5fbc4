/* SPDX-License-Identifier: Apache-2.0 */
/* The journal, of one booking and in the order in which it was written.
 *
 * Its ids come from a sequence, which runs ahead of commits: a row that is committed may have a
 * lower id than one that was committed, and read, before. So each batch marks, before it draws, how
 * far the sequence had come (JOURNAL_MARK), by an advisory lock that ends with its transaction. All
 * its ids lie above the mark. Who reads looks first how far the sequence has come, and then for the
 * lowest mark: a batch that had drawn by then is still marked, or else it is over. It is over for
 * statements that begin later, as the server ends a transaction before it lets its locks go. So
 * whatever is not above the lowest mark, nor above that place in the sequence, can be told. Neither
 * side waits for the other, and only a batch of admit that draws holds the feed up, until it ends
 * or the server ends it (SESSION_SETTINGS). */
#include "base/array.h"
#include "store/feed.h"
#include "store/postgres_internal.h"

enum { BUCKETS_AT_ONCE = 256 };

static struct journal_entry entry_row(const PGresult *rows, int row, struct arena *arena)
{
    return (struct journal_entry){
        .booking_id = postgres_u64(rows, row, 0),
        .id = postgres_u64(rows, row, 1),
        .event_id = postgres_u64(rows, row, 2),
        .ticket_type_id = postgres_u64(rows, row, 3),
        .from = (enum booking_status)postgres_i64(rows, row, 4),
        .to = (enum booking_status)postgres_i64(rows, row, 5),
        .quantity = postgres_u32(rows, row, 6),
        .actor_id = postgres_u64(rows, row, 7),
        .at = postgres_i64(rows, row, 8),
        .reason = postgres_text(rows, row, 9, arena).data,
    };
}

enum store_status postgres_booking_history(struct store *base, uint64_t booking_id,
                                           struct arena *arena, struct journal_list *ret_list)
{
    struct postgres_store *store = postgres_begin_read(base, false);
    PGresult *rows = QUERY(store, HISTORY, NUM(booking_id));
    ret_list->count = (size_t)postgres_count(rows);
    ret_list->items = ARENA_ARRAY(arena, struct journal_entry, ret_list->count);
    for (int row = 0; row < postgres_count(rows); row++)
        ret_list->items[row] = entry_row(rows, row, arena);
    PQclear(rows);
    return postgres_end_read(store);
}

/* How far the journal can be told. Two statements, so that they run one after the other. */
static void find_end(struct postgres_store *store, struct feed *feed)
{
    postgres_send(store, STATEMENT_JOURNAL_LAST, NULL, 0);
    postgres_send(store, STATEMENT_JOURNAL_MARKS, NULL, 0);
    postgres_sync(store);
    feed->last = (uint64_t)postgres_number(postgres_result(store));
    PGresult *marks = postgres_result(store);
    bool is_marked = postgres_count(marks) && !PQgetisnull(marks, 0, 0);
    uint64_t lowest = is_marked ? postgres_u64(marks, 0, 0) : UINT64_MAX;
    PQclear(marks);
    feed->end = lowest < feed->last ? lowest : feed->last;
}

/* The events whose rows are wanted, in the first column; more than FEED_LISTED stand for all. */
static size_t listed_events(struct postgres_store *store, const struct journal_query *query)
{
    if (!query->event_id && !query->organizer_id) return FEED_LISTED + 1;
    PGresult *rows = NULL;
    if (query->organizer_id)
        rows = QUERY(store, FEED_EVENTS, NUM(query->organizer_id), NUM(FEED_LISTED + 1));
    struct postgres_array *ids = postgres_fresh(store, 0);
    for (int row = 0; row < postgres_count(rows); row++)
        postgres_array_number(ids, postgres_i64(rows, row, 0));
    PQclear(rows);
    if (query->event_id) postgres_array_number(ids, (int64_t)query->event_id);
    return ids->count;
}

/* Each statement sees what was committed when it began, which is needed here: no transaction
 * around them. */
enum store_status postgres_list_journal(struct store *base, const struct journal_query *query,
                                        struct arena *arena, struct journal_page *ret_page)
{
    struct postgres_store *store = postgres_begin_read(base, false);
    size_t listed = 0;
    struct feed end = {0};
    find_end(store, &end);
    if (store->status == STORE_OK) listed = listed_events(store, query);
    struct feed feed = feed_begin(query, listed, BUCKETS_AT_ONCE, arena);
    feed.end = end.end;
    feed.last = end.last;
    for (struct feed_span span; store->status == STORE_OK && feed_next(&feed, &span);) {
        struct postgres_value which = listed > FEED_LISTED
                                          ? NUM(query->organizer_id)
                                          : ARRAY(&store->rows[ROWS_LAST].columns[0]);
        const struct postgres_value values[] = {NUM(span.first), NUM(span.final), NUM(span.after),
                                                NUM(span.upto),  NUM(span.limit), which};
        PGresult *rows = postgres_query(
            store, listed > FEED_LISTED ? STATEMENT_FEED : STATEMENT_FEED_OF_EVENTS, values, 6);
        for (int row = 0; row < postgres_count(rows); row++)
            *feed_add(&feed) = entry_row(rows, row, arena);
        PQclear(rows);
    }
    feed_end(&feed, ret_page);
    return postgres_end_read(store);
}
