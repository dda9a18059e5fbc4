/* SPDX-License-Identifier: Apache-2.0 */
/* A record for each connection: what it waits for and since when.
 *
 * evhttp makes and frees its connections as it likes. We learn of a new one when it asks for a
 * bufferevent, and of the end of one by its close callback; a record lives exactly from the one
 * to the other, and a little longer where it lingers. */
#include "http/loop.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

/* How long we go on reading what nobody will use, so that the client gets to read our answer:
 * closing a socket with unread bytes in it resets the connection. */
#define LINGER_S 2

/* How long a request that is arriving may still take once we are to stop: nothing of it has
 * happened, and its client may ask another server. */
#define LAST_REQUEST_S 1

/* More input than any request can be. */
static size_t input_bound(const struct http_loop *loop)
{
    return loop->server->settings.max_headers + loop->server->settings.max_body + 65536;
}

void connection_now(struct connection *connection, enum connection_state state)
{
    connection->state = state;
    connection->since = connection->loop->tick;
}

/* What came in last, which stands at the end of the input. */
static void watch_framing(struct connection *connection, struct evbuffer *input, size_t added)
{
    struct evbuffer_iovec extents[8];
    struct evbuffer_ptr at;

    evbuffer_ptr_set(input, &at, evbuffer_get_length(input) - added, EVBUFFER_PTR_SET);
    while (added > 0) {
        int count = evbuffer_peek(input, (ev_ssize_t)added, &at, extents, 8);
        for (int i = 0; i < count && i < 8; i++) {
            const size_t len = extents[i].iov_len < added ? extents[i].iov_len : added;
            framing_feed(&connection->framing, extents[i].iov_base, len);
            added -= len;
            evbuffer_ptr_set(input, &at, len, EVBUFFER_PTR_ADD);
        }
    }
}

static void input_changed(struct evbuffer *input, const struct evbuffer_cb_info *info, void *data)
{
    struct connection *connection = data;

    connection->consumed += info->n_deleted;
    if (info->n_added == 0) return;
    watch_framing(connection, input, info->n_added);
    if (connection->state == CONNECTION_IDLE || connection->state == CONNECTION_HANDSHAKE)
        connection_now(connection, CONNECTION_ARRIVING);
    /* Such as the size of a chunk whose line never ends. The deadline will end it. */
    if (evbuffer_get_length(input) > input_bound(connection->loop))
        bufferevent_disable(connection->bufferevent, EV_READ);
}

static void output_changed(struct evbuffer *output, const struct evbuffer_cb_info *info, void *data)
{
    struct connection *connection = data;

    if (info->n_added > 0 && !connection->ours) {
        protocol_error_replace(connection, info->orig_size);
    } else if (info->n_deleted > 0 && connection->state == CONNECTION_ANSWERING) {
        const bool more = evbuffer_get_length(bufferevent_get_input(connection->bufferevent)) > 0;
        connection_now(connection, evbuffer_get_length(output) > 0 ? CONNECTION_ANSWERING
                                   : more                          ? CONNECTION_ARRIVING
                                                                   : CONNECTION_IDLE);
    }
}

static struct bufferevent *new_bufferevent(struct event_base *base, struct connection *connection)
{
    struct http_server *server = connection->loop->server;

    /* Closed by the bufferevent, not by evhttp, so that one can outlive the other. */
    if (!connection->loop->speaks_tls)
        return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    pthread_mutex_lock(&server->tls_mutex);
    connection->ssl = SSL_new(server->tls); /* and holds it */
    pthread_mutex_unlock(&server->tls_mutex);
    if (!connection->ssl) return NULL;
    struct bufferevent *bufferevent = bufferevent_openssl_socket_new(
        base, -1, connection->ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (bufferevent) bufferevent_openssl_set_allow_dirty_shutdown(bufferevent, 1);
    return bufferevent;
}

static void put_off(struct connection *connection)
{
    struct http_loop *loop = connection->loop;

    connection->later = loop->later;
    loop->later = connection;
    event_active(loop->later_event, EV_TIMEOUT, 1);
}

struct bufferevent *connection_new(struct event_base *base, void *data)
{
    struct http_loop *loop = data;
    struct connection *connection = calloc(1, sizeof(*connection));

    if (!connection) abort();
    connection->loop = loop;
    connection->fd = -1;
    connection->bufferevent = new_bufferevent(base, connection);
    /* NULL would make evhttp go on without us, and without TLS. */
    if (!connection->bufferevent) abort();
    connection->input_callback =
        evbuffer_add_cb(bufferevent_get_input(connection->bufferevent), input_changed, connection);
    connection->output_callback = evbuffer_add_cb(bufferevent_get_output(connection->bufferevent),
                                                  output_changed, connection);
    if (!connection->input_callback || !connection->output_callback) abort();

