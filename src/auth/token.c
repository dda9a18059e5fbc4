/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/token.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <jwt.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

/* libjwt hands out claims as 'long', and "at" needs more than 32 bits. */
_Static_assert(sizeof(long) >= 8, "milliseconds since 1970 must fit into a long");

enum {
    TEXT_MOST = 2048,
    SECRET_LEAST = 16,
    CLOCK_SKEW_MS = 60 * 1000,
};

#define USER_ID_MOST (UINT64_C(1) << 60)
#define SECONDS_MOST INT64_C(253402300799) /* the end of the year 9999 */

struct str token_issue(struct arena *arena, struct str secret, const struct token *token)
{
    assert(secret.len >= SECRET_LEAST && secret.len <= INT_MAX);
    assert(token->user_id >= 1 && token->user_id <= USER_ID_MOST);
    assert(token->issued_at >= 1000 && token->expires_at > token->issued_at);
    /* Rounded down, so that a token never lives longer than was promised: revocations are
     * forgotten when the tokens they are for must have run out. */
    char claims[192];
    int len = snprintf(
        claims, sizeof(claims),
        "{\"sub\":\"%" PRIu64 "\",\"iat\":%" PRId64 ",\"exp\":%" PRId64 ",\"at\":%" PRId64 "}",
        token->user_id, token->issued_at / 1000, token->expires_at / 1000, token->issued_at);
    assert(len > 0 && (size_t)len < sizeof(claims));

    jwt_t *jwt;
    if (jwt_new(&jwt) != 0) out_of_memory();
    /* None of these can fail for another reason. */
    if (jwt_add_grants_json(jwt, claims) != 0) out_of_memory();
    if (jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)secret.data, (int)secret.len) != 0)
        out_of_memory();
    char *text = jwt_encode_str(jwt);
    if (!text) out_of_memory();
    struct str copy = arena_str(arena, str_of(text));
    free(text);
    jwt_free(jwt);
    return copy;
}

/* The claims' own rules, which need no secret. Shared with the cache, for which time goes on. */
static bool is_current(const struct token *token, int64_t now)
{
    return now < token->expires_at && token->issued_at <= now + CLOCK_SKEW_MS;
}

/* We write the header {"alg":"HS256","typ":"JWT"}. jwt_decode() would take any algorithm that it
 * knows and spellings such as "hs256", and does not know that what "crit" lists must be
 * understood (RFC 7515, section 4.1.11). */
static bool header_is_ours(jwt_t *jwt)
{
    if (jwt_get_alg(jwt) != JWT_ALG_HS256) return false;
    const char *alg = jwt_get_header(jwt, "alg");
    if (!alg || strcmp(alg, "HS256") != 0) return false;
    char *critical = jwt_get_headers_json(jwt, "crit");
    free(critical);
    return !critical;
}

/* False when there is no such claim. One that is not a whole number reads as 0 or -1, which no
 * claim of ours may be. */
static bool claim_number(jwt_t *jwt, const char *name, int64_t *ret_value)
{
    errno = 0;
    long value = jwt_get_grant_int(jwt, name);
    if (errno == ENOENT) return false;
    *ret_value = value;
    return true;
}

/* NumericDate (RFC 7519, section 2), whole seconds only. */
static bool is_second(int64_t value)
{
    return value >= 1 && value <= SECONDS_MOST;
}

/* One spelling for each id: no sign, no zeroes in front. */
static bool claim_user(jwt_t *jwt, uint64_t *ret_id)
{
    struct str text = str_of(jwt_get_grant(jwt, "sub"));
    uint64_t id;
    if (!text.len || text.data[0] == '0' || !str_to_u64(text, &id) || id > USER_ID_MOST)
        return false;
    *ret_id = id;
    return true;
}

static bool claims_read(jwt_t *jwt, int64_t now, struct token *ret_token)
{
    struct token token;
    int64_t issued, expires, not_before;
    if (!claim_user(jwt, &token.user_id)) return false;
    if (!claim_number(jwt, "iat", &issued) || !is_second(issued)) return false;
    if (!claim_number(jwt, "exp", &expires) || !is_second(expires)) return false;
    token.expires_at = expires * 1000;
    if (!claim_number(jwt, "at", &token.issued_at)) token.issued_at = issued * 1000;
    if (token.issued_at < issued * 1000 || token.issued_at > issued * 1000 + 999) return false;

    /* We write none, but who shares our secret may. */
    if (claim_number(jwt, "nbf", &not_before) &&
        (!is_second(not_before) || not_before * 1000 > now + CLOCK_SKEW_MS))
        return false;

    if (!is_current(&token, now)) return false;
    *ret_token = token;
    return true;
}

