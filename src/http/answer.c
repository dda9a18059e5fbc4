/* SPDX-License-Identifier: Apache-2.0 */
/* Sends what the handler's side answered.
 *
 * Not with evhttp_send_reply(): it formats header by header and waits for the
 * socket to become writable, which for small answers costs as much as all the rest. The answer goes
 * to the socket in one call, and evhttp is only told that the request is over;
 * evhttp_send_reply_end() takes it from there, whether or not bytes are left in the output. */
#include "http/loop.h"
#include "http/response.h"
#include "http/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "base/clock.h"

/* Is 'word' one of the comma-separated words? */
static bool has_word(struct str words, struct str word)
{
    while (words.len > 0)
        if (str_equal_nocase(str_trim(str_cut(&words, ',')), word)) return true;
    return false;
}

/* HTTP/1.1, that is. */
static bool is_new(const struct evhttp_request *native)
{
    return native->major == 1 && native->minor >= 1;
}

/* Whatever is decided here evhttp must decide by itself in evhttp_send_done(); the header we add
 * for it never goes out. */
static enum response_connection decide_connection(struct evhttp_request *native, bool close)
{
    const bool old = native->major < 1 || native->minor < 1;
    const char *asked = evhttp_find_header(native->input_headers, "Connection");
    const bool keep = !old || (asked && strncasecmp(asked, "keep-alive", 10) == 0);

    if (close || !keep || native->flags & EVHTTP_PROXY_REQUEST ||
        has_word(str_of(asked), STR("close"))) {
        evhttp_add_header(native->output_headers, "Connection", "close");
        return RESPONSE_CLOSE;
    }
    return old ? RESPONSE_KEEP_HTTP10 : RESPONSE_KEEP;
}

static const char *date_now(struct http_loop *loop)
{
    const int64_t second = clock_now_ms() / 1000;

    if (second != loop->date_second) response_date(second, loop->date);
    loop->date_second = second;
    return loop->date;
}

void answer_release(struct http_reply *reply)
{
    if (reply->release) reply->release(reply->owner);
    if (reply->stream) reply->stream->kind->closed(reply->stream);
    reply->release = NULL;
    reply->stream = NULL;
}

struct shared_body {
    void (*release)(void *owner);
    void *owner;
};

static void shared_body_sent(const void *data, size_t len, void *shared_body)
{
    struct shared_body *body = shared_body;
    (void)data;
    (void)len;
    body->release(body->owner);
    free(body);
}

/* The rest of a shared body is not copied either: its release waits for the last byte. */
static void queue_shared_body(struct evbuffer *output, struct http_reply *reply, struct str rest)
{
    struct shared_body *body = malloc(sizeof(*body));

    if (!body) abort();
    *body = (struct shared_body){reply->release, reply->owner};
    reply->release = NULL;
    evbuffer_add_reference(output, rest.data, rest.len, shared_body_sent, body);
}

/* Leaves to the event loop what the socket would not take at once. */
static void queue_rest(struct connection *connection, struct http_reply *reply, struct str head,
                       struct str body, size_t sent)
{
    struct evbuffer *output = bufferevent_get_output(connection->bufferevent);
    const size_t head_sent = sent < head.len ? sent : head.len;
    const size_t body_sent = sent - head_sent;
    const struct str rest = {body.data + body_sent, body.len - body_sent};

    connection->ours = true;
    evbuffer_add(output, head.data + head_sent, head.len - head_sent);
    if (rest.len > 0 && reply->release)
        queue_shared_body(output, reply, rest);
    else if (rest.len > 0)
        evbuffer_add(output, rest.data, rest.len);
    connection->ours = false;
}

