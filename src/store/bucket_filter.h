/* SPDX-License-Identifier: Apache-2.0 */
/* bucket_filter.h -- in which buckets of bookings somebody may have some, in memory.
 *
 * The index for "my bookings" is cut into buckets of ids, so a history of somebody who has few
 * bookings looks into every bucket there is. This says of each bucket "no" or "maybe": a Bloom
 * filter a bucket, those of 64 buckets side by side, so that a handful of words answers for all 64.
 * A bucket takes 8 KiB, which is a byte a booking; of a hundred buckets that somebody is not in,
 * two or three are looked into all the same.
 *
 * A bucket is described once, when no booking will be added to it any more, by whoever has just
 * walked far for want of it. Bookings that are removed later leave a "maybe" behind.
 *
 * One filter serves all connections of a process to one file. Every function may be called by any
 * number of threads at once. */
#ifndef STORE_BUCKET_FILTER_H
#define STORE_BUCKET_FILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct bucket_filter;

/* The filter of that file: a new and empty one for who comes first. */
struct bucket_filter *bucket_filter_open(dev_t device, ino_t inode);
void bucket_filter_close(struct bucket_filter *filter); /* NULL is fine */

/* The highest bucket from 'last' down to 'first' (0 or more) where 'user_id' may have bookings, or
 * that is not described yet; below 'first' when there is none. */
int64_t bucket_filter_next(struct bucket_filter *filter, int64_t first, int64_t last,
                           uint64_t user_id);

/* The highest one that is not described, below 'first' when all are. */
int64_t bucket_filter_unknown(struct bucket_filter *filter, int64_t first, int64_t last);

/* Describing a bucket: each of its people, and then that these were all. Two who do it at once
 * do no harm. Buckets beyond the first 262,144 (2^31 bookings) are never described. */
void bucket_filter_add(struct bucket_filter *filter, int64_t bucket, uint64_t user_id);
void bucket_filter_complete(struct bucket_filter *filter, int64_t bucket);

#endif
