/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to its handler: identity, limits, body, and the ways to other threads. */
#include "api/call.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/address.h"
#include "api/reply.h"
#include "api/streams.h"
#include "base/clock.h"
#include "base/json.h"

enum {
    TOKENS_REMEMBERED =
        65536, /* by each loop; 20 MiB when full, of which only what is used is touched */
    LIMIT_BUCKETS = 65536,
    REQUEST_ID_MAX = 128,
    IDEMPOTENCY_KEY_MAX = 255,
    SCRATCH_KEPT = 1024 * 1024,
};

/* Signing in and registering have buckets of their own: guessing passwords must be slow, and
 * Argon2 is dear by intent. Registering counts by address only through these, too. */
static const struct limit sign_in_by_peer = {.tokens = 60, .period_s = 60, .burst = 30};
static const struct limit sign_in_by_account = {.tokens = 10, .period_s = 60, .burst = 10};
/* Nobody's mailbox is filled by others. */
static const struct limit mail_by_account = {.tokens = 5, .period_s = 3600, .burst = 5};

struct api *api_new(const struct api_settings *settings)
{
    struct api *api = calloc(1, sizeof(*api));
    if (!api) abort();
    api->settings = *settings;
    api->engine = settings->engine;
    api->router = router_new();
    for (size_t i = 0; i < route_count; i++)
        router_add(api->router, routes[i].method, routes[i].path, (int)i);
    if (settings->rate_limit.burst) {
        const struct limit *limit = &settings->rate_limit;
        api->limits = limits_new(limit, LIMIT_BUCKETS);
        api->sign_in_by_peer = limits_new(&sign_in_by_peer, LIMIT_BUCKETS);
        api->sign_in_by_account = limits_new(&sign_in_by_account, LIMIT_BUCKETS);
        api->mail_by_account = limits_new(&mail_by_account, LIMIT_BUCKETS);
        char *policy = malloc(96);
        if (!policy) abort();
        snprintf(policy, 96, "\"default\";q=%u;w=%u", limit->burst,
                 (unsigned)(((uint64_t)limit->burst * limit->period_s + limit->tokens - 1) /
                            limit->tokens));
        api->limit_policy = policy;
    }
    api->loops = calloc(settings->loops, sizeof(*api->loops));
    api->counts = calloc(route_count + 1, sizeof(*api->counts));
    if (!api->loops || !api->counts) abort();
    for (unsigned i = 0; i < settings->loops; i++)
        api->loops[i].tokens = token_cache_new(TOKENS_REMEMBERED);
    api->turns = turns_new(api);
    snprintf(api->id_prefix, sizeof(api->id_prefix), "%08x", randombytes_random());
    return api;
}

void api_free(struct api *api)
{
    if (!api) return;
    for (unsigned i = 0; i < api->settings.loops; i++)
        token_cache_free(api->loops[i].tokens);
    turns_free(api->turns);
    router_free(api->router);
    limits_free(api->limits);
    limits_free(api->sign_in_by_peer);
    limits_free(api->sign_in_by_account);
    limits_free(api->mail_by_account);
    free((char *)api->limit_policy);
    free(api->loops);
    free(api->counts);
    free(api);
}

void api_set_server(struct api *api, struct http_server *server)
{
    api->server = server;
}

void api_set_notify(struct api *api, const struct notify_counts *counts)
{
    api->notify = counts;
}

static pthread_key_t scratch_key;

static void scratch_free(void *scratch)
{
    buf_free(scratch);
    free(scratch);
}

static void scratch_prepare(void)
{
    if (pthread_key_create(&scratch_key, scratch_free) != 0) abort();
}

struct buf *call_scratch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static _Thread_local struct buf *scratch;
    if (!scratch) {
        pthread_once(&once, scratch_prepare);
        scratch = calloc(1, sizeof(*scratch));
        if (!scratch || pthread_setspecific(scratch_key, scratch) != 0) abort();
    }
    /* A table of a million bookings was composed here once: that must not stay for ever. */
    if (scratch->size > SCRATCH_KEPT) buf_free(scratch);
    buf_clear(scratch);
    return scratch;
}

/* ---- who and whence ---- */

/* The client's own id where it is a sane one: it goes into logs and answers. */
static struct str request_id(struct call *call)
{
    struct str given = http_header(call->request, "X-Request-Id");
    bool sane = given.len > 0 && given.len <= REQUEST_ID_MAX;
    for (size_t i = 0; sane && i < given.len; i++)
        sane = (given.data[i] >= '0' && given.data[i] <= '9') ||
               (given.data[i] >= 'a' && given.data[i] <= 'z') ||
               (given.data[i] >= 'A' && given.data[i] <= 'Z') || given.data[i] == '-' ||
               given.data[i] == '_' || given.data[i] == '.';
    if (sane) return given;
    static const char digits[] = "0123456789abcdef";
    unsigned loop = http_loop_index(call->request);
    uint64_t number = ++call->api->loops[loop].requests;
    char *text = arena_alloc(call->arena, 24);
    memcpy(text, call->api->id_prefix, 8);
    text[8] = '-';
    text[9] = digits[loop & 15];
    for (int i = 0; i < 11; i++)
        text[10 + i] = digits[(number >> (40 - 4 * i)) & 15];
    return (struct str){text, 21};
}

