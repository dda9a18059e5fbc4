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

static const char docs_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' "
    "data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

static void answer_file(struct call *call, struct str path)
{
    reply_file(call, embedded_find(path), docs_policy);
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
