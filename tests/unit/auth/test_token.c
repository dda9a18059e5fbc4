/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens are signed here by other means than in src/auth/token.c, so that a mistake does not cancel
 * itself out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <jwt.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <stdlib.h>
#include "auth/token.h"

#define SECRET STR("0123456789abcdef0123456789abcdef")
#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

/* 2027-06-01T19:00:00Z */
static const int64_t NOW = 1811876400000;

static int sodium_begin(void **state)
{
    (void)state;
    return sodium_init() < 0;
}

static struct str base64(struct arena *arena, const void *data, size_t len)
{
    const int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    size_t size = sodium_base64_ENCODED_LEN(len, variant);
    char *text = arena_alloc(arena, size);
    sodium_bin2base64(text, size, data, len, variant);
    return (struct str){text, size - 1};
}

/* What is signed: header and claims. */
static struct str unsigned_token(struct arena *arena, const char *header, const char *claims)
{
    return arena_printf(arena, "%s.%s", base64(arena, header, strlen(header)).data,
                        base64(arena, claims, strlen(claims)).data);
}

static struct str sign256(struct arena *arena, struct str secret, const char *header,
                          const char *claims)
{
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state hmac;
    struct str text = unsigned_token(arena, header, claims);
    crypto_auth_hmacsha256_init(&hmac, (const unsigned char *)secret.data, secret.len);
    crypto_auth_hmacsha256_update(&hmac, (const unsigned char *)text.data, text.len);
    crypto_auth_hmacsha256_final(&hmac, mac);
    return arena_printf(arena, "%s.%s", text.data, base64(arena, mac, sizeof(mac)).data);
}

static struct str sign512(struct arena *arena, struct str secret, const char *header,
                          const char *claims)
{
    unsigned char mac[crypto_auth_hmacsha512_BYTES];
    crypto_auth_hmacsha512_state hmac;
    struct str text = unsigned_token(arena, header, claims);
    crypto_auth_hmacsha512_init(&hmac, (const unsigned char *)secret.data, secret.len);
    crypto_auth_hmacsha512_update(&hmac, (const unsigned char *)text.data, text.len);
    crypto_auth_hmacsha512_final(&hmac, mac);
    return arena_printf(arena, "%s.%s", text.data, base64(arena, mac, sizeof(mac)).data);
}

/* Good claims of user 12 from now on. */
static const char *good_claims(struct arena *arena)
{
    return arena_printf(arena, "{\"sub\":\"12\",\"iat\":%lld,\"exp\":%lld}",
                        (long long)(NOW / 1000), (long long)(NOW / 1000 + 60))
        .data;
}

static void assert_refused(struct str text)
{
    struct token token;
    assert_false(token_verify(SECRET, text, NOW, &token));
}

static void a_token_comes_back_as_it_was_issued(void **state)
{
    (void)state;
    struct arena arena = {0};
    const uint64_t ids[] = {1, 12, 999999, (UINT64_C(1) << 60) - 1, UINT64_C(1) << 60};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct token in = {ids[i], NOW + 123, NOW + 24 * 3600 * 1000}, out;
        struct str text = token_issue(&arena, SECRET, &in);
        assert_true(text.len < 256); /* beyond that the cache would not keep it */
        assert_true(token_verify(SECRET, text, NOW + 200, &out));
        assert_true(out.user_id == in.user_id && out.issued_at == in.issued_at &&
                    out.expires_at == in.expires_at);
    }
    arena_free(&arena);
}

static void anybody_with_the_secret_signs_the_same(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct token in = {12, NOW + 5, NOW + 60000}, out;
    struct str ours = token_issue(&arena, SECRET, &in);
    /* Claims are in the order of the alphabet, and the header's too, so the texts are equal. */
    struct str theirs =
        sign256(&arena, SECRET, HEADER,
                "{\"at\":1811876400005,\"exp\":1811876460,\"iat\":1811876400,\"sub\":\"12\"}");
    assert_true(token_verify(SECRET, theirs, NOW, &out));
    assert_true(out.user_id == 12 && out.issued_at == NOW + 5);
    assert_string_equal(ours.data, theirs.data);
    arena_free(&arena);
}

