/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/str.h"

/* cmocka has no word for texts that are not terminated. */
static void expect_str(struct str s, const char *expected)
{
    assert_int_equal(s.len, strlen(expected));
    if (s.len) assert_memory_equal(s.data, expected, s.len);
}

static void equal_texts_have_the_same_bytes(void **state)
{
    (void)state;
    assert_true(str_equal(STR("seat"), STR("seat")));
    assert_false(str_equal(STR("seat"), STR("Seat")));
    assert_false(str_equal(STR("seat"), STR("seats")));
    assert_true(str_equal((struct str){0}, STR("")));
    assert_true(str_equal(str_of(NULL), str_of("")));
}

static void ascii_letters_may_be_equal_whatever_their_case(void **state)
{
    (void)state;
    assert_true(str_equal_nocase(STR("Content-Type"), STR("content-TYPE")));
    assert_false(str_equal_nocase(STR("content"), STR("content-")));
    assert_false(str_equal_nocase(STR("@"), STR("`"))); /* next to the letters */
    assert_false(str_equal_nocase(STR("["), STR("{")));
    assert_false(str_equal_nocase(STR("\xc3\x89"), STR("\xc3\xa9")));
}

static void a_text_starts_with_its_prefixes_only(void **state)
{
    (void)state;
    assert_true(str_starts(STR("Bearer abc"), STR("Bearer ")));
    assert_true(str_starts(STR("abc"), (struct str){0}));
    assert_false(str_starts(STR("Bear"), STR("Bearer")));
}

static void cutting_goes_from_separator_to_separator(void **state)
{
    (void)state;
    struct str rest = STR("a,,bc");
    expect_str(str_cut(&rest, ','), "a");
    expect_str(str_cut(&rest, ','), "");
    expect_str(str_cut(&rest, ','), "bc");
    expect_str(rest, "");
    expect_str(str_cut(&rest, ','), "");

    struct str nothing = {0};
    expect_str(str_cut(&nothing, ','), "");
    assert_int_equal(nothing.len, 0);
}

static void trimming_takes_white_space_at_both_ends_only(void **state)
{
    (void)state;
    expect_str(str_trim(STR(" \t\r\n\v\f two words \n")), "two words");
    expect_str(str_trim(STR(" \t ")), "");
    expect_str(str_trim(STR("\xc2\xa0x")), "\xc2\xa0x");
    expect_str(str_trim((struct str){0}), "");
}

