/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json.h"

static struct buf out;

static int clear_out(void **state)
{
    (void)state;
    buf_free(&out);
    return 0;
}

/* What was written so far, which is then forgotten. */
static void expect(const char *expected)
{
    buf_add_char(&out, '\0');
    assert_string_equal(out.data, expected);
    assert_int_equal(out.len, strlen(expected) + 1);
    buf_clear(&out);
}

static void commas_stand_between_members_and_nowhere_else(void **state)
{
    (void)state;
    emit_open(&out, '{');
    emit_key(&out, "a");
    emit_u64(&out, 1);
    emit_key(&out, "b");
    emit_open(&out, '[');
    emit_bool(&out, true);
    emit_null(&out);
    emit_open(&out, '{');
    emit_close(&out, '}');
    emit_open(&out, '[');
    emit_close(&out, ']');
    emit_str(&out, STR("x"));
    emit_close(&out, ']');
    emit_key(&out, "c");
    emit_bool(&out, false);
    emit_close(&out, '}');
    expect("{\"a\":1,\"b\":[true,null,{},[],\"x\"],\"c\":false}");
}

static void text_that_ends_like_an_opening_does_not_eat_the_comma(void **state)
{
    (void)state;
    emit_open(&out, '[');
    emit_str(&out, STR("{"));
    emit_str(&out, STR("["));
    emit_str(&out, STR(":"));
    emit_str(&out, STR(""));
    emit_close(&out, ']');
    expect("[\"{\",\"[\",\":\",\"\"]");
}

static void a_document_may_be_a_single_value(void **state)
{
    (void)state;
    emit_str(&out, STR("alone"));
    expect("\"alone\"");
    emit_null(&out);
    expect("null");
}

static void what_must_be_escaped_is_and_the_rest_is_not(void **state)
{
    (void)state;
    emit_str(&out, STR("a\"b\\c/d"));
    expect("\"a\\\"b\\\\c/d\"");
    emit_str(&out, STR("\b\f\n\r\t"));
    expect("\"\\b\\f\\n\\r\\t\"");
    emit_str(&out, STR("\x01\x0b\x1f\x7f\0z"));
    expect("\"\\u0001\\u000b\\u001f\x7f\\u0000z\"");
    emit_str(&out, STR("café 東京 \xf0\x9f\x98\x80"));
    expect("\"café 東京 \xf0\x9f\x98\x80\"");
    emit_escape(&out, STR("in\"side"));
    expect("in\\\"side");
}

static void numbers_keep_all_their_digits(void **state)
{
    (void)state;
    emit_open(&out, '[');
    emit_u64(&out, 0);
    emit_u64(&out, UINT64_MAX);
    emit_i64(&out, INT64_MIN);
    emit_i64(&out, -1);
    emit_close(&out, ']');
    expect("[0,18446744073709551615,-9223372036854775808,-1]");
}

static void no_time_is_null(void **state)
{
    (void)state;
    emit_open(&out, '[');
    emit_time(&out, 0);
    emit_time(&out, 1811876400000);
    emit_time(&out, 1811876400050);
    emit_close(&out, ']');
    expect("[null,\"2027-06-01T19:00:00Z\",\"2027-06-01T19:00:00.050Z\"]");
}

static void an_empty_text_may_be_null(void **state)
{
    (void)state;
    emit_open(&out, '[');
    emit_str_or_null(&out, (struct str){0});
    emit_str_or_null(&out, STR(""));
    emit_str_or_null(&out, STR("x"));
    emit_str(&out, (struct str){0});
    emit_close(&out, ']');
    expect("[null,null,\"x\",\"\"]");
}

/* Texts are looked at eight bytes at a time: one byte to escape is found wherever it stands. */
static void every_byte_is_seen_at_every_place(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        const bool plain = byte >= 0x20 && byte != '"' && byte != '\\';
        for (size_t place = 0; place < 20; place++) {
            char text[20];
            memset(text, byte == 'x' ? 'y' : 'x', sizeof(text));
            text[place] = (char)byte;
            emit_escape(&out, (struct str){text, sizeof(text)});
            assert_memory_equal(out.data, text, place);
            assert_true((unsigned char)out.data[place] == (plain ? byte : '\\'));
            const size_t rest = sizeof(text) - place - 1;
            assert_memory_equal(out.data + out.len - rest, text + place + 1, rest);
            assert_true(plain == (out.len == sizeof(text)));
            buf_clear(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(commas_stand_between_members_and_nowhere_else, clear_out),
        cmocka_unit_test_teardown(text_that_ends_like_an_opening_does_not_eat_the_comma, clear_out),
        cmocka_unit_test_teardown(a_document_may_be_a_single_value, clear_out),
        cmocka_unit_test_teardown(what_must_be_escaped_is_and_the_rest_is_not, clear_out),
        cmocka_unit_test_teardown(every_byte_is_seen_at_every_place, clear_out),
        cmocka_unit_test_teardown(numbers_keep_all_their_digits, clear_out),
        cmocka_unit_test_teardown(no_time_is_null, clear_out),
        cmocka_unit_test_teardown(an_empty_text_may_be_null, clear_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
