/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST_SIZE = 256 };

void out_of_memory(void)
{
    fputs("out of memory\n", stderr);
    abort();
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool str_equal_nocase(struct str a, struct str b)
{
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.data[i]) != lower(b.data[i])) return false;
    return true;
}

struct str str_cut(struct str *rest, char separator)
{
    struct str all = *rest;
    const char *at = all.len ? memchr(all.data, separator, all.len) : NULL;
    if (!at) {
        *rest = (struct str){all.len ? all.data + all.len : all.data, 0};
        return all;
    }
    size_t before = (size_t)(at - all.data);
    *rest = (struct str){at + 1, all.len - before - 1};
    return (struct str){all.data, before};
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
    while (s.len && is_space(s.data[0])) {
        s.data++;
        s.len--;
    }
    while (s.len && is_space(s.data[s.len - 1]))
        s.len--;
    return s;
}

bool str_to_u64(struct str s, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (s.len == 0) return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') return false;
        if (__builtin_mul_overflow(value, 10, &value)) return false;
        if (__builtin_add_overflow(value, (uint64_t)(s.data[i] - '0'), &value)) return false;
    }
    *ret_value = value;
    return true;
}

/* Eight bytes at a time while they are plain ASCII: that is nearly all we ever see. */
static size_t ascii_run(const unsigned char *at, size_t len)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    size_t run = 0;
    for (; len - run >= 8; run += 8) {
        uint64_t word;
        memcpy(&word, at + run, 8);
        /* With no top bit set, taking one from each byte sets it only where there was a NUL. */
        if ((word | (word - ones)) & tops) break;
    }
    while (run < len && at[run] && at[run] < 0x80)
        run++;
    return run;
}

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* The length of the sequence of several bytes at 'at', 0 when it is not one. The second byte
 * has a narrower range after some first ones: those keep out overlong forms (E0, F0),
 * surrogates (ED) and what lies beyond U+10FFFF (F4). */
static size_t sequence_len(const unsigned char *at, size_t len)
{
    unsigned char first = at[0];
    if (first < 0xc2 || first > 0xf4) return 0;
    if (first < 0xe0) return len >= 2 && is_tail(at[1]) ? 2 : 0;

    size_t need = first < 0xf0 ? 3 : 4;
    if (len < need || !is_tail(at[1]) || !is_tail(at[2]) || !is_tail(at[need - 1])) return 0;
    if (first == 0xe0 && at[1] < 0xa0) return 0;
    if (first == 0xed && at[1] > 0x9f) return 0;
    if (first == 0xf0 && at[1] < 0x90) return 0;
    if (first == 0xf4 && at[1] > 0x8f) return 0;
    return need;
}

size_t str_utf8_prefix(struct str s)
{
    const unsigned char *data = (const unsigned char *)s.data;
    size_t at = 0;
    for (;;) {
        if (at < s.len) at += ascii_run(data + at, s.len - at);
        if (at == s.len) return at;
        size_t step = sequence_len(data + at, s.len - at);
        if (!step) return at;
        at += step;
    }
}

bool str_is_utf8(struct str s)
{
    return str_utf8_prefix(s) == s.len;
}

void buf_reserve(struct buf *buf, size_t more)
{
    if (more <= buf->size - buf->len) return;
    size_t need, size = buf->size ? buf->size : BUF_FIRST_SIZE;
    if (__builtin_add_overflow(buf->len, more, &need) || need > SIZE_MAX / 2) out_of_memory();
    while (size < need)
        size *= 2;
    char *data = realloc(buf->data, size);
    if (!data) out_of_memory();
    buf->data = data;
    buf->size = size;
}

/* Two digits a step: half the divisions. */
static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

void buf_add_u64(struct buf *buf, uint64_t value)
{
    char text[20];
    size_t at = sizeof(text);
    for (; value >= 100; value /= 100) {
        at -= 2;
        memcpy(text + at, digit_pairs + value % 100 * 2, 2);
    }
    if (value >= 10) {
        at -= 2;
        memcpy(text + at, digit_pairs + value * 2, 2);
    } else {
        text[--at] = (char)('0' + value);
    }
    buf_add(buf, text + at, sizeof(text) - at);
}

void buf_add_i64(struct buf *buf, int64_t value)
{
    if (value < 0) buf_add_char(buf, '-');
    /* The smallest number has no positive twin: the sign is taken off after the cast. */
    buf_add_u64(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    assert(len >= 0);
    buf_reserve(buf, (size_t)len + 1); /* vsnprintf puts a NUL that we do not count */
    vsnprintf(buf->data + buf->len, (size_t)len + 1, format, again);
    buf->len += (size_t)len;
    va_end(again);
    va_end(args);
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}