/* False when a token was sent that is no good. */
static bool identify(struct call *call)
{
    struct str token = http_header(call->request, "Authorization");
    if (!token.data) return true;
    if (token.len > 7 && str_equal_nocase((struct str){token.data, 7}, STR("Bearer ")))
        token = str_trim((struct str){token.data + 7, token.len - 7});
    struct api *api = call->api;
    struct token claims;
    if (!token_check(api->loops[http_loop_index(call->request)].tokens, api->settings.jwt_secret,
                     token, clock_now_ms(), &claims))
        return false;
    /* The version first: a change in between makes the lane ask again. */
    call->directory_version = directory_version(api->engine->directory);
    call->actor = (struct actor){.id = claims.user_id, .token_at = claims.issued_at};
    call->token_ends_at = claims.expires_at;
    call->signed_in = directory_check(api->engine->directory, claims.user_id, claims.issued_at,
                                      &call->actor.role);
    return call->signed_in;
}

/* ---- limits ---- */

static void reply_limited(struct call *call, uint32_t retry_after_s)
{
    reply_set_problem(call, RATE_LIMITED, (struct str){0});
    reply_header(call, "Retry-After", arena_printf(call->arena, "%u", retry_after_s));
    reply_send(call);
}

bool call_within_limits(struct call *call)
{
    struct api *api = call->api;
    if (!api->limits) return true;
    char user[] = "user:........"; /* no address looks like that */
    memcpy(user + 5, &call->actor.id, sizeof(call->actor.id));
    struct str key = call->signed_in ? (struct str){user, sizeof(user) - 1}
                                     : address_block(call->arena, call->peer);
    struct limit_verdict verdict = limits_take(api->limits, key, clock_monotonic_us());
    reply_header(call, "RateLimit-Policy", str_of(api->limit_policy));
    reply_header(
        call, "RateLimit",
        arena_printf(call->arena, "\"default\";r=%u;t=%u", verdict.remaining, verdict.reset_s));
    call->base_headers = call->request->reply.header_count;
    if (!verdict.allowed) reply_limited(call, verdict.retry_after_s);
    return verdict.allowed;
}

/* One token of the peer's sign-ins, and one of the account's bucket. */
static bool account_allowed(struct call *call, struct limits *by_account, struct str account)
{
    struct api *api = call->api;
    if (!api->sign_in_by_peer) return true;
    int64_t now = clock_monotonic_us();
    struct str block = address_block(call->arena, call->peer);
    struct limit_verdict verdict = limits_take(api->sign_in_by_peer, block, now);
    if (verdict.allowed) verdict = limits_take(by_account, account, now);
    if (!verdict.allowed) reply_limited(call, verdict.retry_after_s);
    return verdict.allowed;
}

bool call_sign_in_allowed(struct call *call, struct str account)
{
    return account_allowed(call, call->api->sign_in_by_account, account);
}

bool call_mail_allowed(struct call *call, struct str account)
{
    return account_allowed(call, call->api->mail_by_account, account);
}

/* ---- body ---- */

static bool body_is_json(const struct call *call)
{
    struct str type = http_header(call->request, "Content-Type");
    return str_equal_nocase(str_trim(str_cut(&type, ';')), STR("application/json"));
}

/* False: answered. */
static bool parse_body(struct call *call)
{
    struct str body = call->request->body;
    unsigned flags = call->route->flags;
    if (!(flags & (ROUTE_BODY | ROUTE_MAYBE_BODY))) return true;
    if (body.len == 0 && (flags & ROUTE_MAYBE_BODY)) {
        call->body = json_object();
        return true;
    }
    if (body.len && !body_is_json(call)) {
        reply_problem(call, UNSUPPORTED_MEDIA_TYPE, (struct str){0});
        return false;
    }
    json_error_t error;
    call->body = json_loadb(body.data ? body.data : "", body.len, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(call->body)) return true;
    const char *problem = !body.len     ? "The body is empty: a JSON object is needed."
                          : !call->body ? "The body is not JSON: %s, line %d, column %d."
                                        : "The body is JSON, but not an object.";
    struct str detail = str_of(problem);
    if (body.len && !call->body)
        detail = arena_printf(call->arena, problem,
                              str_is_utf8(str_of(error.text)) ? error.text : "bad text", error.line,
                              error.column);
    reply_problem(call, BAD_REQUEST, detail);
    return false;
}

