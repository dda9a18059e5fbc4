/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include "auth/limits.h"

#define SECOND INT64_C(1000000)

/* A machine that has been up for a while. */
static const int64_t BEGIN = 86400 * SECOND;

static int sodium_begin(void **state)
{
    (void)state;
    return sodium_init() < 0;
}

static struct limits *limits_of(const char *text, size_t buckets)
{
    struct limit limit;
    assert_true(limit_parse(str_of(text), &limit));
    return limits_new(&limit, buckets);
}

static void limits_are_written_as_rate_and_burst(void **state)
{
    (void)state;
    const struct {
        const char *text;
        struct limit limit;
    } cases[] = {
        {"1/s", {1, 1, 1}},         {"50/s", {50, 1, 50}},
        {"50/s:100", {50, 1, 100}}, {"10/m", {10, 60, 10}},
        {"10/m:20", {10, 60, 20}},  {"10/s:1", {10, 1, 1}},
        {"1/h", {1, 3600, 1}},      {"1000000/h:1000000", {1000000, 3600, 1000000}},
        {"off", {0, 0, 0}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct limit limit;
        assert_true(limit_parse(str_of(cases[i].text), &limit));
        assert_memory_equal(&limit, &cases[i].limit, sizeof(limit));
    }
}

static void anything_else_is_no_limit(void **state)
{
    (void)state;
    const char *texts[] = {
        "",
        "1",
        "/s",
        "s",
        "1/",
        "1/x",
        "1/S",
        "0/s",
        "-1/s",
        "+1/s",
        "1.5/s",
        "1/s:",
        "1/s:0",
        "1/s:-1",
        "1/s:x",
        "1/s:1:1",
        " 1/s",
        "1/s ",
        "1 /s",
        "1/ s",
        "1/2s",
        "1/s/s",
        "1/sec",
        "1000001/s",
        "1/s:1000001",
        "99999999999999999999/s",
        "on",
        "OFF",
        "off:1",
        "off/s",
        "1:1/s",
        "none",
        "1/d",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct limit limit = {7, 7, 7};
        if (limit_parse(str_of(texts[i]), &limit)) fail_msg("taken: \"%s\"", texts[i]);
        assert_true(limit.tokens == 7); /* written on success only */
    }
    struct limit limit;
    assert_false(limit_parse((struct str){"1/s\0", 4}, &limit));
}

static void one_a_second_is_one_and_the_next_a_full_second_later(void **state)
{
    (void)state;
    struct limits *limits = limits_of("1/s", 64);
    struct limit_verdict verdict = limits_take(limits, STR("user:12"), BEGIN);
    assert_true(verdict.allowed);
    assert_true(verdict.remaining == 0 && verdict.reset_s == 1 && verdict.retry_after_s == 0);

    const int64_t too_early[] = {0, 1, SECOND / 2, SECOND - 1};
    for (size_t i = 0; i < sizeof(too_early) / sizeof(too_early[0]); i++) {
        verdict = limits_take(limits, STR("user:12"), BEGIN + too_early[i]);
        assert_false(verdict.allowed);
        assert_true(verdict.remaining == 0 && verdict.reset_s == 1 && verdict.retry_after_s == 1);
    }
    /* Having asked in vain costs nothing. */
    assert_true(limits_take(limits, STR("user:12"), BEGIN + SECOND).allowed);
    assert_false(limits_take(limits, STR("user:12"), BEGIN + 2 * SECOND - 1).allowed);
    assert_true(limits_take(limits, STR("user:12"), BEGIN + 2 * SECOND).allowed);
    /* And having waited longer saves nothing. */
    assert_true(limits_take(limits, STR("user:12"), BEGIN + 100 * SECOND).allowed);
    assert_false(limits_take(limits, STR("user:12"), BEGIN + 100 * SECOND).allowed);
    limits_free(limits);
}

static void a_burst_is_followed_by_the_rate(void **state)
{
    (void)state;
    struct limits *limits = limits_of("50/s:100", 64);
    for (uint32_t i = 0; i < 100; i++) {
        struct limit_verdict verdict = limits_take(limits, STR("a"), BEGIN);
        assert_true(verdict.allowed);
        assert_int_equal(verdict.remaining, 99 - i);
        assert_int_equal(verdict.reset_s, (i + 50) / 50);
    }
    struct limit_verdict verdict = limits_take(limits, STR("a"), BEGIN);
    assert_true(!verdict.allowed && verdict.retry_after_s == 1 && verdict.reset_s == 2);
    assert_false(limits_take(limits, STR("a"), BEGIN + 19999).allowed);
    assert_true(limits_take(limits, STR("a"), BEGIN + 20000).allowed);
    assert_false(limits_take(limits, STR("a"), BEGIN + 20000).allowed);
    /* Full again after two seconds without a request. */
    assert_int_equal(limits_take(limits, STR("a"), BEGIN + 20000 + 2 * SECOND).remaining, 99);
    limits_free(limits);
}

/* Three a second does not divide a microsecond: over a long time it must come out even. */
static void nothing_is_lost_to_rounding(void **state)
{
    (void)state;
    const struct {
        const char *limit;
        int64_t step_us, steps;
        int64_t expected;
    } cases[] = {
        {"3/s:1", 1, 10 * 1000000, 1 + 29}, /* that at 10 s comes a step too late */
        {"3/s:1", 333333, 3 * 3600, 1 + 5399},
        {"7/m:7", 1000, 600 * 1000, 7 + 69},
        {"7/h:1", SECOND, 24 * 3600, 1 + 167},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct limits *limits = limits_of(cases[i].limit, 16);
        int64_t allowed = 0;
        for (int64_t step = 0; step < cases[i].steps; step++)
            allowed += limits_take(limits, STR("a"), BEGIN + step * cases[i].step_us).allowed;
        if (i != 1) assert_int_equal(allowed, cases[i].expected);
        /* A step just short of a token: every second one is granted. */
        if (i == 1) assert_in_range(allowed, cases[i].expected, cases[i].expected + 1);
        limits_free(limits);
    }
}

/* What is announced is what happens, against a plain model that keeps the times of the grants. */
static void verdicts_come_true(void **state)
{
    (void)state;
    const char *texts[] = {"1/s", "3/s:5", "50/s:100", "10/m:3", "7/h:2", "1000000/s"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct limit limit;
        assert_true(limit_parse(str_of(texts[i]), &limit));
        struct limits *limits = limits_new(&limit, 16);
        int64_t per_token_us = limit.period_s * SECOND / limit.tokens;
        int64_t now = BEGIN;
        uint32_t random = 1;
        for (int step = 0; step < 2000; step++) {
            struct limit_verdict verdict = limits_take(limits, STR("a"), now);
            assert_true(verdict.remaining < limit.burst);
            assert_true(verdict.reset_s >= 1);
            assert_int_equal(verdict.allowed, verdict.retry_after_s == 0);
            if (!verdict.allowed) {
                assert_int_equal(verdict.remaining, 0);
                assert_true(verdict.retry_after_s <= verdict.reset_s);
                if (step % 3 == 0) {
                    now += verdict.retry_after_s * SECOND;
                    assert_true(limits_take(limits, STR("a"), now).allowed);
                }
            } else if (step % 7 == 0) {
                now += verdict.reset_s * SECOND;
                assert_int_equal(limits_take(limits, STR("a"), now).remaining, limit.burst - 1);
            }
            random = random * 1664525 + 1013904223;
            now += (int64_t)(random >> 16) * per_token_us / 32768;
        }
        limits_free(limits);
    }
}

static void keys_do_not_share(void **state)
{
    (void)state;
    struct limits *limits = limits_of("1/h", 100000);
    char key[32];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++) {
            struct str text = {key, (size_t)snprintf(key, sizeof(key), "user:%d", i)};
            assert_int_equal(limits_take(limits, text, BEGIN).allowed, round == 0);
        }
    }
    assert_true(limits_take(limits, STR(""), BEGIN).allowed);
    assert_false(limits_take(limits, STR(""), BEGIN).allowed);
    limits_free(limits);
}

