/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reply.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>

#include "api/compose.h"
#include "api/streams.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

static const char json_content[] = "application/json";
static const char problem_content[] = "application/problem+json";
static const char no_store[] = "no-store";

void reply_header(struct call *call, const char *name, struct str value)
{
    http_add_header(call->request, name, arena_str(call->arena, value));
}

/* Forgets an answer that was prepared before: a batch may have had to be repeated. */
static struct http_reply *fresh_reply(struct call *call, int status, const char *content_type)
{
    struct http_reply *reply = &call->request->reply;
    reply->status = status;
    reply->content_type = content_type;
    reply->body = (struct str){0};
    reply->header_count = call->base_headers;
    http_add_header(call->request, "Cache-Control", str_of(no_store));
    return reply;
}

void reply_cache(struct call *call, const char *cache_control)
{
    struct http_reply *reply = &call->request->reply;
    assert(reply->header_count > call->base_headers);
    reply->headers[call->base_headers].value = str_of(cache_control);
}

void reply_set_json(struct call *call, int status, struct str body)
{
    fresh_reply(call, status, json_content)->body = arena_str(call->arena, body);
}

void reply_json(struct call *call, int status, struct str body)
{
    reply_set_json(call, status, body);
    reply_send(call);
}

void reply_set_empty(struct call *call, int status)
{
    fresh_reply(call, status, NULL);
}

void reply_text(struct call *call, int status, const char *content_type, struct str body)
{
    fresh_reply(call, status, content_type)->body = body;
    reply_send(call);
}

void reply_stream(struct call *call, struct http_stream *stream)
{
    fresh_reply(call, 200, "text/event-stream")->stream = stream;
    /* nginx and who took it over from there would gather it otherwise. */
    http_add_header(call->request, "X-Accel-Buffering", STR("no"));
    reply_send(call);
}

/* ---- problems ---- */

static const char *status_title(int status)
{
    switch (status) {
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    default: return "Internal Server Error";
    }
}

static void write_problem(struct buf *out, const char *word, int status, struct str detail)
{
    emit_open(out, '{');
    emit_key(out, "type");
    char type[80];
    int length = snprintf(type, sizeof(type), "urn:admit:problem:%s", word);
    emit_str(out, (struct str){type, (size_t)length});
    emit_key_str(out, "title", str_of(status_title(status)));
    emit_key_i64(out, "status", status);
    emit_key_str(out, "detail", detail);
    emit_key_str(out, "code", str_of(word));
}

static void write_field_errors(struct buf *out, const struct call *call)
{
    emit_key(out, "errors");
    emit_open(out, '[');
    for (size_t i = 0; i < call->error_count; i++) {
        emit_open(out, '{');
        emit_key_str(out, "pointer", call->errors[i].pointer);
        emit_key_str(out, "detail", call->errors[i].detail);
        emit_close(out, '}');
    }
    emit_close(out, ']');
}

/* The classic routes have one sentence for all. */
static struct str classic_detail(struct call *call, struct str detail)
{
    if (!call->error_count) return detail;
    struct buf out = {0};
    for (size_t i = 0; i < call->error_count; i++) {
        struct str pointer = call->errors[i].pointer;
        if (i) buf_add_str(&out, STR("; "));
        if (pointer.len && pointer.data[0] == '/') pointer.data++, pointer.len--;
        buf_add_str(&out, pointer);
        buf_add_char(&out, ' ');
        buf_add_str(&out, call->errors[i].detail);
    }
    buf_add_char(&out, '.');
    struct str copy = arena_str(call->arena, buf_str(&out));
    buf_free(&out);
    return copy;
}

void reply_set_problem(struct call *call, enum outcome outcome, struct str detail)
{
    const struct outcome_text *text = &outcome_texts[outcome];
    struct buf *out = call_scratch();
    if (!detail.len) detail = str_of(text->text);
    if (call->is_classic) {
        emit_open(out, '{');
        emit_key_str(out, "error", classic_detail(call, detail));
        emit_key_str(out, "code", str_of(text->word));
    } else {
        write_problem(out, text->word, text->status, detail);
        emit_key_str(out, "request_id", call->request_id);
        if (call->error_count) write_field_errors(out, call);
    }
    emit_close(out, '}');
    fresh_reply(call, text->status, call->is_classic ? json_content : problem_content)->body =
        arena_str(call->arena, buf_str(out));
    if (text->status == 401) reply_header(call, "WWW-Authenticate", STR("Bearer realm=\"admit\""));
}

void reply_problem(struct call *call, enum outcome outcome, struct str detail)
{
    reply_set_problem(call, outcome, detail);
    reply_send(call);
}

void call_add_error(struct call *call, struct str pointer, struct str detail)
{
    if (call->error_count == FIELD_ERRORS_MAX) return;
    if (!call->errors)
        call->errors = ARENA_ARRAY(call->arena, struct field_error, FIELD_ERRORS_MAX);
    call->errors[call->error_count++] = (struct field_error){
        arena_str(call->arena, pointer),
        arena_str(call->arena, detail),
    };
}

bool reply_errors(struct call *call)
{
    if (!call->error_count) return false;
    reply_problem(call, INVALID, (struct str){0});
    return true;
}

void reply_set_refusal(struct call *call, const struct result *result)
{
    call->error_count = 0;
    bool is_field = result->outcome == INVALID && result->pointer;
    if (is_field) call_add_error(call, str_of(result->pointer), result->detail);
    reply_set_problem(call, result->outcome, is_field ? (struct str){0} : result->detail);
    if (result->outcome == STALE) {
        char etag[ETAG_SIZE];
        compose_etag(etag, result->event);
        reply_header(call, "ETag", str_of(etag));
    }
}

