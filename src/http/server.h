/* SPDX-License-Identifier: Apache-2.0 */
/* server.h -- HTTP/1.1 without a word about tickets.
 *
 * A server runs one event loop a thread over libevent's evhttp. For each complete request it
 * calls the handler on the loop's thread. The handler answers at once with http_reply(), or
 * later: any thread may end a request with http_finish(), which hands it back to
 * its loop; the loop is woken once for all that came back meanwhile.
 *
 * A 'struct http_request' belongs to the handler's side from the call of the handler until
 * http_reply() or http_finish(); its memory, with all that was allocated in its arena, is
 * given back after the answer was handed to the socket. If the client goes away meanwhile,
 * answering is still right and simply goes nowhere.
 *
 * Errors that evhttp itself answers (a malformed request, a body that is too large, headers
 * that are too large, an unknown method) get what 'error_body' writes. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/list.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER, /* TRACE, CONNECT */
    HTTP_METHODS,
};

const char *http_method_name(enum http_method method);

struct http_stream;

struct http_header {
    struct str name, value;
};

#define HTTP_REPLY_HEADERS_MAX 20

/* What the handler's side fills in. 'body' and header values must live until the request ends: in
 * the request's arena, in constants, or, for the body, until 'release' is called. Date,
 * Content-Length and Connection are the server's; a HEAD request gets the headers without the
 * body, automatically. */
struct http_reply {
    int status;
    const char *content_type; /* NULL: no body */
    struct str body;
    struct http_header headers[HTTP_REPLY_HEADERS_MAX];
    size_t header_count;
    bool close; /* close the connection after this answer */
    /* Called on the loop's thread when the body is no longer needed, may be NULL: lets a body be
     * shared between requests without a copy. */
    void (*release)(void *owner);
    void *owner;
    /* Instead of a body: it goes on (http/stream.h). NULL: it does not. */
    struct http_stream *stream;
};

struct http_loop;

struct http_request {
    enum http_method method;
    struct str path;    /* as sent, still percent-encoded, without the query; "/" at least */
    struct str query;   /* as sent, without '?' */
    struct str body;    /* empty when there is none */
    struct str peer;    /* the client's address as text: "127.0.0.1", "::1" */
    int64_t started_us; /* monotonic, when the handler was called */
    struct arena arena;
    struct http_reply reply;
    void *handler_data; /* the handler's own */

    /* The server's own. */
    struct http_loop *loop;
    struct link link;
    void *native;
};

/* The value of a request header, name in any case; data is NULL when there is none. Where a
 * header came several times the first one counts. */
struct str http_header(const struct http_request *request, const char *name);

/* The same of all headers of that name, as one list (RFC 9110, section 5.3). */
struct str http_header_joined(struct http_request *request, const char *name);

/* Adds a header to the reply. Silently more than HTTP_REPLY_HEADERS_MAX is a bug (assert). 'name'
 * is a constant; 'value' must not hold CR, LF or NUL (assert). */
void http_add_header(struct http_request *request, const char *name, struct str value);

/* Sends request->reply. Only on the loop's thread, only from inside the handler. */
void http_reply(struct http_request *request);

/* The same from any thread, at any time, once. */
void http_finish(struct http_request *request);

/* Which of the server's loops serves this request: 0 to loops-1. */
unsigned http_loop_index(const struct http_request *request);

struct http_settings {
    const char *host; /* an address or a name to bind */
    uint16_t port;    /* 0: the system chooses, see http_server_port() */
    unsigned loops;
    size_t max_body;            /* bytes; more is answered 413 */
    size_t max_headers;         /* bytes; more is answered 431 */
    unsigned idle_timeout_s;    /* between requests, and for a client that does not read */
    unsigned request_timeout_s; /* from a request's first byte to its last, however it trickles */
    unsigned heartbeat_s;       /* a stream that has nothing to say says so this often, at least */
    unsigned connections_max;   /* over all loops; more are closed at once */
    const char *tls_cert, *tls_key; /* PEM files, both or neither */
    void (*handler)(struct http_request *request, void *data);
    /* Called on each loop's thread before it serves, may be NULL. */
    void (*loop_started)(unsigned index, void *data);
    /* Writes the body for an error of the protocol itself, and puts its content type and perhaps a
     * header into 'reply'. */
    void (*error_body)(int status, struct buf *body, struct http_reply *reply);
    void *data;
};

struct http_server;

/* Binds and starts the loops' threads. On failure NULL and a sentence in *ret_error (in 'arena')
 * that says what is wrong with which setting. */
struct http_server *http_server_start(const struct http_settings *settings, struct arena *arena,
                                      const char **ret_error);

uint16_t http_server_port(const struct http_server *server);

/* Reads certificate and key again, which must have been given at the start: who connects from now
 * on gets the new ones, who is connected stays. When something is wrong with the files the old ones
 * stay, and it is false with a sentence in *ret_error. From any thread but the loops'. */
bool http_server_reload_tls(struct http_server *server, const char *cert, const char *key,
                            struct arena *arena, const char **ret_error);

/* Stops accepting, closes idle connections, lets requests under way be answered (their
 * answers say "Connection: close") for at most 'timeout_ms', then ends the loops. A request of
 * which a part has arrived gets a second or two for the rest; streams are ended at once. Returns
 * the number of requests that were cut off. */
size_t http_server_stop(struct http_server *server, int timeout_ms);

struct http_counts {
    uint64_t connections; /* now; the others since the start */
    uint64_t accepted, refused;
    uint64_t timed_out; /* requests that did not arrive, answers that were not read in time */
    uint64_t streams;   /* now: connections that are answers which go on */
};
struct http_counts http_server_counts(struct http_server *server);

#endif
