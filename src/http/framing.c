/* SPDX-License-Identifier: Apache-2.0 */
#include "http/framing.h"

#include "base/str.h"

enum {
    FIRST_LINE,
    FIRST_LINE_END, /* its LF */
    LINE_START,
    NAME,
    VALUE,
    LINE_END, /* LF of a header line */
    HEAD_END, /* LF of the empty line */
    BODY,
    CHUNK_SIZE,
    CHUNK_SIZE_END,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    LAST_CR,
    LAST_LF,
};

enum {
    VERSION_LEN = 8,       /* "HTTP/1.1" */
    LENGTH_DIGITS = 18,    /* less than 2^63 */
    CHUNK_SIZE_DIGITS = 8, /* more than any body may have */
    DEL = 127,
};

/* A token of RFC 9110, section 5.6.2: letters, digits and these. */
static const bool token_chars[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true,  ['#'] = true,
    ['$'] = true,         ['%'] = true,         ['&'] = true,         ['\''] = true, ['*'] = true,
    ['+'] = true,         ['-'] = true,         ['.'] = true,         ['^'] = true,  ['_'] = true,
    ['`'] = true,         ['|'] = true,         ['~'] = true,
};

static bool is_token_char(unsigned char c)
{
    return token_chars[c];
}

static bool is_control(unsigned char c)
{
    return c < ' ' || c == DEL;
}

static void keep(struct framing *framing, const char *data, size_t len)
{
    const size_t room = FRAMING_LINE_KEPT - framing->line_len;
    if (len > room) len = room;
    memcpy(framing->line + framing->line_len, data, len);
    framing->line_len = (uint8_t)(framing->line_len + len);
}

static void keep_char(struct framing *framing, unsigned char c)
{
    keep(framing, (const char *)&c, 1);
}

static void begin(struct framing *framing)
{
    framing->state = FIRST_LINE;
    framing->spaces = framing->line_len = 0;
    framing->has_length = framing->has_encoding = framing->chunked = false;
    framing->left = 0;
}

static void end(struct framing *framing)
{
    framing->complete++;
    begin(framing);
}

/* Method, target and version; the last word is kept. */
static bool first_line(struct framing *framing, unsigned char c)
{
    if (c == ' ') {
        if (framing->line_len == 0 || framing->spaces == 2) return false;
        framing->spaces++;
        framing->line_len = 0;
        return true;
    }
    if (c == '\r') {
        framing->state = FIRST_LINE_END;
        return framing->spaces == 2 && framing->line_len == VERSION_LEN &&
               memcmp(framing->line, "HTTP/1.", VERSION_LEN - 1) == 0 &&
               framing->line[VERSION_LEN - 1] >= '0' && framing->line[VERSION_LEN - 1] <= '9';
    }
    keep_char(framing, c);
    return !is_control(c) && (framing->spaces > 0 || is_token_char(c));
}

/* Nothing more of the line is kept unless it is one of two that matter. */
static void name_end(struct framing *framing)
{
    const struct str name = {framing->line, framing->line_len - 1u};
    framing->state = VALUE;
    framing->is_length = str_equal_nocase(name, STR("Content-Length"));
    framing->is_encoding = str_equal_nocase(name, STR("Transfer-Encoding"));
    framing->line_len = framing->is_length || framing->is_encoding ? 0 : FRAMING_LINE_KEPT;
}

static bool header_line(struct framing *framing)
{
    if (!framing->is_length && !framing->is_encoding) return true;
    /* One of them, once. */
    if (framing->has_length || framing->has_encoding) return false;
    const struct str value = str_trim((struct str){framing->line, framing->line_len});
    framing->has_length = framing->is_length;
    framing->has_encoding = framing->is_encoding;
    if (framing->is_length)
        return framing->line_len < FRAMING_LINE_KEPT && value.len <= LENGTH_DIGITS &&
               str_to_u64(value, &framing->left);
    /* Another one is refused when the request is whole, by name (501). */
    framing->chunked =
        framing->line_len < FRAMING_LINE_KEPT && str_equal_nocase(value, STR("chunked"));
    return true;
}

