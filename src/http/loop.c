/* SPDX-License-Identifier: Apache-2.0 */
/* One event loop and its thread. */
#include "http/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <event2/listener.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/recycle.h"

#define ACCEPT_PAUSE_MS 100
#define WARN_AGAIN_S    60
#define ALL_METHODS                                                                                \
    (EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |     \
     EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH)

void loop_wake(struct http_loop *loop)
{
    /* Cannot fail but by a full counter, and then the loop is awake anyway. */
    (void)!write(loop->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
}

void loop_end_if_drained(struct http_loop *loop)
{
    if (loop->draining && loop->connection_count == 0 && loop->under_way == 0)
        event_base_loopbreak(loop->base);
}

void loop_do_later(struct http_loop *loop)
{
    struct connection *connection;

    while ((connection = loop->later)) {
        loop->later = connection->later;
        connection_do_later(connection);
    }
    answer_send_all(&loop->ready);
}

static void on_later(evutil_socket_t fd, short what, void *loop)
{
    (void)fd;
    (void)what;
    loop_do_later(loop);
}

static void begin_draining(struct http_loop *loop)
{
    const int64_t left_us = loop->server->stop_at_us - clock_monotonic_us();
    const struct timeval left = {.tv_sec = left_us > 0 ? left_us / 1000000 : 0,
                                 .tv_usec = left_us > 0 ? left_us % 1000000 : 0};

    loop->draining = true;
    loop->draining_since = loop->tick;
    evhttp_del_accept_socket(loop->evhttp, loop->bound);
    loop->bound = NULL;
    event_add(loop->deadline_event, &left);
    connections_close_idle(loop);
    loop_end_if_drained(loop);
}

/* 'end': from now on http_finish() knows that nobody will come for more. */
static void take_finished(struct http_loop *loop, struct list *ret_finished,
                          struct list *ret_handed_back, bool end)
{
    pthread_mutex_lock(&loop->mutex);
    *ret_finished = loop->finished;
    loop->finished = (struct list){0};
    *ret_handed_back = loop->handed_back;
    loop->handed_back = (struct list){0};
    if (end) {
        loop->ended = true;
        atomic_fetch_add(&loop->server->references, loop->under_way);
    }
    pthread_mutex_unlock(&loop->mutex);
}

static void on_wake(evutil_socket_t fd, short what, void *data)
{
    struct http_loop *loop = data;
    struct list finished, handed_back;
    struct link *link;
    (void)fd;
    (void)what;

    take_finished(loop, &finished, &handed_back, false);
    answer_send_all(&finished);
    while ((link = list_pop(&handed_back)))
        connection_end(LINK_OWNER(link, struct connection, link));
    if (!loop->draining && atomic_load(&loop->server->stopping)) begin_draining(loop);
}

static void on_sweep(evutil_socket_t fd, short what, void *data)
{
    struct http_loop *loop = data;
    (void)fd;
    (void)what;
    loop->tick++;
    connections_sweep(loop);
}

static void on_deadline(evutil_socket_t fd, short what, void *data)
{
    struct http_loop *loop = data;
    (void)fd;
    (void)what;
    event_base_loopbreak(loop->base);
}

/* evhttp keeps the listener's argument for itself. */
static _Thread_local struct http_loop *loop_of_this_thread;

/* accept() failed, as a rule for want of descriptors: the connection stays in the queue and the
 * listener stays readable, so that without a pause we would spin. */
static void on_accept_error(struct evconnlistener *listener, void *evhttp)
{
    struct http_loop *loop = loop_of_this_thread;
    const struct timeval pause = {.tv_usec = ACCEPT_PAUSE_MS * 1000};
    const int error = errno;
    (void)evhttp;

    if (loop->tick >= loop->accept_warning_at) {
        log_warn("cannot accept connections", LOG_STR("error", str_of(strerror(error))),
                 LOG_NUM("connections", loop->connection_count));
        loop->accept_warning_at = loop->tick + WARN_AGAIN_S;
    }
    evconnlistener_disable(listener);
    event_add(loop->accept_event, &pause);
}

static void on_accept_again(evutil_socket_t fd, short what, void *data)
{
    struct http_loop *loop = data;
    (void)fd;
    (void)what;
    if (loop->bound) evconnlistener_enable(evhttp_bound_socket_get_listener(loop->bound));
}

static bool open_base(struct http_loop *loop)
{
    struct event_config *config = event_config_new();

    if (!config) return false;
    /* Changes of interest are handed to the kernel once a turn, where half of them have cancelled
     * each other out. This must not see descriptors that were dup'ed: there are none. */
    event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    return loop->base;
}

static bool open_events(struct http_loop *loop)
{
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->wake_fd < 0) return false;
    /* Edge-triggered: nobody needs to read it. */
    loop->wake_event =
        event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST | EV_ET, on_wake, loop);
    loop->sweep_event = event_new(loop->base, -1, EV_PERSIST, on_sweep, loop);
    loop->later_event = event_new(loop->base, -1, 0, on_later, loop);
    loop->accept_event = event_new(loop->base, -1, 0, on_accept_again, loop);
    loop->deadline_event = event_new(loop->base, -1, 0, on_deadline, loop);
    return loop->wake_event && loop->sweep_event && loop->later_event && loop->accept_event &&
           loop->deadline_event && event_add(loop->wake_event, NULL) == 0 &&
           event_add(loop->sweep_event, &(struct timeval){.tv_sec = 1}) == 0;
}

