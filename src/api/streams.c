/* SPDX-License-Identifier: Apache-2.0 */
#include "api/streams.h"

#include <stdlib.h>

#include "api/bookings.h"
#include "api/events.h"
#include "api/reply.h"
#include "api/resources.h"
#include "base/clock.h"
#include "http/stream.h"

enum {
    STATES_PERIOD_US = 100000, /* an event's numbers: ten times a second at most */
    LINES_PERIOD_US = 500000,  /* a booking: twice */
    /* Reading bookings: a reader does it for so long, and then not for a while. */
    TURN_US = 10000,
    TURNS_PERIOD_US = 25000,
    /* How old a booking may be shown where another process may have changed what its event does not
     * tell, such as what was paid. */
    READ_AGAIN_US = 10000000,
};

/* ---- channels ---- */

/* Of an event that somebody listens to. */
struct channel {
    struct watch watch;
    struct api *api;
    _Atomic unsigned references; /* of its listeners, and of the hub */
    struct http_channel states;  /* who listens to the event */
    struct http_channel lines;   /* ... to a booking of it */

    /* The hub's thread's: the newest state, and what it was made of. */
    struct snapshot *snapshot;
    struct http_frame *frame;
};

static void channel_release(struct channel *channel)
{
    if (atomic_fetch_sub(&channel->references, 1) != 1) return;
    snapshot_release(channel->snapshot);
    http_frame_release(channel->frame);
    free(channel);
}

/* Under the snapshots' lock. */
static void channel_moved(struct watch *watch)
{
    struct channel *channel = LINK_OWNER(watch, struct channel, watch);
    if (http_channel_listeners(&channel->states)) http_channel_touch(&channel->states);
    if (http_channel_listeners(&channel->lines)) http_channel_touch(&channel->lines);
}

/* The status of the event as it is now. */
static void states_round(struct http_channel *states)
{
    struct channel *channel = LINK_OWNER(states, struct channel, states);
    if (!http_channel_listeners(states)) return;
    struct snapshot *now =
        snapshots_newest(channel->api->engine->snapshots, channel->watch.event_id);
    if (now == channel->snapshot) {
        snapshot_release(now);
        return;
    }
    snapshot_release(channel->snapshot);
    http_frame_release(channel->frame);
    channel->snapshot = now;
    channel->frame = now ? http_frame_new(event_status_page(now)) : NULL;
}

static void states_hold(struct http_channel *states)
{
    atomic_fetch_add(&LINK_OWNER(states, struct channel, states)->references, 1);
}

static void states_release(struct http_channel *states)
{
    channel_release(LINK_OWNER(states, struct channel, states));
}

static void lines_hold(struct http_channel *lines)
{
    atomic_fetch_add(&LINK_OWNER(lines, struct channel, lines)->references, 1);
}

static void lines_release(struct http_channel *lines)
{
    channel_release(LINK_OWNER(lines, struct channel, lines));
}

static const struct http_channel_kind states_kind = {states_round, states_hold, states_release};
static const struct http_channel_kind lines_kind = {NULL, lines_hold, lines_release};

/* The channel of the event, with a reference; from here on nothing is missed. */
static struct channel *channel_join(struct api *api, uint64_t event_id)
{
    struct channel *fresh = calloc(1, sizeof(*fresh));
    if (!fresh) abort();
    fresh->watch = (struct watch){.event_id = event_id, .moved = channel_moved};
    fresh->api = api;
    fresh->references = 1; /* what the watch is worth: given back with the last watcher */
    fresh->states = (struct http_channel){.kind = &states_kind, .period_us = STATES_PERIOD_US};
    fresh->lines = (struct http_channel){.kind = &lines_kind, .period_us = LINES_PERIOD_US};
    struct watch *watch = snapshots_watch(api->engine->snapshots, &fresh->watch);
    struct channel *channel = LINK_OWNER(watch, struct channel, watch);
    if (channel != fresh) free(fresh);
    return channel;
}

static void channel_leave(struct channel *channel)
{
    if (snapshots_unwatch(channel->api->engine->snapshots, &channel->watch))
        channel_release(channel);
}

void streams_leave(struct call *call)
{
    if (call->channel) channel_leave(call->channel);
    call->channel = NULL;
}

/* ---- listeners ---- */

/* Who listens, and whether he still may. */
struct listener {
    struct http_stream stream;
    struct channel *channel;
    bool signed_in, may_organize;
    struct actor actor;
    int64_t token_ends_at;
    uint64_t directory_version;
};