/* Hashes of the key and of the request that came with it. False: answered. */
static bool read_idempotency_key(struct call *call)
{
    struct str key = http_header(call->request, "Idempotency-Key");
    if (!(call->route->flags & ROUTE_REPLAYABLE) || !key.data) return true;
    if (key.len < 1 || key.len > IDEMPOTENCY_KEY_MAX) {
        call_add_error(call, STR("/Idempotency-Key"), STR("must have 1 to 255 characters"));
        return !reply_errors(call);
    }
    struct task *task = &call->task;
    task->has_key = true;
    task->key.user_id = call->actor.id;
    crypto_generichash(task->key.key, sizeof(task->key.key), (const unsigned char *)key.data,
                       key.len, NULL, 0);
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof(task->request));
    struct str path = call->request->path, body = call->request->body;
    crypto_generichash_update(&state, (const unsigned char *)path.data, path.len);
    crypto_generichash_update(&state, (const unsigned char *)"", 1);
    crypto_generichash_update(&state, (const unsigned char *)body.data, body.len);
    crypto_generichash_final(&state, task->request, sizeof(task->request));
    return true;
}

/* ---- routing ---- */

static struct str allow_list(struct call *call)
{
    struct buf *out = call_scratch();
    for (int method = 0; method < HTTP_METHODS; method++) {
        bool known = call->match.rows[method] >= 0 || method == HTTP_OPTIONS ||
                     (method == HTTP_HEAD && call->match.rows[HTTP_GET] >= 0);
        if (!known) continue;
        if (out->len) buf_add_str(out, STR(", "));
        buf_add_str(out, str_of(http_method_name((enum http_method)method)));
    }
    return arena_str(call->arena, buf_str(out));
}

static void add_cors(struct call *call)
{
    const char *allowed = call->api->settings.cors_origins;
    struct str origin = http_header(call->request, "Origin");
    if (!allowed || !*allowed) return;
    bool any = list_has(allowed, STR("*"));
    /* Also where none was sent: a cache must not give that answer to a page of another site. */
    reply_header(call, "Vary", STR("Origin"));
    if (!origin.len || (!any && !list_has(allowed, origin))) return;
    reply_header(call, "Access-Control-Allow-Origin", any ? STR("*") : origin);
    reply_header(
        call, "Access-Control-Expose-Headers",
        STR("X-Request-Id, ETag, Link, Location, Retry-After, RateLimit, RateLimit-Policy, "
            "Idempotency-Replayed"));
}

static void answer_options(struct call *call)
{
    struct str allow = allow_list(call);
    reply_set_empty(call, 204);
    reply_header(call, "Allow", allow);
    if (http_header(call->request, "Access-Control-Request-Method").data) {
        reply_header(call, "Access-Control-Allow-Methods", allow);
        reply_header(call, "Access-Control-Allow-Headers",
                     STR("Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
                         "Last-Event-ID, X-Request-Id"));
        reply_header(call, "Access-Control-Max-Age", STR("600"));
    }
    reply_send(call);
}

/* The row for this request; NULL: answered. */
static const struct route *find_route(struct call *call)
{
    struct http_request *request = call->request;
    if (!router_find(call->api->router, request->path, &call->match)) {
        reply_problem(call, NOT_FOUND, (struct str){0});
        return NULL;
    }
    for (int method = 0; method < HTTP_METHODS; method++)
        if (call->match.rows[method] >= 0)
            call->is_classic = routes[call->match.rows[method]].flags & ROUTE_CLASSIC;
    int row = call->match.rows[request->method == HTTP_HEAD ? HTTP_GET : request->method];
    if (row >= 0) return &routes[row];
    if (request->method == HTTP_OPTIONS) {
        answer_options(call);
        return NULL;
    }
    reply_set_problem(call, METHOD_NOT_ALLOWED, (struct str){0});
    reply_header(call, "Allow", allow_list(call));
    reply_send(call);
    return NULL;
}

static bool may_call(struct call *call)
{
    enum access access = call->route->access;
    bool good = access == ACCESS_OPEN || identify(call);
    if (!good || (access >= ACCESS_USER && !call->signed_in)) {
        /* Also who tries tokens is held to the limits, by address. */
        call->signed_in = false;
        if (!call_within_limits(call)) return false;
        reply_problem(call, UNAUTHORIZED, (struct str){0});
        return false;
    }
    if (!(call->route->flags & ROUTE_UNLIMITED) && !call_within_limits(call)) return false;
    if (access == ACCESS_ADMIN && call->actor.role != ROLE_ADMIN) {
        reply_problem(call, FORBIDDEN, STR("Only administrators may do this."));
        return false;
    }
    return true;
}