    connection->next = loop->connections;
    if (connection->next) connection->next->previous = connection;
    loop->connections = connection;
    loop->connection_count++;
    /* evhttp's half does not exist yet; the reference is ours until adopt(). */
    bufferevent_incref(connection->bufferevent);
    put_off(connection);
    return connection->bufferevent;
}

static void forget(struct connection *connection)
{
    struct http_loop *loop = connection->loop;

    if (connection->previous)
        connection->previous->next = connection->next;
    else
        loop->connections = connection->next;
    if (connection->next) connection->next->previous = connection->previous;
    loop->connection_count--;
    if (connection->fd >= 0) atomic_fetch_sub(&loop->server->connections, 1);
    free(connection);
    loop_end_if_drained(loop);
}

static void remove_callbacks(struct connection *connection)
{
    evbuffer_remove_cb_entry(bufferevent_get_input(connection->bufferevent),
                             connection->input_callback);
    evbuffer_remove_cb_entry(bufferevent_get_output(connection->bufferevent),
                             connection->output_callback);
}

/* evhttp's close callback: frees its half right after this. */
static void closed(struct evhttp_connection *evhttp, void *data)
{
    struct connection *connection = data;
    struct http_loop *loop = connection->loop;
    (void)evhttp;

    loop->by_fd[connection->fd] = NULL;
    connection->evhttp = NULL;
    remove_callbacks(connection);
    if (connection->ssl && SSL_is_init_finished(connection->ssl)) {
        SSL_shutdown(connection->ssl); /* says goodbye, does not wait for the client's */
        ERR_clear_error();
    }
    if (connection->linger) {
        connection_now(connection, CONNECTION_LINGERING);
        bufferevent_incref(connection->bufferevent);
        put_off(connection);
    } else {
        forget(connection);
    }
}

static void linger_end(struct connection *connection)
{
    bufferevent_free(connection->bufferevent);
    forget(connection);
}

static void linger_read(struct bufferevent *bufferevent, void *connection)
{
    struct evbuffer *input = bufferevent_get_input(bufferevent);
    (void)connection;
    evbuffer_drain(input, evbuffer_get_length(input));
}

static void linger_event(struct bufferevent *bufferevent, short what, void *connection)
{
    (void)bufferevent;
    (void)what;
    linger_end(connection);
}

static void linger_begin(struct connection *connection)
{
    struct bufferevent *bufferevent = connection->bufferevent;

    linger_read(bufferevent, connection);
    bufferevent_setcb(bufferevent, linger_read, NULL, linger_event, connection);
    bufferevent_disable(bufferevent, EV_WRITE);
    bufferevent_enable(bufferevent, EV_READ);
}

static void remember_fd(struct http_loop *loop, struct connection *connection)
{
    const size_t fd = (size_t)connection->fd;

    if (fd >= loop->by_fd_size) {
        const size_t size = fd < 512 ? 1024 : fd * 2;
        loop->by_fd = realloc(loop->by_fd, size * sizeof(*loop->by_fd));
        if (!loop->by_fd) abort();
        while (loop->by_fd_size < size)
            loop->by_fd[loop->by_fd_size++] = NULL;
    }
    loop->by_fd[fd] = connection;
}

/* evhttp's half is complete now, and nothing can have come in yet. */
static void adopt(struct connection *connection)
{
    struct http_loop *loop = connection->loop;
    struct http_server *server = loop->server;
    struct bufferevent *bufferevent = connection->bufferevent;
    bufferevent_data_cb read_callback, write_callback;
    bufferevent_event_cb event_callback;
    void *evhttp;

    bufferevent_getcb(bufferevent, &read_callback, &write_callback, &event_callback, &evhttp);
    if (!read_callback) { /* evhttp failed on the way */
        remove_callbacks(connection);
        bufferevent_decref(bufferevent);
        forget(connection);
        return;
    }
    /* They are the same for all connections. */
    loop->write_callback = write_callback;
    loop->event_callback = event_callback;
    connection->fd = bufferevent_getfd(bufferevent);
    connection->evhttp = evhttp;
    remember_fd(loop, connection);
    evhttp_connection_set_closecb(connection->evhttp, closed, connection);
    bufferevent_decref(bufferevent);
    connection_now(connection, connection->ssl ? CONNECTION_HANDSHAKE : CONNECTION_IDLE);
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));

    if (atomic_fetch_add(&server->connections, 1) >= server->settings.connections_max) {
        atomic_fetch_add(&server->refused, 1);
        evhttp_connection_free(connection->evhttp);
    } else {
        atomic_fetch_add(&server->accepted, 1);
        if (loop->draining) evhttp_connection_free(connection->evhttp);
    }
}

/* While a request is being handled the client may say goodbye, or half of it. That is for
 * evhttp to see when the answer is out. */
static void event_while_handling(struct bufferevent *bufferevent, short what, void *connection)
{
    (void)bufferevent;
    (void)what;
    (void)connection;
}

