/* SPDX-License-Identifier: Apache-2.0 */
/* json.h -- writes JSON without building a tree (RFC 8259).
 *
 *     emit_open(out, '{');
 *     emit_key_u64(out, "id", id);
 *     emit_key(out, "list"); ... (what has no function of its own)
 *     emit_close(out, '}');
 *
 * The writer puts the commas: a comma is due when the last byte written is neither '{', '['
 * nor ':'. 'out' must therefore hold nothing but this document from 'start' on. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

void emit_open(struct buf *out, char bracket);
void emit_close(struct buf *out, char bracket);
void emit_name(struct buf *out, struct str name); /* of a member; ours, so it is not escaped */
static inline void emit_key(struct buf *out, const char *name)
{
    emit_name(out, str_of(name)); /* inline: the length of a constant is a constant */
}
void emit_str(struct buf *out, struct str value); /* escapes; 'value' is valid UTF-8 */
/* The inside of a string: no quotes, no comma. */
void emit_escape(struct buf *out, struct str text);
void emit_u64(struct buf *out, uint64_t value);
void emit_i64(struct buf *out, int64_t value);
void emit_bool(struct buf *out, bool value);
void emit_null(struct buf *out);
void emit_json(struct buf *out, struct str value); /* as it is: a value that was written before */
void emit_time(struct buf *out, int64_t at);       /* RFC 3339, null for 0 */
void emit_str_or_null(struct buf *out, struct str value); /* null for an empty one */

/* A member: its name, and its value. */
static inline void emit_key_u64(struct buf *out, const char *name, uint64_t value)
{
    emit_key(out, name);
    emit_u64(out, value);
}
static inline void emit_key_i64(struct buf *out, const char *name, int64_t value)
{
    emit_key(out, name);
    emit_i64(out, value);
}
static inline void emit_key_bool(struct buf *out, const char *name, bool value)
{
    emit_key(out, name);
    emit_bool(out, value);
}
static inline void emit_key_str(struct buf *out, const char *name, struct str value)
{
    emit_key(out, name);
    emit_str(out, value);
}
static inline void emit_key_str_or_null(struct buf *out, const char *name, struct str value)
{
    emit_key(out, name);
    emit_str_or_null(out, value);
}
static inline void emit_key_time(struct buf *out, const char *name, int64_t at)
{
    emit_key(out, name);
    emit_time(out, at);
}

#endif
