/* SPDX-License-Identifier: Apache-2.0 */
/* The hub: the thread of all streams.
 *
 * A connection that becomes a stream stays evhttp's by name, with its bufferevent asleep, and
 * belongs to the hub from hub_open() until it is handed back to its loop, which closes it. In
 * between only the hub uses its socket and its TLS. What the client sends is not read: its system
 * stops it when the socket is full.
 *
 * Streams are ended at the end of a turn only, so that whoever goes through them needs not care. */
#include "http/loop.h"
#include "http/stream.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include "base/clock.h"

enum {
    EVENTS_MOST = 256,
    TICK_US = 1000000,
    LATER_US = 10000,       /* how often channels that are not due yet are looked at */
    RETRY_MS = 1000,        /* when the client is to come back, and ... */
    RETRY_SPREAD_MS = 4000, /* ... up to so much later, or they would all come at once */
};
/* A round that took t is followed by another one of its channel after PERIOD_SHARE * t, but no
 * later than PERIOD_MOST_US. All rounds together are followed by a rest as long as they took, of
 * which REST_OWED_US may be owed: many small ones must not wait for each other. */
#define PERIOD_SHARE   6
#define PERIOD_MOST_US 300000
#define REST_OWED_US   20000

struct http_hub {
    struct http_server *server;
    pthread_t thread;
    bool started;
    int epoll_fd, wake_fd;
    struct http_stream *streams, *doomed;
    struct http_channel *later;           /* touched, and not due yet */
    int64_t tick_us, later_us, rested_us; /* when the next of these is due */
    uint64_t tick;                        /* seconds */
    struct http_frame *heartbeat, *last;

    pthread_mutex_t mutex;
    struct list posts;
    bool ended;
    atomic_bool stopping;
};

/* ---- frames ---- */

struct http_frame *http_frame_hold(struct http_frame *frame)
{
    atomic_fetch_add_explicit(&frame->references, 1, memory_order_relaxed);
    return frame;
}

void http_frame_release(struct http_frame *frame)
{
    if (frame && atomic_fetch_sub_explicit(&frame->references, 1, memory_order_acq_rel) == 1)
        free(frame);
}

/* Room for 'size' bytes inside a chunk; what is written there is at frame->bytes + begin. */
static struct http_frame *frame_make(size_t size)
{
    char head[24];
    const size_t begin = (size_t)snprintf(head, sizeof(head), "%zx\r\n", size);
    struct http_frame *frame = malloc(sizeof(*frame) + begin + size + 2);

    if (!frame) abort();
    *frame = (struct http_frame){
        .references = 1, .size = begin + size + 2, .begin = begin, .end = begin + size};
    memcpy(frame->bytes, head, begin);
    memcpy(frame->bytes + frame->end, "\r\n", 2);
    return frame;
}

static struct http_frame *frame_of(struct str text)
{
    struct http_frame *frame = frame_make(text.len);
    memcpy(frame->bytes + frame->begin, text.data, text.len);
    return frame;
}

/* FNV-1a, 64 bits (Fowler, Noll, Vo): no secret here, only "is it the same". */
static uint64_t hash_of(struct str data)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < data.len; i++)
        hash = (hash ^ (unsigned char)data.data[i]) * 0x100000001b3u;
    return hash;
}

struct http_frame *http_frame_new(struct str data)
{
    static const char pattern[] = "id: %016" PRIx64 "\ndata: ";
    char head[40];
    const uint64_t id = hash_of(data);
    const size_t len = (size_t)snprintf(head, sizeof(head), pattern, id);

    assert(!memchr(data.data, '\n', data.len) && !memchr(data.data, '\r', data.len));
    struct http_frame *frame = frame_make(len + data.len + 2);
    char *at = frame->bytes + frame->begin;
    frame->id = id;
    memcpy(at, head, len);
    memcpy(at + len, data.data, data.len);
    memcpy(at + len + data.len, "\n\n", 2);
    return frame;
}

/* ---- posts ---- */

