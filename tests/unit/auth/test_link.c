/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include "auth/link.h"

static const int64_t NOW = 1811876400000;

static int sodium_begin(void **state)
{
    (void)state;
    return sodium_init() < 0;
}

static struct link_claim a_claim(void)
{
    return (struct link_claim){.purpose = LINK_RESET_PASSWORD,
                               .user_id = 7,
                               .expires_at = NOW + 1000,
                               .proof = {STR("hash"), STR("ana@example.org")}};
}

static void a_link_is_good_for_what_it_was_made_for_until_it_ends(void **state)
{
    (void)state;
    struct link_key key = link_key_of(STR("0123456789abcdef0123456789abcdef"));
    struct link_claim claim = a_claim();
    char text[LINK_TEXT_SIZE];
    link_issue(&key, &claim, text);
    uint64_t user_id;
    int64_t expires_at;
    assert_true(link_read(str_of(text), &user_id, &expires_at));
    assert_int_equal(user_id, 7);
    assert_int_equal(expires_at, NOW + 1000);
    claim.expires_at = 0; /* stands in the token */
    assert_true(link_verify(&key, &claim, str_of(text), NOW));
    assert_true(link_verify(&key, &claim, str_of(text), NOW + 999));
    assert_false(link_verify(&key, &claim, str_of(text), NOW + 1000));
    for (const char *at = text; *at; at++)
        assert_true(
            strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", *at));
}

static void every_other_claim_makes_another_link(void **state)
{
    (void)state;
    struct link_key key = link_key_of(STR("0123456789abcdef0123456789abcdef")),
                    other_key = link_key_of(STR("0123456789abcdef0123456789abcdeg"));
    struct link_claim claim = a_claim(), others[6];
    char text[LINK_TEXT_SIZE];
    link_issue(&key, &claim, text);
    for (size_t i = 0; i < 6; i++)
        others[i] = claim;
    others[0].purpose = LINK_CONFIRM_EMAIL;
    others[1].user_id = 8;
    others[2].proof[0] = STR("another hash");
    others[3].proof[1] = STR("ana@example.com");
    others[4].proof[0] = STR("hasha"); /* the same octets one after the other */
    others[4].proof[1] = STR("na@example.org");
    others[5].proof[1] = (struct str){0};
    for (size_t i = 0; i < 6; i++)
        assert_false(link_verify(&key, &others[i], str_of(text), NOW));
    assert_false(link_verify(&other_key, &claim, str_of(text), NOW));
    assert_true(link_verify(&key, &claim, str_of(text), NOW));
}

static void every_letter_counts(void **state)
{
    (void)state;
    struct link_key key = link_key_of(STR("0123456789abcdef0123456789abcdef"));
    struct link_claim claim = a_claim();
    char text[LINK_TEXT_SIZE], changed[LINK_TEXT_SIZE];
    link_issue(&key, &claim, text);
    for (size_t i = 0; i + 1 < sizeof(text); i++) {
        memcpy(changed, text, sizeof(text));
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_false(link_verify(&key, &claim, str_of(changed), NOW));
    }
}

static void what_is_no_link_is_refused(void **state)
{
    (void)state;
    struct link_key key = link_key_of(STR("0123456789abcdef0123456789abcdef"));
    struct link_claim claim = a_claim();
    char text[LINK_TEXT_SIZE + 8], zeroes[LINK_TEXT_SIZE];
    link_issue(&key, &claim, text);
    struct str whole = {text, LINK_TEXT_SIZE - 1};
    assert_false(link_verify(&key, &claim, (struct str){0}, NOW));
    assert_false(link_verify(&key, &claim, (struct str){whole.data, whole.len - 1}, NOW));
    memcpy(text + LINK_TEXT_SIZE - 1, "AAAA", 5);
    assert_false(link_verify(&key, &claim, str_of(text), NOW));
    memset(zeroes, 'A', sizeof(zeroes) - 1);
    zeroes[sizeof(zeroes) - 1] = '\0';
    uint64_t user_id;
    int64_t expires_at;
    assert_false(link_read(str_of(zeroes), &user_id, &expires_at));
    memset(zeroes, '_', sizeof(zeroes) - 1);
    assert_false(link_read(str_of(zeroes), &user_id, &expires_at));
    memset(zeroes, '=', sizeof(zeroes) - 1);
    assert_false(link_read(str_of(zeroes), &user_id, &expires_at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_is_good_for_what_it_was_made_for_until_it_ends),
        cmocka_unit_test(every_other_claim_makes_another_link),
        cmocka_unit_test(every_letter_counts),
        cmocka_unit_test(what_is_no_link_is_refused),
    };
    return cmocka_run_group_tests(tests, sodium_begin, NULL);
}
