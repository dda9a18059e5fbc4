/* SPDX-License-Identifier: Apache-2.0 */
/* From evhttp's request to ours. */
#include "http/loop.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/queue.h>
#include <event2/keyvalq_struct.h>
#include "base/clock.h"
#include "http/framing.h"

/* Requests kept for the next turn; more than this only after a great rush. */
#define SPARE_MAX 4096

static const char *const method_names[HTTP_METHODS] = {
    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
    [HTTP_OPTIONS] = "OPTIONS", [HTTP_OTHER] = "OTHER",
};

const char *http_method_name(enum http_method method)
{
    assert((unsigned)method < HTTP_METHODS);
    return method_names[method];
}

static enum http_method method_of(enum evhttp_cmd_type type)
{
    switch (type) {
    case EVHTTP_REQ_GET: return HTTP_GET;
    case EVHTTP_REQ_HEAD: return HTTP_HEAD;
    case EVHTTP_REQ_POST: return HTTP_POST;
    case EVHTTP_REQ_PUT: return HTTP_PUT;
    case EVHTTP_REQ_PATCH: return HTTP_PATCH;
    case EVHTTP_REQ_DELETE: return HTTP_DELETE;
    case EVHTTP_REQ_OPTIONS: return HTTP_OPTIONS;
    default: return HTTP_OTHER;
    }
}

static bool is_token(const char *text)
{
    size_t len = strlen(text);
    return len && framing_token_prefix(text, len) == len;
}

static bool is_plain_number(const char *text)
{
    uint64_t value;
    return str_to_u64(str_of(text), &value);
}

/* What the head says of the body, and of the host. 0, or the status to refuse with. */
static int check_head(const struct evhttp_request *native)
{
    const bool may_have_body = native->type != EVHTTP_REQ_HEAD && native->type != EVHTTP_REQ_TRACE;
    const struct evkeyval *header;
    unsigned hosts = 0, lengths = 0, encodings = 0;

    TAILQ_FOREACH(header, native->input_headers, next)
    {
        const struct str name = str_of(header->key);
        if (!is_token(header->key)) return 400;
        if (str_equal_nocase(name, STR("Host"))) {
            hosts++;
        } else if (str_equal_nocase(name, STR("Content-Length"))) {
            lengths++;
            if (!is_plain_number(header->value)) return 400;
            if (!may_have_body && strcmp(header->value, "0") != 0) return 400;
        } else if (str_equal_nocase(name, STR("Transfer-Encoding"))) {
            encodings++;
            if (!str_equal_nocase(str_of(header->value), STR("chunked"))) return 501;
        }
    }
    if (lengths + encodings > 1 || (encodings > 0 && (!may_have_body || native->minor < 1)))
        return 400;
    return hosts > 1 || (hosts == 0 && native->minor >= 1) ? 400 : 0;
}

static struct http_request *take_request(struct http_loop *loop)
{
    struct link *link = list_pop(&loop->spare);
    if (link) return LINK_OWNER(link, struct http_request, link);

    struct http_request *request = calloc(1, sizeof(*request));
    if (!request) abort();
    request->loop = loop;
    return request;
}

/* Path and query as they were sent. evhttp takes "//host/path" for an address without a scheme and
 * gives "/path": a proxy that guards a path sees another one. False: it is no target. */
static bool read_target(const struct evhttp_request *native, struct http_request *request)
{
    const char *scheme = evhttp_uri_get_scheme(native->uri_elems);

    if (native->uri[0] == '/') {
        request->query = str_of(native->uri);
        request->path = str_cut(&request->query, '?');
        return true;
    }
    request->path = str_of(evhttp_uri_get_path(native->uri_elems));
    request->query = str_of(evhttp_uri_get_query(native->uri_elems));
    if (request->path.len == 0) request->path = STR("/");
    if (native->type == EVHTTP_REQ_CONNECT) return true;
    if (native->type == EVHTTP_REQ_OPTIONS && strcmp(native->uri, "*") == 0) return true;
    return scheme && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
}

