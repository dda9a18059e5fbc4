/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/mime.h"

#include <assert.h>
#include <glib.h>
#include <sodium.h>

#include "base/clock.h"

enum {
    LINE_MOST = 76,     /* of a body, and of a line with an encoded word */
    WORD_OCTETS = 36,   /* of an encoded word: with its frame 60 characters */
    NAME_MOST = 16,     /* the name of a field */
    BASE64_OCTETS = 57, /* of a line: 76 characters */
    ADDRESS_MOST = 320,
};

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

struct str text_line(struct str text, struct arena *arena)
{
    char *line = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len;) {
        struct str rest = {text.data + i, text.len - i};
        size_t good = str_utf8_prefix(rest);
        for (size_t j = 0; j < good; j++) {
            unsigned char c = (unsigned char)rest.data[j];
            if (!is_control(c) && c != ' ')
                line[len++] = (char)c;
            else if (len && line[len - 1] != ' ')
                line[len++] = ' ';
        }
        i += good;
        if (good < rest.len) {
            line[len++] = rest.data[good] == '\0' ? ' ' : '?';
            i++;
        }
    }
    line[len] = '\0';
    return str_trim((struct str){line, len});
}

/* ---- addresses ---- */

/* atext of RFC 5322, section 3.2.3, and what RFC 6532 adds to it. */
static bool is_atom(char c)
{
    return g_ascii_isalnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c)) ||
           (unsigned char)c >= 0x80;
}

static bool is_dot_atom(struct str text)
{
    bool dot = true; /* none at the beginning, at the end, or beside another one */
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '.' ? dot : !is_atom(text.data[i])) return false;
        dot = text.data[i] == '.';
    }
    return !dot;
}

/* Letters, digits and hyphens (RFC 1123, section 2.1). */
static bool is_domain(struct str domain)
{
    char before = '.';
    if (domain.len == 0 || domain.len > 253) return false;
    for (size_t i = 0; i < domain.len; before = domain.data[i++]) {
        char c = domain.data[i];
        bool edge = before == '.' || i + 1 == domain.len || domain.data[i + 1] == '.';
        if (!g_ascii_isalnum(c) && !(c == '-' && !edge) && !(c == '.' && before != '.'))
            return false;
    }
    return before != '.';
}

static void add_quoted(struct buf *out, struct str text)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\') buf_add_char(out, '\\');
        buf_add_char(out, text.data[i]);
    }
    buf_add_char(out, '"');
}

bool mailbox_address(struct str text, struct arena *arena, struct str *ret_address)
{
    const char *at = text.len ? memrchr(text.data, '@', text.len) : NULL;
    if (!at || at == text.data || text.len > ADDRESS_MOST || !str_is_utf8(text)) return false;
    struct str local = {text.data, (size_t)(at - text.data)};
    for (size_t i = 0; i < local.len; i++)
        if (is_control((unsigned char)local.data[i])) return false;

    char *domain =
        g_hostname_to_ascii(arena_cstr(arena, (struct str){at + 1, text.len - local.len - 1}));
    bool good = domain && is_domain(str_of(domain));
    if (good) {
        struct buf out = {0};
        if (is_dot_atom(local))
            buf_add_str(&out, local);
        else
            add_quoted(&out, local);
        buf_add_char(&out, '@');
        buf_add_str(&out, str_of(domain));
        *ret_address = arena_str(arena, buf_str(&out));
        buf_free(&out);
    }
    g_free(domain);
    return good;
}

/* "Box office", or the same in quotes. */
static struct str read_name(struct str text, struct arena *arena)
{
    text = str_trim(text);
    if (text.len < 2 || text.data[0] != '"' || text.data[text.len - 1] != '"') return text;
    char *name = arena_alloc(arena, text.len);
    size_t len = 0;
    for (size_t i = 1; i + 1 < text.len; i++) {
        if (text.data[i] == '\\' && i + 2 < text.len) i++;
        name[len++] = text.data[i];
    }
    return (struct str){name, len};
}

/* What may stand before '<': a name without what separates addresses, or one in quotes. */
static bool is_phrase(struct str text)
{
    text = str_trim(text);
    if (text.len >= 2 && text.data[0] == '"') return text.data[text.len - 1] == '"';
    for (size_t i = 0; i < text.len; i++)
        if (strchr("<>,;:@\"", text.data[i])) return false;
    return true;
}

bool mailbox_read(struct str text, struct arena *arena, struct mailbox *ret_mailbox)
{
    struct mailbox mailbox = {.name = STR("")};
    struct str address = str_trim(text);
    if (address.len && address.data[address.len - 1] == '>') {
        const char *open = memrchr(address.data, '<', address.len);
        struct str before = {address.data, open ? (size_t)(open - address.data) : 0};
        if (!open || !is_phrase(before)) return false;
        mailbox.name = read_name((struct str){address.data, (size_t)(open - address.data)}, arena);
        mailbox.name = text_line(mailbox.name, arena);
        address = (struct str){open + 1, address.len - (size_t)(open - address.data) - 2};
    }
    for (size_t i = 0; i < address.len; i++)
        if (strchr(" <>,;\"", address.data[i])) return false; /* NUL, too */
    if (!mailbox_address(address, arena, &mailbox.address)) return false;
    *ret_mailbox = mailbox;
    return true;
}