static struct listener *listener_of(struct http_stream *stream)
{
    return LINK_OWNER(stream, struct listener, stream);
}

/* Takes over the call's channel. */
static void listener_init(struct listener *listener, struct call *call,
                          const struct http_stream_kind *kind, struct http_channel *in)
{
    *listener = (struct listener){
        .stream = {.kind = kind, .channel = in},
        .channel = call->channel,
        .signed_in = call->signed_in,
        .may_organize = call_may_organize(call),
        .actor = call->actor,
        .token_ends_at = call->token_ends_at,
        .directory_version = call->directory_version,
    };
    call->channel = NULL;
}

/* False for a token that has run out or was revoked, and for who has another role by now: what he
 * may see then he learns by asking again. */
static bool listener_is_alive(struct http_stream *stream)
{
    struct listener *listener = listener_of(stream);
    struct directory *directory = listener->channel->api->engine->directory;
    if (!listener->signed_in) return true;
    if (clock_now_ms() >= listener->token_ends_at) return false;
    uint64_t version = directory_version(directory);
    if (version == listener->directory_version) return true;
    enum role role;
    listener->directory_version = version;
    return directory_check(directory, listener->actor.id, listener->actor.token_at, &role) &&
           role == listener->actor.role;
}

/* False: answered. */
static bool has_room(struct call *call)
{
    if (http_stream_has_room(call->request)) return true;
    reply_later(call, OVERLOADED);
    return false;
}

/* ---- to an event ---- */

static void state_moved(struct http_stream *stream)
{
    struct listener *listener = listener_of(stream);
    const struct snapshot *snapshot = listener->channel->snapshot;
    /* Who comes back hears why. */
    if (!snapshot || !event_is_visible(listener->signed_in ? &listener->actor : NULL,
                                       listener->may_organize, &snapshot->event))
        http_stream_end(stream);
    else
        http_stream_send(stream, listener->channel->frame);
}

static void state_closed(struct http_stream *stream)
{
    struct listener *listener = listener_of(stream);
    channel_leave(listener->channel);
    free(listener);
}

static const struct http_stream_kind state_kind = {state_moved, listener_is_alive, state_closed};

static void open_event(struct call *call, struct snapshot *snapshot)
{
    bool is_visible = snapshot && event_is_visible(call->signed_in ? &call->actor : NULL,
                                                   call_may_organize(call), &snapshot->event);
    snapshot_release(snapshot);
    if (!is_visible) {
        reply_problem(call, NO_SUCH_EVENT, (struct str){0});
        return;
    }
    struct listener *listener = malloc(sizeof(*listener));
    if (!listener) abort();
    listener_init(listener, call, &state_kind, &call->channel->states);
    reply_stream(call, &listener->stream);
}

void events_stream(struct call *call)
{
    static const struct shower shower = {open_event};
    uint64_t id;
    if (!call_path_id(call, NO_SUCH_EVENT, &id) || !has_room(call)) return;
    call->channel = channel_join(call->api, id); /* before looking, or a change could be missed */
    event_look_up(call, id, &shower);
}

/* ---- to a booking ---- */

enum turn { TURN_NONE, TURN_WAITS, TURN_IS_READ };

struct line_listener {
    struct listener listener;
    struct turns *turns;
    uint64_t booking_id;
    _Atomic unsigned references; /* of the stream, of its turn, of the post */

    /* Under the turns' mutex. */
    struct link link; /* while it waits for its turn */
    enum turn turn;
    bool is_open;    /* it has begun and not ended: the channel and the hub are there */
    bool has_moved;  /* while it was read */
    bool is_posted;  /* the hub is to take what was found: */
    bool is_gone;    /* nothing any more, or */
    bool has_failed; /* nothing, as the store did not answer */
    struct http_frame *found;
    struct http_post post;
    uint64_t seen;   /* the moves of the event when it was read last */
    int64_t read_at; /* monotonic */
};

/* Whose booking is to be read, in the order in which they came to want it. One job reads for all of
 * them, a few at a time, behind whatever else the readers have to do. */
struct turns {
    struct api *api;
    pthread_mutex_t mutex;
    struct list waiting;
    size_t open; /* streams that have begun and not ended */
    bool is_out; /* the job is with the readers */
    struct job job;
    struct arena arena;          /* the job's */
    struct http_channel channel; /* without streams: for the pace */
};