static void without_at_a_token_counts_from_its_second(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct token token;
    assert_true(
        token_verify(SECRET, sign256(&arena, SECRET, HEADER, good_claims(&arena)), NOW, &token));
    assert_true(token.issued_at == NOW && token.expires_at == NOW + 60000);
    arena_free(&arena);
}

static void a_token_ends_with_its_last_millisecond(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct token in = {12, NOW, NOW + 60000}, out;
    struct str text = token_issue(&arena, SECRET, &in);
    assert_true(token_verify(SECRET, text, NOW + 59999, &out));
    assert_false(token_verify(SECRET, text, NOW + 60000, &out));
    assert_false(token_verify(SECRET, text, NOW + 1000000, &out));

    in.expires_at = NOW + 60999; /* never later than was promised */
    text = token_issue(&arena, SECRET, &in);
    assert_false(token_verify(SECRET, text, NOW + 60000, &out));
    arena_free(&arena);
}

static void clocks_may_differ_by_a_minute(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct token in = {12, NOW, NOW + 600000}, out;
    struct str text = token_issue(&arena, SECRET, &in);
    assert_true(token_verify(SECRET, text, NOW - 60000, &out));
    assert_false(token_verify(SECRET, text, NOW - 60001, &out));
    arena_free(&arena);
}

static void only_hs256_will_do(void **state)
{
    (void)state;
    struct arena arena = {0};
    const char *claims = good_claims(&arena);
    const char *headers[] = {
        "{\"alg\":\"none\",\"typ\":\"JWT\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"HS384\",\"typ\":\"JWT\"}",
        "{\"alg\":\"HS512\",\"typ\":\"JWT\"}",
        "{\"alg\":\"RS256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"hs256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"\",\"typ\":\"JWT\"}",
        "{\"alg\":256,\"typ\":\"JWT\"}",
        "{\"alg\":[\"HS256\"],\"typ\":\"JWT\"}",
        "{\"typ\":\"JWT\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWE\"}",
        "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"HS256\",\"crit\":null}",
        "[\"HS256\"]",
        "{}",
        "",
        "{\"alg\":\"HS256\"",
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct str bare = unsigned_token(&arena, headers[i], claims);
        assert_refused(sign256(&arena, SECRET, headers[i], claims));
        assert_refused(sign512(&arena, SECRET, headers[i], claims));
        assert_refused(arena_printf(&arena, "%s.", bare.data));
        assert_refused(bare);
    }
    struct token token;
    assert_true(
        token_verify(SECRET, sign256(&arena, SECRET, "{\"alg\":\"HS256\"}", claims), NOW, &token));
    arena_free(&arena);
}

static struct str pem_of(struct arena *arena, EVP_PKEY *key, bool private)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *data;
    int status = private ? PEM_write_bio_PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL)
                         : PEM_write_bio_PUBKEY(memory, key);
    assert_int_equal(status, 1);
    size_t len = (size_t)BIO_get_mem_data(memory, &data);
    struct str text = arena_str(arena, (struct str){data, len});
    BIO_free(memory);
    return text;
}

/* The secret happens to be a public key, and the token is well signed for it by RS256. libjwt
 * alone would take that. */
static void a_good_signature_of_another_algorithm_will_not_do(void **state)
{
    (void)state;
    struct arena arena = {0};
    EVP_PKEY *key = EVP_RSA_gen(2048);
    struct str secret = pem_of(&arena, key, false), private = pem_of(&arena, key, true);

    jwt_t *jwt, *decoded;
    assert_int_equal(jwt_new(&jwt), 0);
    assert_int_equal(jwt_add_grants_json(jwt, good_claims(&arena)), 0);
    assert_int_equal(
        jwt_set_alg(jwt, JWT_ALG_RS256, (const unsigned char *)private.data, (int)private.len), 0);
    char *text = jwt_encode_str(jwt);
    assert_int_equal(
        jwt_decode(&decoded, text, (const unsigned char *)secret.data, (int)secret.len), 0);
    struct token token;
    assert_false(token_verify(secret, str_of(text), NOW, &token));
    assert_true(
        token_verify(secret, sign256(&arena, secret, HEADER, good_claims(&arena)), NOW, &token));

    jwt_free(decoded);
    jwt_free(jwt);
    free(text);
    EVP_PKEY_free(key);
    arena_free(&arena);
}