/* True when bytes are left for the event loop to send. */
static bool send_now(struct connection *connection, struct http_request *request, bool close)
{
    struct http_loop *loop = request->loop;
    struct evhttp_request *native = request->native;
    struct http_reply *reply = &request->reply;
    struct evbuffer *output = bufferevent_get_output(connection->bufferevent);
    size_t sent = 0;

    buf_clear(&loop->head);
    response_head(&loop->head, reply, date_now(loop), decide_connection(native, close));
    const struct str head = buf_str(&loop->head);
    struct str body = reply->body;
    if (request->method == HTTP_HEAD || !response_has_body(reply->status)) body.len = 0;

    /* The output is empty but when a "100 Continue" is still on its way. */
    if (!connection->ssl && evbuffer_get_length(output) == 0) {
        struct iovec parts[2] = {{(void *)head.data, head.len}, {(void *)body.data, body.len}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = body.len > 0 ? 2 : 1};
        const ssize_t n = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
        /* An error will come again, and then evhttp sees it as well. */
        sent = n > 0 ? (size_t)n : 0;
    }
    if (sent == head.len + body.len) return false;
    queue_rest(connection, reply, head, body, sent);
    return true;
}

/* A "100 Continue" that the client has not read yet: from now on the output sleeps. */
static void take_output(struct connection *connection, struct buf *out)
{
    struct evbuffer *output = bufferevent_get_output(connection->bufferevent);
    const size_t len = evbuffer_get_length(output);

    if (len == 0) return;
    buf_reserve(out, len);
    evbuffer_copyout(output, out->data + out->len, len);
    out->len += len;
}

/* The head is the hub's to send, with all that follows. evhttp never hears that the request is
 * over; it frees it with the connection. */
static void begin_stream(struct http_request *request, struct connection *connection)
{
    struct http_loop *loop = request->loop;
    struct evhttp_request *native = request->native;
    struct http_reply *reply = &request->reply;
    struct http_stream *stream = reply->stream;
    const bool chunked = is_new(native);

    connection->request = NULL;
    connection->linger = false;
    connection_hand_over(connection);
    buf_clear(&loop->head);
    take_output(connection, &loop->head);
    response_head(&loop->head, reply, date_now(loop), RESPONSE_CLOSE);
    const bool taken =
        hub_open(loop->server->hub, stream, connection, request, buf_str(&loop->head), chunked);
    reply->stream = NULL; /* it may be gone by now */
    answer_release(reply);
    /* From here on the stream is all that is kept of the request. */
    evhttp_clear_headers(native->input_headers);
    request_recycle(request);
    if (taken) return;
    hub_refused(stream);
    connection_end(connection);
}

void answer_send(struct http_request *request)
{
    struct http_loop *loop = request->loop;
    struct evhttp_request *native = request->native;
    /* There always is one: held, it stays when the client goes away. */
    struct connection *connection = connection_find(loop, native->evcon);
    struct bufferevent *bufferevent = connection->bufferevent;
    const bool more = evbuffer_get_length(bufferevent_get_input(bufferevent)) > 0;

    assert(request->reply.status >= 200 && request->reply.status <= 599);
    assert(request->reply.content_type || request->reply.body.len == 0);
    if (request->reply.stream && is_new(native))
        http_add_header(request, "Transfer-Encoding", STR("chunked"));
    if (request->reply.stream && request->method != HTTP_HEAD) {
        begin_stream(request, connection);
        return;
    }
    const bool rest = send_now(connection, request, request->reply.close || loop->draining);
    connection->request = NULL;
    connection->linger = request->reply.close || more;
    connection_now(connection, rest   ? CONNECTION_ANSWERING
                               : more ? CONNECTION_ARRIVING
                                      : CONNECTION_IDLE);
    connection_give_back(connection);
    /* Or a client that sends but never reads could fill our memory. */
    if (rest) bufferevent_disable(bufferevent, EV_READ);
    answer_release(&request->reply);
    request_recycle(request);

    /* Of a chunked request evhttp would now end the chunks of the answer. */
    native->chunked = 0;
    /* With nothing left to send this may free the connection at once. */
    evhttp_send_reply_end(native);
    /* Only now: the callback for "all written" was set by the line above. */
    if (rest) bufferevent_enable(bufferevent, EV_WRITE);
    loop_end_if_drained(loop);
}

void answer_send_all(struct list *requests)
{
    struct link *link;

    while ((link = list_pop(requests)))
        answer_send(LINK_OWNER(link, struct http_request, link));
}