struct str mailbox_domain(const struct mailbox *mailbox)
{
    const char *at = memrchr(mailbox->address.data, '@', mailbox->address.len);
    assert(at);
    return (struct str){at + 1, mailbox->address.len - (size_t)(at + 1 - mailbox->address.data)};
}

/* ---- header fields ---- */

static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] >= 0x7f || is_control((unsigned char)text.data[i]))
            return false;
    return !memmem(text.data, text.len, "=?", 2); /* or it would be read as an encoded word */
}

static void add_base64(struct buf *out, struct str octets)
{
    size_t size = sodium_base64_encoded_len(octets.len, sodium_base64_VARIANT_ORIGINAL);
    buf_reserve(out, size);
    sodium_bin2base64(out->data + out->len, size, (const unsigned char *)octets.data, octets.len,
                      sodium_base64_VARIANT_ORIGINAL);
    out->len += size - 1;
}

/* RFC 2047: words of whole characters, each on a line of its own. */
static void add_encoded(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len;) {
        size_t len = text.len - i < WORD_OCTETS ? text.len - i : WORD_OCTETS;
        while (i + len < text.len && ((unsigned char)text.data[i + len] & 0xc0) == 0x80)
            len--;
        assert(len > 0);
        if (i) buf_add_str(out, STR("\r\n "));
        buf_add_str(out, STR("=?UTF-8?B?"));
        add_base64(out, (struct str){text.data + i, len});
        buf_add_str(out, STR("?="));
        i += len;
    }
}

static void open_field(struct buf *out, const char *name)
{
    assert(strlen(name) <= NAME_MOST || strlen(name) + 2 < LINE_MOST);
    buf_add_str(out, str_of(name));
    buf_add_str(out, STR(": "));
}

static void close_field(struct buf *out)
{
    buf_add_str(out, STR("\r\n"));
}

void mime_field(struct buf *out, const char *name, struct str value)
{
    assert(is_plain(value));
    open_field(out, name);
    buf_add_str(out, value);
    close_field(out);
}

void mime_text(struct buf *out, const char *name, struct str text, struct arena *arena)
{
    struct str line = text_line(text, arena);
    open_field(out, name);
    if (is_plain(line) && strlen(name) + 2 + line.len <= LINE_MOST)
        buf_add_str(out, line);
    else
        add_encoded(out, line);
    close_field(out);
}

void mime_mailbox(struct buf *out, const char *name, const struct mailbox *mailbox,
                  struct arena *arena)
{
    struct str line = text_line(mailbox->name, arena);
    size_t begin = out->len;
    open_field(out, name);
    if (line.len && is_plain(line) && line.len <= LINE_MOST / 2)
        add_quoted(out, line);
    else if (line.len)
        add_encoded(out, line);
    if (line.len) {
        bool fits = !memchr(out->data + begin, '\n', out->len - begin) &&
                    out->len - begin + mailbox->address.len + 3 <= LINE_MOST;
        buf_add_str(out, fits ? STR(" ") : STR("\r\n "));
        buf_add_char(out, '<');
    }
    buf_add_str(out, mailbox->address);
    if (line.len) buf_add_char(out, '>');
    close_field(out);
}

void mime_date(struct buf *out, const char *name, int64_t at)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct local_time time = zone_time(STR("UTC"), at);
    open_field(out, name);
    buf_printf(out, "%s, %02d %s %04d %02d:%02d:%02d +0000", days[time.weekday], time.day,
               months[time.month - 1], time.year, time.hour, time.minute, time.second);
    close_field(out);
}

/* ---- bodies ---- */

/* Is the octet at 'i' of this line written as it is? A space at the end would be lost on the way,
 * "From " and a dot at the beginning mean something to mailboxes and to SMTP. */
static bool stands_for_itself(struct str line, size_t i)
{
    unsigned char c = (unsigned char)line.data[i];
    if (c == ' ' || c == '\t') return i + 1 < line.len;
    if (i == 0 && (c == '.' || str_starts(line, STR("From ")))) return false;
    return c > ' ' && c < 0x7f && c != '=';
}

static void add_line(struct buf *out, struct str line)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t column = 0;
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.data[i];
        bool as_is = stands_for_itself(line, i);
        size_t width = as_is ? 1 : 3;
        bool last = i + 1 == line.len;
        if (column + width > LINE_MOST - (last ? 0 : 1)) {
            buf_add_str(out, STR("=\r\n"));
            column = 0;
        }
        if (as_is) {
            buf_add_char(out, (char)c);
        } else {
            buf_add_char(out, '=');
            buf_add_char(out, digits[c >> 4]);
            buf_add_char(out, digits[c & 15]);
        }
        column += width;
    }
    buf_add_str(out, STR("\r\n"));
}

void mime_quoted_printable(struct buf *out, struct str text)
{
    while (text.len) {
        struct str line = str_cut(&text, '\n');
        if (line.len && line.data[line.len - 1] == '\r') line.len--;
        add_line(out, line);
    }
}

void mime_base64(struct buf *out, struct str octets)
{
    for (size_t i = 0; i < octets.len; i += BASE64_OCTETS) {
        size_t len = octets.len - i < BASE64_OCTETS ? octets.len - i : BASE64_OCTETS;
        add_base64(out, (struct str){octets.data + i, len});
        buf_add_str(out, STR("\r\n"));
    }
}