static bool open_evhttp(struct http_loop *loop)
{
    const struct http_settings *settings = &loop->server->settings;

    loop->evhttp = evhttp_new(loop->base);
    if (!loop->evhttp) return false;
    evhttp_set_allowed_methods(loop->evhttp, ALL_METHODS);
    evhttp_set_max_headers_size(loop->evhttp, (ev_ssize_t)settings->max_headers);
    evhttp_set_max_body_size(loop->evhttp, (ev_ssize_t)settings->max_body);
    evhttp_set_bevcb(loop->evhttp, connection_new, loop);
    evhttp_set_gencb(loop->evhttp, request_arrived, loop);

    /* All loops share the one listening socket, so it is not closed with the listener. */
    struct evconnlistener *listener = evconnlistener_new(
        loop->base, NULL, NULL, LEV_OPT_CLOSE_ON_EXEC, 0, loop->server->listener);
    if (!listener) return false;
    loop->bound = evhttp_bind_listener(loop->evhttp, listener);
    if (!loop->bound) {
        evconnlistener_free(listener);
        return false;
    }
    evconnlistener_set_error_cb(listener, on_accept_error);
    return true;
}

bool loop_open(struct http_loop *loop, struct http_server *server, unsigned index)
{
    loop->server = server;
    loop->index = index;
    loop->date_second = -1;
    loop->speaks_tls = server->tls != NULL;
    return open_base(loop) && open_events(loop) && open_evhttp(loop);
}

/* What is still with the handler's side is cut off: it keeps its memory, and http_finish() will
 * discard it. */
static void cut_off(struct http_loop *loop)
{
    struct list finished, handed_back; /* the latter are ended with the others */
    struct link *link;

    take_finished(loop, &finished, &handed_back, false);
    answer_send_all(&finished);
    for (struct connection *c = loop->connections; c; c = c->next)
        if (c->state == CONNECTION_ANSWERING) loop->cut_off++;
    connections_end_all(loop);
    loop->cut_off += loop->under_way;
    take_finished(loop, &finished, &handed_back, true);
    while ((link = list_pop(&finished)))
        request_discard(LINK_OWNER(link, struct http_request, link));
}

static void *run(void *data)
{
    struct http_loop *loop = data;
    const struct http_settings *settings = &loop->server->settings;
    char name[16];

    snprintf(name, sizeof(name), "http-%u", loop->index);
    pthread_setname_np(pthread_self(), name);
    loop_of_this_thread = loop;
    if (settings->loop_started) settings->loop_started(loop->index, settings->data);
    event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
    cut_off(loop);
    recycle_release();
    return NULL;
}

bool loop_start(struct http_loop *loop)
{
    loop->started = server_thread(&loop->thread, run, loop);
    return loop->started;
}

static void free_event(struct event *event)
{
    if (event) event_free(event);
}

void loop_close(struct http_loop *loop)
{
    struct link *link;

    if (loop->evhttp) evhttp_free(loop->evhttp);
    free_event(loop->wake_event);
    free_event(loop->sweep_event);
    free_event(loop->later_event);
    free_event(loop->accept_event);
    free_event(loop->deadline_event);
    if (loop->base) event_base_free(loop->base);
    if (loop->wake_fd >= 0) close(loop->wake_fd);
    while ((link = list_pop(&loop->spare))) {
        struct http_request *request = LINK_OWNER(link, struct http_request, link);
        arena_free(&request->arena);
        free(request);
    }
    free(loop->by_fd);
    buf_free(&loop->head);
    buf_free(&loop->scratch);
}
