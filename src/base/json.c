/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/clock.h"

static void comma(struct buf *out)
{
    if (out->len == 0) return;
    char last = out->data[out->len - 1];
    if (last != '{' && last != '[' && last != ':') buf_add_char(out, ',');
}

void emit_open(struct buf *out, char bracket)
{
    comma(out);
    buf_add_char(out, bracket);
}

void emit_close(struct buf *out, char bracket)
{
    buf_add_char(out, bracket);
}

void emit_name(struct buf *out, struct str name)
{
    comma(out);
    buf_add_char(out, '"');
    buf_add_str(out, name);
    buf_add(out, "\":", 2);
}

static void escape_char(struct buf *out, char c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', c};
    size_t len = 2;
    switch (c) {
    case '"':
    case '\\': break;
    case '\b': text[1] = 'b'; break;
    case '\f': text[1] = 'f'; break;
    case '\n': text[1] = 'n'; break;
    case '\r': text[1] = 'r'; break;
    case '\t': text[1] = 't'; break;
    default:
        memcpy(text, "\\u00", 4);
        text[4] = hex[c >> 4 & 15];
        text[5] = hex[c & 15];
        len = 6;
    }
    buf_add(out, text, len);
}

void emit_escape(struct buf *out, struct str text)
{
    buf_reserve(out, text.len);
    for (size_t at = 0; at < text.len;) {
        size_t plain = plain_prefix(text.data + at, text.len - at, 0x20, '"', '\\');
        buf_add(out, text.data + at, plain);
        at += plain;
        if (at < text.len) escape_char(out, text.data[at++]);
    }
}

void emit_str(struct buf *out, struct str value)
{
    comma(out);
    buf_add_char(out, '"');
    emit_escape(out, value);
    buf_add_char(out, '"');
}

void emit_u64(struct buf *out, uint64_t value)
{
    comma(out);
    buf_add_u64(out, value);
}

void emit_i64(struct buf *out, int64_t value)
{
    comma(out);
    buf_add_i64(out, value);
}

void emit_bool(struct buf *out, bool value)
{
    comma(out);
    buf_add_str(out, value ? STR("true") : STR("false"));
}

void emit_null(struct buf *out)
{
    comma(out);
    buf_add_str(out, STR("null"));
}

void emit_json(struct buf *out, struct str value)
{
    comma(out);
    buf_add_str(out, value);
}

void emit_time(struct buf *out, int64_t at)
{
    char text[TIME_TEXT_SIZE];
    if (!at) {
        emit_null(out);
        return;
    }
    comma(out);
    buf_add_char(out, '"');
    buf_add(out, text, time_format(at, text)); /* nothing in it is to be escaped */
    buf_add_char(out, '"');
}

void emit_str_or_null(struct buf *out, struct str value)
{
    if (value.len)
        emit_str(out, value);
    else
        emit_null(out);
}