static void each_changed_character_is_noticed(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct token in = {12, NOW, NOW + 60000};
    struct str text = token_issue(&arena, SECRET, &in);
    char *changed = arena_alloc(&arena, text.len);
    for (size_t i = 0; i < text.len; i++) {
        memcpy(changed, text.data, text.len);
        for (const char *c = "Ax-_.=+/ \n"; *c; c++) {
            if (*c == text.data[i]) continue;
            changed[i] = *c;
            assert_refused((struct str){changed, text.len});
        }
        changed[i] = '\0';
        assert_refused((struct str){changed, text.len});
        assert_refused((struct str){text.data, i}); /* cut off */
    }
    arena_free(&arena);
}

static void nothing_may_stand_around_a_token(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct token in = {12, NOW, NOW + 60000}, out;
    const char *text = token_issue(&arena, SECRET, &in).data;
    const char *forms[] = {" %s",    "%s ", "%s\n",   "%s=",    "%s.",
                           "%s.e30", ".%s", "e30.%s", "\"%s\"", "Bearer %s"};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        assert_refused(arena_printf(&arena, forms[i], text));
    struct str behind_nul = arena_printf(&arena, "%s%cx", text, '\0');
    assert_refused(behind_nul);
    behind_nul.len--;
    assert_refused(behind_nul);
    behind_nul.len--;
    assert_true(token_verify(SECRET, behind_nul, NOW, &out));
    arena_free(&arena);
}

