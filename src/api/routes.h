/* SPDX-License-Identifier: Apache-2.0 */
/* routes.h -- the table of all routes: from it come routing, 405 and Allow, who may call,
 * idempotency, metrics, and the check that the specification has just these. */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include "http/server.h"

struct call;

enum access {
    ACCESS_OPEN,   /* a token is not looked at */
    ACCESS_ANYONE, /* a token is optional, but a bad one is refused */
    ACCESS_USER,
    ACCESS_ADMIN,
};

enum route_flag {
    ROUTE_BODY = 1 << 0,       /* a JSON object is needed */
    ROUTE_MAYBE_BODY = 1 << 1, /* ... or nothing at all, which means {} */
    ROUTE_REPLAYABLE = 1 << 2, /* honours Idempotency-Key */
    ROUTE_CLASSIC = 1 << 3,    /* errors in the classic form */
    ROUTE_UNLIMITED = 1 << 4,  /* no rate limit: for the operator's probes */
    ROUTE_SECRET = 1 << 5,     /* the path holds a secret: it is not logged */
    ROUTE_DECIDED = 1 << 6,    /* for a lane and nobody else: where all are full nothing more is
                                * looked at, neither token nor body */
};

struct route {
    enum http_method method;
    const char *path;
    enum access access;
    unsigned flags;
    void (*handler)(struct call *call);
};

extern const struct route routes[];
extern const size_t route_count;

#endif