bool http_hub_post(struct http_hub *hub, struct http_post *post)
{
    pthread_mutex_lock(&hub->mutex);
    const bool taken = !hub->ended, first = !hub->posts.head;
    if (taken) list_push(&hub->posts, &post->link);
    /* Cannot fail but by a full counter, and then it is awake anyway. */
    if (taken && first) (void)!write(hub->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    pthread_mutex_unlock(&hub->mutex);
    return taken;
}

static void run_posts(struct http_hub *hub)
{
    struct link *link;

    pthread_mutex_lock(&hub->mutex);
    struct list posts = hub->posts;
    hub->posts = (struct list){0};
    pthread_mutex_unlock(&hub->mutex);
    while ((link = list_pop(&posts))) {
        struct http_post *post = LINK_OWNER(link, struct http_post, link);
        post->run(post);
    }
}

/* ---- one stream ---- */

static void doom(struct http_stream *stream)
{
    if (stream->is_doomed) return;
    stream->is_doomed = true;
    stream->next_doomed = stream->hub->doomed;
    stream->hub->doomed = stream;
}

/* Bytes that the socket took, 0 for none just now, -1 for never again. */
static ssize_t write_some(struct connection *connection, const char *data, size_t len)
{
    if (connection->ssl) {
        const int n = SSL_write(connection->ssl, data, (int)len);
        const int error = n > 0 ? 0 : SSL_get_error(connection->ssl, n);
        ERR_clear_error();
        if (n > 0) return n;
        return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? 0 : -1;
    }
    const ssize_t n = send(connection->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return n;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static void start_sending(struct http_stream *stream, struct http_frame *frame)
{
    stream->sending = frame;
    stream->sent = frame && !stream->chunked ? frame->begin : 0;
}

/* As much as the socket takes. */
static void flush(struct http_stream *stream)
{
    while (stream->sending && !stream->is_doomed) {
        struct http_frame *frame = stream->sending;
        const size_t end = stream->chunked ? frame->size : frame->end;
        const ssize_t n =
            write_some(stream->connection, frame->bytes + stream->sent, end - stream->sent);
        if (n < 0) doom(stream);
        if (n <= 0) return;
        stream->sent += (size_t)n;
        stream->since = stream->hub->tick;
        if (stream->sent < end) continue;
        start_sending(stream, stream->waiting);
        stream->waiting = NULL;
        http_frame_release(frame);
    }
    if (stream->is_ending) doom(stream);
}

/* Behind what is on its way, instead of what waited for that. */
static void put(struct http_stream *stream, struct http_frame *frame)
{
    if (stream->sending) {
        http_frame_release(stream->waiting);
        stream->waiting = http_frame_hold(frame);
    } else {
        start_sending(stream, http_frame_hold(frame));
        flush(stream);
    }
}

void http_stream_send(struct http_stream *stream, struct http_frame *frame)
{
    if (stream->is_ending || stream->is_doomed) return;
    if (stream->has_last && stream->last_id == frame->id) return;
    stream->has_last = true;
    stream->last_id = frame->id;
    put(stream, frame);
}

void http_stream_end(struct http_stream *stream)
{
    if (stream->is_ending || stream->is_doomed) return;
    stream->is_ending = true;
    if (stream->chunked)
        put(stream, stream->hub->last);
    else if (!stream->sending)
        doom(stream);
}

static void join(struct http_stream *stream)
{
    struct http_hub *hub = stream->hub;
    struct http_channel *channel = stream->channel;

    stream->next = hub->streams;
    if (stream->next) stream->next->previous = stream;
    hub->streams = stream;
    if (!channel) return;
    stream->next_in = channel->streams;
    if (stream->next_in) stream->next_in->previous_in = stream;
    channel->streams = stream;
    atomic_store(&channel->hub, hub);
    atomic_fetch_add(&channel->listeners, 1);
}

static void leave(struct http_stream *stream)
{
    struct http_channel *channel = stream->channel;

    if (stream->next) stream->next->previous = stream->previous;
    if (stream->previous)
        stream->previous->next = stream->next;
    else
        stream->hub->streams = stream->next;
    if (!channel) return;
    if (stream->next_in) stream->next_in->previous_in = stream->previous_in;
    if (stream->previous_in)
        stream->previous_in->next_in = stream->next_in;
    else
        channel->streams = stream->next_in;
    atomic_fetch_sub(&channel->listeners, 1);
}

/* The first thing that is done with it on this thread. */
static void begin(struct http_post *post)
{
    struct http_stream *stream = LINK_OWNER(post, struct http_stream, post);
    struct http_hub *hub = stream->hub;
    const int fd = stream->connection->fd;
    /* Edges only, so that nothing has to be changed when a socket is full. A goodbye is one, too:
     * who listens has no more to say. */
    struct epoll_event event = {.events = EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = stream};
    const unsigned patience_ms = hub->server->settings.idle_timeout_s * 1000;

    stream->since = hub->tick;
    join(stream);
    /* Whose machine is gone answers nothing; without this it takes a quarter of an hour. */
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof(patience_ms));
    if (epoll_ctl(hub->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) doom(stream);
    flush(stream); /* the head */
    if (stream->is_doomed) return;
    if (stream->channel && stream->channel->kind->round)
        stream->channel->kind->round(stream->channel);
    stream->kind->moved(stream);
}

static void close_stream(struct http_stream *stream)
{
    struct http_hub *hub = stream->hub;
    struct connection *connection = stream->connection;

    epoll_ctl(hub->epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
    leave(stream);
    http_frame_release(stream->sending);
    http_frame_release(stream->waiting);
    atomic_fetch_sub(&hub->server->streams, 1);
    stream->kind->closed(stream);
    connection_hand_back(connection);
}

static void close_doomed(struct http_hub *hub)
{
    struct http_stream *stream;

    while ((stream = hub->doomed)) {
        hub->doomed = stream->next_doomed;
        close_stream(stream);
    }
}

bool http_stream_has_room(const struct http_request *request)
{
    const struct http_server *server = request->loop->server;
    return atomic_load(&server->streams) < (uint64_t)server->settings.connections_max * 3 / 4;
}

/* ---- from the loop ---- */

/* Status line and headers, and when to come back if the connection breaks. */
static struct http_frame *frame_of_head(struct str head, bool chunked)
{
    char retry[40];
    const unsigned ms = RETRY_MS + (unsigned)(clock_monotonic_us() / 7 % RETRY_SPREAD_MS);
    const size_t len = (size_t)snprintf(retry, sizeof(retry), "retry: %u\n\n", ms);
    struct http_frame *first = frame_of((struct str){retry, len});
    const char *inside = first->bytes + (chunked ? 0 : first->begin);
    const size_t size = chunked ? first->size : first->end - first->begin;
    struct http_frame *frame = malloc(sizeof(*frame) + head.len + size);

    if (!frame) abort();
    *frame = (struct http_frame){.references = 1, .size = head.len + size, .end = head.len + size};
    memcpy(frame->bytes, head.data, head.len);
    memcpy(frame->bytes + head.len, inside, size);
    http_frame_release(first);
    return frame;
}

/* What the client has got already (WHATWG HTML, section 9.2.5). */
static void read_last_id(struct http_stream *stream, struct str text)
{
    char digits[17] = "";
    char *end;

    if (text.len != 16) return;
    memcpy(digits, text.data, 16);
    for (int i = 0; i < 16; i++)
        if (!strchr("0123456789abcdef", digits[i])) return;
    stream->last_id = strtoull(digits, &end, 16);
    stream->has_last = true;
}

bool hub_open(struct http_hub *hub, struct http_stream *stream, struct connection *connection,
              const struct http_request *request, struct str head, bool chunked)
{
    stream->hub = hub;
    stream->connection = connection;
    stream->chunked = chunked;
    stream->sending = frame_of_head(head, chunked);
    stream->post.run = begin;
    read_last_id(stream, http_header(request, "Last-Event-ID"));
    atomic_fetch_add(&hub->server->streams, 1);
    return http_hub_post(hub, &stream->post);
}

void hub_refused(struct http_stream *stream)
{
    atomic_fetch_sub(&stream->hub->server->streams, 1);
    http_frame_release(stream->sending);
    stream->kind->closed(stream);
}

/* ---- channels ---- */

static void round_of(struct http_channel *channel)
{
    struct http_hub *hub = atomic_load(&channel->hub);
    const int64_t began = clock_monotonic_us(), work = clock_thread_us();
    struct http_stream *next;

    /* Before anything is looked at: what changes from now on is for the next round. */
    atomic_store(&channel->is_touched, false);
    if (channel->kind->round) channel->kind->round(channel);
    for (struct http_stream *stream = channel->streams; stream; stream = next) {
        next = stream->next_in;
        if (!stream->is_doomed) stream->kind->moved(stream);
    }
    /* Of the processor's time: where others have work, too, it comes later by itself. */
    const int64_t now = clock_monotonic_us(), took = clock_thread_us() - work;
    int64_t period = took * PERIOD_SHARE < PERIOD_MOST_US ? took * PERIOD_SHARE : PERIOD_MOST_US;
    if (period < channel->period_us) period = channel->period_us;
    channel->due_us = began + period;
    hub->rested_us = (hub->rested_us > now ? hub->rested_us : now) + took;
    channel->kind->release(channel);
}

static void touched(struct http_post *post)
{
    struct http_channel *channel = LINK_OWNER(post, struct http_channel, post);
    struct http_hub *hub = atomic_load(&channel->hub);
    const int64_t now = clock_monotonic_us();

    if (now >= channel->due_us && now >= hub->rested_us - REST_OWED_US) {
        round_of(channel);
        return;
    }
    if (!hub->later) hub->later_us = now + LATER_US;
    channel->next_later = hub->later;
    hub->later = channel;
}

void http_channel_touch(struct http_channel *channel)
{
    struct http_hub *hub = atomic_load(&channel->hub);

    if (!hub || atomic_exchange(&channel->is_touched, true)) return;
    channel->kind->hold(channel);
    channel->post.run = touched;
    if (!http_hub_post(hub, &channel->post)) channel->kind->release(channel);
}

/* Those that have become due; the others wait on. */
static void look_later(struct http_hub *hub)
{
    struct http_channel *all = hub->later, *channel;

    hub->later = NULL;
    while ((channel = all)) {
        all = channel->next_later;
        touched(&channel->post);
    }
}

static void forget_later(struct http_hub *hub)
{
    struct http_channel *channel;

    while ((channel = hub->later)) {
        hub->later = channel->next_later;
        channel->kind->release(channel);
    }
}

/* ---- the thread ---- */

static void check(struct http_stream *stream)
{
    struct http_hub *hub = stream->hub;
    const uint64_t age = hub->tick - stream->since;
    const unsigned heartbeat_s = hub->server->settings.heartbeat_s;
    /* Not all of them in the same second. */
    const unsigned early = (unsigned)stream->connection->fd % (heartbeat_s / 4 + 1);

    if (stream->is_doomed) return;
    if (stream->sending && age > hub->server->settings.idle_timeout_s) {
        atomic_fetch_add(&hub->server->timed_out, 1);
        doom(stream);
    } else if (stream->kind->is_alive && !stream->kind->is_alive(stream)) {
        http_stream_end(stream);
    } else if (!stream->sending && age + early >= heartbeat_s) {
        put(stream, hub->heartbeat);
    }
}

static void second(struct http_hub *hub)
{
    struct http_stream *next;

    hub->tick++;
    for (struct http_stream *stream = hub->streams; stream; stream = next) {
        next = stream->next;
        check(stream);
    }
}

/* Milliseconds until there is something to do by itself. */
static int patience(const struct http_hub *hub)
{
    const int64_t due = hub->later && hub->later_us < hub->tick_us ? hub->later_us : hub->tick_us;
    const int64_t left = due - clock_monotonic_us();
    return left > 0 ? (int)(left / 1000 + 1) : 0;
}

void hub_turn(struct http_hub *hub, bool wait)
{
    struct epoll_event events[EVENTS_MOST];
    const int count = epoll_wait(hub->epoll_fd, events, EVENTS_MOST, wait ? patience(hub) : 0);

    for (int i = 0; i < count; i++) {
        struct http_stream *stream = events[i].data.ptr;
        if (!stream) continue; /* woken */
        if (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            doom(stream);
        else
            flush(stream);
    }
    close_doomed(hub);
    run_posts(hub);
    const int64_t now = clock_monotonic_us();
    if (hub->later && now >= hub->later_us) look_later(hub);
    if (now >= hub->tick_us) {
        hub->tick_us = now + TICK_US;
        second(hub);
    }
    close_doomed(hub);
}

/* Nothing is waited for: who has not read by now comes back anyway. */
static void end_all(struct http_hub *hub)
{
    pthread_mutex_lock(&hub->mutex);
    hub->ended = true;
    pthread_mutex_unlock(&hub->mutex);
    run_posts(hub);
    forget_later(hub);
    for (struct http_stream *stream = hub->streams; stream; stream = stream->next) {
        http_stream_end(stream);
        doom(stream);
    }
    close_doomed(hub);
}

static void *run(void *data)
{
    struct http_hub *hub = data;

    pthread_setname_np(pthread_self(), "streams");
    while (!atomic_load(&hub->stopping))
        hub_turn(hub, true);
    end_all(hub);
    return NULL;
}

struct http_hub *hub_new(struct http_server *server)
{
    struct http_hub *hub = calloc(1, sizeof(*hub));
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};

    if (!hub) abort();
    hub->server = server;
    hub->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    hub->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    hub->tick_us = clock_monotonic_us() + TICK_US;
    hub->heartbeat = frame_of(STR(":\n\n"));
    hub->last = frame_of(STR(""));
    pthread_mutex_init(&hub->mutex, NULL);
    if (hub->epoll_fd >= 0 && hub->wake_fd >= 0 &&
        epoll_ctl(hub->epoll_fd, EPOLL_CTL_ADD, hub->wake_fd, &event) == 0)
        return hub;
    hub_free(hub);
    return NULL;
}

bool hub_start(struct http_hub *hub)
{
    hub->started = server_thread(&hub->thread, run, hub);
    return hub->started;
}

void hub_stop(struct http_hub *hub)
{
    if (!hub) return;
    atomic_store(&hub->stopping, true);
    (void)!write(hub->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    if (hub->started) pthread_join(hub->thread, NULL);
}

void hub_free(struct http_hub *hub)
{
    if (!hub) return;
    if (!hub->ended) end_all(hub);
    if (hub->epoll_fd >= 0) close(hub->epoll_fd);
    if (hub->wake_fd >= 0) close(hub->wake_fd);
    pthread_mutex_destroy(&hub->mutex);
    http_frame_release(hub->heartbeat);
    http_frame_release(hub->last);
    free(hub);
}
