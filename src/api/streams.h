/* SPDX-License-Identifier: Apache-2.0 */
/* streams.h -- live numbers: events and bookings as streams of server-sent events.
 *
 * All who listen to one event share a channel, made with the first of them and gone with the last.
 * The snapshots tell it when something about the event was committed. Who listens to the event
 * itself gets its status, composed once for all; who listens to a booking of it has that read anew,
 * by a reader, when his turn comes. */
#ifndef API_STREAMS_H
#define API_STREAMS_H

#include "api/call.h"
#include "api/compose.h"

struct channel;
struct turns;

struct turns *turns_new(struct api *api);
/* When no reader runs any more. NULL is fine. */
void turns_free(struct turns *turns);

/* Takes the place of call->channel, which it gives back: whoever answers a call that was to become
 * a stream with something else. */
void streams_leave(struct call *call);

#endif
