/* SPDX-License-Identifier: Apache-2.0 */
/* feed.h -- how store_list_journal() walks the index journal_feed, (id / 8192, event_id, id):
 * bucket after bucket, in each event by event. So one event's rows among millions of others' are a
 * few seeks away, and what one call does is bounded.
 *
 *     struct feed feed = feed_begin(query, listed, at_once, arena);
 *     feed.end = feed.last = ...;
 *     for (struct feed_span span; feed_next(&feed, &span);)
 *         ... *feed_add(&feed) = row, of those above span.after up to span.upto,
 *             in order of id, no more than span.limit of them
 *     feed_end(&feed, ret_page);
 */
#ifndef STORE_FEED_H
#define STORE_FEED_H

#include "store/store.h"

enum {
    FEED_BUCKET_BITS = 13,
    FEED_LISTED = 64,  /* events that are looked for by id; of an organizer with more of them ... */
    FEED_WHOLE = 4,    /* ... so many whole buckets are looked through by one call */
    FEED_SEEKS = 4096, /* buckets times events that one call looks into otherwise */
};

struct feed {
    const struct journal_query *query;
    struct arena *arena;
    uint64_t at, end, last;              /* as in struct journal_page */
    int64_t at_once, most_at_once, left; /* buckets */
    uint64_t upto;                       /* of the span that is out; 0: none is */
    bool is_empty;                       /* nobody's events: nothing can be found */
    struct {
        struct journal_entry *items;
        size_t count, size;
    } found;
};

struct feed_span {
    int64_t first, final; /* buckets */
    uint64_t after, upto; /* ids */
    size_t limit;
};

/* 'listed': how many events are looked for by id; more than FEED_LISTED for whole buckets. No span
 * has more buckets than 'most_at_once'. */
struct feed feed_begin(const struct journal_query *query, size_t listed, int64_t most_at_once,
                       struct arena *arena);
bool feed_next(struct feed *feed, struct feed_span *ret_span);
struct journal_entry *feed_add(struct feed *feed);
void feed_end(const struct feed *feed, struct journal_page *ret_page);

#endif
