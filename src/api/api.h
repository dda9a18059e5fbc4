/* SPDX-License-Identifier: Apache-2.0 */
/* api.h -- the HTTP interface of the box office: what connects routes, engine and answers. */
#ifndef API_API_H
#define API_API_H

#include "auth/limits.h"
#include "auth/link.h"
#include "core/reference.h"
#include "engine/engine.h"
#include "http/server.h"

struct api_settings {
    struct engine *engine;
    struct str jwt_secret;
    struct reference_key reference_key;
    int64_t token_ttl_s;
    struct limit rate_limit; /* burst 0: no limits at all */
    bool open_organizing;
    bool sends_mail;    /* SMTP_URL is set */
    bool verified_only; /* only who has confirmed his address may book */
    struct link_key link_key;
    bool webhooks, webhook_allow_private;
    const char *cors_origins;
    const char *trust_proxy;
    const char *metrics_token; /* NULL: loopback only */
    unsigned loops;
    size_t body_max;
};

struct api;
struct notify_counts;

/* The strings of 'settings' must outlive it. */
struct api *api_new(const struct api_settings *settings);
void api_free(struct api *api);

/* For struct http_settings; 'data' is the struct api. */
void api_handle(struct http_request *request, void *data);
void api_error_body(int status, struct buf *body, struct http_reply *reply);

/* For /metrics; set once the server runs. */
void api_set_server(struct api *api, struct http_server *server);
void api_set_notify(struct api *api, const struct notify_counts *counts);

#endif
