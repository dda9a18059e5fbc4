/* SPDX-License-Identifier: Apache-2.0 */
#include "api/fields.h"

#include <assert.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>

#include "api/reply.h"
#include "base/clock.h"

struct fields fields_of(struct call *call, json_t *object, const char *prefix)
{
    return (struct fields){.call = call, .object = object, .prefix = prefix};
}

/* A JSON pointer: '~' and '/' within a name are escaped (RFC 6901, section 3). */
static struct str pointer_to(const struct fields *fields, const char *name)
{
    struct buf *out = call_scratch();
    buf_add_str(out, str_of(fields->prefix));
    buf_add_char(out, '/');
    for (const char *at = name; *at; at++) {
        if (*at == '~')
            buf_add_str(out, STR("~0"));
        else if (*at == '/')
            buf_add_str(out, STR("~1"));
        else
            buf_add_char(out, *at);
    }
    return buf_str(out);
}

void field_error(struct fields *fields, const char *name, const char *detail)
{
    call_add_error(fields->call, pointer_to(fields, name), str_of(detail));
}

static void field_errorf(struct fields *fields, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void field_errorf(struct fields *fields, const char *name, const char *format, ...)
{
    char text[200];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    field_error(fields, name, text);
}

static bool was_asked(const char *const *asked, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(asked[i], name) == 0) return true;
    return false;
}

void fields_end(struct fields *fields)
{
    const char *name;
    json_t *value;
    json_object_foreach(fields->object, name,
                        value) if (!was_asked(fields->asked, fields->asked_count, name))
        field_error(fields, name, "is not known here");
}

/* The member, NULL where it is absent or (after noting the error) of no use. */
static json_t *field(struct fields *fields, const char *name, unsigned flags)
{
    assert(fields->asked_count < FIELDS_MAX);
    fields->asked[fields->asked_count++] = name;
    json_t *value = json_object_get(fields->object, name);
    if (!value) {
        if (flags & REQUIRED) field_error(fields, name, "is missing");
    } else if (json_is_null(value)) {
        if (!(flags & NULLABLE)) field_error(fields, name, "must not be null");
        return NULL;
    }
    return value;
}

bool field_is_given(const struct fields *fields, const char *name)
{
    return json_object_get(fields->object, name) != NULL;
}

bool field_is_null(const struct fields *fields, const char *name)
{
    return json_is_null(json_object_get(fields->object, name));
}

/* ---- texts ---- */

static size_t characters(struct str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return count;
}

/* C0 controls and DEL, and of C1 those that UTF-8 writes as C2 80 to C2 9F. */
static bool has_controls(struct str text, bool multiline)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 && !(multiline && (c == '\n' || c == '\t' || c == '\r'))) return true;
        if (c == 0x7f) return true;
        if (c == 0xc2 && i + 1 < text.len && (unsigned char)text.data[i + 1] < 0xa0) return true;
    }
    return false;
}

static bool text_value(struct fields *fields, const char *name, unsigned flags, struct str *ret)
{
    json_t *value = field(fields, name, flags);
    if (!value) return false;
    if (!json_is_string(value)) {
        field_error(fields, name, "must be a text");
        return false;
    }
    *ret = (struct str){json_string_value(value), json_string_length(value)};
    return true;
}

bool field_text(struct fields *fields, const char *name, unsigned flags, size_t min, size_t max,
                struct str *ret_text)
{
    struct str text;
    if (!text_value(fields, name, flags, &text)) return false;
    text = str_trim(text);
    size_t count = characters(text);
    if (count < min || count > max)
        field_errorf(fields, name, "must have %zu to %zu characters, and has %zu", min, max, count);
    else if (has_controls(text, flags & MULTILINE))
        field_error(fields, name, "must not hold control characters");
    else {
        *ret_text = arena_str(fields->call->arena, text);
        return true;
    }
    return false;
}

bool field_secret(struct fields *fields, const char *name, unsigned flags, size_t min, size_t max,
                  struct str *ret_text)
{
    struct str text;
    if (!text_value(fields, name, flags, &text)) return false;
    if (text.len < min || text.len > max) {
        field_errorf(fields, name, "must have %zu to %zu bytes", min, max);
        return false;
    }
    *ret_text = arena_str(fields->call->arena, text);
    return true;
}

/* One '@' with something before it and a domain with no empty label behind it: whether mail arrives
 * only mail can tell. */
static bool email_is_plausible(struct str email)
{
    struct str domain = email;
    struct str local = str_cut(&domain, '@');
    if (!local.len || local.len > 64 || !domain.len || memchr(domain.data, '@', domain.len))
        return false;
    for (size_t i = 0; i < email.len; i++)
        if (email.data[i] == ' ' || email.data[i] == '<' || email.data[i] == '>' ||
            email.data[i] == ',' || email.data[i] == ';' || email.data[i] == '"')
            return false;
    while (domain.len) {
        bool last = !memchr(domain.data, '.', domain.len);
        if (!str_cut(&domain, '.').len || (!last && !domain.len)) return false;
    }
    return true;
}