/* Who asks most is remembered longest: passers-by push out each other. */
static void the_emptiest_buckets_survive_a_crowd(void **state)
{
    (void)state;
    struct limits *limits = limits_of("1/h:3", 16);
    char key[32];
    for (int i = 0; i < 3; i++)
        assert_true(limits_take(limits, STR("greedy"), BEGIN).allowed);
    for (int i = 0; i < 20000; i++) {
        struct str text = {key, (size_t)snprintf(key, sizeof(key), "10.0.%d.%d", i / 256, i % 256)};
        assert_true(limits_take(limits, text, BEGIN).allowed);
    }
    assert_false(limits_take(limits, STR("greedy"), BEGIN).allowed);
    limits_free(limits);
}

static void time_that_goes_back_is_no_time(void **state)
{
    (void)state;
    struct limits *limits = limits_of("1/s", 16);
    assert_true(limits_take(limits, STR("a"), BEGIN).allowed);
    assert_false(limits_take(limits, STR("a"), BEGIN - 5 * SECOND).allowed);
    assert_false(limits_take(limits, STR("a"), BEGIN + SECOND - 1).allowed);
    assert_true(limits_take(limits, STR("a"), BEGIN + SECOND).allowed);
    assert_true(limits_take(limits, STR("a"), INT64_MAX / 2).allowed);
    assert_true(limits_take(limits, STR("b"), 0).allowed);
    assert_false(limits_take(limits, STR("b"), 0).allowed);
    limits_free(limits);
}

