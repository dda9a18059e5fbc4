/* SPDX-License-Identifier: Apache-2.0 */
/* token.h -- JSON Web Tokens (RFC 7519), HS256 only.
 *
 * Claims: sub (the user's id as a string), iat, exp, and "at", the time of issue in
 * milliseconds, so that a sign-out and a sign-in within one second are told apart; a token without
 * "at" counts as issued at the start of its 'iat' second. Whether a token was revoked is not known
 * here. */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"

struct token {
    uint64_t user_id;
    int64_t issued_at, expires_at; /* milliseconds */
};

/* 'secret' is used as it is; at least 16 bytes. */
struct str token_issue(struct arena *arena, struct str secret, const struct token *token);

/* False for a token that is malformed, forged, of another algorithm, expired, issued more than
 * a minute in the future, or without a proper sub, iat and exp. Costs some microseconds: see the
 * cache. */
bool token_verify(struct str secret, struct str text, int64_t now, struct token *ret_token);

/* Verified tokens, remembered by one thread (one cache a loop) until they expire. Fixed size; a
 * newer token may push out an older one. Compares the whole text, in constant time for equal
 * lengths. */
struct token_cache;
struct token_cache *token_cache_new(size_t entries);
void token_cache_free(struct token_cache *cache);

/* token_verify() with memory. */
bool token_check(struct token_cache *cache, struct str secret, struct str text, int64_t now,
                 struct token *ret_token);

#endif
