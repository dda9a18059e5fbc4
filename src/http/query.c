/* SPDX-License-Identifier: Apache-2.0 */
#include "http/query.h"

#define PAIRS_MAX 64

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

static bool decode(struct arena *arena, struct str text, bool plus_is_space, struct str *ret_text)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%') {
            if (text.len - i < 3) return false;
            const int high = hex_value(text.data[i + 1]), low = hex_value(text.data[i + 2]);
            if (high < 0 || low < 0) return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out[len++] = c;
    }
    out[len] = '\0';
    *ret_text = (struct str){out, len};
    return str_is_utf8(*ret_text);
}

bool query_parse(struct arena *arena, struct str text, struct query *ret_query)
{
    struct query query = {.pairs = ARENA_ARRAY(arena, struct query_pair, PAIRS_MAX)};

    while (text.len > 0) {
        struct str value = str_cut(&text, '&');
        if (value.len == 0) continue;
        if (query.count == PAIRS_MAX) return false;
        struct query_pair *pair = &query.pairs[query.count++];
        const struct str name = str_cut(&value, '=');
        if (!decode(arena, name, true, &pair->name) || !decode(arena, value, true, &pair->value))
            return false;
    }
    *ret_query = query;
    return true;
}

struct str query_get(const struct query *query, const char *name)
{
    for (size_t i = query->count; i-- > 0;)
        if (str_equal(query->pairs[i].name, str_of(name))) return query->pairs[i].value;
    return (struct str){0};
}

bool percent_decode(struct arena *arena, struct str text, struct str *ret_text)
{
    return decode(arena, text, false, ret_text);
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void percent_encode(struct buf *out, struct str text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        if (is_unreserved((char)c)) {
            buf_add_char(out, (char)c);
        } else {
            const char escape[] = {'%', digits[c >> 4], digits[c & 15]};
            buf_add(out, escape, sizeof(escape));
        }
    }
}
