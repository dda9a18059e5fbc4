/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/link.h"

#include <assert.h>
#include <sodium.h>

enum { MAC_BYTES = 32, NUMBER_BYTES = 8, BYTES = 2 * NUMBER_BYTES + MAC_BYTES };

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING
_Static_assert(BYTES % 3 == 0 && BYTES / 3 * 4 + 1 == LINK_TEXT_SIZE,
               "one spelling for each token");
_Static_assert(LINK_KEY_BYTES == crypto_generichash_KEYBYTES, "the key's size is BLAKE2b's");

static const char context[] = "admit: links in mail, 1";

struct link_key link_key_of(struct str jwt_secret)
{
    struct link_key key;
    unsigned char whole[crypto_generichash_BYTES];
    /* The secret may be longer than a key of BLAKE2b, so it is hashed into one first. */
    crypto_generichash(whole, sizeof(whole), (const unsigned char *)jwt_secret.data, jwt_secret.len,
                       NULL, 0);
    crypto_generichash(key.bytes, sizeof(key.bytes), (const unsigned char *)context,
                       sizeof(context), whole, sizeof(whole));
    sodium_memzero(whole, sizeof(whole));
    return key;
}

static void put_number(unsigned char bytes[NUMBER_BYTES], uint64_t number)
{
    for (int i = 0; i < NUMBER_BYTES; i++)
        bytes[i] = (unsigned char)(number >> (8 * (NUMBER_BYTES - 1 - i)));
}

static uint64_t get_number(const unsigned char bytes[NUMBER_BYTES])
{
    uint64_t number = 0;
    for (int i = 0; i < NUMBER_BYTES; i++)
        number = number << 8 | bytes[i];
    return number;
}

/* Every part with its length before it, so that no two claims are hashed alike. */
static void add(crypto_generichash_state *state, struct str part)
{
    unsigned char length[NUMBER_BYTES];
    put_number(length, part.len);
    crypto_generichash_update(state, length, sizeof(length));
    crypto_generichash_update(state, (const unsigned char *)part.data, part.len);
}

static void write_token(const struct link_key *key, const struct link_claim *claim,
                        unsigned char token[BYTES])
{
    unsigned char purpose = (unsigned char)claim->purpose;
    put_number(token, claim->user_id);
    put_number(token + NUMBER_BYTES, (uint64_t)claim->expires_at);
    crypto_generichash_state state;
    crypto_generichash_init(&state, key->bytes, sizeof(key->bytes), MAC_BYTES);
    crypto_generichash_update(&state, &purpose, 1);
    crypto_generichash_update(&state, token, 2 * (size_t)NUMBER_BYTES);
    for (size_t i = 0; i < sizeof(claim->proof) / sizeof(claim->proof[0]); i++)
        add(&state, claim->proof[i]);
    crypto_generichash_final(&state, token + 2 * (size_t)NUMBER_BYTES, MAC_BYTES);
}

void link_issue(const struct link_key *key, const struct link_claim *claim,
                char text[LINK_TEXT_SIZE])
{
    assert(claim->user_id > 0 && claim->expires_at > 0);
    unsigned char token[BYTES];
    write_token(key, claim, token);
    sodium_bin2base64(text, LINK_TEXT_SIZE, token, sizeof(token), VARIANT);
}

static bool decode(struct str text, unsigned char token[BYTES])
{
    size_t len;
    const char *end;
    return text.len == LINK_TEXT_SIZE - 1 &&
           sodium_base642bin(token, BYTES, text.data, text.len, NULL, &len, &end, VARIANT) == 0 &&
           len == BYTES && end == text.data + text.len;
}

bool link_read(struct str text, uint64_t *ret_user_id, int64_t *ret_expires_at)
{
    unsigned char token[BYTES];
    if (!decode(text, token)) return false;
    uint64_t user_id = get_number(token), expires_at = get_number(token + NUMBER_BYTES);
    if (user_id == 0 || user_id > INT64_MAX || expires_at == 0 || expires_at > INT64_MAX)
        return false;
    *ret_user_id = user_id;
    *ret_expires_at = (int64_t)expires_at;
    return true;
}

bool link_verify(const struct link_key *key, const struct link_claim *claim, struct str text,
                 int64_t now)
{
    unsigned char given[BYTES], right[BYTES];
    struct link_claim expected = *claim;
    uint64_t user_id;
    if (!link_read(text, &user_id, &expected.expires_at) || !decode(text, given)) return false;
    write_token(key, &expected, right);
    bool same = sodium_memcmp(given, right, sizeof(right)) == 0;
    sodium_memzero(right, sizeof(right));
    return same && now < expected.expires_at;
}
