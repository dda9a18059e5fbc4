/* SPDX-License-Identifier: Apache-2.0 */
/* call.h -- one request on its way through the API.
 *
 * A handler runs on the HTTP loop. It answers at once (api/reply.h), or hands the call on:
 *
 *     call_read(call, fn)     fn runs on a reader with a store, and answers or hands on
 *     call_hash(call, fn)     fn runs on a hasher
 *     call_decide(call, fn)   call->task.command goes to the lane; fn composes the answer
 *                             from the result, and must not send it: that happens after the commit
 *
 * After handing on, the handler must not touch the call. A full queue is answered with 503 inside
 * these functions, which then return false. The parsed body is gone when the handler returns: what
 * later stages need is copied into the call's arena. */
#ifndef API_CALL_H
#define API_CALL_H

#include <jansson.h>

#include "api/api.h"
#include "api/routes.h"
#include "auth/token.h"
#include "http/query.h"
#include "http/router.h"

struct field_error {
    struct str pointer, detail;
};

enum { FIELD_ERRORS_MAX = 64 };

struct call {
    struct http_request *request;
    struct api *api;
    const struct route *route; /* NULL where no route matched */
    struct route_match match;
    struct arena *arena; /* the request's */
    struct str peer;     /* the client's address, behind a trusted proxy too */
    struct str request_id;
    struct query query;
    json_t *body;
    bool on_loop;    /* still on the HTTP loop's thread */
    bool is_classic; /* errors in the classic routes' form */

    bool signed_in;
    struct actor actor;
    int64_t token_ends_at; /* milliseconds */
    uint64_t directory_version;

    struct task task;
    struct job job;
    void (*read)(struct call *call, struct store *store);
    void (*hash)(struct call *call);
    void (*compose)(struct call *call, const struct result *result);
    size_t base_headers; /* headers that were there before the answer was composed */

    struct field_error *errors; /* room for FIELD_ERRORS_MAX, made with the first */
    size_t error_count;

    /* What the handlers of a resource carry from stage to stage. */
    uint64_t id;
    struct str text, secret; /* secret: a password, wiped as soon as it was used */
    struct user *user;
    void *state;
    struct channel *channel; /* that of a stream to be (api/streams.h) */
};

struct loop_state {
    struct token_cache *tokens;
    uint64_t requests;
    char pad[48]; /* one loop's counter stays out of another's cache line */
};

struct route_counts {
    _Atomic uint64_t statuses[6]; /* by class: [2] is 2xx */
    struct histogram time_us;     /* in units of 16 us */
};

struct api {
    struct api_settings settings;
    struct engine *engine;
    struct router *router;
    /* NULL: no limits */
    struct limits *limits, *sign_in_by_peer, *sign_in_by_account, *mail_by_account;
    struct loop_state *loops;
    struct turns *turns;                          /* see api/streams.h */
    struct route_counts *counts;                  /* by route, and one more for what matched none */
    _Atomic(struct http_server *) server;         /* set when the loops run already */
    char id_prefix[9];                            /* of the request ids that are made here */
    _Atomic(const struct notify_counts *) notify; /* NULL: it does not run yet */
    const char *limit_policy;
};

bool call_read(struct call *call, void (*read)(struct call *call, struct store *store));
bool call_hash(struct call *call, void (*hash)(struct call *call));
bool call_decide(struct call *call,
                 void (*compose)(struct call *call, const struct result *result));

/* The command of the call's task, with the actor filled in. */
struct command *call_command(struct call *call, enum command_kind kind);

/* May the caller create events and manage his own? */
bool call_may_organize(const struct call *call);
bool call_manages(const struct call *call, const struct event *event);

/* The first variable segment of the path as an id; false for what is none: then 'missing' has been
 * answered. */
bool call_path_id(struct call *call, enum outcome missing, uint64_t *ret_id);

/* The one number 'index' as the id behind a reference; false (and nothing answered) for what is
 * none. */
bool call_path_reference(const struct call *call, size_t index, uint64_t *ret_id);

/* Takes a token from the bucket of the caller, or of his address. False: answered with 429. */
bool call_within_limits(struct call *call);

/* Takes a token from the sign-in buckets of this address and of 'account' (folded). False: answered
 * with 429. */
bool call_sign_in_allowed(struct call *call, struct str account);

/* ... from those of this address and of mails to 'account'. */
bool call_mail_allowed(struct call *call, struct str account);

/* A text buffer of this thread, empty; for composing bodies that are then copied. */
struct buf *call_scratch(void);

#endif
