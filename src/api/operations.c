/* SPDX-License-Identifier: Apache-2.0 */
/* For operators and machines: is it alive, is it ready, how is it doing; and the documentation. */
#include <sodium.h>
#include <stdio.h>

#include "api/address.h"
#include "api/embedded.h"
#include "api/metrics.h"
#include "api/reply.h"
#include "api/resources.h"

void operations_alive(struct call *call)
{
    reply_json(call, 200, STR("{\"status\":\"ok\"}"));
}

static void ping(struct call *call, struct store *store)
{
    enum store_status status = store_ping(store);
    if (status == STORE_OK)
        reply_json(call, 200, STR("{\"status\":\"ok\"}"));
    else
        reply_fault(call, store, status);
}

void operations_ready(struct call *call)
{
    call_read(call, ping);
}

static bool is_local(const struct call *call)
{
    return address_is_loopback(call->request->peer) && !address_is_hidden(call->request);
}

/* To whom the figures are shown: this machine, and who has the token. A proxy on this machine
 * speaks for others, who need the token. */
static bool may_see_metrics(const struct call *call)
{
    const char *token = call->api->settings.metrics_token;
    struct str given = http_header(call->request, "Authorization");
    if (token && str_starts(given, STR("Bearer "))) {
        struct str value = {given.data + 7, given.len - 7};
        return value.len == strlen(token) && sodium_memcmp(value.data, token, value.len) == 0;
    }
    return is_local(call);
}

void operations_metrics(struct call *call)
{
    if (!is_local(call) && !call_within_limits(call)) return; /* or the token could be guessed */
    if (!may_see_metrics(call)) {
        reply_problem(call, UNAUTHORIZED,
                      STR("The metrics are shown to this machine, and to who sends METRICS_TOKEN "
                          "as bearer."));
        return;
    }
    struct buf *out = call_scratch();
    metrics_write(out, call->api);
    /* The version parameter is that of the Prometheus text format. */
    reply_text(call, 200, "text/plain; version=0.0.4; charset=utf-8",
               arena_str(call->arena, buf_str(out)));
}

/* ---- the documentation, out of the program ---- */

static void release_nothing(void *owner)
{
    (void)owner;
}

static void answer_file(struct call *call, struct str path)
{
    const struct embedded_file *file = embedded_find(path);
    if (!file) {
        reply_problem(call, NOT_FOUND, (struct str){0});
        return;
    }
    struct str etag = str_of(file->etag);
    if (str_equal(str_trim(http_header(call->request, "If-None-Match")), etag)) {
        reply_set_empty(call, 304);
    } else {
        struct str encodings = http_header(call->request, "Accept-Encoding");
        bool zipped =
            file->gzip_data && encodings.len && memmem(encodings.data, encodings.len, "gzip", 4);
        reply_set_empty(call, 200);
        struct http_reply *reply = &call->request->reply;
        reply->content_type = file->content_type;
        reply->body = zipped ? (struct str){(const char *)file->gzip_data, file->gzip_size}
                             : (struct str){(const char *)file->data, file->size};
        /* It stays where it is, and is not copied for each client that reads slowly. */
        reply->release = release_nothing;
        if (zipped) reply_header(call, "Content-Encoding", STR("gzip"));
    }
    reply_cache(call, "public, max-age=0, must-revalidate");
    reply_header(call, "ETag", etag);
    if (file->gzip_data) reply_header(call, "Vary", STR("Accept-Encoding"));
    reply_header(call, "Content-Security-Policy",
                 STR("default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
                     "img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; "
                     "form-action 'none'; frame-ancestors 'none'"));
    reply_header(call, "Referrer-Policy", STR("no-referrer"));
    reply_send(call);
}

void operations_specification(struct call *call)
{
    answer_file(call, STR("/openapi.json"));
}

void operations_docs(struct call *call)
{
    answer_file(call, STR("/docs"));
}

void operations_docs_asset(struct call *call)
{
    answer_file(call, call->request->path);
}