void api_handle(struct http_request *request, void *data)
{
    struct call *call = ARENA_NEW(&request->arena, struct call);
    call->request = request;
    call->api = data;
    call->arena = &request->arena;
    call->on_loop = true;
    call->request_id = request_id(call);
    call->peer = address_of_client(request, call->api->settings.trust_proxy);
    reply_header(call, "X-Request-Id", call->request_id);
    http_add_header(request, "X-Content-Type-Options", STR("nosniff"));
    add_cors(call);
    call->base_headers = request->reply.header_count;

    if (!(call->route = find_route(call))) return;
    /* In a rush most are refused, and the cost of that is what all of them wait for. Who asks and
     * what for would change nothing: to know the first is to verify a token. */
    if (call->route->flags & ROUTE_DECIDED && engine_is_full(call->api->engine)) {
        reply_later(call, OVERLOADED);
        return;
    }
    if (!may_call(call)) return;
    bool is_parsed = parse_body(call);
    json_t *body = call->body;
    if (!is_parsed)
        ; /* answered */
    else if (!query_parse(call->arena, request->query, &call->query))
        reply_problem(call, BAD_REQUEST,
                      STR("The query string has an escape that is not UTF-8, or too many parts."));
    else if (read_idempotency_key(call))
        call->route->handler(call);
    json_decref(body); /* the call may be on another thread by now, or gone */
}

/* ---- to other threads and back ---- */

static void run_read(struct job *job, struct store *store)
{
    struct call *call = LINK_OWNER(job, struct call, job);
    call->read(call, store);
}

static void run_hash(struct job *job, struct store *store)
{
    (void)store;
    struct call *call = LINK_OWNER(job, struct call, job);
    call->hash(call);
}

/* Hands the call on with 'put'; while that has not failed, the call is the other thread's. False:
 * answered. */
#define HAND_ON(call, put)                                                                         \
    ({                                                                                             \
        bool on_loop_ = (call)->on_loop;                                                           \
        (call)->on_loop = false;                                                                   \
        bool is_put_ = (put);                                                                      \
        if (!is_put_) {                                                                            \
            (call)->on_loop = on_loop_;                                                            \
            reply_later((call), OVERLOADED);                                                       \
        }                                                                                          \
        is_put_;                                                                                   \
    })

bool call_read(struct call *call, void (*read)(struct call *, struct store *))
{
    call->read = read;
    call->job.run = run_read;
    return HAND_ON(call, engine_read(call->api->engine, &call->job));
}

bool call_hash(struct call *call, void (*hash)(struct call *))
{
    call->hash = hash;
    call->job.run = run_hash;
    return HAND_ON(call, engine_hash(call->api->engine, &call->job));
}

static struct replay_answer compose_task(struct task *task)
{
    struct call *call = task->owner;
    if (outcome_is_error(task->result.outcome))
        reply_set_refusal(call, &task->result);
    else
        call->compose(call, &task->result);
    struct replay_answer answer = {.status = call->request->reply.status};
    if (task->has_key) answer.body = reply_store(call);
    return answer;
}

static void task_done(struct task *task)
{
    struct call *call = task->owner;
    if (task->replayed) {
        reply_set_stored(call, task->replayed);
    } else if (!task->composed) {
        if (task->result.outcome == UNAVAILABLE)
            reply_set_later(call, UNAVAILABLE);
        else
            reply_set_problem(call, task->result.outcome, (struct str){0});
    }
    reply_send(call);
}

bool call_decide(struct call *call, void (*compose)(struct call *, const struct result *))
{
    call->compose = compose;
    call->task.compose = compose_task;
    call->task.done = task_done;
    call->task.owner = call;
    call->task.directory_version = call->signed_in ? call->directory_version : 0;
    return HAND_ON(call, engine_decide(call->api->engine, &call->task));
}

struct command *call_command(struct call *call, enum command_kind kind)
{
    struct command *command = &call->task.command;
    command->kind = kind;
    command->actor = call->actor;
    command->organizing_allowed = call_may_organize(call);
    command->verified_only = call->api->settings.verified_only;
    return command;
}

bool call_may_organize(const struct call *call)
{
    return call->signed_in &&
           (call->actor.role >= ROLE_ORGANIZER || call->api->settings.open_organizing);
}

bool call_manages(const struct call *call, const struct event *event)
{
    return call->signed_in && actor_manages(&call->actor, call_may_organize(call), event);
}

bool call_path_id(struct call *call, enum outcome missing, uint64_t *ret_id)
{
    assert(call->match.variable_count > 0);
    if (str_to_u64(call->match.variables[0], ret_id) && *ret_id > 0 && *ret_id <= INT64_MAX)
        return true;
    reply_problem(call, missing, (struct str){0});
    return false;
}

bool call_path_reference(const struct call *call, size_t index, uint64_t *ret_id)
{
    assert(index < call->match.variable_count);
    return reference_read(&call->api->settings.reference_key, call->match.variables[index], ret_id);
}
