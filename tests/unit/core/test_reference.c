/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include "core/reference.h"

#define ID_MOST ((UINT64_C(1) << 60) - 1)

static const struct reference_key key = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

static int sodium_begin(void **state)
{
    (void)state;
    return sodium_init() < 0;
}

static void assert_reads(const char *text, uint64_t id)
{
    uint64_t read = 0;
    if (!reference_read(&key, str_of(text), &read) || read != id)
        fail_msg("%s is %llu", text, (unsigned long long)read);
}

static void assert_refused(struct str text)
{
    uint64_t id = 77;
    if (reference_read(&key, text, &id)) fail_msg("taken: \"%.*s\"", STR_FMT(text));
    assert_true(id == 77);
}

/* These are on people's tickets. When this fails, it is not the test that must be changed. */
static void references_stay_what_they_are(void **state)
{
    (void)state;
    static const struct reference_key other = {"the second key.."};
    const struct {
        const struct reference_key *key;
        uint64_t id;
        const char *text;
    } cases[] = {
        {&key, 1, "KXRA-M06H-JGTS"},       {&key, 2, "F49W-QQES-WKEE"},
        {&key, 1000000, "6748-V5G7-V0RB"}, {&key, ID_MOST, "W7JX-RYHD-YBCW"},
        {&other, 1, "HM4B-AMC9-MCYN"},     {&other, 123456789012345678, "PHHB-YAED-Z51S"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[REFERENCE_TEXT_SIZE];
        reference_write(cases[i].key, cases[i].id, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void every_id_comes_back(void **state)
{
    (void)state;
    char text[REFERENCE_TEXT_SIZE];
    for (uint64_t id = 1; id <= 100000; id++) {
        reference_write(&key, id, text);
        assert_reads(text, id);
    }
    for (int bit = 0; bit < 60; bit++) {
        uint64_t id = UINT64_C(1) << bit;
        reference_write(&key, id, text);
        assert_reads(text, id);
        reference_write(&key, ID_MOST - id + (bit == 0), text);
        assert_reads(text, ID_MOST - id + (bit == 0));
    }
    uint64_t random = 1;
    for (int i = 0; i < 100000; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t id = (random >> 4) | 1;
        reference_write(&key, id, text);
        assert_reads(text, id);
    }
}

/* The other way round: all 12 symbols are an id, but for one, which would be 0. */
static void every_text_is_somebodys(void **state)
{
    (void)state;
    static const char symbols[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t random = 2;
    for (int i = 0; i < 100000; i++) {
        char text[REFERENCE_TEXT_SIZE] = "....-....-....", again[REFERENCE_TEXT_SIZE];
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t bits = random >> 4, id = 0;
        for (char *c = text; *c; c++) {
            if (*c != '.') continue;
            *c = symbols[bits & 31];
            bits >>= 5;
        }
        assert_true(reference_read(&key, str_of(text), &id));
        assert_in_range(id, 1, ID_MOST);
        reference_write(&key, id, again);
        assert_string_equal(text, again);
    }
}

static void nothing_stands_for_nobody(void **state)
{
    (void)state;
    assert_refused(STR("C6AA-2XAR-ES29"));
}

static void people_may_write_it_their_way(void **state)
{
    (void)state;
    const struct {
        const char *text, *same;
    } cases[] = {
        {"K7Q2-M9XD-4TZB", "k7q2-m9xd-4tzb"}, {"K7Q2-M9XD-4TZB", "K7Q2M9XD4TZB"},
        {"K7Q2-M9XD-4TZB", "k7q2m9xd4tzb"},   {"K7Q2-M9XD-4TZB", "K7Q2-M9XD4TZB"},
        {"K7Q2-M9XD-4TZB", "K7Q2M9XD-4TZB"},  {"K7Q2-M9XD-4TZB", "k7Q2-m9xD-4tZb"},
        {"1111-0000-1111", "IiLl-OoOo-iIlL"}, {"1111-0000-1111", "lll1oo0oill1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t id;
        assert_true(reference_read(&key, str_of(cases[i].text), &id));
        assert_reads(cases[i].same, id);
    }
}

static void anything_else_is_none(void **state)
{
    (void)state;
    const struct str texts[] = {
        {0},
        STR(""),
        STR("-"),
        STR("12"),
        STR("K7Q2-M9XD-4TZ"),
        STR("K7Q2-M9XD-4TZBB"),
        STR("K7Q2-M9XD-4TZB-"),
        STR("-K7Q2-M9XD-4TZB"),
        STR("K7Q2--M9XD-4TZB"),
        STR("K7Q-2M9XD-4TZB"),
        STR("K-7-Q-2-M9XD-4TZB"),
        STR("K7Q2-M9XD-"),
        STR("K7Q2-M9XD-4TZU"),
        STR("u7Q2-M9XD-4TZB"),
        STR("K7Q2 M9XD 4TZB"),
        STR(" K7Q2-M9XD-4TZB"),
        STR("K7Q2-M9XD-4TZB "),
        STR("K7Q2_M9XD_4TZB"),
        STR("K7Q2-M9XD-4TZB\0"),
        STR("K7Q2-M9XD-4TZ\0"),
        STR("K7Q2-M9XD-4TZ\xff"),
        STR("K7Q2-M9XD-4TZ*"),
        STR("K7Q2-M9XD-4TZ@"),
        STR("K7Q2-M9XD-4TZ["),
        STR("K7Q2-M9XD-4TZ`"),
        STR("K7Q2-M9XD-4TZ{"),
        STR("K7Q2-M9XD-4TZ/"),
        STR("K7Q2-M9XD-4TZ:"),
        STR("K7Q2-M9XD-4T\xc3\x96"),
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_refused(texts[i]);
}

/* Ids that follow each other have nothing in common: half of the 60 bits differ on average, each
 * of them about every other time, and each symbol turns up everywhere about as often. */
static void neighbours_look_unlike(void **state)
{
    (void)state;
    enum { IDS = 20000 };
    static unsigned symbols[REFERENCE_TEXT_SIZE][128];
    char before[REFERENCE_TEXT_SIZE], text[REFERENCE_TEXT_SIZE];
    unsigned equal = 0;
    reference_write(&key, 1, before);
    for (uint64_t id = 2; id < IDS + 2; id++) {
        reference_write(&key, id, text);
        for (int i = 0; i < REFERENCE_TEXT_SIZE - 1; i++) {
            symbols[i][(int)text[i]]++;
            if (text[i] != '-') equal += text[i] == before[i];
        }
        memcpy(before, text, sizeof(text));
    }
    /* Of 12 * IDS pairs of symbols one in 32 is equal by chance: 7500, give or take 85. */
    assert_in_range(equal, 7500 - 500, 7500 + 500);
    for (int i = 0; i < REFERENCE_TEXT_SIZE - 1; i++) {
        if (text[i] == '-') continue;
        int different = 0;
        for (int c = 0; c < 128; c++) {
            if (!symbols[i][c]) continue;
            different++; /* IDS / 32 of each: 625, give or take 25 */
            assert_in_range(symbols[i][c], 625 - 150, 625 + 150);
        }
        assert_int_equal(different, 32);
    }
}

static void each_bit_of_the_key_counts(void **state)
{
    (void)state;
    char text[REFERENCE_TEXT_SIZE], other[REFERENCE_TEXT_SIZE];
    reference_write(&key, 12, text);
    for (int bit = 0; bit < 8 * REFERENCE_KEY_SIZE; bit++) {
        struct reference_key changed = key;
        changed.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        reference_write(&changed, 12, other);
        assert_string_not_equal(text, other);
        uint64_t id = 0;
        assert_true(!reference_read(&changed, str_of(text), &id) || id != 12);
    }
}

/* Whoever follows the journal keeps a place for as long as he likes. */
static void places_stay_what_they_are(void **state)
{
    (void)state;
    static const uint64_t ids[] = {0, 1, 2, 1000000, (UINT64_C(1) << 59) - 1};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        char text[REFERENCE_TEXT_SIZE];
        uint64_t id = 77, read = 0;
        place_write(&key, ids[i], text);
        assert_true(place_read(&key, str_of(text), &id));
        assert_true(id == ids[i]);
        assert_true(reference_read(&key, str_of(text), &read));
        assert_true(read >= UINT64_C(1) << 59); /* no booking has that */
        if (ids[i] == 0) continue;
        reference_write(&key, ids[i], text);
        id = 77;
        assert_false(place_read(&key, str_of(text), &id));
        assert_true(id == 77);
    }
    char text[REFERENCE_TEXT_SIZE];
    place_write(&key, 1, text);
    assert_string_equal(text, "9JM2-M3WB-6DZW");
    uint64_t id;
    assert_false(place_read(&key, STR("0-0"), &id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_stay_what_they_are),
        cmocka_unit_test(every_id_comes_back),
        cmocka_unit_test(every_text_is_somebodys),
        cmocka_unit_test(nothing_stands_for_nobody),
        cmocka_unit_test(people_may_write_it_their_way),
        cmocka_unit_test(anything_else_is_none),
        cmocka_unit_test(neighbours_look_unlike),
        cmocka_unit_test(each_bit_of_the_key_counts),
        cmocka_unit_test(places_stay_what_they_are),
    };
    return cmocka_run_group_tests(tests, sodium_begin, NULL);
}