static struct line_listener *line_of(struct http_stream *stream)
{
    return LINK_OWNER(listener_of(stream), struct line_listener, listener);
}

static void line_release(struct line_listener *line)
{
    if (atomic_fetch_sub(&line->references, 1) != 1) return;
    http_frame_release(line->found);
    free(line);
}

static void line_hold(struct line_listener *line)
{
    atomic_fetch_add(&line->references, 1);
}

/* With the mutex held, on the hub's thread. */
static void want_reading(struct line_listener *line)
{
    struct turns *turns = line->turns;
    line->has_failed = false;
    if (line->turn == TURN_IS_READ) line->has_moved = true;
    if (line->turn != TURN_NONE) return;
    line->turn = TURN_WAITS;
    line_hold(line);
    list_push(&turns->waiting, &line->link);
    atomic_store(&turns->channel.hub, line->listener.stream.hub);
    http_channel_touch(&turns->channel);
}

/* What was read since the last time, if anything. On the hub's thread. */
static void deliver(struct line_listener *line)
{
    pthread_mutex_lock(&line->turns->mutex);
    struct http_frame *found = line->found;
    bool is_gone = line->is_gone;
    line->found = NULL;
    pthread_mutex_unlock(&line->turns->mutex);
    if (found) http_stream_send(&line->listener.stream, found);
    http_frame_release(found);
    if (is_gone) http_stream_end(&line->listener.stream);
}

static void line_moved(struct http_stream *stream)
{
    struct line_listener *line = line_of(stream);
    deliver(line);
    pthread_mutex_lock(&line->turns->mutex);
    if (!line->is_open) line->turns->open++;
    line->is_open = true;
    if (line->seen != atomic_load(&line->listener.channel->watch.moves)) want_reading(line);
    pthread_mutex_unlock(&line->turns->mutex);
}

static bool line_is_alive(struct http_stream *stream)
{
    struct line_listener *line = line_of(stream);
    bool is_shared = line->turns->api->engine->follower;
    pthread_mutex_lock(&line->turns->mutex);
    bool is_old = is_shared && clock_monotonic_us() - line->read_at > READ_AGAIN_US;
    if (line->has_failed || is_old) want_reading(line);
    pthread_mutex_unlock(&line->turns->mutex);
    return listener_is_alive(stream);
}

static void line_closed(struct http_stream *stream)
{
    struct line_listener *line = line_of(stream);
    pthread_mutex_lock(&line->turns->mutex);
    if (line->is_open) line->turns->open--;
    line->is_open = false;
    pthread_mutex_unlock(&line->turns->mutex);
    channel_leave(line->listener.channel);
    line_release(line);
}

static const struct http_stream_kind line_kind = {line_moved, line_is_alive, line_closed};

static void line_posted(struct http_post *post)
{
    struct line_listener *line = LINK_OWNER(post, struct line_listener, post);
    pthread_mutex_lock(&line->turns->mutex);
    line->is_posted = false;
    bool is_open = line->is_open;
    pthread_mutex_unlock(&line->turns->mutex);
    if (is_open) deliver(line);
    line_release(line);
}

/* ---- reading them ---- */

static struct http_frame *compose_line(const struct api *api, const struct actor *actor,
                                       const struct booking_view *booking)
{
    struct buf *out = call_scratch();
    compose_booking(out, api, booking, booking->row.user_id != actor->id);
    return http_frame_new(buf_str(out));
}

/* The next one, which is being read now; NULL when nobody waits. */
static struct line_listener *take_turn(struct turns *turns)
{
    struct line_listener *line = NULL;
    pthread_mutex_lock(&turns->mutex);
    struct link *link = list_pop(&turns->waiting);
    if (link) {
        line = LINK_OWNER(link, struct line_listener, link);
        line->turn = TURN_IS_READ;
        line->read_at = clock_monotonic_us();
        /* The channel is there as long as the stream is. */
        if (line->is_open) line->seen = atomic_load(&line->listener.channel->watch.moves);
    }
    pthread_mutex_unlock(&turns->mutex);
    return line;
}

