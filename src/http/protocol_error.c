/* SPDX-License-Identifier: Apache-2.0 */
/* Errors below the handler: what evhttp refuses by itself, and requests that take too long.
 *
 * libevent 2.1 has no hook for the pages evhttp sends on its own. But they pass through the
 * connection's output, where everything we did not add ourselves is such a page (or a "100
 * Continue"): its status is kept and the rest is replaced. */
#include "http/loop.h"
#include "http/response.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include "base/clock.h"

void protocol_error_reply(struct http_loop *loop, int status, struct http_reply *reply)
{
    reply->status = status;
    reply->close = true;
    reply->headers[0] = (struct http_header){STR("X-Content-Type-Options"), STR("nosniff")};
    reply->headers[1] = (struct http_header){STR("Cache-Control"), STR("no-store")};
    reply->header_count = 2;
    buf_clear(&loop->scratch);
    loop->server->settings.error_body(status, &loop->scratch, reply);
    reply->body = buf_str(&loop->scratch);
}

/* The whole response, in loop->head. */
static struct str write_response(struct http_loop *loop, int status)
{
    struct http_reply reply = {0};
    char date[40];

    protocol_error_reply(loop, status, &reply);
    response_date(clock_now_ms() / 1000, date);
    buf_clear(&loop->head);
    response_head(&loop->head, &reply, date, RESPONSE_CLOSE);
    buf_add_str(&loop->head, reply.body);
    return buf_str(&loop->head);
}

/* For evhttp headers that are too large are malformed. They are too large if it took more than
 * allowed, or waited for the end of a line that would be too much. */
static int refine_status(const struct connection *connection, int status)
{
    const struct http_loop *loop = connection->loop;
    const size_t most = loop->server->settings.max_headers;
    struct evbuffer *input = bufferevent_get_input(connection->bufferevent);

    if (status != 400) return status;
    if (connection->consumed > most) return 431;
    if (connection->consumed + evbuffer_get_length(input) <= most) return 400;
    return evbuffer_search(input, "\n", 1, NULL).pos < 0 ? 431 : 400;
}

/* Everything behind the first 'keep' bytes. */
static void drop_rest(struct evbuffer *output, size_t keep)
{
    struct evbuffer *kept = evbuffer_new();

    if (!kept) abort();
    if (keep > 0) evbuffer_remove_buffer(output, kept, keep);
    evbuffer_drain(output, evbuffer_get_length(output));
    evbuffer_add_buffer(output, kept);
    evbuffer_free(kept);
}

void protocol_error_replace(struct connection *connection, size_t keep)
{
    struct evbuffer *output = bufferevent_get_output(connection->bufferevent);
    struct evbuffer_ptr start;
    char line[16] = "";

    evbuffer_ptr_set(output, &start, keep, EVBUFFER_PTR_SET);
    evbuffer_copyout_from(output, &start, line, sizeof("HTTP/1.1 400") - 1);
    const int status = atoi(line + sizeof("HTTP/1.1 ") - 1);
    if (status == 100) return;

    const struct str response = write_response(connection->loop, refine_status(connection, status));
    connection->ours = true;
    /* A plain bufferevent guards the front of its output against all but itself. */
    if (!connection->ssl) evbuffer_unfreeze(output, 1);
    drop_rest(output, keep);
    if (!connection->ssl) evbuffer_freeze(output, 1);
    evbuffer_add(output, response.data, response.len);
    /* And so the rest of evhttp's page comes to nothing. */
    evbuffer_freeze(output, 0);
    connection->linger = true;
    connection_now(connection, CONNECTION_ANSWERING);
}

void protocol_error_end(struct connection *connection, int status)
{
    struct evbuffer *output = bufferevent_get_output(connection->bufferevent);

    /* evhttp is in the middle of reading and cannot be told to answer, but nothing stands in the
     * socket's way. Should it not take these few bytes, the client never read anything. */
    if (evbuffer_get_length(output) == 0) {
        const struct str response = write_response(connection->loop, status);
        if (connection->ssl)
            SSL_write(connection->ssl, response.data, (int)response.len);
        else
            (void)!send(connection->fd, response.data, response.len, MSG_NOSIGNAL);
        ERR_clear_error();
        connection->linger = true;
    }
    connection_end(connection);
}
