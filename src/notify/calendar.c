/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/calendar.h"

#include <stdio.h>

#include "base/clock.h"

enum { LINE_MOST = 75 /* octets, without the line's end: RFC 5545, section 3.1 */ };

/* Adds "name" and "value" as one line, folded: never within a character. */
static void add_line(struct buf *out, struct str name, struct str value)
{
    size_t column = name.len;
    buf_add_str(out, name);
    for (size_t i = 0; i < value.len;) {
        size_t len = 1;
        while (i + len < value.len && ((unsigned char)value.data[i + len] & 0xc0) == 0x80)
            len++;
        if (column + len > LINE_MOST) {
            buf_add_str(out, STR("\r\n "));
            column = 1;
        }
        buf_add(out, value.data + i, len);
        column += len;
        i += len;
    }
    buf_add_str(out, STR("\r\n"));
}

static void add(struct buf *out, const char *name, struct str value)
{
    add_line(out, str_of(name), value);
}

/* A TEXT (section 3.3.11): lines of 'text' stay lines, other controls go. */
static struct str escape(struct str text, struct arena *arena)
{
    struct buf out = {0};
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '\n')
            buf_add_str(&out, STR("\\n"));
        else if ((unsigned char)c < 0x20 || c == 0x7f)
            continue;
        else if (c == '\\' || c == ';' || c == ',')
            buf_printf(&out, "\\%c", c);
        else
            buf_add_char(&out, c);
    }
    struct str escaped = arena_str(arena, buf_str(&out));
    buf_free(&out);
    return escaped;
}

static void add_text(struct buf *out, const char *name, struct str text, struct arena *arena)
{
    if (text.len) add(out, name, escape(text, arena));
}

static void add_time(struct buf *out, const char *name, int64_t at)
{
    char text[sizeof("20270601T190000Z") + 32];
    struct local_time time = zone_time(STR("UTC"), at);
    int len = snprintf(text, sizeof(text), "%04d%02d%02dT%02d%02d%02dZ", time.year, time.month,
                       time.day, time.hour, time.minute, time.second);
    add(out, name, (struct str){text, (size_t)len});
}

/* A person: 'name' with its parameters, CN among them, and a mailto: address (RFC 6068). In a
 * parameter's value there can be no quote and no control (section 3.2). */
static void add_person(struct buf *out, const char *name, const struct mailbox *person,
                       struct arena *arena)
{
    struct buf line = {0};
    if (person->name.len) {
        struct str text = text_line(person->name, arena);
        buf_add_str(&line, STR(";CN=\""));
        for (size_t i = 0; i < text.len; i++)
            buf_add_char(&line, text.data[i] == '"' ? '\'' : text.data[i]);
        buf_add_char(&line, '"');
    }
    buf_add_str(&line, STR(":mailto:"));
    for (size_t i = 0; i < person->address.len; i++) {
        char c = person->address.data[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c != '\0' && strchr("-._~@+", c));
        if (plain)
            buf_add_char(&line, c);
        else
            buf_printf(&line, "%%%02X", (unsigned char)c);
    }
    add(out, name, buf_str(&line));
    buf_free(&line);
}

struct str calendar_write(const struct calendar *calendar, struct arena *arena)
{
    struct buf out = {0};
    add(&out, "BEGIN:", STR("VCALENDAR"));
    add(&out, "VERSION:", STR("2.0"));
    add(&out, "PRODID:", STR("-//admit//box office//EN"));
    add(&out, "METHOD:", calendar->cancel ? STR("CANCEL") : STR("REQUEST"));
    add(&out, "BEGIN:", STR("VEVENT"));
    add(&out, "UID:", calendar->uid);
    add(&out, "SEQUENCE:", arena_printf(arena, "%u", calendar->sequence));
    add_time(&out, "DTSTAMP:", calendar->written_at);
    add_time(&out, "DTSTART:", calendar->starts_at);
    /* An end must be later than the beginning (section 3.8.2.2). */
    if (calendar->ends_at / 1000 > calendar->starts_at / 1000)
        add_time(&out, "DTEND:", calendar->ends_at);
    add(&out, "STATUS:", calendar->cancel ? STR("CANCELLED") : STR("CONFIRMED"));
    add_text(&out, "SUMMARY:", calendar->summary, arena);
    add_text(&out, "LOCATION:", calendar->location, arena);
    add_text(&out, "DESCRIPTION:", calendar->description, arena);
    if (calendar->url.len) add(&out, "URL:", calendar->url);
    add_person(&out, "ORGANIZER", &calendar->organizer, arena);
    add_person(&out, calendar->cancel ? "ATTENDEE" : "ATTENDEE;PARTSTAT=ACCEPTED;RSVP=FALSE",
               &calendar->attendee, arena);
    add(&out, "END:", STR("VEVENT"));
    add(&out, "END:", STR("VCALENDAR"));
    struct str text = arena_str(arena, buf_str(&out));
    buf_free(&out);
    return text;
}