static void head_end(struct framing *framing)
{
    framing->digits = 0;
    if (framing->chunked)
        framing->state = CHUNK_SIZE;
    else if (framing->left > 0)
        framing->state = BODY;
    else
        end(framing);
}

static bool head(struct framing *framing, unsigned char c)
{
    switch (framing->state) {
    case FIRST_LINE: return first_line(framing, c);
    case FIRST_LINE_END:
    case LINE_END: framing->state = LINE_START; return c == '\n';
    case LINE_START:
        framing->line_len = 0;
        framing->state = c == '\r' ? HEAD_END : NAME;
        keep_char(framing, c);
        return c == '\r' || is_token_char(c);
    case NAME:
        keep_char(framing, c);
        if (c == ':') name_end(framing);
        return c == ':' || is_token_char(c);
    case VALUE:
        if (c != '\r') {
            keep_char(framing, c);
            return c == '\t' || !is_control(c);
        }
        framing->state = LINE_END;
        return header_line(framing);
    default: /* HEAD_END */
        if (c == '\n') head_end(framing);
        return c == '\n';
    }
}

static int hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool chunk(struct framing *framing, unsigned char c)
{
    int digit;
    switch (framing->state) {
    case CHUNK_SIZE:
        if (c == '\r') {
            framing->state = CHUNK_SIZE_END;
            return framing->digits > 0;
        }
        digit = hex_value(c);
        framing->left = framing->left * 16 + (unsigned)digit;
        return digit >= 0 && ++framing->digits <= CHUNK_SIZE_DIGITS;
    case CHUNK_SIZE_END:
        framing->state = framing->left > 0 ? CHUNK_DATA : LAST_CR;
        return c == '\n';
    case CHUNK_DATA_CR: framing->state = CHUNK_DATA_LF; return c == '\r';
    case CHUNK_DATA_LF:
        framing->state = CHUNK_SIZE;
        framing->digits = 0;
        return c == '\n';
    case LAST_CR: framing->state = LAST_LF; return c == '\r';
    default: /* LAST_LF */ end(framing); return c == '\n';
    }
}

/* Takes of 'len' bytes those that are of a body. */
static size_t skip(struct framing *framing, size_t len)
{
    size_t taken = framing->left < len ? (size_t)framing->left : len;
    framing->left -= taken;
    if (framing->left > 0) return taken;
    if (framing->state == BODY)
        end(framing);
    else
        framing->state = CHUNK_DATA_CR;
    return taken;
}

size_t framing_token_prefix(const char *data, size_t len)
{
    size_t at = 0;
    while (at < len && is_token_char((unsigned char)data[at]))
        at++;
    return at;
}

/* The bytes that leave the state as it is: most of most requests. 0 where the next one does not. */
static size_t take_run(struct framing *framing, const char *data, size_t len)
{
    size_t taken = 0;
    switch (framing->state) {
    case BODY:
    case CHUNK_DATA: return skip(framing, len);
    case NAME: taken = framing_token_prefix(data, len); break;
    case VALUE: taken = plain_prefix(data, len, ' ', DEL, DEL); break;
    case FIRST_LINE:
        if (framing->spaces > 0) taken = plain_prefix(data, len, ' ' + 1, DEL, DEL);
        break;
    }
    keep(framing, data, taken);
    return taken;
}

void framing_feed(struct framing *framing, const char *data, size_t len)
{
    while (len > 0 && !framing->bad) {
        size_t taken = take_run(framing, data, len);
        if (taken == 0) {
            taken = 1;
            const unsigned char c = (unsigned char)*data;
            framing->bad = !(framing->state < BODY ? head(framing, c) : chunk(framing, c));
        }
        data += taken;
        len -= taken;
    }
}

bool framing_take(struct framing *framing)
{
    if (framing->complete == 0) return false;
    framing->complete--;
    return true;
}
