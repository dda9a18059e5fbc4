/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h -- the only place that asks the system what time it is, and how times are written.
 *
 * Wall-clock times are int64_t milliseconds since 1970-01-01T00:00:00Z, named '..._at' or
 * 'now'; 0 means "no time". Durations are measured on the monotonic clock, in microseconds. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

int64_t clock_now_ms(void);       /* wall clock */
int64_t clock_monotonic_us(void); /* never goes back */
int64_t clock_thread_us(void);    /* what the calling thread has had of a processor */

#define TIME_TEXT_SIZE 32

/* Writes RFC 3339 in UTC (years 0000 to 9999), "2027-06-01T19:00:00Z", with ".123" only where there
 * are milliseconds; NUL-terminated, returns the length. */
size_t time_format(int64_t at, char text[TIME_TEXT_SIZE]);

/* RFC 3339 date-time with any offset, years 1970 to 9999; false for anything else,
 * February 30 and leap seconds included, and for the first millisecond of 1970, which
 * would read as "no time". What is finer than a millisecond is cut off. */
bool time_parse(struct str text, int64_t *ret_at);

/* The full-date of RFC 3339, "2027-06-01", as days since 1970-01-01. */
bool date_parse(struct str text, int32_t *ret_day);

/* Is there such an IANA time zone here? */
bool zone_known(struct str name);

/* What clocks and calendars show at 'at' in the named zone (UTC where the zone is not known). */
struct local_time {
    int year, month, day; /* months and days from 1 */
    int hour, minute, second;
    int weekday; /* 0: Sunday */
};
struct local_time zone_time(struct str name, int64_t at);

/* The day on which 'at' falls in the named zone (UTC where the zone is not known). */
int32_t zone_day(struct str name, int64_t at);

#endif
