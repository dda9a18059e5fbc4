/* SPDX-License-Identifier: Apache-2.0 */
/* query.h -- query strings and percent-encoding (RFC 3986 section 2.1, and '+' for a space). */
#ifndef HTTP_QUERY_H
#define HTTP_QUERY_H

#include <stdbool.h>
#include "base/arena.h"

struct query_pair {
    struct str name, value; /* decoded */
};

struct query {
    struct query_pair *pairs;
    size_t count;
};

/* False when an escape is malformed or what comes out is not UTF-8 without NUL, or with more than
 * 64 pairs. */
bool query_parse(struct arena *arena, struct str text, struct query *ret_query);

/* The last pair of that name; data is NULL when there is none. */
struct str query_get(const struct query *query, const char *name);

/* Decodes one path segment ('+' is itself). False as above. */
bool percent_decode(struct arena *arena, struct str text, struct str *ret_text);

/* Appends 'text' with all but unreserved characters escaped. */
void percent_encode(struct buf *out, struct str text);

#endif
