/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <assert.h>
#include <glib.h>
#include <pthread.h>
#include <time.h>

#define SECOND_MS   INT64_C(1000)
#define DAY_S       INT64_C(86400)
#define DAY_MS      (DAY_S * SECOND_MS)
#define YEAR_0_MS   (INT64_C(-719528) * DAY_MS) /* 0000-01-01T00:00:00Z */
#define YEAR_1E4_MS (INT64_C(2932897) * DAY_MS) /* 10000-01-01T00:00:00Z */

int64_t clock_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * SECOND_MS + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

int64_t clock_thread_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* Rounds down, below zero too. */
static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

struct date {
    int year, month, day;
};

/* Days and dates of the Gregorian calendar. Years are counted from March, so that the leap day is
 * the last of its year and the months before it always start on the same day (153 days in each
 * five months from March on); 400 years have 146097 days, and 719468 lie between
 * 0000-03-01 and 1970-01-01. */
static int32_t day_of_date(struct date date)
{
    int year = date.year - (date.month <= 2);
    int era = (int)floor_div(year, 400);
    int year_of_era = year - era * 400;
    int month = (date.month + 9) % 12; /* March is 0 */
    int day_of_year = (153 * month + 2) / 5 + date.day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct date date_of_day(int64_t day)
{
    day += 719468;
    int64_t era = floor_div(day, 146097);
    int day_of_era = (int)(day - era * 146097);
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month = (5 * day_of_year + 2) / 153; /* March is 0 */
    return (struct date){
        .year = (int)era * 400 + year_of_era + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = day_of_year - (153 * month + 2) / 5 + 1,
    };
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* Writes 'count' digits and then 'end'; returns what is behind. */
static char *put(char *at, int value, int count, char end)
{
    for (int i = count - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
    at[count] = end;
    return at + count + 1;
}

size_t time_format(int64_t at, char text[TIME_TEXT_SIZE])
{
    assert(at >= YEAR_0_MS && at < YEAR_1E4_MS);
    int64_t day = floor_div(at, DAY_MS);
    int ms = (int)(at - day * DAY_MS);
    struct date date = date_of_day(day);
    char *end = text;
    end = put(end, date.year, 4, '-');
    end = put(end, date.month, 2, '-');
    end = put(end, date.day, 2, 'T');
    end = put(end, ms / 3600000, 2, ':');
    end = put(end, ms / 60000 % 60, 2, ':');
    end = put(end, ms / 1000 % 60, 2, ms % 1000 ? '.' : 'Z');
    if (ms % 1000) end = put(end, ms % 1000, 3, 'Z');
    *end = '\0';
    return (size_t)(end - text);
}

/* The parsers take what they know from the front of 'text' and say whether it was there. */

static bool take_char(struct str *text, char a, char b)
{
    if (text->len == 0 || (text->data[0] != a && text->data[0] != b)) return false;
    text->data++;
    text->len--;
    return true;
}

static bool take_number(struct str *text, size_t digits, int least, int most, int *ret_value)
{
    int value = 0;
    if (text->len < digits) return false;
    for (size_t i = 0; i < digits; i++) {
        char c = text->data[i];
        if (c < '0' || c > '9') return false;
        value = value * 10 + (c - '0');
    }
    if (value < least || value > most) return false;
    text->data += digits;
    text->len -= digits;
    *ret_value = value;
    return true;
}

static bool take_date(struct str *text, struct date *date)
{
    return take_number(text, 4, 0, 9999, &date->year) && take_char(text, '-', '-') &&
           take_number(text, 2, 1, 12, &date->month) && take_char(text, '-', '-') &&
           take_number(text, 2, 1, days_in_month(date->year, date->month), &date->day);
}

static bool take_fraction(struct str *text, int *ret_ms)
{
    int digit, ms = 0, worth = 100;
    if (!take_number(text, 1, 0, 9, &digit)) return false;
    do {
        ms += digit * worth;
        worth /= 10;
    } while (take_number(text, 1, 0, 9, &digit));
    *ret_ms = ms;
    return true;
}

static bool take_offset(struct str *text, int *ret_minutes)
{
    int hours, minutes;
    if (take_char(text, 'Z', 'z')) {
        *ret_minutes = 0;
        return true;
    }
    bool west = take_char(text, '-', '-');
    if (!west && !take_char(text, '+', '+')) return false;
    if (!take_number(text, 2, 0, 23, &hours) || !take_char(text, ':', ':') ||
        !take_number(text, 2, 0, 59, &minutes))
        return false;
    *ret_minutes = (west ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

bool time_parse(struct str text, int64_t *ret_at)
{
    struct date date;
    int hour, minute, second, ms = 0, offset;
    if (!take_date(&text, &date) || date.year < 1970) return false;
    if (!take_char(&text, 'T', 't')) return false;
    if (!take_number(&text, 2, 0, 23, &hour) || !take_char(&text, ':', ':')) return false;
    if (!take_number(&text, 2, 0, 59, &minute) || !take_char(&text, ':', ':')) return false;
    if (!take_number(&text, 2, 0, 59, &second)) return false;
    if (take_char(&text, '.', '.') && !take_fraction(&text, &ms)) return false;
    if (!take_offset(&text, &offset) || text.len > 0) return false;

    int64_t minutes = day_of_date(date) * INT64_C(1440) + hour * 60 + minute - offset;
    int64_t at = (minutes * 60 + second) * SECOND_MS + ms;
    /* The offset may have carried it out of the years we know. */
    if (at <= 0 || at >= YEAR_1E4_MS) return false;
    *ret_at = at;
    return true;
}

bool date_parse(struct str text, int32_t *ret_day)
{
    struct date date;
    if (!take_date(&text, &date) || text.len > 0) return false;
    *ret_day = day_of_date(date);
    return true;
}

/* An IANA name without '/' has a digit only in these. Everything else of that look, "UTC+3" say,
 * GLib would take for a rule in the manner of POSIX, where the sign means the opposite. */
static bool zone_is_old_name(struct str name)
{
    static const char *const names[] = {"EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT",
                                        "GMT0",    "GMT+0",   "GMT-0"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_equal(name, str_of(names[i]))) return true;
    return false;
}

/* Does it look like an IANA name? Each part starts with a capital letter, which also keeps out the
 * other things that live in the zone directory ("right/...", "leapseconds"). */
static bool zone_is_well_formed(struct str name)
{
    bool slash = false, digit = false, first = true;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (first && !(c >= 'A' && c <= 'Z')) return false;
        if (!g_ascii_isalnum(c) && c != '_' && c != '-' && c != '+' && c != '/') return false;
        first = c == '/';
        slash |= first;
        digit |= g_ascii_isdigit(c);
    }
    return !first && name.len <= 64 && (slash || !digit || zone_is_old_name(name));
}

/* The zones read so far, by name. They are read once and never let go: there are some six hundred
 * at the most, for names that are not there do not get in. */
static pthread_mutex_t zones_mutex = PTHREAD_MUTEX_INITIALIZER;
static GHashTable *zones;

/* NULL where there is no such zone. */
static GTimeZone *zone_find(struct str name)
{
    if (!zone_is_well_formed(name)) return NULL;
    char key[65];
    memcpy(key, name.data, name.len);
    key[name.len] = '\0';

    pthread_mutex_lock(&zones_mutex);
    if (!zones) zones = g_hash_table_new(g_str_hash, g_str_equal);
    GTimeZone *zone = g_hash_table_lookup(zones, key);
    if (!zone) {
        /* UTC must be there even on a machine without a zone directory. */
        zone = strcmp(key, "UTC") == 0 ? g_time_zone_new_utc() : g_time_zone_new_identifier(key);
        if (zone) g_hash_table_insert(zones, g_strdup(key), zone);
    }
    pthread_mutex_unlock(&zones_mutex);
    return zone;
}

bool zone_known(struct str name)
{
    return zone_find(name) != NULL;
}

/* Seconds since 1970 as they would be counted by local time. */
static int64_t zone_seconds(struct str name, int64_t at)
{
    int64_t seconds = floor_div(at, SECOND_MS);
    GTimeZone *zone = zone_find(name);
    if (zone) {
        int interval = g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, seconds);
        if (interval >= 0) seconds += g_time_zone_get_offset(zone, interval);
    }
    return seconds;
}

int32_t zone_day(struct str name, int64_t at)
{
    return (int32_t)floor_div(zone_seconds(name, at), DAY_S);
}

struct local_time zone_time(struct str name, int64_t at)
{
    int64_t seconds = zone_seconds(name, at), day = floor_div(seconds, DAY_S);
    int second = (int)(seconds - day * DAY_S);
    struct date date = date_of_day(day);
    return (struct local_time){
        .year = date.year,
        .month = date.month,
        .day = date.day,
        .hour = second / 3600,
        .minute = second / 60 % 60,
        .second = second % 60,
        .weekday = (int)(((day + 4) % 7 + 7) % 7), /* 1970 began on a Thursday */
    };
}