bool field_email(struct fields *fields, const char *name, unsigned flags, struct str *ret_email)
{
    struct str email;
    if (!text_value(fields, name, flags, &email)) return false;
    email = str_trim(email);
    if (email.len > EMAIL_MAX_BYTES || has_controls(email, false) || !email_is_plausible(email)) {
        field_error(fields, name, "must be an e-mail address of at most 254 bytes");
        return false;
    }
    *ret_email = arena_str(fields->call->arena, email);
    return true;
}

bool field_username(struct fields *fields, const char *name, unsigned flags,
                    struct str *ret_username)
{
    struct str text;
    if (!text_value(fields, name, flags, &text)) return false;
    bool good = text.len >= USERNAME_MIN && text.len <= USERNAME_MAX;
    for (size_t i = 0; good && i < text.len; i++) {
        char c = text.data[i];
        good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '.' || c == '_' || c == '-';
    }
    if (!good) {
        field_error(fields, name,
                    "must have 3 to 64 of the characters a-z, A-Z, 0-9, '.', '_', '-'");
        return false;
    }
    *ret_username = arena_str(fields->call->arena, text);
    return true;
}

/* ---- numbers and the rest ---- */

bool field_integer(struct fields *fields, const char *name, unsigned flags, int64_t min,
                   int64_t max, int64_t *ret_value)
{
    json_t *value = field(fields, name, flags);
    if (!value) return false;
    int64_t number = 0;
    bool whole = json_is_integer(value);
    bool in_range = whole;
    if (whole) {
        number = json_integer_value(value);
    } else if (json_is_real(value)) {
        /* 5e3 is a whole number in JSON too (JSON Schema, "integer"). */
        double real = json_real_value(value);
        whole = floor(real) == real;
        in_range = whole && fabs(real) <= 9007199254740992.0;
        if (in_range) number = (int64_t)real;
    }
    if (!whole || !in_range || number < min || number > max) {
        field_errorf(fields, name, "must be a whole number from %lld to %lld", (long long)min,
                     (long long)max);
        return false;
    }
    *ret_value = number;
    return true;
}

bool field_boolean(struct fields *fields, const char *name, unsigned flags, bool *ret_value)
{
    json_t *value = field(fields, name, flags);
    if (!value) return false;
    if (!json_is_boolean(value)) {
        field_error(fields, name, "must be true or false");
        return false;
    }
    *ret_value = json_is_true(value);
    return true;
}

bool field_time(struct fields *fields, const char *name, unsigned flags, int64_t *ret_at)
{
    struct str text;
    if (!text_value(fields, name, flags, &text)) return false;
    if (!time_parse(text, ret_at)) {
        field_error(fields, name, "must be a time like 2027-06-01T19:00:00Z (RFC 3339)");
        return false;
    }
    return true;
}

static struct str choices(struct call *call, const char *const *names, size_t count)
{
    struct buf *out = call_scratch();
    buf_add_str(out, STR("must be one of "));
    for (size_t i = 0; i < count; i++) {
        if (i) buf_add_str(out, STR(", "));
        buf_add_str(out, str_of(names[i]));
    }
    return arena_str(call->arena, buf_str(out));
}

bool field_choice(struct fields *fields, const char *name, unsigned flags, const char *const *names,
                  size_t count, int *ret_index)
{
    struct str text;
    if (!text_value(fields, name, flags, &text)) return false;
    int index = name_index(names, count, text);
    if (index < 0) {
        struct str detail = choices(fields->call, names, count);
        call_add_error(fields->call, pointer_to(fields, name), detail);
        return false;
    }
    *ret_index = index;
    return true;
}

bool field_zone(struct fields *fields, const char *name, unsigned flags, struct str *ret_zone)
{
    struct str text;
    if (!text_value(fields, name, flags, &text)) return false;
    if (text.len > 64 || !zone_known(text)) {
        field_error(fields, name, "must be an IANA time zone like Europe/Lisbon");
        return false;
    }
    *ret_zone = arena_str(fields->call->arena, text);
    return true;
}

bool field_currency(struct fields *fields, const char *name, unsigned flags, char ret_currency[4])
{
    struct str text;
    if (!text_value(fields, name, flags, &text)) return false;
    bool good = text.len == 3;
    for (size_t i = 0; good && i < 3; i++)
        good = text.data[i] >= 'A' && text.data[i] <= 'Z';
    if (!good) {
        field_error(fields, name, "must be an ISO 4217 code of three capital letters, like EUR");
        return false;
    }
    memcpy(ret_currency, text.data, 3);
    ret_currency[3] = '\0';
    return true;
}