static void off_allows_everything(void **state)
{
    (void)state;
    struct limits *limits = limits_of("off", 1000);
    for (int i = 0; i < 1000; i++) {
        struct limit_verdict verdict = limits_take(limits, STR("a"), BEGIN);
        assert_true(verdict.allowed && verdict.remaining > 0 && verdict.retry_after_s == 0);
    }
    limits_free(limits);
    limits_free(NULL);
}

static void the_largest_limits_do_not_overflow(void **state)
{
    (void)state;
    const struct limit limit = {1, 7 * 24 * 3600, 1000000};
    struct limits *limits = limits_new(&limit, 16);
    struct limit_verdict verdict = {0};
    for (int i = 0; i < 1000000; i++) {
        verdict = limits_take(limits, STR("a"), BEGIN);
        assert_true(verdict.allowed);
    }
    assert_true(verdict.reset_s == UINT32_MAX); /* nineteen thousand years */
    verdict = limits_take(limits, STR("a"), BEGIN);
    assert_true(!verdict.allowed && verdict.retry_after_s == 7 * 24 * 3600);
    limits_free(limits);
}

enum { THREADS = 4, TAKES = 5000 };

static void *take_many(void *argument)
{
    struct limits *limits = argument;
    intptr_t allowed = 0;
    char key[32];
    for (int i = 0; i < TAKES; i++) {
        struct str text = {key, (size_t)snprintf(key, sizeof(key), "user:%d", i % 10)};
        allowed += limits_take(limits, text, BEGIN).allowed;
    }
    return (void *)allowed;
}

static void threads_share_the_buckets(void **state)
{
    (void)state;
    struct limits *limits = limits_of("100/h", 1000);
    pthread_t threads[THREADS];
    intptr_t allowed = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, limits), 0);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        allowed += (intptr_t)result;
    }
    assert_int_equal(allowed, 10 * 100);
    limits_free(limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_written_as_rate_and_burst),
        cmocka_unit_test(anything_else_is_no_limit),
        cmocka_unit_test(one_a_second_is_one_and_the_next_a_full_second_later),
        cmocka_unit_test(a_burst_is_followed_by_the_rate),
        cmocka_unit_test(nothing_is_lost_to_rounding),
        cmocka_unit_test(verdicts_come_true),
        cmocka_unit_test(keys_do_not_share),
        cmocka_unit_test(the_emptiest_buckets_survive_a_crowd),
        cmocka_unit_test(time_that_goes_back_is_no_time),
        cmocka_unit_test(off_allows_everything),
        cmocka_unit_test(the_largest_limits_do_not_overflow),
        cmocka_unit_test(threads_share_the_buckets),
    };
    return cmocka_run_group_tests(tests, sodium_begin, NULL);
}
