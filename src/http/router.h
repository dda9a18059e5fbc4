/* SPDX-License-Identifier: Apache-2.0 */
/* router.h -- finds the row of a route table for a path.
 *
 * Patterns are '/'-separated; a segment "{name}" matches any one segment that is not empty. A
 * constant segment wins over a variable one. Knows nothing of what a row means: rows are
 * given by index. */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include <stdbool.h>
#include "http/server.h"

#define ROUTER_VARIABLES_MAX 4

struct router;

struct route_match {
    /* Index of the row for each method, -1 where the path knows no such method. */
    int rows[HTTP_METHODS];
    /* The variable segments in order, still percent-encoded. */
    struct str variables[ROUTER_VARIABLES_MAX];
    size_t variable_count;
};

struct router *router_new(void);
/* Two rows with the same method and pattern are a bug (assert). */
void router_add(struct router *router, enum http_method method, const char *pattern, int row);
/* False: no such path. A path with a trailing slash is another path. */
bool router_find(const struct router *router, struct str path, struct route_match *ret_match);
void router_free(struct router *router);

#endif