/* Hands the hub what was found; with the turn's reference, or with that of the next turn. */
static void end_turn(struct line_listener *line, enum store_status status, struct http_frame *found)
{
    struct turns *turns = line->turns;
    pthread_mutex_lock(&turns->mutex);
    bool again = line->has_moved && line->is_open;
    line->turn = again ? TURN_WAITS : TURN_NONE;
    line->has_moved = false;
    if (again) list_push(&turns->waiting, &line->link);
    line->has_failed = status != STORE_OK;
    if (status == STORE_OK) {
        http_frame_release(line->found);
        line->found = found;
        line->is_gone = !found;
    }
    if (status == STORE_OK && line->is_open && !line->is_posted) {
        line->post.run = line_posted;
        line_hold(line);
        line->is_posted = http_hub_post(line->listener.stream.hub, &line->post);
        if (!line->is_posted) atomic_fetch_sub(&line->references, 1); /* not the last one */
    }
    pthread_mutex_unlock(&turns->mutex);
    if (!again) line_release(line);
}

static void read_line(struct turns *turns, struct line_listener *line, struct store *store)
{
    const struct listener *listener = &line->listener;
    struct http_frame *found = NULL;
    struct booking_view *booking;
    arena_reset(&turns->arena);
    enum store_status status = store_find_booking(store, line->booking_id, &turns->arena, &booking);
    if (status == STORE_OK && booking_is_visible(&listener->actor, listener->may_organize, booking))
        found = compose_line(turns->api, &listener->actor, booking);
    end_turn(line, status, found);
}

static void turns_run(struct job *job, struct store *store)
{
    struct turns *turns = LINK_OWNER(job, struct turns, job);
    int64_t until = clock_monotonic_us() + TURN_US;
    struct line_listener *line;
    while (clock_monotonic_us() < until && (line = take_turn(turns)))
        read_line(turns, line, store);
    pthread_mutex_lock(&turns->mutex);
    turns->is_out = false;
    /* Without a stream there may be no hub any more, and nobody who waits in earnest. */
    if (turns->waiting.head && turns->open) http_channel_touch(&turns->channel);
    pthread_mutex_unlock(&turns->mutex);
}

/* On the hub's thread, not too often. */
static void turns_round(struct http_channel *channel)
{
    struct turns *turns = LINK_OWNER(channel, struct turns, channel);
    pthread_mutex_lock(&turns->mutex);
    if (turns->waiting.head && !turns->is_out) {
        turns->is_out = true;
        if (!engine_read(turns->api->engine, &turns->job)) {
            turns->is_out = false;
            http_channel_touch(&turns->channel); /* the readers have too much to do */
        }
    }
    pthread_mutex_unlock(&turns->mutex);
}

static void turns_keep(struct http_channel *channel)
{
    (void)channel; /* it lives as long as the API, and so longer than the hub */
}

struct turns *turns_new(struct api *api)
{
    static const struct http_channel_kind kind = {turns_round, turns_keep, turns_keep};
    struct turns *turns = calloc(1, sizeof(*turns));
    if (!turns) abort();
    turns->api = api;
    turns->job.run = turns_run;
    turns->channel = (struct http_channel){.kind = &kind, .period_us = TURNS_PERIOD_US};
    pthread_mutex_init(&turns->mutex, NULL);
    return turns;
}

void turns_free(struct turns *turns)
{
    struct link *link;
    if (!turns) return;
    while ((link = list_pop(&turns->waiting))) /* nobody read them any more */
        line_release(LINK_OWNER(link, struct line_listener, link));
    pthread_mutex_destroy(&turns->mutex);
    arena_free(&turns->arena);
    free(turns);
}

/* ---- opening one ---- */

static struct line_listener *line_new(struct call *call, const struct booking_view *booking,
                                      uint64_t seen)
{
    struct line_listener *line = calloc(1, sizeof(*line));
    if (!line) abort();
    listener_init(&line->listener, call, &line_kind, &call->channel->lines);
    line->turns = call->api->turns;
    line->booking_id = call->id;
    line->references = 1;
    line->found = compose_line(call->api, &call->actor, booking);
    line->seen = seen;
    line->read_at = clock_monotonic_us();
    return line;
}

/* Read twice: only then is it known which event it belongs to, and what changes after the second
 * time is heard of. */
static void open_booking(struct call *call, struct store *store)
{
    const struct booking_view *booking = booking_find(call, store);
    if (!booking) return;
    call->channel = channel_join(call->api, booking->row.event_id);
    uint64_t seen = atomic_load(&call->channel->watch.moves);
    booking = booking_find(call, store);
    if (!booking) return;
    reply_stream(call, &line_new(call, booking, seen)->listener.stream);
}

void bookings_stream(struct call *call)
{
    if (booking_path_id(call, &call->id) && has_room(call)) call_read(call, open_booking);
}
