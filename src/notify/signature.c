/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/signature.h"

#include <inttypes.h>
#include <sodium.h>

static struct str base64(const void *data, size_t size, struct arena *arena)
{
    size_t room = sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_ORIGINAL);
    char *text = arena_alloc(arena, room);
    sodium_bin2base64(text, room, data, size, sodium_base64_VARIANT_ORIGINAL);
    return str_of(text);
}

static void hash(crypto_auth_hmacsha256_state *state, struct str part)
{
    crypto_auth_hmacsha256_update(state, (const unsigned char *)part.data, part.len);
}

static struct str signature(struct str secret, struct str id, struct str seconds, struct str body,
                            struct arena *arena)
{
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret.data, secret.len);
    hash(&state, id);
    hash(&state, STR("."));
    hash(&state, seconds);
    hash(&state, STR("."));
    hash(&state, body);
    crypto_auth_hmacsha256_final(&state, mac);
    struct str text = base64(mac, sizeof(mac), arena);
    return arena_printf(arena, "v1,%.*s", STR_FMT(text));
}

void webhook_headers(const struct webhook *webhook, struct str message_id, int64_t at,
                     struct str body, struct arena *arena, struct str ret_headers[WEBHOOK_HEADERS])
{
    struct str seconds = arena_printf(arena, "%" PRId64, at / 1000);
    struct str signatures = signature(webhook->secret, message_id, seconds, body, arena);
    if (webhook->old_secret.len && at < webhook->old_secret_until) {
        struct str old = signature(webhook->old_secret, message_id, seconds, body, arena);
        signatures = arena_printf(arena, "%.*s %.*s", STR_FMT(signatures), STR_FMT(old));
    }
    ret_headers[0] = STR("Content-Type: application/json");
    ret_headers[1] = arena_printf(arena, "webhook-id: %.*s", STR_FMT(message_id));
    ret_headers[2] = arena_printf(arena, "webhook-timestamp: %.*s", STR_FMT(seconds));
    ret_headers[3] = arena_printf(arena, "webhook-signature: %.*s", STR_FMT(signatures));
}

struct str webhook_secret_text(struct str secret, struct arena *arena)
{
    struct str text = base64(secret.data, secret.len, arena);
    return arena_printf(arena, "whsec_%.*s", STR_FMT(text));
}
