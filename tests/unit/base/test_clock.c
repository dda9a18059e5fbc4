/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "base/clock.h"

static int64_t parsed(const char *text)
{
    int64_t at = -1;
    return time_parse(str_of(text), &at) ? at : -1;
}

static void expect_format(int64_t at, const char *expected)
{
    char text[TIME_TEXT_SIZE];
    assert_int_equal(time_format(at, text), strlen(expected));
    assert_string_equal(text, expected);
}

static int32_t day(const char *text)
{
    int32_t value;
    assert_true(date_parse(str_of(text), &value));
    return value;
}

static void the_wall_clock_agrees_with_the_system(void **state)
{
    (void)state;
    int64_t off = clock_now_ms() / 1000 - (int64_t)time(NULL);
    assert_in_range(off + 2, 0, 4);
}

static void the_monotonic_clock_never_goes_back(void **state)
{
    (void)state;
    int64_t last = clock_monotonic_us();
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_monotonic_us();
        assert_true(now >= last);
        last = now;
    }
}

static void a_time_is_written_in_utc(void **state)
{
    (void)state;
    expect_format(0, "1970-01-01T00:00:00Z");
    expect_format(1811876400000, "2027-06-01T19:00:00Z");
    expect_format(1811876400123, "2027-06-01T19:00:00.123Z");
    expect_format(1811876400007, "2027-06-01T19:00:00.007Z");
    expect_format(951782400000, "2000-02-29T00:00:00Z");
    expect_format(253402300799999, "9999-12-31T23:59:59.999Z");
    expect_format(-1, "1969-12-31T23:59:59.999Z");
}

static void a_time_is_read_with_any_offset(void **state)
{
    (void)state;
    assert_int_equal(parsed("2027-06-01T19:00:00Z"), 1811876400000);
    assert_int_equal(parsed("2027-06-01t19:00:00z"), 1811876400000);
    assert_int_equal(parsed("2027-06-01T21:00:00+02:00"), 1811876400000);
    assert_int_equal(parsed("2027-06-02T00:45:00+05:45"), 1811876400000);
    assert_int_equal(parsed("2027-05-31T19:01:00-23:59"), 1811876400000);
    assert_int_equal(parsed("2027-06-01T19:00:00-00:00"), 1811876400000);
    assert_int_equal(parsed("2024-02-29T12:00:00Z"), 1709208000000);
    assert_int_equal(parsed("9999-12-31T23:59:59.999Z"), 253402300799999);
}

static void fractions_are_cut_off_behind_the_milliseconds(void **state)
{
    (void)state;
    assert_int_equal(parsed("2027-06-01T19:00:00.1Z"), 1811876400100);
    assert_int_equal(parsed("2027-06-01T19:00:00.12Z"), 1811876400120);
    assert_int_equal(parsed("2027-06-01T19:00:00.123Z"), 1811876400123);
    assert_int_equal(parsed("2027-06-01T19:00:00.9999999999999Z"), 1811876400999);
}

static void what_is_no_rfc_3339_time_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "2027-06-01",
        "2027-06-01T19:00Z",
        "2027-06-01T19:00:00",
        "2027-06-01 19:00:00Z",
        "2027-6-01T19:00:00Z",
        "2027-06-1T19:00:00Z",
        "2027-06-01T9:00:00Z",
        "02027-06-01T19:00:00Z",
        "+2027-06-01T19:00:00Z",
        "20270601T190000Z",
        "2027-06-01T19:00:00.Z",
        "2027-06-01T19:00:00,5Z",
        "2027-06-01T19:00:00Z ",
        " 2027-06-01T19:00:00Z",
        "2027-06-01T19:00:00ZZ",
        "2027-06-01T19:00:00+0200",
        "2027-06-01T19:00:00+02",
        "2027-06-01T19:00:00+24:00",
        "2027-06-01T19:00:00+02:60",
        "2027-06-01T19:00:00+2:00",
        "2027-06-01T24:00:00Z",
        "2027-06-01T19:60:00Z",
        "2027-06-01T19:00:60Z",
        "2016-12-31T23:59:60Z", /* that leap second did happen; we have no number for it */
        "2027-06-01T-1:00:00Z",
        "2027-13-01T19:00:00Z",
        "2027-00-01T19:00:00Z",
        "2027-06-00T19:00:00Z",
        "2027-06-31T19:00:00Z",
        "2027-02-29T19:00:00Z",
        "2028-02-30T19:00:00Z",
        "2100-02-29T19:00:00Z",
        "1969-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z", /* 0 means "no time" */
        "1970-01-01T00:30:00+01:00",
        "9999-12-31T23:59:59-00:01",
        "1811876400",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int64_t at = 7;
        if (time_parse(str_of(wrong[i]), &at)) fail_msg("accepted: %s", wrong[i]);
        assert_int_equal(at, 7);
    }
    struct str with_nul = {"2027-06-01T19:00:00Z\0", 21};
    int64_t at;
    assert_false(time_parse(with_nul, &at));
}

static void what_is_written_reads_back_the_same(void **state)
{
    (void)state;
    /* A step that is no round number meets all months, hours and leap years. */
    for (int64_t at = 1; at < INT64_C(253402300800000); at += INT64_C(7654321987)) {
        char text[TIME_TEXT_SIZE];
        struct str s = {text, time_format(at, text)};
        int64_t again = -1;
        assert_true(time_parse(s, &again));
        assert_int_equal(again, at);
    }
}