bool token_verify(struct str secret, struct str text, int64_t now, struct token *ret_token)
{
    assert(secret.len >= SECRET_LEAST && secret.len <= INT_MAX);
    if (text.len == 0 || text.len > TEXT_MOST || memchr(text.data, '\0', text.len)) return false;
    char terminated[TEXT_MOST + 1];
    memcpy(terminated, text.data, text.len);
    terminated[text.len] = '\0';

    jwt_t *jwt = NULL;
    if (jwt_decode(&jwt, terminated, (const unsigned char *)secret.data, (int)secret.len) != 0)
        return false;
    bool good = header_is_ours(jwt) && claims_read(jwt, now, ret_token);
    jwt_free(jwt);
    return good;
}

/* --- the cache --- */

enum {
    SET_SLOTS = 4,
    SLOT_TEXT_SIZE = 256, /* ours have less than 200 bytes; longer ones are verified each time */
};

struct slot {
    uint64_t hash;
    uint64_t used; /* the cache's turn at the last use; 0: free */
    struct token token;
    uint32_t len;
    unsigned char text[SLOT_TEXT_SIZE]; /* with zeroes behind */
};

struct token_cache {
    unsigned char key[crypto_shorthash_KEYBYTES];
    uint64_t secret; /* hash of the secret all of them were verified with */
    uint64_t turn;
    size_t mask;         /* number of sets, less one */
    struct slot slots[]; /* sets of SET_SLOTS, one after the other */
};

static size_t slots_size(const struct token_cache *cache)
{
    return (cache->mask + 1) * SET_SLOTS * sizeof(struct slot);
}

struct token_cache *token_cache_new(size_t entries)
{
    size_t sets = 1;
    while (sets * SET_SLOTS < entries && sets < SIZE_MAX / sizeof(struct slot) / SET_SLOTS / 4)
        sets *= 2;
    struct token_cache *cache = calloc(1, sizeof(*cache) + sets * SET_SLOTS * sizeof(struct slot));
    if (!cache) out_of_memory();
    cache->mask = sets - 1;
    randombytes_buf(cache->key, sizeof(cache->key));
    return cache;
}

void token_cache_free(struct token_cache *cache)
{
    if (!cache) return;
    sodium_memzero(cache, sizeof(*cache) + slots_size(cache));
    free(cache);
}

static uint64_t hash_text(const struct token_cache *cache, struct str text)
{
    uint64_t hash;
    _Static_assert(sizeof(hash) == crypto_shorthash_BYTES, "one word");
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)text.data, text.len,
                     cache->key);
    return hash;
}

/* What another secret has signed is worth nothing. */
static void cache_bind(struct token_cache *cache, struct str secret)
{
    uint64_t hash = hash_text(cache, secret);
    if (hash == cache->secret) return;
    sodium_memzero(cache->slots, slots_size(cache));
    cache->secret = hash;
}

/* In constant time. sodium_memcmp() goes byte by byte, which took longer than all the rest of a
 * hit together; this goes by 64. */
static bool texts_equal(const unsigned char a[SLOT_TEXT_SIZE],
                        const unsigned char b[SLOT_TEXT_SIZE])
{
    int different = 0;
    for (size_t i = 0; i < SLOT_TEXT_SIZE; i += crypto_verify_64_BYTES)
        different |= crypto_verify_64(a + i, b + i);
    return !different;
}

static struct slot *set_find(struct slot *set, uint64_t hash, struct str text)
{
    unsigned char padded[SLOT_TEXT_SIZE] = {0};
    memcpy(padded, text.data, text.len);
    for (struct slot *slot = set; slot < set + SET_SLOTS; slot++)
        if (slot->used && slot->hash == hash && slot->len == text.len &&
            texts_equal(slot->text, padded))
            return slot;
    return NULL;
}

/* The one to give up: free, or expired, or else not used for the longest time. */
static struct slot *set_victim(struct slot *set, int64_t now)
{
    struct slot *victim = set;
    for (struct slot *slot = set; slot < set + SET_SLOTS; slot++) {
        if (!slot->used || !is_current(&slot->token, now)) return slot;
        if (slot->used < victim->used) victim = slot;
    }
    return victim;
}

bool token_check(struct token_cache *cache, struct str secret, struct str text, int64_t now,
                 struct token *ret_token)
{
    if (text.len == 0 || text.len > SLOT_TEXT_SIZE)
        return token_verify(secret, text, now, ret_token);
    cache_bind(cache, secret);
    uint64_t hash = hash_text(cache, text);
    struct slot *set = cache->slots + (hash & cache->mask) * SET_SLOTS;
    struct slot *slot = set_find(set, hash, text);
    if (slot) {
        if (!is_current(&slot->token, now)) return false;
        slot->used = ++cache->turn;
        *ret_token = slot->token;
        return true;
    }

    if (!token_verify(secret, text, now, ret_token)) return false;
    slot = set_victim(set, now);
    slot->hash = hash;
    slot->used = ++cache->turn;
    slot->token = *ret_token;
    slot->len = (uint32_t)text.len;
    memset(slot->text, 0, sizeof(slot->text));
    memcpy(slot->text, text.data, text.len);
    return true;
}