json_t *field_object(struct fields *fields, const char *name, unsigned flags)
{
    json_t *value = field(fields, name, flags);
    if (!value || json_is_object(value)) return value;
    field_error(fields, name, "must be an object");
    return NULL;
}

json_t *field_array(struct fields *fields, const char *name, unsigned flags, size_t min, size_t max)
{
    json_t *value = field(fields, name, flags);
    if (!value) return NULL;
    if (json_is_array(value) && json_array_size(value) >= min && json_array_size(value) <= max)
        return value;
    field_errorf(fields, name, "must be an array of %zu to %zu elements", min, max);
    return NULL;
}

/* ---- the query string ---- */

struct parameters parameters_of(struct call *call)
{
    return (struct parameters){.call = call};
}

void parameter_error(struct parameters *parameters, const char *name, const char *detail)
{
    struct buf *out = call_scratch();
    buf_add_char(out, '/');
    buf_add_str(out, str_of(name));
    call_add_error(parameters->call, buf_str(out), str_of(detail));
}

void parameters_end(struct parameters *parameters)
{
    const struct query *query = &parameters->call->query;
    for (size_t i = 0; i < query->count; i++) {
        const char *name = arena_cstr(parameters->call->arena, query->pairs[i].name);
        if (!was_asked(parameters->asked, parameters->asked_count, name))
            parameter_error(parameters, name, "is not known here");
    }
}

/* Not given and empty are the same: forms send what was left blank. */
static struct str parameter(struct parameters *parameters, const char *name)
{
    assert(parameters->asked_count < FIELDS_MAX);
    parameters->asked[parameters->asked_count++] = name;
    return query_get(&parameters->call->query, name);
}

bool parameter_text(struct parameters *parameters, const char *name, size_t max,
                    struct str *ret_text)
{
    struct str text = parameter(parameters, name);
    if (!text.len) return false;
    if (text.len > max) {
        parameter_error(parameters, name, "is too long");
        return false;
    }
    *ret_text = text;
    return true;
}

bool parameter_words(struct parameters *parameters, const char *name, struct words *ret_words)
{
    struct str text;
    if (!parameter_text(parameters, name, 400, &text)) return false;
    *ret_words = text_words(parameters->call->arena, text, EVENT_QUERY_WORDS_MAX);
    return true;
}

bool parameter_id(struct parameters *parameters, const char *name, uint64_t *ret_id)
{
    struct str text = parameter(parameters, name);
    if (!text.len) return false;
    if (!str_to_u64(text, ret_id) || *ret_id == 0 || *ret_id > INT64_MAX) {
        parameter_error(parameters, name, "must be an id: a whole number from 1 on");
        return false;
    }
    return true;
}

bool parameter_time(struct parameters *parameters, const char *name, int64_t *ret_at)
{
    struct str text = parameter(parameters, name);
    if (!text.len) return false;
    if (!time_parse(text, ret_at)) {
        parameter_error(parameters, name, "must be a time like 2027-06-01T19:00:00Z (RFC 3339)");
        return false;
    }
    return true;
}

bool parameter_choice(struct parameters *parameters, const char *name, const char *const *names,
                      size_t count, int *ret_index)
{
    struct str text = parameter(parameters, name);
    if (!text.len) return false;
    int index = name_index(names, count, text);
    if (index < 0) {
        parameter_error(parameters, name, choices(parameters->call, names, count).data);
        return false;
    }
    *ret_index = index;
    return true;
}

size_t parameter_limit(struct parameters *parameters)
{
    struct str text = parameter(parameters, "limit");
    uint64_t limit = 20;
    if (text.data && (!str_to_u64(text, &limit) || limit < 1 || limit > 100))
        parameter_error(parameters, "limit", "must be a whole number from 1 to 100");
    return (size_t)limit;
}

void cursor_error(struct parameters *parameters)
{
    parameter_error(parameters, "cursor", "is not one that was handed out here");
}

bool parameter_cursor(struct parameters *parameters, struct str *ret_bytes)
{
    struct str text = parameter(parameters, "cursor");
    if (!text.len) return false;
    unsigned char *bytes = arena_alloc(parameters->call->arena, text.len + 1);
    size_t length;
    if (sodium_base642bin(bytes, text.len, text.data, text.len, NULL, &length, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        length == 0) {
        cursor_error(parameters);
        return false;
    }
    *ret_bytes = (struct str){(const char *)bytes, length};
    return true;
}

void parameter_id_cursor(struct parameters *parameters, uint64_t *ret_id)
{
    struct str bytes;
    if (!parameter_cursor(parameters, &bytes)) return;
    if (bytes.len != sizeof(*ret_id)) {
        cursor_error(parameters);
        return;
    }
    memcpy(ret_id, bytes.data, sizeof(*ret_id));
    /* Stores count in signed numbers. */
    if (*ret_id > INT64_MAX) cursor_error(parameters);
}
