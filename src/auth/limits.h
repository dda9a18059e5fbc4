/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h -- token buckets: so many requests a second for each user or address.
 *
 * Buckets are kept in sharded tables of bounded size, safe from any thread. A bucket that has
 * filled up again is as good as none and makes room; when a table is full of others, the fullest of
 * a few is forgotten. */
#ifndef AUTH_LIMITS_H
#define AUTH_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

struct limit {
    uint32_t tokens;   /* so many ... */
    uint32_t period_s; /* ... in so many seconds */
    uint32_t burst;    /* and at most so many at once; 0: no limit at all */
};

/* "50/s", "10/m:20", "1/h", "off". Without ":BURST" the burst is the rate's number. False
 * otherwise. */
bool limit_parse(struct str text, struct limit *ret_limit);

struct limits;
struct limits *limits_new(const struct limit *limit, size_t buckets);
void limits_free(struct limits *limits);

struct limit_verdict {
    bool allowed;
    uint32_t remaining;     /* whole requests left at once */
    uint32_t reset_s;       /* until the bucket is full again, rounded up */
    uint32_t retry_after_s; /* when not allowed: until the next one, rounded up, at least 1 */
};

/* Takes one token from the bucket of 'key' (an address, "user:12"). 'now_us' is monotonic. */
struct limit_verdict limits_take(struct limits *limits, struct str key, int64_t now_us);

#endif
