/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h -- answers that go on: server-sent events (WHATWG HTML, section 9.2), without a word
 * about what they tell.
 *
 * A stream tells its client the state of something, and again whenever that has changed. States are
 * absolute, so who reads slowly skips what was in between: all that a stream ever holds is what is
 * on its way and the newest state, and both are shared with all who are told the same.
 *
 * Streams are not on the loops but on a thread of their own, the hub: ten thousand sends in a row
 * are in no request's way. A handler fills in a reply with status 200, content type and headers,
 * puts its stream into it, and ends the request as usual (http_reply(), http_finish()). From then
 * on the stream is the hub's, which calls what stands in its kind, until closed(), which always
 * comes, and only once:
 *
 *     handler          hub                                           any thread
 *     reply.stream --> moved()  as it begins
 *                      moved()  in each round of its channel <------ http_channel_touch()
 *                      is_alive()  every second
 *                      closed() */
#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

#include <stdatomic.h>
#include "http/server.h"

struct http_hub;
struct http_stream;
struct http_channel;

/* ---- what is sent ---- */

/* One event as it goes over the wire. Never changes; who has a reference may use it anywhere. */
struct http_frame {
    _Atomic unsigned references;
    uint64_t id;       /* of the state: the same text has the same id, everywhere and for ever */
    size_t size;       /* as a chunk of HTTP/1.1 (RFC 9112, section 7.1) */
    size_t begin, end; /* what of it is inside, for HTTP/1.0 */
    char bytes[];
};

/* An event of the type "message" with its id. 'data' is one line: without CR and LF (assert). */
struct http_frame *http_frame_new(struct str data);
struct http_frame *http_frame_hold(struct http_frame *frame);
void http_frame_release(struct http_frame *frame); /* NULL is fine */

/* ---- on the hub's thread ---- */

/* Something to be done there. */
struct http_post {
    struct link link;
    void (*run)(struct http_post *post);
};

/* From any thread. False: the hub has ended, and it will not be run. */
bool http_hub_post(struct http_hub *hub, struct http_post *post);

/* All on the hub's thread, but for a closed() of a stream that never began: that may come from any
 * thread. */
struct http_stream_kind {
    /* Sends the newest state with http_stream_send(), now or later, or ends the stream. */
    void (*moved)(struct http_stream *stream);
    /* False: it is to end, as who listens has no right to it any more. May be NULL. */
    bool (*is_alive)(struct http_stream *stream);
    /* The end: the stream is its owner's again, and nobody listens any more. */
    void (*closed)(struct http_stream *stream);
};

/* Lives inside something of its owner's. The first two are the owner's to fill in, the rest is
 * zero. */
struct http_stream {
    const struct http_stream_kind *kind;
    struct http_channel *channel; /* whose rounds it takes part in; must outlive it */

    /* The hub's own. */
    struct http_hub *hub;
    struct http_post post;
    struct connection *connection;
    struct http_stream *next, *previous;       /* of the hub */
    struct http_stream *next_in, *previous_in; /* of the channel */
    struct http_stream *next_doomed;           /* at the end of this turn */
    struct http_frame *sending, *waiting;      /* on its way, and what comes next */
    size_t sent;                               /* of 'sending' */
    uint64_t last_id;                          /* the newest that was sent, or is to be */
    uint64_t since;                            /* tick of the last progress */
    bool has_last, chunked, is_ending, is_doomed;
};

/* Sends the state, unless it is the one that was sent last: what the client says it has already
 * (Last-Event-ID) counts as that. Takes a reference of its own. */
void http_stream_send(struct http_stream *stream, struct http_frame *frame);

/* Ends it well, after what is on its way. */
void http_stream_end(struct http_stream *stream);

/* ---- channels: many streams that are told the same ---- */

struct http_channel_kind {
    /* Before the streams of the channel are called, and before one begins. May be NULL. */
    void (*round)(struct http_channel *channel);
    /* The hub keeps a reference from a touch to its round. */
    void (*hold)(struct http_channel *channel);
    void (*release)(struct http_channel *channel);
};

/* Lives inside something of its owner's, who fills in the first two. A channel without streams is
 * merely something that is done on the hub's thread, not too often. */
struct http_channel {
    const struct http_channel_kind *kind;
    int64_t period_us; /* from one round to the next, at least */

    /* The hub's own; but 'hub' may be set by the owner where a channel has no streams. */
    struct http_hub *_Atomic hub;
    struct http_post post;
    _Atomic bool is_touched;
    _Atomic unsigned listeners;
    struct http_stream *streams;
    struct http_channel *next_later;
    int64_t due_us;
};

/* How many listen. */
static inline unsigned http_channel_listeners(struct http_channel *channel)
{
    return atomic_load(&channel->listeners);
}

/* From any thread: something has changed. Not once the server may have ended: that is when the last
 * stream has been closed. Costs next to nothing until the next round has begun.
 * Rounds are further apart than 'period_us' where they take long: the hub spends no more than a
 * sixth of its time on one channel as long as everybody sees the newest state within half a second.
 */
void http_channel_touch(struct http_channel *channel);

/* ---- the server ---- */

/* Is there room for one more? Streams may take three quarters of 'connections_max', so that who
 * looks on does not keep out who wants to book. */
bool http_stream_has_room(const struct http_request *request);

#endif
