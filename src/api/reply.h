/* SPDX-License-Identifier: Apache-2.0 */
/* reply.h -- ends a call with an answer: JSON, a problem (RFC 9457), or nothing.
 *
 * reply_set_...() only prepares the answer, as a compose function does; reply_...() sends it as
 * well. */
#ifndef API_REPLY_H
#define API_REPLY_H

#include "api/call.h"
#include "api/embedded.h"

/* 'body' is copied into the call's arena. */
void reply_set_json(struct call *call, int status, struct str body);
void reply_json(struct call *call, int status, struct str body);

void reply_set_empty(struct call *call, int status);

/* A body of any type that lives long enough: a constant, or in the arena. */
void reply_text(struct call *call, int status, const char *content_type, struct str body);

/* An answer that goes on. */
void reply_stream(struct call *call, struct http_stream *stream);

/* A file out of the program, 404 for NULL. 'policy' is its Content-Security-Policy. */
void reply_file(struct call *call, const struct embedded_file *file, const char *policy);

/* 'detail' empty: the outcome's own sentence. With field errors, as INVALID. */
void reply_set_problem(struct call *call, enum outcome outcome, struct str detail);
void reply_problem(struct call *call, enum outcome outcome, struct str detail);

/* The problem that a refused command is, with its pointer and detail. */
void reply_set_refusal(struct call *call, const struct result *result);

/* OVERLOADED or UNAVAILABLE, with Retry-After. */
void reply_set_later(struct call *call, enum outcome outcome);
void reply_later(struct call *call, enum outcome outcome);

/* A reader's store failed: logged, and 503. */
void reply_fault(struct call *call, struct store *store, enum store_status status);

/* Notes an error in the body or the query; 'pointer' is a JSON pointer (RFC 6901);
 * that to a parameter is "/limit". */
void call_add_error(struct call *call, struct str pointer, struct str detail);

/* True when errors were noted: then they have been answered, all at once. */
bool reply_errors(struct call *call);

/* Sends what was prepared. */
void reply_send(struct call *call);

/* Headers of an answer. 'value' is copied. */
void reply_header(struct call *call, const char *name, struct str value);
void reply_cache(struct call *call, const char *cache_control); /* instead of no-store */

/* Writes what is stored with an Idempotency-Key, and sets the answer from it. */
struct str reply_store(struct call *call);
void reply_set_stored(struct call *call, const struct replay_answer *answer);

#endif
