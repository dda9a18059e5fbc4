/* SPDX-License-Identifier: Apache-2.0 */
/* The journal, of one booking and in the order in which it was written.
 *
 * Its ids are counted in the table 'sequences', whose rows a batch locks before it takes any and
 * holds to its end: so batches with journal rows are committed one after the other, in the order
 * of their ids. InnoDB shows a transaction to others before it lets its locks go. What is committed
 * has all ids below the next one, and nothing that is committed later has any of these. */
#include "base/array.h"
#include "store/feed.h"
#include "store/mysql_internal.h"

enum { BUCKETS_AT_ONCE = 16 };

static struct journal_entry entry_row(const struct maria_rows *rows, struct arena *arena)
{
    return (struct journal_entry){
        .booking_id = maria_u64(rows, 0),
        .id = maria_u64(rows, 1),
        .event_id = maria_u64(rows, 2),
        .ticket_type_id = maria_u64(rows, 3),
        .from = (enum booking_status)maria_i64(rows, 4),
        .to = (enum booking_status)maria_i64(rows, 5),
        .quantity = maria_u32(rows, 6),
        .actor_id = maria_u64(rows, 7),
        .at = maria_i64(rows, 8),
        .reason = maria_text(rows, 9, arena).data,
    };
}

enum store_status maria_booking_history(struct store *base, uint64_t booking_id,
                                        struct arena *arena, struct journal_list *ret_list)
{
    struct maria_store *store = maria_begin_read(base);
    struct {
        struct journal_entry *items;
        size_t count, size;
    } entries = {0};
    struct maria_rows *rows = QUERY(store, HISTORY, NUM(booking_id));
    while (maria_next(store, rows))
        *ARRAY_PUSH(arena, &entries) = entry_row(rows, arena);
    *ret_list = (struct journal_list){entries.items, entries.count};
    return maria_end_read(store);
}

/* The events whose rows are wanted; more than FEED_LISTED stand for all. */
struct listed {
    int64_t ids[FEED_LISTED + 1];
    size_t count;
};

static void list_events(struct maria_store *store, const struct journal_query *query,
                        struct listed *ret_listed)
{
    *ret_listed = (struct listed){{(int64_t)query->event_id}, query->event_id ? 1 : 0};
    if (!query->event_id && !query->organizer_id) ret_listed->count = FEED_LISTED + 1;
    if (!query->organizer_id) return;
    struct maria_rows *rows =
        QUERY(store, FEED_EVENTS, NUM(query->organizer_id), NUM(FEED_LISTED + 1));
    while (ret_listed->count <= FEED_LISTED && maria_next(store, rows))
        ret_listed->ids[ret_listed->count++] = maria_i64(rows, 0);
}

static struct maria_value places(const struct listed *listed, const struct feed_span *span,
                                 struct arena *arena)
{
    struct maria_set set = {0};
    for (int64_t bucket = span->first; bucket <= span->final; bucket++)
        for (size_t i = 0; i < listed->count; i++)
            SET_ADD(&set, bucket, listed->ids[i]);
    return maria_set_end(&set, arena);
}

enum store_status maria_list_journal(struct store *base, const struct journal_query *query,
                                     struct arena *arena, struct journal_page *ret_page)
{
    struct maria_store *store = maria_begin_read(base);
    struct listed listed;
    uint64_t end = (uint64_t)maria_number(store, QUERY(store, JOURNAL_END), 0);
    list_events(store, query, &listed);
    struct feed feed = feed_begin(query, listed.count, BUCKETS_AT_ONCE, arena);
    feed.end = feed.last = end;
    for (struct feed_span span; store->status == STORE_OK && feed_next(&feed, &span);) {
        struct maria_rows *rows =
            listed.count > FEED_LISTED
                ? QUERY(store, FEED, NUM(span.first), NUM(span.after), NUM(span.upto),
                        NUM(span.limit), NUM(query->organizer_id))
                : QUERY(store, FEED_OF_EVENTS, places(&listed, &span, arena), NUM(span.after),
                        NUM(span.upto), NUM(span.limit));
        while (maria_next(store, rows))
            *feed_add(&feed) = entry_row(rows, arena);
    }
    feed_end(&feed, ret_page);
    return maria_end_read(store);
}
