/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text.h"

static struct arena arena;

static int clear_arena(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static void expect_fold(const char *text, const char *expected)
{
    struct str folded = text_fold(&arena, str_of(text));
    assert_string_equal(folded.data, expected);
    assert_int_equal(folded.len, strlen(expected));
    assert_string_equal(text_fold(&arena, folded).data, expected);
}

/* The words, with a blank between them. */
static const char *words_of(const char *text, size_t most)
{
    struct words words = text_words(&arena, str_of(text), most);
    struct str all = STR("");
    for (size_t i = 0; i < words.count; i++)
        all = arena_printf(&arena, "%s%s%.*s", all.data, i ? " " : "", STR_FMT(words.items[i]));
    return all.data;
}

static void folded_texts_do_not_know_upper_and_lower_case(void **state)
{
    (void)state;
    expect_fold("", "");
    expect_fold("Ana@X.org", "ana@x.org");
    expect_fold("ÀÉÎõ", "àéîõ");
    expect_fold("ΣΊΣΥΦΟΣ", "σίσυφοσ");
    expect_fold("σίσυφος", "σίσυφοσ");
    expect_fold("Straße", "strasse");
    expect_fold("ЖУК", "жук");
}

static void folded_texts_do_not_know_how_a_letter_was_typed(void **state)
{
    (void)state;
    expect_fold("Cafe\xcc\x81", "café"); /* an accent of its own */
    expect_fold("ﬁn", "fin");            /* a ligature */
    expect_fold("Ａｎａ", "ana");        /* full-width letters */
    expect_fold("\xc7\xb0", "\xc7\xb0"); /* folding alone would take this one apart */
}

static void folding_needs_no_terminator(void **state)
{
    (void)state;
    struct str folded = text_fold(&arena, (struct str){"ÉÉxyz", 4});
    assert_string_equal(folded.data, "éé");
    folded = text_fold(&arena, (struct str){"ABC", 2});
    assert_string_equal(folded.data, "ab");
}

static void a_text_is_cut_into_folded_words(void **state)
{
    (void)state;
    assert_string_equal(words_of("Jazz at the Old-Port, 2027!", 10), "jazz at the old port 2027");
    assert_string_equal(words_of("L'Auditori\n\t(sala 2)", 10), "l auditori sala 2");
    assert_string_equal(words_of("", 10), "");
    assert_string_equal(words_of(" -- !? ", 10), "");
}

static void words_lose_their_accents_where_they_can(void **state)
{
    (void)state;
    assert_string_equal(words_of("Café ÀÉÎ Łódź naïve Straße", 10), "cafe aei lodz naive strasse");
    assert_string_equal(words_of("Cafe\xcc\x81", 10), "cafe");
    assert_string_equal(words_of("東京 Ωmega", 10), "東京 ωmega");
}

static void a_word_comes_once(void **state)
{
    (void)state;
    assert_string_equal(words_of("Café cafe CAFÉ bar café", 10), "cafe bar");
}

static void no_more_words_come_than_asked_for(void **state)
{
    (void)state;
    assert_string_equal(words_of("one two two three four", 3), "one two three");
    assert_string_equal(words_of("one two", 0), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(folded_texts_do_not_know_upper_and_lower_case, clear_arena),
        cmocka_unit_test_teardown(folded_texts_do_not_know_how_a_letter_was_typed, clear_arena),
        cmocka_unit_test_teardown(folding_needs_no_terminator, clear_arena),
        cmocka_unit_test_teardown(a_text_is_cut_into_folded_words, clear_arena),
        cmocka_unit_test_teardown(words_lose_their_accents_where_they_can, clear_arena),
        cmocka_unit_test_teardown(a_word_comes_once, clear_arena),
        cmocka_unit_test_teardown(no_more_words_come_than_asked_for, clear_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
