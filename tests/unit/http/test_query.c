/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/query.h"

static void names_and_values_are_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *value; /* value NULL: there is no such name */
    } cases[] = {
        {"", "a", NULL},
        {"a=1", "a", "1"},
        {"a=1", "b", NULL},
        {"a=1&b=2&a=3", "a", "3"},
        {"a", "a", ""},
        {"a=", "a", ""},
        {"=1", "", "1"},
        {"&&a=1&", "a", "1"},
        {"a=b=c", "a", "b=c"},
        {"q=two+words%2B", "q", "two words+"},
        {"%61=%C3%A9%c3%a9", "a", "\xc3\xa9\xc3\xa9"},
        {"a%26b=%26%3D", "a&b", "&="},
    };
    struct arena arena = {0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct query query;
        assert_true(query_parse(&arena, str_of(cases[i].text), &query));
        const struct str value = query_get(&query, cases[i].name);
        if (!cases[i].value)
            assert_null(value.data);
        else if (!value.data || !str_equal(value, str_of(cases[i].value)))
            fail_msg("%s", cases[i].text);
    }
    arena_free(&arena);
}

static void malformed_text_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"a=%",    "a=%4",        "a=%4g", "%zz=1",
                                        "a=%00",  "a=%ff",       "a=%C3", "a=%C3&b=%A9",
                                        "a=\xff", "a=%ED%A0%80", "a=%-1", "a=% 1"};
    struct arena arena = {0};
    struct query query;
    struct str text;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (query_parse(&arena, str_of(cases[i]), &query)) fail_msg("%s", cases[i]);
    assert_false(percent_decode(&arena, STR("%"), &text));
    assert_false(percent_decode(&arena, STR("a%00"), &text));
    assert_true(percent_decode(&arena, STR("a+b%2F"), &text));
    assert_true(str_equal(text, STR("a+b/")));
    arena_free(&arena);
}

static void pairs_are_counted(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buf text = {0};
    struct query query;

    for (int i = 0; i < 64; i++)
        buf_printf(&text, "key%d=%d&", i, i);
    assert_true(query_parse(&arena, buf_str(&text), &query));
    assert_int_equal(query.count, 64);
    assert_true(str_equal(query_get(&query, "key63"), STR("63")));
    for (int i = 64; i < 10000; i++)
        buf_printf(&text, "key%d=%d&", i, i);
    assert_false(query_parse(&arena, buf_str(&text), &query));
    buf_free(&text);
    arena_free(&arena);
}

static void what_is_encoded_is_decoded_to_the_same(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct buf encoded = {0};
    struct str decoded;
    char all[127];

    for (int i = 0; i < 127; i++)
        all[i] = (char)(i + 1);
    percent_encode(&encoded, (struct str){all, sizeof(all)});
    for (size_t i = 0; i < encoded.len; i++)
        assert_true(encoded.data[i] > ' ' && !strchr("&=+/?#\"", encoded.data[i]));
    assert_true(percent_decode(&arena, buf_str(&encoded), &decoded));
    assert_true(str_equal(decoded, (struct str){all, sizeof(all)}));
    buf_free(&encoded);
    arena_free(&arena);
}

/* Random text from a small alphabet, at the very end of its memory so that a sanitizer sees
 * the first byte too many. */
static void random_text_does_no_harm(void **state)
{
    (void)state;
    static const char alphabet[] = "%%%%&=+aF09g\xc3\xa9\xff/ ";
    struct arena arena = {0};
    uint32_t seed = 12345;

    for (int i = 0; i < 10000; i++) {
        seed = seed * 1664525 + 1013904223;
        const size_t len = (seed >> 16) % 40;
        char *bytes = test_malloc(len + 1);
        for (size_t j = 0; j < len; j++) {
            seed = seed * 1664525 + 1013904223;
            bytes[j + 1] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
        }
        struct query query;
        if (query_parse(&arena, (struct str){bytes + 1, len}, &query)) {
            for (size_t j = 0; j < query.count; j++) {
                assert_true(str_is_utf8(query.pairs[j].name));
                assert_true(str_is_utf8(query.pairs[j].value));
            }
        }
        test_free(bytes);
        arena_reset(&arena);
    }
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_values_are_decoded),
        cmocka_unit_test(malformed_text_is_refused),
        cmocka_unit_test(pairs_are_counted),
        cmocka_unit_test(what_is_encoded_is_decoded_to_the_same),
        cmocka_unit_test(random_text_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
