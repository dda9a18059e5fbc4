/* SPDX-License-Identifier: Apache-2.0 */
/* compose.h -- the JSON of each thing that is shown. Nothing builds a tree. */
#ifndef API_COMPOSE_H
#define API_COMPOSE_H

#include "api/call.h"
#include "base/json.h"

/* The reference of a booking as JSON. */
void compose_reference(struct buf *out, const struct api *api, uint64_t booking_id);

void compose_user(struct buf *out, const struct user *user);
/* Somebody as an event's managers see him. */
void compose_holder(struct buf *out, const struct user *user);
void compose_event(struct buf *out, const struct event *event);
void compose_status(struct buf *out, const struct event *event);
/* 'booking' NULL: without what the payment made of it. */
void compose_payment(struct buf *out, const struct api *api, const struct payment *payment,
                     const struct booking *booking);

/* Leaves the object open, for what a caller adds; close it with emit_close(out, '}'). */
void compose_booking_open(struct buf *out, const struct api *api,
                          const struct booking_view *booking, bool with_user);
void compose_booking(struct buf *out, const struct api *api, const struct booking_view *booking,
                     bool with_user);
void compose_history(struct buf *out, const struct journal_list *journal, uint64_t owner_id);

/* The members of an entry of the journal that do not say which booking it is of. */
void compose_change(struct buf *out, const struct journal_entry *entry);

/* Without its secrets. The first leaves the object open. */
void compose_webhook_open(struct buf *out, const struct webhook *webhook);
void compose_webhook(struct buf *out, const struct webhook *webhook);

/* For src/notify: 'api' is the struct api. */
void compose_booking_told(struct buf *out, const struct booking_view *booking, const void *api);
void compose_event_told(struct buf *out, const struct event *event, const void *api);

/* What a command's result shows of its booking. */
struct booking_view booking_view_of(const struct result *result);

/* The strong validator of an event's page: its version, and a hash of its counters. */
#define ETAG_SIZE sizeof(((struct page *)0)->tag)
void compose_etag(char etag[ETAG_SIZE], const struct event *event);

/* A list's envelope: opens {"data":[ ... and closes it with next_cursor and the Link header.
 * 'cursor' is binary; empty where this was the last page. */
void compose_list_open(struct buf *out);
void compose_list_close(struct buf *out, struct call *call, struct str cursor);
/* ... where the cursor is just an id, as parameter_id_cursor() reads it; 0: the last page. */
void compose_list_close_id(struct buf *out, struct call *call, uint64_t last);
/* That of a list that goes on for ever: there is always a cursor, as text, for ?after=; the next
 * page is linked where it is worth asking for at once. */
void compose_feed_close(struct buf *out, struct call *call, struct str cursor, bool caught_up);

#endif
