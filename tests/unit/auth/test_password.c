/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include "auth/password.h"
#include "base/clock.h"

static int sodium_begin(void **state)
{
    (void)state;
    return sodium_init() < 0;
}

static void the_right_password_verifies_and_no_other(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct str hash = password_hash(&arena, STR("correct horse"));
    assert_non_null(hash.data);
    assert_true(str_starts(hash, STR("$argon2id$v=19$m=65536,t=2,p=1$")));
    assert_true(password_verify(hash, STR("correct horse")));
    assert_false(password_verify(hash, STR("correct hors")));
    assert_false(password_verify(hash, STR("correct horse ")));
    assert_false(password_verify(hash, STR("")));
    arena_free(&arena);
}

static void equal_passwords_have_different_hashes(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct str one = password_hash(&arena, STR("correct horse"));
    struct str two = password_hash(&arena, STR("correct horse"));
    assert_false(str_equal(one, two));
    arena_free(&arena);
}

static void a_password_may_hold_nul(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct str hash = password_hash(&arena, STR("one\0two"));
    assert_true(password_verify(hash, STR("one\0two")));
    assert_false(password_verify(hash, STR("one\0ten")));
    assert_false(password_verify(hash, STR("one")));
    arena_free(&arena);
}

static void what_is_no_hash_verifies_nothing(void **state)
{
    (void)state;
    char longest[300];
    memset(longest, 'x', sizeof(longest));
    const struct str hashes[] = {
        STR("x"),     STR("$argon2id$"),          STR("$argon2id$v=19$m=65536,t=2,p=1$AAAA$"),
        STR("plain"), {longest, sizeof(longest)}, {longest, crypto_pwhash_STRBYTES},
    };
    for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        assert_false(password_verify(hashes[i], STR("plain")));
        assert_false(password_verify(hashes[i], STR("")));
    }
}

static int64_t verify_us(struct str hash, struct str password)
{
    int64_t begin = clock_monotonic_us();
    assert_false(password_verify(hash, password));
    return clock_monotonic_us() - begin;
}

/* Loose bounds on the shortest of a few, because the machine may be busy. Without the work a
 * verdict takes about a thousandth of the time. */
static void an_unknown_login_takes_as_long_as_a_wrong_password(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct str hash = password_hash(&arena, STR("correct horse"));
    int64_t wrong = INT64_MAX, unknown = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        int64_t us = verify_us((struct str){0}, STR("whatever it is"));
        if (us < unknown) unknown = us;
        us = verify_us(hash, STR("whatever it is"));
        if (us < wrong) wrong = us;
    }
    assert_true(unknown > wrong / 4);
    assert_true(wrong > unknown / 4);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_password_verifies_and_no_other),
        cmocka_unit_test(equal_passwords_have_different_hashes),
        cmocka_unit_test(a_password_may_hold_nul),
        cmocka_unit_test(what_is_no_hash_verifies_nothing),
        cmocka_unit_test(an_unknown_login_takes_as_long_as_a_wrong_password),
    };
    return cmocka_run_group_tests(tests, sodium_begin, NULL);
}
