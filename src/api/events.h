/* SPDX-License-Identifier: Apache-2.0 */
/* events.h -- what the /v1 and the classic routes share of events. */
#ifndef API_EVENTS_H
#define API_EVENTS_H

#include "api/call.h"

/* An event as it is when nothing is said of it: on sale, in UTC and EUR. */
struct event event_defaults(void);

/* Answers with an event's snapshot, whose reference it takes over; NULL: there is no such event. */
struct shower {
    void (*show)(struct call *call, struct snapshot *snapshot);
};

/* Can he see the event? A draft is as good as none but for its managers. 'actor' is NULL for
 * nobody. */
bool event_is_visible(const struct actor *actor, bool may_organize, const struct event *event);

/* The body of GET /v1/events/{id}/status; lives as long as the snapshot. */
struct str event_status_page(struct snapshot *snapshot);

/* Shows the event from memory, or lets a reader fetch it. */
void event_look_up(struct call *call, uint64_t id, const struct shower *shower);

/* The event, where it is there and the caller manages it; NULL: answered. */
struct event *event_find_managed(struct call *call, struct store *store, uint64_t id);

#endif
