/* SPDX-License-Identifier: Apache-2.0 */
#include "store/feed.h"

#include <assert.h>

#include "base/array.h"

struct feed feed_begin(const struct journal_query *query, size_t listed, int64_t most_at_once,
                       struct arena *arena)
{
    bool is_whole = listed > FEED_LISTED;
    return (struct feed){
        .query = query,
        .arena = arena,
        .at = query->after,
        .at_once = 1,
        .most_at_once = is_whole ? 1 : most_at_once,
        .left = is_whole ? FEED_WHOLE
                : listed ? FEED_SEEKS / (int64_t)listed
                         : 0,
        .is_empty = listed == 0,
    };
}

/* A full page ends with its last item; or else all of the span was looked at. */
static void take_back(struct feed *feed, size_t limit)
{
    size_t count = feed->found.count;
    if (feed->upto == 0) return;
    assert(count <= limit);
    feed->at = count == limit ? feed->found.items[count - 1].id : feed->upto;
    feed->upto = 0;
}

bool feed_next(struct feed *feed, struct feed_span *ret_span)
{
    size_t limit = feed->query->limit;
    take_back(feed, limit);
    if (feed->is_empty && feed->at < feed->end) feed->at = feed->end;
    if (feed->at >= feed->end || feed->found.count == limit || feed->left <= 0) return false;

    int64_t first = (int64_t)((feed->at + 1) >> FEED_BUCKET_BITS),
            count = feed->at_once < feed->left ? feed->at_once : feed->left,
            final = (int64_t)(feed->end >> FEED_BUCKET_BITS);
    if (final > first + count - 1) final = first + count - 1;
    feed->upto = ((uint64_t)(final + 1) << FEED_BUCKET_BITS) - 1;
    if (feed->upto > feed->end) feed->upto = feed->end;
    feed->left -= final - first + 1;
    /* While little is found the steps grow: each is a round trip where there is a network. */
    feed->at_once *= 4;
    if (feed->at_once > feed->most_at_once) feed->at_once = feed->most_at_once;
    *ret_span = (struct feed_span){first, final, feed->at, feed->upto, limit - feed->found.count};
    return true;
}

struct journal_entry *feed_add(struct feed *feed)
{
    return ARRAY_PUSH(feed->arena, &feed->found);
}

void feed_end(const struct feed *feed, struct journal_page *ret_page)
{
    *ret_page = (struct journal_page){
        feed->found.items, feed->found.count, feed->at, feed->end, feed->last,
    };
}
