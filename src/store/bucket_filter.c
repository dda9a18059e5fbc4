/* SPDX-License-Identifier: Apache-2.0 */
#include "store/bucket_filter.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"

enum {
    GROUP_BITS = 6, /* buckets side by side: the bits of a word */
    GROUP_BUCKETS = 1 << GROUP_BITS,
    WORD_BITS = 16,
    WORDS = 1 << WORD_BITS, /* eight for each person of a full bucket */
    HASHES = 4,             /* with eight bits a person, (1 - e^-0.5)^4 = 2.4 % are mistaken */
    GROUPS_MOST = 4096,
};

struct bucket_group {
    _Atomic uint64_t known; /* a bit for each bucket that is described */
    _Atomic uint64_t words[WORDS];
};

struct bucket_filter {
    struct bucket_filter *next;
    dev_t device;
    ino_t inode;
    unsigned users; /* of the filter itself */
    _Atomic(struct bucket_group *) groups[GROUPS_MOST];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct bucket_filter *filters; /* under the lock, as are their 'users' */

struct bucket_filter *bucket_filter_open(dev_t device, ino_t inode)
{
    pthread_mutex_lock(&lock);
    struct bucket_filter *filter = filters;
    while (filter && (filter->device != device || filter->inode != inode))
        filter = filter->next;
    if (!filter) {
        filter = calloc(1, sizeof(*filter));
        if (!filter) out_of_memory();
        filter->device = device;
        filter->inode = inode;
        filter->next = filters;
        filters = filter;
    }
    filter->users++;
    pthread_mutex_unlock(&lock);
    return filter;
}

void bucket_filter_close(struct bucket_filter *filter)
{
    if (!filter) return;
    pthread_mutex_lock(&lock);
    bool last = --filter->users == 0;
    if (last) {
        struct bucket_filter **place = &filters;
        while (*place != filter)
            place = &(*place)->next;
        *place = filter->next;
    }
    pthread_mutex_unlock(&lock);
    if (!last) return;
    for (size_t i = 0; i < GROUPS_MOST; i++)
        free(atomic_load(&filter->groups[i]));
    free(filter);
}

/* ---- bits ---- */

/* User ids are counted up; this scatters them (the finalizer of MurmurHash3). */
static uint64_t scatter(uint64_t value)
{
    value = (value ^ (value >> 33)) * 0xff51afd7ed558ccd;
    value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53;
    return value ^ (value >> 33);
}

/* The word of each hash, from the lowest bits up. */
static size_t word_of(uint64_t scattered, unsigned hash)
{
    static_assert(HASHES * WORD_BITS <= 64, "all from one number");
    return (scattered >> (hash * WORD_BITS)) & (WORDS - 1);
}

/* NULL where nothing is described. */
static struct bucket_group *group_of(struct bucket_filter *filter, int64_t bucket)
{
    int64_t at = bucket >> GROUP_BITS;
    return at < GROUPS_MOST ? atomic_load_explicit(&filter->groups[at], memory_order_acquire)
                            : NULL;
}

/* The group, made where it is not there; NULL beyond what is described. */
static struct bucket_group *group_for(struct bucket_filter *filter, int64_t bucket)
{
    struct bucket_group *group = group_of(filter, bucket);
    int64_t at = bucket >> GROUP_BITS;
    if (group || at >= GROUPS_MOST) return group;
    struct bucket_group *made = calloc(1, sizeof(*made));
    if (!made) out_of_memory();
    if (atomic_compare_exchange_strong(&filter->groups[at], &group, made)) return made;
    free(made); /* somebody else was faster: 'group' is now theirs */
    return group;
}

static uint64_t bit_of(int64_t bucket)
{
    return UINT64_C(1) << (bucket & (GROUP_BUCKETS - 1));
}

/* The bucket of the highest of these bits that is not above 'last'; -1: none. */
static int64_t highest(uint64_t bits, int64_t last)
{
    bits &= bit_of(last) | (bit_of(last) - 1);
    int64_t base = last & ~(int64_t)(GROUP_BUCKETS - 1);
    return bits ? base + 63 - __builtin_clzll(bits) : -1;
}

/* Walks the groups from the one of 'last' down; 'user_id' 0: those that are not described. */
static int64_t walk(struct bucket_filter *filter, int64_t first, int64_t last, uint64_t user_id)
{
    uint64_t scattered = scatter(user_id);
    while (last >= first) {
        struct bucket_group *group = group_of(filter, last);
        /* First which are known: what was added to those is seen from here on. */
        uint64_t unknown =
            group ? ~atomic_load_explicit(&group->known, memory_order_acquire) : UINT64_MAX;
        uint64_t maybe = group && user_id ? UINT64_MAX : 0;
        for (unsigned hash = 0; maybe && hash < HASHES; hash++)
            maybe &=
                atomic_load_explicit(&group->words[word_of(scattered, hash)], memory_order_relaxed);
        int64_t found = highest(unknown | maybe, last);
        if (found >= 0) return found < first ? first - 1 : found;
        last = (last & ~(int64_t)(GROUP_BUCKETS - 1)) - 1;
    }
    return first - 1;
}

int64_t bucket_filter_next(struct bucket_filter *filter, int64_t first, int64_t last,
                           uint64_t user_id)
{
    assert(user_id);
    return walk(filter, first, last, user_id);
}

int64_t bucket_filter_unknown(struct bucket_filter *filter, int64_t first, int64_t last)
{
    return walk(filter, first, last, 0);
}

void bucket_filter_add(struct bucket_filter *filter, int64_t bucket, uint64_t user_id)
{
    struct bucket_group *group = group_for(filter, bucket);
    uint64_t scattered = scatter(user_id);
    for (unsigned hash = 0; group && hash < HASHES; hash++)
        atomic_fetch_or_explicit(&group->words[word_of(scattered, hash)], bit_of(bucket),
                                 memory_order_relaxed);
}

void bucket_filter_complete(struct bucket_filter *filter, int64_t bucket)
{
    struct bucket_group *group = group_for(filter, bucket);
    if (group) atomic_fetch_or_explicit(&group->known, bit_of(bucket), memory_order_release);
}
