/* SPDX-License-Identifier: Apache-2.0 */
/* fields.h -- reads the members of a JSON object and says of every bad one what is wrong.
 *
 *     struct fields fields = fields_of(call, call->body, "");
 *     field_text(&fields, "name", REQUIRED, 1, 200, &name);
 *     ...
 *     fields_end(&fields);               // whatever was not asked for is an error
 *     if (reply_errors(call)) return;
 *
 * Each returns true when the member is there, is right, and is not null; *ret_ is untouched
 * otherwise. Texts are copied into the call's arena. */
#ifndef API_FIELDS_H
#define API_FIELDS_H

#include "api/call.h"

enum field_flag {
    OPTIONAL = 0,
    REQUIRED = 1 << 0,
    NULLABLE = 1 << 1,  /* null is fine: see field_is_null() */
    MULTILINE = 1 << 2, /* a text may hold newlines and tabs */
};

enum { FIELDS_MAX = 24 };

struct fields {
    struct call *call;
    json_t *object;
    const char *prefix; /* JSON pointer of the object */
    const char *asked[FIELDS_MAX];
    size_t asked_count;
};

struct fields fields_of(struct call *call, json_t *object, const char *prefix);
void fields_end(struct fields *fields);

void field_error(struct fields *fields, const char *name, const char *detail);
bool field_is_given(const struct fields *fields, const char *name); /* also when null */
bool field_is_null(const struct fields *fields, const char *name);

/* Characters are code points. Surrounding white space is cut off; control characters are refused.
 */
bool field_text(struct fields *fields, const char *name, unsigned flags, size_t min, size_t max,
                struct str *ret_text);
/* Bytes as they are; for passwords. */
bool field_secret(struct fields *fields, const char *name, unsigned flags, size_t min, size_t max,
                  struct str *ret_text);
bool field_email(struct fields *fields, const char *name, unsigned flags, struct str *ret_email);
bool field_username(struct fields *fields, const char *name, unsigned flags,
                    struct str *ret_username);
bool field_integer(struct fields *fields, const char *name, unsigned flags, int64_t min,
                   int64_t max, int64_t *ret_value);
bool field_boolean(struct fields *fields, const char *name, unsigned flags, bool *ret_value);
bool field_time(struct fields *fields, const char *name, unsigned flags, int64_t *ret_at);
bool field_choice(struct fields *fields, const char *name, unsigned flags, const char *const *names,
                  size_t count, int *ret_index);
bool field_zone(struct fields *fields, const char *name, unsigned flags, struct str *ret_zone);
bool field_currency(struct fields *fields, const char *name, unsigned flags, char ret_currency[4]);
/* An object, whose members are read with fields_of(); NULL where it is not right. */
json_t *field_object(struct fields *fields, const char *name, unsigned flags);
/* An array of 'min' to 'max' elements, NULL where it is not right. */
json_t *field_array(struct fields *fields, const char *name, unsigned flags, size_t min,
                    size_t max);

/* The same for the query string. */
struct parameters {
    struct call *call;
    const char *asked[FIELDS_MAX];
    size_t asked_count;
};

struct parameters parameters_of(struct call *call);
void parameters_end(struct parameters *parameters);
bool parameter_text(struct parameters *parameters, const char *name, size_t max,
                    struct str *ret_text);
bool parameter_words(struct parameters *parameters, const char *name, struct words *ret_words);
bool parameter_id(struct parameters *parameters, const char *name, uint64_t *ret_id);
bool parameter_time(struct parameters *parameters, const char *name, int64_t *ret_at);
bool parameter_choice(struct parameters *parameters, const char *name, const char *const *names,
                      size_t count, int *ret_index);
/* limit and cursor; the cursor's bytes. */
size_t parameter_limit(struct parameters *parameters);
bool parameter_cursor(struct parameters *parameters, struct str *ret_bytes);
void cursor_error(struct parameters *parameters);
/* A cursor that is just an id. */
void parameter_id_cursor(struct parameters *parameters, uint64_t *ret_id);
void parameter_error(struct parameters *parameters, const char *name, const char *detail);

#endif
