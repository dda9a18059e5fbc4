/* SPDX-License-Identifier: Apache-2.0 */
/* log.h -- lines for the operator: text on a terminal, JSON otherwise.
 *
 * A line is a message and fields. Whatever a value holds, it is written escaped: one line
 * in, one line out. Lines are gathered in memory and written by a thread of their own, so
 * that nobody waits for a slow terminal; when it falls behind by a megabyte, lines
 * are dropped and counted in the next one that is written, as its field "dropped". */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
    const char *name;
    struct str text; /* used where data is not NULL */
    int64_t number;
};

/* An empty text may come without data: it must not turn into a number. */
static inline struct str log_text(struct str text)
{
    return text.data ? text : STR("");
}

#define LOG_STR(name, value) ((struct log_field){(name), log_text(value), 0})
#define LOG_NUM(name, value) ((struct log_field){(name), {0}, (int64_t)(value)})

extern enum log_level log_threshold;

/* 'file' gets the lines as well as stderr; it may be NULL. Returns false, with errno, when it
 * cannot be opened. Before log_start() and after log_stop() lines go straight to stderr. */
bool log_start(enum log_level level, enum log_format format, const char *file);
void log_reopen(void); /* after rotation; safe from any thread and from a signal handler */
void log_stop(void);   /* writes what is left */

/* 'message' and the names are ours; time, level, message and dropped are taken. */
void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t count);

/* log_info("listening", LOG_STR("address", a), LOG_NUM("port", p)); the level is tested
 * before the arguments are evaluated. */
#define LOG_AT(level, message, ...)                                                                \
    do {                                                                                           \
        if ((level) >= log_threshold) {                                                            \
            const struct log_field log_fields_[] = {__VA_ARGS__ __VA_OPT__(, ){NULL, {0}, 0}};     \
            log_write((level), (message), log_fields_,                                             \
                      sizeof(log_fields_) / sizeof(log_fields_[0]) - 1);                           \
        }                                                                                          \
    } while (0)

#define log_debug(...) LOG_AT(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  LOG_AT(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  LOG_AT(LOG_WARN, __VA_ARGS__)
#define log_error(...) LOG_AT(LOG_ERROR, __VA_ARGS__)

/* What is tried again and again is told once when it begins to fail, and once when it works again.
 * One thread's. */
struct trouble {
    const char *what; /* "messages cannot be written" */
    bool there;
};
void trouble_is(struct trouble *trouble, struct str reason);
void trouble_over(struct trouble *trouble);

#endif
