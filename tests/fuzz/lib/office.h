/* SPDX-License-Identifier: Apache-2.0 */
/* office.h -- the whole API on a memory store, on one thread.
 *
 * office.c stands in for src/engine/engine.c, lane.c and pool.c: what the API hands on is done in
 * the order in which it was handed on, when office_work() is called, by the same batches. So an
 * input has the same effect each time. Every input begins with a fresh store: users 1 (admin), 2
 * (organizer), 3 and 4; event 1 of the organizer's with two types, booked by user 3 (booking 1) and
 * waited for by user 4 (booking 2); event 2 is a draft; webhook 1 of the organizer's, with one
 * message that was given up. Webhooks are on, and mail is said to be sent.
 *
 * Argon2 is meant to be slow, so here the password is its own hash. */
#ifndef TESTS_FUZZ_OFFICE_H
#define TESTS_FUZZ_OFFICE_H

#include "api/api.h"
#include "auth/link.h"
#include "lib/fuzz.h"

enum { OFFICE_USERS = 4 };

struct api *office_api(void); /* made at the first call */

void office_begin(void); /* an input */
void office_work(void);  /* until nothing is left to be done */
void office_end(void);   /* of an input: the store's own check must hold */

/* A token of user 1 to OFFICE_USERS; good for ever. */
struct str office_token(unsigned user);

/* One request through api_handle(), without a connection. 'target' is path and query; what is no
 * possible target or header is left out, as the server would refuse it. 'user' 0: nobody. The
 * answer is looked at: never a 500, and what calls itself JSON is JSON. */
void office_request(enum http_method method, struct str target, unsigned user, struct str headers,
                    struct str body);

/* The reference of a booking of 1 or 2, as text. */
const char *office_reference(uint64_t booking);

/* That of webhook 1's message. */
const char *office_delivery(void);

/* What a link in a mail to user 3 carries, as long as he has the password and the address that he
 * begins with. */
const char *office_link(enum link_purpose purpose);

#endif
