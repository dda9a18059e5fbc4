/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/limits.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

/* A bucket keeps what is missing from it, its debt, counted in parts of a token so small that in
 * one microsecond 'tokens' of them come back; a whole token is 'period_s' million. So nothing is
 * ever rounded, and "1/s" is one request and the next a full second later. */

enum {
    SHARDS = 16,
    WAYS = 8, /* a key may live in any bucket of its set */
    TOKENS_MOST = 1000000,
    PERIOD_MOST_S = 7 * 24 * 3600, /* with the above, a debt has 60 bits at most */
};
#define US_PER_S INT64_C(1000000)

struct bucket {
    uint64_t key[2]; /* a keyed hash of the key */
    int64_t debt;    /* 0: full, and free for anybody */
    int64_t at_us;   /* when it was so much */
};

struct shard {
    pthread_mutex_t mutex;
    struct bucket *buckets;
} __attribute__((aligned(64))); /* a cache line each */

struct limits {
    struct limit limit;
    int64_t cost, most; /* of one token; of a whole burst */
    size_t mask;        /* sets of a shard, less one */
    unsigned char key[crypto_shorthash_siphashx24_KEYBYTES];
    struct shard shards[SHARDS];
};

static bool parse_count(struct str text, uint32_t *ret_count)
{
    uint64_t value;
    if (!str_to_u64(text, &value) || value < 1 || value > TOKENS_MOST) return false;
    *ret_count = (uint32_t)value;
    return true;
}

bool limit_parse(struct str text, struct limit *ret_limit)
{
    struct limit limit = {0};
    if (str_equal(text, STR("off"))) {
        *ret_limit = limit;
        return true;
    }
    struct str burst = text;
    struct str unit = str_cut(&burst, ':');
    bool has_burst = unit.len < text.len;
    struct str count = str_cut(&unit, '/');

    if (!parse_count(count, &limit.tokens)) return false;
    if (str_equal(unit, STR("s")))
        limit.period_s = 1;
    else if (str_equal(unit, STR("m")))
        limit.period_s = 60;
    else if (str_equal(unit, STR("h")))
        limit.period_s = 3600;
    else
        return false;
    limit.burst = limit.tokens;
    if (has_burst && !parse_count(burst, &limit.burst)) return false;
    *ret_limit = limit;
    return true;
}

struct limits *limits_new(const struct limit *limit, size_t buckets)
{
    struct limits *limits = aligned_alloc(_Alignof(struct limits), sizeof(*limits));
    if (!limits) out_of_memory();
    *limits = (struct limits){.limit = *limit};
    if (limit->burst == 0) return limits;

    assert(limit->tokens >= 1 && limit->tokens <= TOKENS_MOST && limit->burst <= TOKENS_MOST);
    assert(limit->period_s >= 1 && limit->period_s <= PERIOD_MOST_S);
    limits->cost = limit->period_s * US_PER_S;
    limits->most = limit->burst * limits->cost;
    size_t sets = 1;
    while (sets * WAYS * SHARDS < buckets && sets < SIZE_MAX / sizeof(struct bucket) / WAYS / 4)
        sets *= 2;
    limits->mask = sets - 1;
    randombytes_buf(limits->key, sizeof(limits->key));
    for (struct shard *shard = limits->shards; shard < limits->shards + SHARDS; shard++) {
        shard->buckets = calloc(sets * WAYS, sizeof(struct bucket));
        if (!shard->buckets) out_of_memory();
        if (pthread_mutex_init(&shard->mutex, NULL) != 0) out_of_memory();
    }
    return limits;
}

void limits_free(struct limits *limits)
{
    if (!limits) return;
    for (struct shard *shard = limits->shards; shard < limits->shards + SHARDS; shard++) {
        if (!shard->buckets) continue;
        free(shard->buckets);
        pthread_mutex_destroy(&shard->mutex);
    }
    free(limits);
}

/* What is still missing at 'now_us'. Threads read the clock before they get here and may come in
 * another order: time that goes back is no time. */
static int64_t debt_at(const struct limits *limits, const struct bucket *bucket, int64_t now_us)
{
    int64_t passed = now_us - bucket->at_us, tokens = limits->limit.tokens;
    if (passed <= 0) return bucket->debt;
    if (passed > bucket->debt / tokens) return 0; /* also keeps the product small */
    return bucket->debt - passed * tokens;
}

/* The key's own bucket, or else the fullest of its set. */
static struct bucket *set_find(const struct limits *limits, struct bucket *set,
                               const uint64_t key[2], int64_t now_us)
{
    struct bucket *fullest = set;
    int64_t least = INT64_MAX;
    for (struct bucket *bucket = set; bucket < set + WAYS; bucket++) {
        if (bucket->debt && bucket->key[0] == key[0] && bucket->key[1] == key[1]) return bucket;
        int64_t debt = debt_at(limits, bucket, now_us);
        if (debt < least) {
            least = debt;
            fullest = bucket;
        }
    }
    *fullest = (struct bucket){.key = {key[0], key[1]}, .at_us = now_us};
    return fullest;
}

static struct limit_verdict bucket_take(const struct limits *limits, struct bucket *bucket,
                                        int64_t now_us)
{
    bucket->debt = debt_at(limits, bucket, now_us);
    if (now_us > bucket->at_us) bucket->at_us = now_us;

    struct limit_verdict verdict = {.allowed = bucket->debt + limits->cost <= limits->most};
    int64_t per_second = limits->limit.tokens * US_PER_S;
    if (verdict.allowed) {
        bucket->debt += limits->cost;
    } else {
        int64_t lacking = bucket->debt + limits->cost - limits->most;
        verdict.retry_after_s = (uint32_t)((lacking + per_second - 1) / per_second);
    }
    verdict.remaining = (uint32_t)((limits->most - bucket->debt) / limits->cost);
    /* Ten million tokens at one a week would be beyond 32 bits. */
    int64_t reset_s = (bucket->debt + per_second - 1) / per_second;
    verdict.reset_s = reset_s < UINT32_MAX ? (uint32_t)reset_s : UINT32_MAX;
    return verdict;
}

struct limit_verdict limits_take(struct limits *limits, struct str key, int64_t now_us)
{
    if (limits->limit.burst == 0)
        return (struct limit_verdict){.allowed = true, .remaining = UINT32_MAX};
    uint64_t hash[2];
    _Static_assert(sizeof(hash) == crypto_shorthash_siphashx24_BYTES, "two words");
    crypto_shorthash_siphashx24((unsigned char *)hash, (const unsigned char *)key.data, key.len,
                                limits->key);
    struct shard *shard = &limits->shards[hash[0] % SHARDS];
    struct bucket *set = shard->buckets + (hash[1] & limits->mask) * WAYS;

    pthread_mutex_lock(&shard->mutex);
    struct limit_verdict verdict = bucket_take(limits, set_find(limits, set, hash, now_us), now_us);
    pthread_mutex_unlock(&shard->mutex);
    return verdict;
}
