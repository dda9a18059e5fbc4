/* SPDX-License-Identifier: Apache-2.0 */
/* templates.h -- the words of each mail, in files that an operator can replace.
 *
 * A file has the name of a topic, "booking.confirmed.txt". Its first line is "Subject: ...", the
 * second is empty, and the rest is what the mail says. {{name}} is a value; what stands between
 * {{#name}} and {{/name}} is there only when there is such a value, what stands between {{^name}}
 * and {{/name}} only when there is none; {{! a comment }}. (A part of mustache(5).) A line with
 * nothing but one of the last four is no line of the mail.
 *
 * The HTML of a mail is made of the same text: values are escaped, an empty line ends a paragraph,
 * {{link}} and {{url}} can be clicked. "layout.txt" and "layout.html" are put around each mail,
 * where they say {{content}}. */
#ifndef NOTIFY_TEMPLATES_H
#define NOTIFY_TEMPLATES_H

#include "base/arena.h"
#include "core/model.h"

/* Which values a mail can have: those of one kind come together. */
enum mail_value_kind {
    MAIL_OF_ALL = 1 << 0,
    MAIL_OF_EVENT = 1 << 1,
    MAIL_OF_BOOKING = 1 << 2,
    MAIL_OF_ACCOUNT = 1 << 3,
    MAIL_OF_WEBHOOK = 1 << 4,
    MAIL_OF_LAYOUT = 1 << 5,
};

/* X(name in C, name in a template, kind) */
#define MAIL_VALUES(X)                                                                             \
    X(MAIL_NAME, "name", MAIL_OF_ALL)   /* whose mail it is; empty while only his word says so */  \
    X(MAIL_EMAIL, "email", MAIL_OF_ALL) /* his address */                                          \
    X(MAIL_OFFICE, "office", MAIL_OF_ALL) /* the host of PUBLIC_URL */                             \
    X(MAIL_URL, "url", MAIL_OF_ALL)       /* PUBLIC_URL */                                         \
    X(MAIL_NEWS, "news", MAIL_OF_ALL)     /* "yes" for what "notify" in the profile turns off */   \
    X(MAIL_EVENT, "event", MAIL_OF_EVENT)                                                          \
    X(MAIL_VENUE, "venue", MAIL_OF_EVENT)                                                          \
    X(MAIL_WHEN, "when", MAIL_OF_EVENT) /* "Tuesday, 1 June 2027, 19:00 (Europe/Berlin)" */        \
    X(MAIL_DATE, "date", MAIL_OF_EVENT) /* "2027-06-01" */                                         \
    X(MAIL_TIME, "time", MAIL_OF_EVENT) /* "19:00" */                                              \
    X(MAIL_TIMEZONE, "timezone", MAIL_OF_EVENT)                                                    \
    X(MAIL_REFERENCE, "reference", MAIL_OF_BOOKING)                                                \
    X(MAIL_TYPE, "type", MAIL_OF_BOOKING)         /* of the tickets */                             \
    X(MAIL_QUANTITY, "quantity", MAIL_OF_BOOKING) /* tickets this is about */                      \
    X(MAIL_KEPT, "kept", MAIL_OF_BOOKING)         /* tickets left, where not all were cancelled */ \
    X(MAIL_NUMBERS, "numbers", MAIL_OF_BOOKING)   /* "1-4, 9" */                                   \
    X(MAIL_TOTAL, "total", MAIL_OF_BOOKING)       /* "50.00 EUR"; empty where nothing is to pay */ \
    X(MAIL_DUE, "due", MAIL_OF_BOOKING)           /* what of it is not paid */                     \
    X(MAIL_WAITING, "waiting", MAIL_OF_BOOKING)   /* "yes": a place in line, not tickets */        \
    X(MAIL_POSITION, "position", MAIL_OF_BOOKING)                                                  \
    X(MAIL_AHEAD, "ahead", MAIL_OF_BOOKING) /* tickets wanted before */                            \
    X(MAIL_LINK, "link", MAIL_OF_ACCOUNT)                                                          \
    X(MAIL_MINUTES, "minutes", MAIL_OF_ACCOUNT) /* so long the link is good, in one of these */    \
    X(MAIL_DAYS, "days", MAIL_OF_ACCOUNT)                                                          \
    X(MAIL_WEBHOOK, "webhook", MAIL_OF_WEBHOOK) /* its URL */                                      \
    X(MAIL_REASON, "reason", MAIL_OF_WEBHOOK)                                                      \
    X(MAIL_SUBJECT, "subject", MAIL_OF_LAYOUT)                                                     \
    X(MAIL_CONTENT, "content", MAIL_OF_LAYOUT)

enum mail_value {
#define X(name, word, kind) name,
    MAIL_VALUES(X)
#undef X
        MAIL_VALUE_COUNT,
};

struct mail_values {
    struct str items[MAIL_VALUE_COUNT]; /* one line each, UTF-8; empty: there is none */
};

struct mail_templates;

/* The built-in ones, and instead of them those in 'directory' (NULL: none). They live in 'arena',
 * and are for any thread. NULL and a sentence in *ret_error, with file, line and what would do,
 * where one is no good: that is known before the first mail. */
struct mail_templates *mail_templates_read(const char *directory, struct arena *arena,
                                           const char **ret_error);

/* Is there a mail for this topic at all? */
bool mail_topic_has_template(enum topic topic);

struct mail_words {
    struct str subject, text, html; /* lines end with LF */
};
struct mail_words mail_templates_render(const struct mail_templates *templates, enum topic topic,
                                        const struct mail_values *values, struct arena *arena);

/* What is built in: tools/embed.py makes the table of the files in src/notify/templates. */
struct mail_source {
    const char *name, *text;
};
extern const struct mail_source mail_sources[];
extern const size_t mail_source_count;

#endif
