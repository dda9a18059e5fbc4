/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/password.h"

#include <assert.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>

static _Atomic uint64_t runs;

uint64_t password_runs(void)
{
    return atomic_load_explicit(&runs, memory_order_relaxed);
}

/* A well-formed hash, of all zeroes and nobody's, that costs as much to verify as those we make.
 * Written rather than computed: otherwise the first unknown login would take twice as long as
 * all others. */
static void write_dummy_hash(char text[crypto_pwhash_STRBYTES])
{
    int len = snprintf(text, crypto_pwhash_STRBYTES, "$argon2id$v=19$m=%zu,t=%llu,p=1$%.22s$%.43s",
                       (size_t)crypto_pwhash_MEMLIMIT_INTERACTIVE / 1024,
                       (unsigned long long)crypto_pwhash_OPSLIMIT_INTERACTIVE,
                       "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert(len > 0 && len < (int)crypto_pwhash_STRBYTES);
}

struct str password_hash(struct arena *arena, struct str password)
{
    char text[crypto_pwhash_STRBYTES];
    atomic_fetch_add_explicit(&runs, 1, memory_order_relaxed);
    if (crypto_pwhash_str_alg(text, password.data, password.len, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                              crypto_pwhash_MEMLIMIT_INTERACTIVE,
                              crypto_pwhash_ALG_ARGON2ID13) != 0)
        return (struct str){0};
    return arena_str(arena, str_of(text));
}

bool password_verify(struct str hash, struct str password)
{
    char text[crypto_pwhash_STRBYTES] = {0};
    bool somebody = hash.len > 0;
    if (hash.len >= sizeof(text)) return false;
    if (somebody)
        memcpy(text, hash.data, hash.len);
    else
        write_dummy_hash(text);
    atomic_fetch_add_explicit(&runs, 1, memory_order_relaxed);
    bool right = crypto_pwhash_str_verify(text, password.data, password.len) == 0;
    return somebody && right;
}