static void what_is_no_token_is_refused(void **state)
{
    (void)state;
    const struct str texts[] = {
        {0},
        STR(""),
        STR("."),
        STR(".."),
        STR("..."),
        STR("x"),
        STR("a.b.c"),
        STR("e30.e30."),
        STR("e30.e30.e30"),
        STR("{}.{}.{}"),
        STR("\xff\xfe.\xff.\xff"),
        STR("eyJhbGciOiJIUzI1NiJ9.."),
        STR("eyJhbGciOiJIUzI1NiJ9.e30."),
        STR("eyJhbGciOiJIUzI1NiJ9.W10.x"),
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_refused(texts[i]);
}

static void another_secret_is_no_help(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct token in = {12, NOW, NOW + 60000}, out;
    struct str text = token_issue(&arena, SECRET, &in);
    assert_false(token_verify(STR("0123456789abcdef0123456789abcdeg"), text, NOW, &out));
    assert_false(token_verify(STR("0123456789abcdef0123456789abcde"), text, NOW, &out));
    assert_false(token_verify(STR("0123456789abcdef"), text, NOW, &out));
    arena_free(&arena);
}

static void claims_must_be_proper(void **state)
{
    (void)state;
    struct arena arena = {0};
    const struct {
        bool good;
        const char *claims;
    } cases[] = {
        {true, "{'sub':'12','iat':1811876400,'exp':1811876460}"},
        {true, "{'sub':'1152921504606846976','iat':1811876400,'exp':1811876460}"},
        {true, "{'sub':'12','iat':1811876400,'exp':253402300799,'name':'x','aud':['y']}"},
        {true, "{'sub':'12','iat':1811876400,'exp':1811876460,'at':1811876400999}"},
        {true, "{'sub':'12','iat':1811876400,'exp':1811876460,'nbf':1811876460}"},
        /* sub */
        {false, "{'iat':1811876400,'exp':1811876460}"},
        {false, "{'sub':12,'iat':1811876400,'exp':1811876460}"},
        {false, "{'sub':null,'iat':1811876400,'exp':1811876460}"},
        {false, "{'sub':'','iat':1811876400,'exp':1811876460}"},
        {false, "{'sub':'0','iat':1811876400,'exp':1811876460}"},
        {false, "{'sub':'012','iat':1811876400,'exp':1811876460}"},
        {false, "{'sub':'-12','iat':1811876400,'exp':1811876460}"},
        {false, "{'sub':'+12','iat':1811876400,'exp':1811876460}"},
        {false, "{'sub':' 12','iat':1811876400,'exp':1811876460}"},
        {false, "{'sub':'12 ','iat':1811876400,'exp':1811876460}"},
        {false, "{'sub':'12.0','iat':1811876400,'exp':1811876460}"},
        {false, "{'sub':'0x12','iat':1811876400,'exp':1811876460}"},
        {false, "{'sub':'1e3','iat':1811876400,'exp':1811876460}"},
        {false, "{'sub':'ana','iat':1811876400,'exp':1811876460}"},
        {false, "{'sub':'12\\u0000','iat':1811876400,'exp':1811876460}"},
        {false, "{'sub':'1152921504606846977','iat':1811876400,'exp':1811876460}"},
        {false, "{'sub':'18446744073709551628','iat':1811876400,'exp':1811876460}"},
        {false, "{'sub':['12'],'iat':1811876400,'exp':1811876460}"},
        /* iat, exp */
        {false, "{'sub':'12','exp':1811876460}"},
        {false, "{'sub':'12','iat':1811876400}"},
        {false, "{'sub':'12','iat':'1811876400','exp':1811876460}"},
        {false, "{'sub':'12','iat':1811876400,'exp':'1811876460'}"},
        {false, "{'sub':'12','iat':1811876400,'exp':1811876460.5}"},
        {false, "{'sub':'12','iat':1811876400,'exp':true}"},
        {false, "{'sub':'12','iat':1811876400,'exp':null}"},
        {false, "{'sub':'12','iat':1811876400,'exp':0}"},
        {false, "{'sub':'12','iat':1811876400,'exp':-1811876460}"},
        {false, "{'sub':'12','iat':0,'exp':1811876460}"},
        {false, "{'sub':'12','iat':-1,'exp':1811876460}"},
        {false, "{'sub':'12','iat':1811876461,'exp':1811877000}"},
        {false, "{'sub':'12','iat':1811876400,'exp':253402300800}"},
        {false, "{'sub':'12','iat':1811876400,'exp':9223372036854775807}"},
        {false, "{'sub':'12','iat':1811876400,'exp':92233720368547758070}"},
        {false, "{'sub':'12','iat':-9223372036854775807,'exp':1811876460}"},
        /* at, nbf */
        {false, "{'sub':'12','iat':1811876400,'exp':1811876460,'at':1811876399999}"},
        {false, "{'sub':'12','iat':1811876400,'exp':1811876460,'at':1811876401000}"},
        {false, "{'sub':'12','iat':1811876400,'exp':1811876460,'at':'1811876400001'}"},
        {false, "{'sub':'12','iat':1811876400,'exp':1811876460,'at':0}"},
        {false, "{'sub':'12','iat':1811876400,'exp':1811876460,'nbf':1811876461}"},
        {false, "{'sub':'12','iat':1811876400,'exp':1811876460,'nbf':'x'}"},
        /* no claims at all */
        {false, "{}"},
        {false, "[]"},
        {false, "null"},
        {false, "'12'"},
        {false, ""},
        {false, "{'sub':'12','iat':1811876400,'exp':1811876460"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *claims = (char *)(uintptr_t)arena_cstr(&arena, str_of(cases[i].claims));
        for (char *c = claims; *c; c++)
            if (*c == '\'') *c = '"';
        struct token token;
        bool good = token_verify(SECRET, sign256(&arena, SECRET, HEADER, claims), NOW, &token);
        if (good != cases[i].good) fail_msg("%s: %s", good ? "taken" : "refused", claims);
    }
    arena_free(&arena);
}

static void a_token_has_two_kilobytes_at_most(void **state)
{
    (void)state;
    struct arena arena = {0};
    bool taken = false, refused = false;
    for (int padding = 1300; padding < 1600; padding++) {
        struct token token;
        struct str claims = arena_printf(
            &arena, "{\"sub\":\"12\",\"iat\":1811876400,\"exp\":1811876460,\"x\":\"%*d\"}", padding,
            1);
        struct str text = sign256(&arena, SECRET, HEADER, claims.data);
        bool good = token_verify(SECRET, text, NOW, &token);
        assert_int_equal(good, text.len <= 2048);
        taken = taken || good;
        refused = refused || !good;
    }
    assert_true(taken && refused);

    char *huge = arena_alloc(&arena, 1 << 20);
    memset(huge, 'a', 1 << 20);
    assert_refused((struct str){huge, 1 << 20});
    arena_free(&arena);
}

/* --- the cache --- */

static void the_cache_says_what_verifying_says(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct token_cache *cache = token_cache_new(64);
    struct token in = {12, NOW, NOW + 60000}, out;
    struct str text = token_issue(&arena, SECRET, &in);
    for (int i = 0; i < 3; i++) {
        out = (struct token){0};
        assert_true(token_check(cache, SECRET, text, NOW + i, &out));
        assert_true(out.user_id == 12 && out.issued_at == NOW && out.expires_at == NOW + 60000);
    }
    assert_true(token_check(cache, SECRET, text, NOW + 59999, &out));
    assert_false(token_check(cache, SECRET, text, NOW + 60000, &out));
    assert_true(token_check(cache, SECRET, text, NOW, &out));
    assert_false(token_check(cache, SECRET, text, NOW - 60001, &out));

    char *changed = arena_alloc(&arena, text.len);
    for (size_t i = 0; i < text.len; i++) {
        memcpy(changed, text.data, text.len);
        changed[i] = text.data[i] == 'A' ? 'B' : 'A';
        assert_false(token_check(cache, SECRET, (struct str){changed, text.len}, NOW, &out));
        assert_false(token_check(cache, SECRET, (struct str){text.data, i}, NOW, &out));
    }
    assert_false(token_check(cache, SECRET, (struct str){0}, NOW, &out));
    token_cache_free(cache);
    arena_free(&arena);
}

static void the_cache_forgets_when_the_secret_changes(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct token_cache *cache = token_cache_new(64);
    struct token in = {12, NOW, NOW + 60000}, out;
    struct str text = token_issue(&arena, SECRET, &in);
    struct str other = STR("another secret of good length..");
    assert_true(token_check(cache, SECRET, text, NOW, &out));
    assert_false(token_check(cache, other, text, NOW, &out));
    assert_true(token_check(cache, other, token_issue(&arena, other, &in), NOW, &out));
    assert_true(token_check(cache, SECRET, text, NOW, &out));
    token_cache_free(cache);
    arena_free(&arena);
}

static void many_tokens_push_each_other_out_and_all_are_right(void **state)
{
    (void)state;
    enum { TOKENS = 500 };
    struct arena arena = {0};
    const size_t sizes[] = {0, 1, 4, 64, 2000};
    struct str texts[TOKENS];
    struct token out;
    for (uint64_t i = 0; i < TOKENS; i++) {
        struct token in = {i + 1, NOW, NOW + 1000 + (int64_t)(i % 7) * 1000};
        texts[i] = token_issue(&arena, SECRET, &in);
    }
    for (size_t size = 0; size < sizeof(sizes) / sizeof(sizes[0]); size++) {
        struct token_cache *cache = token_cache_new(sizes[size]);
        for (int64_t now = NOW; now <= NOW + 8000; now += 500) {
            for (uint64_t i = 0; i < TOKENS; i++) {
                bool good = token_check(cache, SECRET, texts[i], now, &out);
                assert_int_equal(good, now < NOW + 1000 + (int64_t)(i % 7) * 1000);
                if (good) assert_true(out.user_id == i + 1);
            }
        }
        token_cache_free(cache);
    }
    arena_free(&arena);
}

static void long_tokens_pass_by_the_cache(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct token_cache *cache = token_cache_new(4);
    for (int padding = 1; padding < 400; padding++) {
        struct token out;
        struct str claims = arena_printf(
            &arena, "{\"sub\":\"12\",\"iat\":1811876400,\"exp\":1811876460,\"x\":\"%*d\"}", padding,
            1);
        struct str text = sign256(&arena, SECRET, HEADER, claims.data);
        assert_true(token_check(cache, SECRET, text, NOW, &out));
        assert_true(token_check(cache, SECRET, text, NOW, &out) && out.user_id == 12);
    }
    token_cache_free(cache);
    arena_free(&arena);
}

/* Decoding a token goes through jansson, which lets its allocations be counted. */
static int allocations;
static void *counting_malloc(size_t size)
{
    allocations++;
    return malloc(size);
}

static void a_hit_decodes_nothing(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct token_cache *cache = token_cache_new(64);
    struct token in = {12, NOW, NOW + 60000}, out;
    struct str text = token_issue(&arena, SECRET, &in);
    json_set_alloc_funcs(counting_malloc, free);
    allocations = 0;
    assert_true(token_check(cache, SECRET, text, NOW, &out));
    assert_true(allocations > 0);
    allocations = 0;
    assert_true(token_check(cache, SECRET, text, NOW, &out));
    assert_int_equal(allocations, 0);
    json_set_alloc_funcs(malloc, free);
    token_cache_free(cache);
    arena_free(&arena);
}

/* A set has four places: whoever keeps coming stays, whatever else passes through. */
static void who_keeps_coming_stays(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct token_cache *cache = token_cache_new(4);
    struct token in = {1, NOW, NOW + 60000}, out;
    struct str regular = token_issue(&arena, SECRET, &in);
    assert_true(token_check(cache, SECRET, regular, NOW, &out));
    json_set_alloc_funcs(counting_malloc, free);
    for (in.user_id = 2; in.user_id < 100; in.user_id++) {
        struct str passing = token_issue(&arena, SECRET, &in);
        assert_true(token_check(cache, SECRET, passing, NOW, &out));
        allocations = 0;
        assert_true(token_check(cache, SECRET, regular, NOW, &out));
        assert_true(out.user_id == 1);
        assert_int_equal(allocations, 0);
    }
    json_set_alloc_funcs(malloc, free);
    token_cache_free(cache);
    arena_free(&arena);
}

static void no_cache_can_be_freed(void **state)
{
    (void)state;
    token_cache_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_comes_back_as_it_was_issued),
        cmocka_unit_test(anybody_with_the_secret_signs_the_same),
        cmocka_unit_test(without_at_a_token_counts_from_its_second),
        cmocka_unit_test(a_token_ends_with_its_last_millisecond),
        cmocka_unit_test(clocks_may_differ_by_a_minute),
        cmocka_unit_test(only_hs256_will_do),
        cmocka_unit_test(a_good_signature_of_another_algorithm_will_not_do),
        cmocka_unit_test(each_changed_character_is_noticed),
        cmocka_unit_test(nothing_may_stand_around_a_token),
        cmocka_unit_test(what_is_no_token_is_refused),
        cmocka_unit_test(another_secret_is_no_help),
        cmocka_unit_test(claims_must_be_proper),
        cmocka_unit_test(a_token_has_two_kilobytes_at_most),
        cmocka_unit_test(the_cache_says_what_verifying_says),
        cmocka_unit_test(the_cache_forgets_when_the_secret_changes),
        cmocka_unit_test(many_tokens_push_each_other_out_and_all_are_right),
        cmocka_unit_test(long_tokens_pass_by_the_cache),
        cmocka_unit_test(a_hit_decodes_nothing),
        cmocka_unit_test(who_keeps_coming_stays),
        cmocka_unit_test(no_cache_can_be_freed),
    };
    return cmocka_run_group_tests(tests, sodium_begin, NULL);
}
