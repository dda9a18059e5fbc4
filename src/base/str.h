/* SPDX-License-Identifier: Apache-2.0 */
/* str.h -- a piece of text that somebody else owns, and a buffer that grows.
 *
 * 'struct str' points into memory whose life the owner decides (usually an
 * arena); it is not terminated and may hold NUL. 'struct buf' is the only thing
 * that grows by itself: it is malloc'ed, and running out of memory ends the
 * process, because whatever a client sizes is bounded before it gets here. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *data;
    size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
/* For printf: printf("%.*s", STR_FMT(s)). */
#define STR_FMT(s) (int)(s).len, (s).data

static inline struct str str_of(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}

static inline bool str_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.data, prefix.data, prefix.len) == 0);
}

/* ASCII letters only: header names, base-32, e-mail domains. */
bool str_equal_nocase(struct str a, struct str b);

/* Splits at the first 'separator': returns what stands before it and leaves in
 * *rest what stands behind it. Without one, all of it is returned and *rest is empty. */
struct str str_cut(struct str *rest, char separator);

/* ASCII white space at both ends removed. */
struct str str_trim(struct str s);

/* A whole decimal number and nothing else, no sign, no overflow; false otherwise. */
bool str_to_u64(struct str s, uint64_t *ret_value);

/* Well-formed UTF-8 without NUL (RFC 3629)? */
bool str_is_utf8(struct str s);

/* How many bytes at the start of 's' are well-formed in that sense. */
size_t str_utf8_prefix(struct str s);

/* Says so on stderr and ends the process. */
_Noreturn void out_of_memory(void);

struct buf {
    char *data;
    size_t len, size;
};

void buf_reserve(struct buf *buf, size_t more); /* room for 'more' bytes behind 'len' */
void buf_add_u64(struct buf *buf, uint64_t value);
void buf_add_i64(struct buf *buf, int64_t value);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_free(struct buf *buf); /* and makes it empty; a zeroed buf is fine */

/* Inline, as most of what is added is a short constant. */
static inline void buf_add(struct buf *buf, const void *data, size_t len)
{
    if (len == 0) return;
    if (buf->size - buf->len < len) buf_reserve(buf, len);
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
}

static inline void buf_add_str(struct buf *buf, struct str s)
{
    buf_add(buf, s.data, s.len);
}

/* How many bytes at the start are neither less than 'least' nor one of these two; eight at a time
 * (after Mycroft). */
static inline size_t plain_prefix(const char *data, size_t len, unsigned char least, char one,
                                  char other)
{
    const uint64_t ones = UINT64_MAX / 255, highs = ones * 128;
    const uint64_t first = ones * (unsigned char)one, second = ones * (unsigned char)other;
    size_t at = 0;
    for (uint64_t word; at + sizeof(word) <= len; at += sizeof(word)) {
        memcpy(&word, data + at, sizeof(word));
        const uint64_t less = (word - ones * least) & ~word;
        const uint64_t is_first = ((word ^ first) - ones) & ~(word ^ first);
        const uint64_t is_second = ((word ^ second) - ones) & ~(word ^ second);
        if ((less | is_first | is_second) & highs) break;
    }
    while (at < len && (unsigned char)data[at] >= least && data[at] != one && data[at] != other)
        at++;
    return at;
}

static inline void buf_add_char(struct buf *buf, char c)
{
    if (buf->len == buf->size) buf_reserve(buf, 1);
    buf->data[buf->len++] = c;
}

static inline void buf_clear(struct buf *buf)
{
    buf->len = 0;
}

static inline struct str buf_str(const struct buf *buf)
{
    return (struct str){buf->data, buf->len};
}

#endif