void reply_set_later(struct call *call, enum outcome outcome)
{
    reply_set_problem(call, outcome, (struct str){0});
    reply_header(call, "Retry-After", STR("1"));
}

void reply_later(struct call *call, enum outcome outcome)
{
    reply_set_later(call, outcome);
    reply_send(call);
}

void reply_fault(struct call *call, struct store *store, enum store_status status)
{
    log_error("a read failed", LOG_STR("status", str_of(store_status_text(status))),
              LOG_STR("error", str_of(store_error(store))), LOG_STR("request", call->request_id));
    if (status == STORE_REFUSED)
        reply_problem(call, INTERNAL, (struct str){0});
    else
        reply_later(call, UNAVAILABLE);
}

void api_error_body(int status, struct buf *body, struct http_reply *reply)
{
    /* There is no call yet, nor a request to take an id from; one loop's thread writes one such
     * answer at a time. */
    static _Thread_local char request_id[2 * 8 + 1];
    unsigned char random[8];
    randombytes_buf(random, sizeof(random));
    sodium_bin2hex(request_id, sizeof(request_id), random, sizeof(random));

    enum outcome outcome = BAD_REQUEST;
    for (int i = OUTCOME_GONE + 1; i < OUTCOME_COUNT; i++)
        if (outcome_texts[i].status == status && outcome_texts[outcome].status != status)
            outcome = (enum outcome)i;
    write_problem(body, outcome_texts[outcome].word, status, str_of(outcome_texts[outcome].text));
    emit_key_str(body, "request_id", str_of(request_id));
    emit_close(body, '}');
    reply->content_type = problem_content;
    assert(reply->header_count < HTTP_REPLY_HEADERS_MAX);
    reply->headers[reply->header_count++] =
        (struct http_header){STR("X-Request-Id"), str_of(request_id)};
}

/* ---- what an Idempotency-Key keeps: "Header: value" lines, an empty line, the body ---- */

struct str reply_store(struct call *call)
{
    const struct http_reply *reply = &call->request->reply;
    struct buf *out = call_scratch();
    for (size_t i = call->base_headers; i < reply->header_count; i++) {
        const char *name = reply->headers[i].name.data;
        if (strcmp(name, "Location") != 0 && strcmp(name, "ETag") != 0) continue;
        buf_add_str(out, reply->headers[i].name);
        buf_add_char(out, ':');
        buf_add_str(out, reply->headers[i].value);
        buf_add_char(out, '\n');
    }
    buf_add_char(out, '\n');
    buf_add_str(out, reply->body);
    return arena_str(call->arena, buf_str(out));
}

void reply_set_stored(struct call *call, const struct replay_answer *answer)
{
    struct str rest = arena_str(call->arena, answer->body);
    struct str line;
    struct http_reply *reply = fresh_reply(call, answer->status, json_content);
    while ((line = str_cut(&rest, '\n')).len) {
        bool is_location = str_starts(line, STR("Location:"));
        struct str value = line;
        str_cut(&value, ':');
        http_add_header(call->request, is_location ? "Location" : "ETag", value);
    }
    reply->body = rest;
    if (!rest.len)
        reply->content_type = NULL;
    else if (answer->status >= 400 && !call->is_classic)
        reply->content_type = problem_content;
    http_add_header(call->request, "Idempotency-Replayed", STR("true"));
}

/* ---- files out of the program ---- */

static void release_nothing(void *owner)
{
    (void)owner;
}

void reply_file(struct call *call, const struct embedded_file *file, const char *policy)
{
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
    reply_header(call, "Content-Security-Policy", str_of(policy));
    reply_header(call, "Referrer-Policy", STR("no-referrer"));
    reply_send(call);
}

/* ---- the end of a call ---- */

/* The path, but for what stands in it where a secret may stand. */
static struct str logged_path(const struct call *call)
{
    struct str path = call->request->path;
    if (call->route && !(call->route->flags & ROUTE_SECRET)) return path;
    for (const struct route *route = routes; route < routes + route_count; route++) {
        struct str constant = {route->path, strcspn(route->path, "{")};
        if ((route->flags & ROUTE_SECRET) && str_starts(path, constant)) return str_of(route->path);
    }
    return path;
}

static void log_call(const struct call *call, int64_t took_us)
{
    const struct http_request *request = call->request;
    log_info("request", LOG_STR("method", str_of(http_method_name(request->method))),
             LOG_STR("path", logged_path(call)), LOG_NUM("status", request->reply.status),
             LOG_NUM("us", took_us), LOG_NUM("bytes", request->reply.body.len),
             LOG_NUM("user", call->actor.id), LOG_STR("peer", call->peer),
             LOG_STR("request", call->request_id));
}

void reply_send(struct call *call)
{
    struct http_request *request = call->request;
    struct api *api = call->api;
    int64_t took_us = clock_monotonic_us() - request->started_us;
    size_t row = call->route ? (size_t)(call->route - routes) : route_count;
    struct route_counts *counts = &api->counts[row];
    unsigned class = (unsigned)request->reply.status / 100;
    atomic_fetch_add_explicit(&counts->statuses[class < 6 ? class : 5], 1, memory_order_relaxed);
    histogram_add(&counts->time_us, took_us > 0 ? (uint64_t)took_us / 16 : 0);
    log_call(call, took_us);
    streams_leave(call);

    if (call->on_loop)
        http_reply(request);
    else
        http_finish(request); /* from here on the request is not ours */
}