static void days_agree_with_the_c_library(void **state)
{
    (void)state;
    for (int64_t number = -719528; number < 2932897; number += 97) {
        time_t seconds = (time_t)number * 86400;
        struct tm tm;
        char text[32];
        gmtime_r(&seconds, &tm);
        snprintf(text, sizeof(text), "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday);
        assert_int_equal(day(text), number);
    }
}

static void a_date_is_days_since_1970(void **state)
{
    (void)state;
    assert_int_equal(day("1970-01-01"), 0);
    assert_int_equal(day("1970-01-02"), 1);
    assert_int_equal(day("1969-12-31"), -1);
    assert_int_equal(day("2000-03-01") - day("2000-02-28"), 2);
    assert_int_equal(day("1900-03-01") - day("1900-02-28"), 1);
}

static void what_is_no_date_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",           "2027",        "2027-06",    "2027-6-1",   "2027-02-29", "2027-06-31",
        "2027-13-01", "2027-06-01T", "2027/06/01", "01-06-2027", "20270601",   "2027-06-01 ",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int32_t value = 7;
        if (date_parse(str_of(wrong[i]), &value)) fail_msg("accepted: %s", wrong[i]);
        assert_int_equal(value, 7);
    }
}

static void iana_zones_are_known(void **state)
{
    (void)state;
    static const char *const names[] = {
        "UTC",       "Europe/Madrid", "America/Argentina/Buenos_Aires",
        "Etc/GMT+5", "Etc/UTC",       "America/Port-au-Prince",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!zone_known(str_of(names[i]))) fail_msg("not known: %s", names[i]);
        assert_true(zone_known(str_of(names[i]))); /* nor forgotten */
    }
}

static void other_names_are_no_zones(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "Nowhere/Atlantis",
        "Europe",
        "Europe/",
        "/Europe/Madrid",
        "Europe//Madrid",
        "Europe/Madrid/",
        "europe/madrid",
        "Europe/Madrid ",
        "../zoneinfo/Europe/Madrid",
        "Europe/../Europe/Madrid",
        "/usr/share/zoneinfo/UTC",
        ":Europe/Madrid",
        "UTC+3",
        "EST5",
        "ABC3",
        "+03:00",
        "-5",
        "03",
        "Z1",
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "right/Europe/Madrid",
        "posix/Europe/Madrid",
        "leapseconds",
        "posixrules",
        "localtime",
        "zone.tab",
        "Europe/Madríd",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (zone_known(str_of(wrong[i]))) fail_msg("known: %s", wrong[i]);
    assert_false(zone_known((struct str){"UTC\0", 4}));

    char long_name[4096];
    memset(long_name, 'A', sizeof(long_name));
    assert_false(zone_known((struct str){long_name, sizeof(long_name)}));
}

static void the_day_depends_on_the_zone(void **state)
{
    (void)state;
    int64_t late = parsed("2027-06-01T22:30:00Z"); /* half past midnight in Madrid's summer */
    assert_int_equal(zone_day(STR("UTC"), late), day("2027-06-01"));
    assert_int_equal(zone_day(STR("Europe/Madrid"), late), day("2027-06-02"));
    assert_int_equal(zone_day(STR("Nowhere/Atlantis"), late), day("2027-06-01"));

    int64_t winter = parsed("2027-12-01T22:30:00Z"); /* one hour less */
    assert_int_equal(zone_day(STR("Europe/Madrid"), winter), day("2027-12-01"));

    int64_t early = parsed("2027-06-01T05:00:00Z");
    assert_int_equal(zone_day(STR("America/Los_Angeles"), early), day("2027-05-31"));
    assert_int_equal(zone_day(STR("Pacific/Kiritimati"), late), day("2027-06-02"));
}

static void a_clock_shows_the_local_time(void **state)
{
    (void)state;
    struct local_time time = zone_time(STR("Europe/Madrid"), parsed("2027-06-01T22:30:15.999Z"));
    assert_int_equal(time.year * 10000 + time.month * 100 + time.day, 20270602);
    assert_int_equal(time.hour * 10000 + time.minute * 100 + time.second, 3015);
    assert_int_equal(time.weekday, 3); /* a Wednesday */
    time = zone_time(STR("Nowhere/Atlantis"), parsed("1970-01-01T00:00:01Z"));
    assert_int_equal(time.year * 10000 + time.month * 100 + time.day, 19700101);
    assert_int_equal(time.weekday, 4);
    time = zone_time(STR("America/New_York"), parsed("1970-01-01T00:00:01Z"));
    assert_int_equal(time.year * 10000 + time.month * 100 + time.day, 19691231);
    assert_int_equal(time.weekday * 100 + time.hour, 319);
}

static void summer_time_goes_on_in_years_without_a_table(void **state)
{
    (void)state;
    assert_int_equal(zone_day(STR("Europe/Madrid"), parsed("2090-07-01T22:30:00Z")),
                     day("2090-07-02"));
    assert_int_equal(zone_day(STR("Europe/Madrid"), parsed("2090-12-01T22:30:00Z")),
                     day("2090-12-01"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wall_clock_agrees_with_the_system),
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
        cmocka_unit_test(a_time_is_written_in_utc),
        cmocka_unit_test(a_time_is_read_with_any_offset),
        cmocka_unit_test(fractions_are_cut_off_behind_the_milliseconds),
        cmocka_unit_test(what_is_no_rfc_3339_time_is_refused),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(days_agree_with_the_c_library),
        cmocka_unit_test(a_date_is_days_since_1970),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(iana_zones_are_known),
        cmocka_unit_test(other_names_are_no_zones),
        cmocka_unit_test(the_day_depends_on_the_zone),
        cmocka_unit_test(a_clock_shows_the_local_time),
        cmocka_unit_test(summer_time_goes_on_in_years_without_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