void connection_hold(struct connection *connection)
{
    struct bufferevent *bufferevent = connection->bufferevent;

    bufferevent_setcb(bufferevent, NULL, NULL, event_while_handling, connection);
    bufferevent_enable(bufferevent, EV_READ);
}

void connection_give_back(struct connection *connection)
{
    struct http_loop *loop = connection->loop;

    /* Without the one for reading: input in the middle of an answer is fatal to evhttp, and TLS
     * may read in order to write. evhttp sets it again for the next request. */
    bufferevent_setcb(connection->bufferevent, NULL, loop->write_callback, loop->event_callback,
                      connection->evhttp);
}

void connection_hand_over(struct connection *connection)
{
    struct bufferevent *bufferevent = connection->bufferevent;
    struct evbuffer *input = bufferevent_get_input(bufferevent);

    connection_now(connection, CONNECTION_STREAMING);
    bufferevent_disable(bufferevent, EV_READ | EV_WRITE);
    bufferevent_setcb(bufferevent, NULL, NULL, event_while_handling, connection);
    /* What the client sent behind its request comes to nothing: the answer has no end. */
    evbuffer_drain(input, evbuffer_get_length(input));
}

void connection_hand_back(struct connection *connection)
{
    struct http_loop *loop = connection->loop;

    pthread_mutex_lock(&loop->mutex);
    const bool first = !loop->finished.head && !loop->handed_back.head;
    list_push(&loop->handed_back, &connection->link);
    if (first) loop_wake(loop);
    pthread_mutex_unlock(&loop->mutex);
}

void connection_do_later(struct connection *connection)
{
    if (connection->state == CONNECTION_NEW)
        adopt(connection);
    else
        linger_begin(connection);
}

struct connection *connection_find(struct http_loop *loop, struct evhttp_connection *evhttp)
{
    const int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evhttp));

    assert(fd >= 0 && (size_t)fd < loop->by_fd_size);
    assert(loop->by_fd[fd] && loop->by_fd[fd]->evhttp == evhttp);
    return loop->by_fd[fd];
}

void connection_end(struct connection *connection)
{
    if (connection->state == CONNECTION_LINGERING)
        linger_end(connection);
    else
        evhttp_connection_free(connection->evhttp);
}

static void check_arrival(struct connection *connection, uint64_t age)
{
    struct http_loop *loop = connection->loop;

    if (loop->draining && loop->tick > loop->draining_since + LAST_REQUEST_S) {
        connection_end(connection);
    } else if (connection->framing.bad && age > 0) {
        /* evhttp waits for an end that has come already, or never will. */
        protocol_error_end(connection, 400);
    } else if (age > loop->server->settings.request_timeout_s) {
        atomic_fetch_add(&loop->server->timed_out, 1);
        protocol_error_end(connection, 408);
    }
}

static void check_deadline(struct connection *connection)
{
    struct http_server *server = connection->loop->server;
    const uint64_t age = connection->loop->tick - connection->since;

    switch (connection->state) {
    case CONNECTION_NEW:
    case CONNECTION_HANDLING:
    case CONNECTION_STREAMING: return;
    case CONNECTION_HANDSHAKE:
        if (SSL_is_init_finished(connection->ssl))
            connection_now(connection, CONNECTION_IDLE);
        else if (age > server->settings.request_timeout_s)
            connection_end(connection);
        return;
    case CONNECTION_IDLE:
        if (age > server->settings.idle_timeout_s) connection_end(connection);
        return;
    case CONNECTION_ARRIVING: check_arrival(connection, age); return;
    case CONNECTION_ANSWERING:
        if (age <= server->settings.idle_timeout_s) return;
        atomic_fetch_add(&server->timed_out, 1);
        connection->linger = false;
        connection_end(connection);
        return;
    case CONNECTION_LINGERING:
        if (age > LINGER_S) connection_end(connection);
        return;
    }
}

void connections_sweep(struct http_loop *loop)
{
    struct connection *next;

    for (struct connection *connection = loop->connections; connection; connection = next) {
        next = connection->next;
        check_deadline(connection);
    }
}

void connections_close_idle(struct http_loop *loop)
{
    struct connection *next;

    for (struct connection *connection = loop->connections; connection; connection = next) {
        next = connection->next;
        if (connection->state == CONNECTION_IDLE || connection->state == CONNECTION_HANDSHAKE)
            connection_end(connection);
    }
}

void connections_end_all(struct http_loop *loop)
{
    struct connection *next;

    loop_do_later(loop);
    for (struct connection *connection = loop->connections; connection; connection = next) {
        next = connection->next;
        connection->linger = false;
        if (connection->request) {
            /* The handler's side may still be reading it. */
            evhttp_request_own(connection->request->native);
            ((struct evhttp_request *)connection->request->native)->evcon = NULL;
        }
        connection_end(connection);
    }
}