/* 0, or the status to refuse with. */
static int fill(struct http_request *request, struct evhttp_request *native)
{
    struct evbuffer *body = native->input_buffer;

    request->native = native;
    request->method = method_of(native->type);
    const bool is_target = read_target(native, request);
    request->body.len = evbuffer_get_length(body);
    request->body.data = request->body.len > 0 ? (char *)evbuffer_pullup(body, -1) : NULL;
    if (request->body.len > 0 && !request->body.data) abort();
    request->peer = str_of(native->remote_host);
    request->started_us = clock_monotonic_us();
    request->handler_data = NULL;

    struct http_reply *reply = &request->reply;
    reply->status = 0;
    reply->content_type = NULL;
    reply->body = (struct str){0};
    reply->header_count = 0;
    reply->close = false;
    reply->release = NULL;
    reply->owner = NULL;
    reply->stream = NULL;

    const int status = check_head(native);
    return status != 0 ? status : is_target ? 0 : 400;
}

void request_arrived(struct evhttp_request *native, void *data)
{
    struct http_loop *loop = data;
    struct connection *connection = connection_find(loop, native->evcon);
    struct http_request *request = take_request(loop);
    int refusal = fill(request, native);

    if (!framing_take(&connection->framing) && refusal == 0) refusal = 400;
    loop->under_way++;
    connection->request = request;
    connection->consumed = 0;
    connection->linger = false;
    connection_now(connection, CONNECTION_HANDLING);
    connection_hold(connection);
    if (refusal == 0) {
        loop->server->settings.handler(request, loop->server->settings.data);
        return;
    }
    protocol_error_reply(loop, refusal, &request->reply);
    request->reply.body = arena_str(&request->arena, request->reply.body);
    http_reply(request);
}

void request_recycle(struct http_request *request)
{
    struct http_loop *loop = request->loop;

    loop->under_way--;
    arena_reset(&request->arena);
    if (loop->spare.count < SPARE_MAX) {
        list_push_first(&loop->spare, &request->link); /* the processor has it at hand still */
    } else {
        arena_free(&request->arena);
        free(request);
    }
}

void request_discard(struct http_request *request)
{
    struct http_server *server = request->loop->server;

    answer_release(&request->reply);
    evhttp_request_free(request->native);
    arena_free(&request->arena);
    free(request);
    server_release(server);
}

/* As evhttp_find_header(), which folds names letter by letter: most differ in the first. */
static bool is_named(const struct evkeyval *header, const char *name)
{
    return (header->key[0] | 0x20) == (name[0] | 0x20) && strcasecmp(header->key, name) == 0;
}

struct str http_header(const struct http_request *request, const char *name)
{
    const struct evhttp_request *native = request->native;
    const struct evkeyval *header;
    TAILQ_FOREACH(header, native->input_headers, next)
    if (is_named(header, name)) return str_of(header->value);
    return (struct str){0};
}

struct str http_header_joined(struct http_request *request, const char *name)
{
    const struct evhttp_request *native = request->native;
    struct str all = {0};
    const struct evkeyval *header;
    TAILQ_FOREACH(header, native->input_headers, next)
    if (is_named(header, name))
        all = all.data ? arena_printf(&request->arena, "%.*s, %s", STR_FMT(all), header->value)
                       : str_of(header->value);
    return all;
}

void http_add_header(struct http_request *request, const char *name, struct str value)
{
    struct http_reply *reply = &request->reply;

    assert(reply->header_count < HTTP_REPLY_HEADERS_MAX);
    for (size_t i = 0; i < value.len; i++)
        assert(value.data[i] != '\r' && value.data[i] != '\n' && value.data[i] != '\0');
    reply->headers[reply->header_count++] = (struct http_header){str_of(name), value};
}

unsigned http_loop_index(const struct http_request *request)
{
    return request->loop->index;
}

void http_reply(struct http_request *request)
{
    struct http_loop *loop = request->loop;

    /* evhttp is still below us on the stack; it would not like its request to be gone when
     * we return. */
    if (!loop->ready.head) event_active(loop->later_event, EV_TIMEOUT, 1);
    list_push(&loop->ready, &request->link);
}

void http_finish(struct http_request *request)
{
    struct http_loop *loop = request->loop;

    pthread_mutex_lock(&loop->mutex);
    const bool ended = loop->ended;
    if (!ended) {
        const bool first = !loop->finished.head && !loop->handed_back.head;
        list_push(&loop->finished, &request->link);
        /* Under the mutex, or the loop could end and close the descriptor in between. */
        if (first) loop_wake(loop);
    }
    pthread_mutex_unlock(&loop->mutex);
    if (ended) request_discard(request);
}
