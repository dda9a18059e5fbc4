/* SPDX-License-Identifier: Apache-2.0 */
/* calendar.h -- one event as a calendar takes it over (RFC 5545), or strikes it out again: an
 * invitation that is answered already (RFC 5546, METHOD:REQUEST), or METHOD:CANCEL.
 *
 * Times are in UTC, so that no time zone needs to be described; calendars show them in their
 * owner's. A calendar knows the event by its uid, and takes what has the higher sequence. */
#ifndef NOTIFY_CALENDAR_H
#define NOTIFY_CALENDAR_H

#include "notify/mime.h"

struct calendar {
    bool cancel;
    struct str uid; /* ASCII without controls */
    uint32_t sequence;
    int64_t written_at;                             /* DTSTAMP */
    int64_t starts_at, ends_at;                     /* ends_at 0: not known */
    struct str summary, location, description, url; /* empty: left out */
    struct mailbox organizer, attendee;
};

/* The whole of it, lines of 75 octets that end with CRLF. */
struct str calendar_write(const struct calendar *calendar, struct arena *arena);

#endif
