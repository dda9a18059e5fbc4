/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens. An input is the text of one; or, where it begins with '{', its header and, behind a line
 * feed, its claims, which are then signed with our secret: else a forger would never get as far. */
#include "lib/fuzz.h"

#include <sodium.h>

#include "auth/token.h"

#define NOW INT64_C(1800000000000)

static const struct str secret = STR("0123456789abcdef0123456789abcdef");
static struct arena arena;
static struct token_cache *cache;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    if (sodium_init() < 0) abort();
    cache = token_cache_new(64);
    return 0;
}

static struct str encode(struct str bytes)
{
    size_t size = sodium_base64_encoded_len(bytes.len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *text = arena_alloc(&arena, size);
    sodium_bin2base64(text, size, (const unsigned char *)bytes.data, bytes.len,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return str_of(text);
}

static struct str sign(struct str header, struct str claims)
{
    struct str text = arena_printf(&arena, "%s.%s", encode(header).data, encode(claims).data);
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret.data, secret.len);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)text.data, text.len);
    crypto_auth_hmacsha256_final(&state, mac);
    return arena_printf(&arena, "%s.%s", text.data,
                        encode((struct str){(char *)mac, sizeof(mac)}).data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = fuzz_text(data, size);
    bool is_signed = text.len && text.data[0] == '{';
    if (is_signed) {
        struct str claims = text, header = str_cut(&claims, '\n');
        text = sign(header, claims);
    }
    struct token token = {0}, first = {0}, second = {0};
    bool good = token_verify(secret, text, NOW, &token);
    assert(token_check(cache, secret, text, NOW, &first) == good);
    assert(token_check(cache, secret, text, NOW, &second) == good);
    if (good) {
        assert(is_signed); /* nobody forges an HMAC */
        assert(memcmp(&token, &first, sizeof(token)) == 0);
        assert(memcmp(&token, &second, sizeof(token)) == 0);
        assert(token.user_id >= 1 && token.expires_at > NOW && token.issued_at <= NOW + 60000);
        assert(!token_check(cache, secret, text, token.expires_at, &second));
    }
    arena_reset(&arena);
    return 0;
}
