/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h -- what the files of the server share; nobody outside src/http includes this.
 *
 * evhttp parses requests and keeps the turns of a connection. What goes out is written here,
 * and so are the deadlines, because evhttp knows only a timeout between two bytes.
 *
 * A connection, and who moves it along:
 *
 *            accept                   first byte              last byte
 *   (bevcb) --------> [idle] -------------------> [arriving] -----------> [handling]
 *      |   adopt()    ^    |    input_changed()       |     request_arrived()  |
 *      |              |    |                          |                        | answer_send()
 *      | TLS          |    | idle_timeout             | request_timeout: 408,  |
 *      +-> [handshake]+    |                          | or evhttp's own error  v
 *            sweep()  |    |                          +----------------> [answering]
 *                     +----+------------------------------------------------+  |
 *                          | all of the answer is with the system              |
 *                          v                                                   | to be closed
 *                       closed() <---- [lingering] <---------------------------+
 *
 * An answer that goes on leads from [handling] to [streaming], where the connection belongs to the
 * hub, on another thread, until that hands it back to be closed.
 *
 * Everything of a loop belongs to its thread, but what stands below the mutex. */
#ifndef HTTP_LOOP_H
#define HTTP_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include "http/framing.h"
#include "http/server.h"

struct ssl_st;
struct ssl_ctx_st;

struct http_server {
    struct http_settings settings; /* its texts are good only while the server starts */
    int listener;
    uint16_t port;
    pthread_mutex_t tls_mutex;
    struct ssl_ctx_st *tls; /* NULL: plain, and for ever; another one only under the mutex */
    struct http_loop *loops;
    atomic_bool stopping;
    int64_t stop_at_us; /* monotonic; set before 'stopping' */
    /* One for the owner and one for each request that was cut off: its handler's side may still
     * hold it after the loops have ended. */
    atomic_size_t references;
    atomic_uint_fast64_t connections, accepted, refused, timed_out, streams;
    struct http_hub *hub; /* of all loops */
};

enum connection_state {
    CONNECTION_NEW, /* between evhttp's accept and adopt() */
    CONNECTION_HANDSHAKE,
    CONNECTION_IDLE,
    CONNECTION_ARRIVING,
    CONNECTION_HANDLING,
    CONNECTION_ANSWERING,
    CONNECTION_STREAMING, /* the hub's */
    CONNECTION_LINGERING, /* evhttp is done with it; ours alone */
};

struct connection {
    struct connection *next, *previous;
    struct connection *later; /* see loop->later */
    struct link link;         /* while the hub hands it back */
    struct http_loop *loop;
    struct bufferevent *bufferevent;
    struct evhttp_connection *evhttp; /* NULL before adopt() and while lingering */
    struct ssl_st *ssl;               /* NULL: plain */
    struct http_request *request;     /* while handling */
    struct evbuffer_cb_entry *input_callback, *output_callback;
    int fd;
    enum connection_state state;
    uint64_t since;  /* tick at which the state began, or the client last took a byte */
    size_t consumed; /* bytes evhttp has taken of the request that is arriving */
    struct framing framing;
    bool ours;   /* what is being added to the output is our own */
    bool linger; /* read on a while after closing, or a reset could eat the answer */
};

struct http_loop {
    struct http_server *server;
    unsigned index;
    pthread_t thread;
    bool started, speaks_tls;
    struct event_base *base;
    struct evhttp *evhttp;
    struct evhttp_bound_socket *bound;  /* NULL once we stop accepting */
    bufferevent_data_cb write_callback; /* these two are evhttp's */
    bufferevent_event_cb event_callback;
    struct event *wake_event, *later_event, *sweep_event, *accept_event, *deadline_event;

    uint64_t tick;              /* seconds; the clock of all deadlines */
    uint64_t accept_warning_at; /* no more of these before that tick */
    struct connection *connections;
    size_t connection_count;
    struct connection **by_fd;
    size_t by_fd_size;

    struct connection *later; /* what evhttp must have let go of before we can touch it */
    struct list ready;        /* answered inside the handler, not sent yet */
    struct list spare;        /* requests to use again */
    size_t under_way;         /* requests with the handler's side */
    size_t cut_off;
    struct buf head;    /* of the response that is being written */
    struct buf scratch; /* body of an error of the protocol */
    int64_t date_second;
    char date[40];
    bool draining;
    uint64_t draining_since; /* tick */

    pthread_mutex_t mutex;
    struct list finished;
    struct list handed_back; /* by the hub */
    bool ended;
    int wake_fd;
};

/* loop.c */
bool loop_open(struct http_loop *loop, struct http_server *server, unsigned index);
bool loop_start(struct http_loop *loop);
void loop_wake(struct http_loop *loop);
void loop_do_later(struct http_loop *loop);
void loop_end_if_drained(struct http_loop *loop);
void loop_close(struct http_loop *loop); /* only after its thread has ended, or never began */
void server_release(struct http_server *server);

/* connection.c */
struct bufferevent *connection_new(struct event_base *base, void *loop); /* evhttp's bevcb */
struct connection *connection_find(struct http_loop *loop, struct evhttp_connection *evhttp);
void connection_now(struct connection *connection, enum connection_state state);
void connection_do_later(struct connection *connection);
/* evhttp turns reading off while a request is being handled and on again for the next, at the
 * price of two system calls. Held, a connection is read on with evhttp kept away; what comes is
 * the next request, and waits in the input. */
void connection_hold(struct connection *connection);
void connection_give_back(struct connection *connection);
void connection_end(struct connection *connection); /* and frees it, unless it lingers */
void connections_sweep(struct http_loop *loop);
void connections_close_idle(struct http_loop *loop);
void connections_end_all(struct http_loop *loop);
/* From now on, until it is handed back, nothing of the loop's touches it. */
void connection_hand_over(struct connection *connection);
void connection_hand_back(struct connection *connection); /* from the hub's thread, to be ended */

/* request.c */
void request_arrived(struct evhttp_request *native, void *loop); /* evhttp's gencb */
void request_recycle(struct http_request *request);
void request_discard(struct http_request *request); /* after its loop has ended */

/* stream.c */
struct http_hub *hub_new(struct http_server *server); /* NULL: the system has nothing left */
bool hub_start(struct http_hub *hub);
/* One turn of a hub without a thread, or of the thread's own. */
void hub_turn(struct http_hub *hub, bool wait);
/* Ends its streams and its thread. Before the loops end. NULL is fine. */
void hub_stop(struct http_hub *hub);
void hub_free(struct http_hub *hub); /* NULL is fine */
/* The stream of a request whose answer begins with 'head', on a connection that was handed over.
 * False: the hub has ended, and hub_refused() is what is left to do. */
bool hub_open(struct http_hub *hub, struct http_stream *stream, struct connection *connection,
              const struct http_request *request, struct str head, bool chunked);
void hub_refused(struct http_stream *stream);

/* server.c: a thread to which no signal comes, as they are the main thread's business. */
bool server_thread(pthread_t *thread, void *(*run)(void *data), void *data);

/* answer.c */
void answer_release(struct http_reply *reply); /* what it holds of its owner's */
void answer_send(struct http_request *request);
void answer_send_all(struct list *requests);

/* protocol_error.c */
void protocol_error_reply(struct http_loop *loop, int status, struct http_reply *reply);
void protocol_error_replace(struct connection *connection, size_t keep);
void protocol_error_end(struct connection *connection, int status);

#endif