static void a_whole_number_is_read(void **state)
{
    (void)state;
    uint64_t value = 7;
    assert_true(str_to_u64(STR("0"), &value));
    assert_int_equal(value, 0);
    assert_true(str_to_u64(STR("0042"), &value));
    assert_int_equal(value, 42);
    assert_true(str_to_u64(STR("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
}

static void what_is_no_whole_number_is_refused_and_nothing_is_written(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",     "-1",  "+1",
        " 1",   "1 ",  "1.0",
        "0x10", "1e3", "12a",
        "1\n2", "/",   "18446744073709551616",
        ":",    "٣",   "99999999999999999999",
    };
    uint64_t value = 7;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(str_to_u64(str_of(wrong[i]), &value));
        assert_int_equal(value, 7);
    }
}

static void well_formed_utf8_is_accepted(void **state)
{
    (void)state;
    static const char *const good[] = {
        "",
        "plain",
        "a longer piece of plain text, with a café at its end",
        "\x01\x7f",
        "\xc2\x80",         /* the first of two bytes */
        "\xdf\xbf",         /* the last of two */
        "\xe0\xa0\x80",     /* the first of three */
        "\xed\x9f\xbf",     /* the last before the surrogates */
        "\xee\x80\x80",     /* the first behind them */
        "\xef\xbf\xbf",     /* the last of three */
        "\xf0\x90\x80\x80", /* the first of four */
        "\xf4\x8f\xbf\xbf", /* the very last */
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(str_is_utf8(str_of(good[i])));
}

static void malformed_utf8_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",             /* a tail without a head */
        "\xbf",             /* another */
        "\xc3",             /* a head without a tail */
        "\xc3(",            /* ... with something else behind it */
        "\xe2\x82",         /* cut off */
        "\xf0\x9f\x98",     /* cut off */
        "\xe2\x28\xa1",     /* a wrong second byte */
        "\xe2\x82\x28",     /* a wrong third */
        "\xf0\x9f\x98\x28", /* a wrong fourth */
        "\xf0\x9f\x28\x98", /* a wrong third of four */
        "\xc0\xaf",         /* overlong '/' */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* the first surrogate */
        "\xed\xbf\xbf",     /* the last */
        "\xf4\x90\x80\x80", /* beyond U+10FFFF */
        "\xf5\x80\x80\x80", /* no such head */
        "\xfe",
        "\xff",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(str_is_utf8(str_of(bad[i])));
}

/* The quick way takes eight bytes at once: every place in them must count. */
static void a_bad_byte_or_a_nul_is_seen_wherever_it_stands(void **state)
{
    (void)state;
    for (size_t at = 0; at < 40; at++) {
        char text[40];
        memset(text, 'a', sizeof(text));
        struct str s = {text, sizeof(text)};
        assert_true(str_is_utf8(s));
        text[at] = '\0';
        assert_int_equal(str_utf8_prefix(s), at);
        text[at] = (char)0xff;
        assert_int_equal(str_utf8_prefix(s), at);
        assert_false(str_is_utf8(s));
        text[at] = 0x01;
        assert_true(str_is_utf8(s));
    }
}

static void a_buffer_grows_with_what_is_added(void **state)
{
    (void)state;
    struct buf buf = {0};
    assert_int_equal(buf_str(&buf).len, 0);
    buf_add(&buf, NULL, 0);
    for (int i = 0; i < 1000; i++)
        buf_add_str(&buf, STR("0123456789"));
    buf_add_char(&buf, '!');
    assert_int_equal(buf.len, 10001);
    assert_memory_equal(buf.data + 9990, "0123456789!", 11);

    size_t size = buf.size;
    buf_clear(&buf);
    assert_int_equal(buf.len, 0);
    assert_int_equal(buf.size, size);
    buf_free(&buf);
    assert_null(buf.data);
    buf_free(&buf);
}

static void reserved_room_is_there(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_add_char(&buf, 'x');
    buf_reserve(&buf, 100000);
    assert_true(buf.size - buf.len >= 100000);
    char *data = buf.data;
    for (int i = 0; i < 100000; i++)
        buf_add_char(&buf, 'y');
    assert_ptr_equal(buf.data, data);
    buf_free(&buf);
}

static void numbers_are_written_as_printf_would(void **state)
{
    (void)state;
    struct buf buf = {0};
    char expected[32];
    uint64_t value = 1;
    for (int digits = 1; digits <= 20; digits++, value *= 10) {
        for (int off = -1; off <= 1; off++) {
            uint64_t unsigned_value = value + (uint64_t)(int64_t)off;
            buf_clear(&buf);
            buf_add_u64(&buf, unsigned_value);
            snprintf(expected, sizeof(expected), "%llu", (unsigned long long)unsigned_value);
            expect_str(buf_str(&buf), expected);

            buf_clear(&buf);
            buf_add_i64(&buf, -(int64_t)(unsigned_value >> 1));
            snprintf(expected, sizeof(expected), "%lld", -(long long)(unsigned_value >> 1));
            expect_str(buf_str(&buf), expected);
        }
    }
    buf_clear(&buf);
    buf_add_u64(&buf, UINT64_MAX);
    buf_add_char(&buf, ' ');
    buf_add_i64(&buf, INT64_MIN);
    buf_add_char(&buf, ' ');
    buf_add_i64(&buf, INT64_MAX);
    expect_str(buf_str(&buf), "18446744073709551615 -9223372036854775808 9223372036854775807");
    buf_free(&buf);
}

static void printing_goes_behind_what_is_there(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_add_str(&buf, STR("a"));
    buf_printf(&buf, "%s-%d", "b", 12);
    buf_printf(&buf, "%300s|", "");
    assert_int_equal(buf.len, 306);
    assert_memory_equal(buf.data, "ab-12  ", 7);
    assert_int_equal(buf.data[305], '|');
    buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_have_the_same_bytes),
        cmocka_unit_test(ascii_letters_may_be_equal_whatever_their_case),
        cmocka_unit_test(a_text_starts_with_its_prefixes_only),
        cmocka_unit_test(cutting_goes_from_separator_to_separator),
        cmocka_unit_test(trimming_takes_white_space_at_both_ends_only),
        cmocka_unit_test(a_whole_number_is_read),
        cmocka_unit_test(what_is_no_whole_number_is_refused_and_nothing_is_written),
        cmocka_unit_test(well_formed_utf8_is_accepted),
        cmocka_unit_test(malformed_utf8_is_refused),
        cmocka_unit_test(a_bad_byte_or_a_nul_is_seen_wherever_it_stands),
        cmocka_unit_test(a_buffer_grows_with_what_is_added),
        cmocka_unit_test(reserved_room_is_there),
        cmocka_unit_test(numbers_are_written_as_printf_would),
        cmocka_unit_test(printing_goes_behind_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
