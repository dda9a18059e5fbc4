/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/office.h"

#include <jansson.h>
#include <sodium.h>
#include <sys/eventfd.h>

#include "api/routes.h"
#include "auth/token.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/lane.h"
#include "engine/pool.h"
#include "http/loop.h"
#include "notify/mail.h"

#define PASSWORD "correct horse"

static const char secret[] = "the secret of the fuzzed box office";
static const struct reference_key key = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static struct {
    struct engine engine;
    struct engine_lane lane; /* without one; for its figures */
    struct api *api;
    struct batcher batcher;
    struct store *reader;
    struct list tasks, reads, hashes;
    struct arena arena;  /* the input's */
    struct arena always; /* the process's */
    struct str tokens[OFFICE_USERS + 1];
    struct http_server server;
    struct http_loop loop;
} office;

/* ---- in place of src/engine/engine.c, lane.c and pool.c ---- */

bool engine_decide(struct engine *engine, struct task *task)
{
    (void)engine;
    list_push(&office.tasks, &task->link);
    return true;
}

bool engine_is_full(const struct engine *engine)
{
    (void)engine;
    return false;
}

bool engine_read(struct engine *engine, struct job *job)
{
    (void)engine;
    list_push(&office.reads, &job->link);
    return true;
}

bool engine_hash(struct engine *engine, struct job *job)
{
    (void)engine;
    list_push(&office.hashes, &job->link);
    return true;
}

size_t lane_waiting(struct lane *lane)
{
    (void)lane;
    return office.tasks.count;
}

size_t pool_waiting(struct pool *pool)
{
    (void)pool;
    return office.reads.count + office.hashes.count;
}

/* ---- in place of libsodium's ---- */

static void write_hash(char out[crypto_pwhash_STRBYTES], const char *password, size_t length)
{
    sodium_bin2hex(out, crypto_pwhash_STRBYTES, (const unsigned char *)password,
                   length < 60 ? length : 60);
}

int crypto_pwhash_str_alg(char out[crypto_pwhash_STRBYTES], const char *password,
                          unsigned long long length, unsigned long long turns, size_t memory,
                          int alg)
{
    (void)turns, (void)memory, (void)alg;
    write_hash(out, password, (size_t)length);
    return 0;
}

int crypto_pwhash_str_verify(const char hash[crypto_pwhash_STRBYTES], const char *password,
                             unsigned long long length)
{
    char other[crypto_pwhash_STRBYTES];
    write_hash(other, password, (size_t)length);
    return strcmp(hash, other) == 0 ? 0 : -1;
}

/* ---- the office ---- */

static int64_t now(void *data)
{
    (void)data;
    return clock_now_ms();
}

static void no_pause(unsigned ms, void *data)
{
    (void)ms, (void)data;
}

static void breach(const char *sentence, void *data)
{
    (void)data;
    fprintf(stderr, "the store's check says: %s\n", sentence);
    abort();
}

struct api *office_api(void)
{
    if (office.api) return office.api;
    if (sodium_init() < 0) abort();
    office.engine.lanes = &office.lane;
    office.engine.lane_count = 1;
    log_threshold = LOG_ERROR + 1; /* what is told to operators would be told a million times */
    struct api_settings settings = {
        .engine = &office.engine,
        .jwt_secret = str_of(secret),
        .reference_key = key,
        .token_ttl_s = 3600,
        .open_organizing = false,
        .sends_mail = true,
        .link_key = link_key_of(str_of(secret)),
        .webhooks = true,
        .cors_origins = "https://example.org",
        .trust_proxy = "loopback",
        .metrics_token = "a token for metrics",
        .loops = 1,
    };
    office.api = api_new(&settings);
    for (uint64_t user = 1; user <= OFFICE_USERS; user++)
        office.tokens[user] = token_issue(
            &office.always, settings.jwt_secret,
            &(struct token){.user_id = user,
                            .issued_at = clock_now_ms(),
                            .expires_at = clock_now_ms() + INT64_C(366) * 24 * 3600 * 1000});
    struct http_loop *loop = &office.loop;
    office.server.settings.connections_max = 100;
    loop->server = &office.server;
    loop->base = event_base_new();
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!loop->base || loop->wake_fd < 0) abort();
    pthread_mutex_init(&loop->mutex, NULL);
    return office.api;
}

struct str office_token(unsigned user)
{
    assert(user >= 1 && user <= OFFICE_USERS);
    return office.tokens[user];
}

const char *office_reference(uint64_t booking)
{
    static char text[REFERENCE_TEXT_SIZE];
    reference_write(&key, booking, text);
    return text;
}

const char *office_delivery(void)
{
    static char text[REFERENCE_TEXT_SIZE];
    reference_write(&key, UINT64_C(1) << 58 | 1, text);
    return text;
}

const char *office_link(enum link_purpose purpose)
{
    static char text[LINK_TEXT_SIZE];
    char hash[crypto_pwhash_STRBYTES];
    struct arena arena = {0};
    write_hash(hash, PASSWORD, strlen(PASSWORD));
    const struct user user = {
        .id = 3, .email = STR("ana@example.org"), .password_hash = str_of(hash)};
    struct link_claim claim = purpose == LINK_RESET_PASSWORD ? mail_reset_claim(&user, &arena)
                                                             : mail_confirm_claim(&user, &arena);
    claim.expires_at = clock_now_ms() + 3600 * 1000;
    const struct link_key link_key = link_key_of(str_of(secret));
    link_issue(&link_key, &claim, text);
    arena_free(&arena);
    return text;
}

static struct replay_answer compose_nothing(struct task *task)
{
    assert(!outcome_is_error(task->result.outcome));
    return (struct replay_answer){0};
}

static void done_with(struct task *task)
{
    assert(task->composed);
}

static void prepare(const struct command *command)
{
    struct task task = {.command = *command, .compose = compose_nothing, .done = done_with};
    struct task *tasks[] = {&task};
    struct list again = {0};
    batch_run(&office.batcher, tasks, 1, &again);
    assert(!again.head);
}

static void prepare_users(void)
{
    static const char *const names[] = {"admin", "organizer", "ana", "bo"};
    static const enum role roles[] = {ROLE_ADMIN, ROLE_ORGANIZER, ROLE_USER, ROLE_USER};
    char hash[crypto_pwhash_STRBYTES];
    write_hash(hash, PASSWORD, strlen(PASSWORD));
    for (size_t i = 0; i < OFFICE_USERS; i++) {
        struct command command = {.kind = COMMAND_REGISTER};
        command.user.fields = FIELD_USERNAME | FIELD_EMAIL | FIELD_PASSWORD;
        command.user.user = (struct user){
            .username = str_of(names[i]),
            .name = str_of(names[i]),
            .email = arena_printf(&office.arena, "%s@example.org", names[i]),
            .password_hash = str_of(hash),
        };
        prepare(&command);
        command.kind = COMMAND_SET_ROLE;
        command.user.user = (struct user){.id = i + 1, .role = roles[i]};
        if (roles[i] != ROLE_USER) prepare(&command);
    }
}

static void prepare_events(void)
{
    struct ticket_type types[] = {{.name = STR("Stalls"), .capacity = 2, .price = 2500},
                                  {.name = STR("Circle"), .capacity = 3, .max_per_booking = 2}};
    struct command create = {.kind = COMMAND_CREATE_EVENT,
                             .actor = {.id = 2, .role = ROLE_ORGANIZER, .token_at = 1},
                             .organizing_allowed = true};
    create.create = (struct event){.name = STR("Concert"),
                                   .venue = STR("Town hall"),
                                   .timezone = STR("Europe/Berlin"),
                                   .currency = "EUR",
                                   .status = EVENT_ON_SALE,
                                   .starts_at = clock_now_ms() + INT64_C(30) * 24 * 3600 * 1000,
                                   .types = types,
                                   .type_count = 2};
    prepare(&create);
    create.create.status = EVENT_DRAFT;
    create.create.type_count = 1;
    prepare(&create);
    for (uint64_t user = 3; user <= 4; user++) {
        struct command book = {.kind = COMMAND_BOOK, .actor = {.id = user, .token_at = 1}};
        book.book.event_id = 1;
        book.book.ticket_type_id = 1;
        book.book.quantity = 2;
        book.book.join_waiting_list = true;
        prepare(&book);
    }
}

static void prepare_webhook(void)
{
    struct command create = {.kind = COMMAND_CREATE_WEBHOOK,
                             .actor = {.id = 2, .role = ROLE_ORGANIZER, .token_at = 1},
                             .organizing_allowed = true};
    create.webhook.webhook = (struct webhook){.topics = 1u << TOPIC_BOOKING_CONFIRMED,
                                              .status = WEBHOOK_ON,
                                              .secret = STR("0123456789abcdef0123456789abcdef"),
                                              .url = STR("https://example.org/hook")};
    prepare(&create);
    const struct message message = {.id = 1,
                                    .webhook_id = 1,
                                    .subject = 1,
                                    .event_id = 1,
                                    .user_id = 2,
                                    .topic = TOPIC_BOOKING_CONFIRMED,
                                    .status = MESSAGE_PARKED,
                                    .created_at = clock_now_ms(),
                                    .settled_at = clock_now_ms(),
                                    .key = STR("one"),
                                    .error = STR("it did not answer"),
                                    .body = STR("{}")};
    struct command tell = {.kind = COMMAND_TELL};
    tell.tell.messages = &message;
    tell.tell.message_count = 1;
    prepare(&tell);
}

void office_begin(void)
{
    const char *error = "";
    office_api();
    struct store *writer = store_open("memory:fuzz", STORE_WRITE, true, &office.arena, &error);
    office.reader = store_open("memory:fuzz", STORE_READ, false, &office.arena, &error);
    if (!writer || !office.reader) abort();
    struct directory_rows rows = {0};
    office.engine.directory = directory_new(&rows);
    office.engine.snapshots = snapshots_new(16, 0);
    office.batcher = (struct batcher){
        .store = writer,
        .directory = office.engine.directory,
        .snapshots = office.engine.snapshots,
        .keep_cancelled_ms = 1000,
        .tells = true,
        .now = now,
        .pause = no_pause,
        .counts = &office.lane.counts,
    };
    prepare_users();
    prepare_events();
    prepare_webhook();
}

static void run_jobs(struct list *jobs, struct store *store)
{
    struct link *link;
    while ((link = list_pop(jobs))) {
        struct job *job = LINK_OWNER(link, struct job, link);
        job->run(job, store);
    }
}

static void run_tasks(void)
{
    struct list again = {0};
    while (office.tasks.head) {
        struct task *task = LINK_OWNER(list_pop(&office.tasks), struct task, link);
        batch_run(&office.batcher, &task, 1, &again);
        if (again.head) list_push(&office.tasks, list_pop(&again));
    }
}

void office_work(void)
{
    while (office.tasks.head || office.reads.head || office.hashes.head) {
        run_jobs(&office.reads, office.reader);
        run_jobs(&office.hashes, NULL);
        run_tasks();
    }
}

void office_end(void)
{
    struct check_figures figures = {0};
    office_work();
    if (store_check(office.reader, &figures, breach, NULL) != STORE_OK) abort();
    store_close(office.reader);
    store_close(office.batcher.store);
    batcher_free(&office.batcher);
    directory_free(office.engine.directory);
    snapshots_free(office.engine.snapshots);
    arena_reset(&office.arena);
}

/* ---- requests without a connection ---- */

static enum evhttp_cmd_type native_method(enum http_method method)
{
    static const enum evhttp_cmd_type types[HTTP_METHODS] = {
        [HTTP_GET] = EVHTTP_REQ_GET,         [HTTP_HEAD] = EVHTTP_REQ_HEAD,
        [HTTP_POST] = EVHTTP_REQ_POST,       [HTTP_PUT] = EVHTTP_REQ_PUT,
        [HTTP_PATCH] = EVHTTP_REQ_PATCH,     [HTTP_DELETE] = EVHTTP_REQ_DELETE,
        [HTTP_OPTIONS] = EVHTTP_REQ_OPTIONS, [HTTP_OTHER] = EVHTTP_REQ_TRACE,
    };
    return types[method];
}

static void add_headers(struct evhttp_request *native, unsigned user, struct str headers)
{
    struct evkeyvalq *to = native->input_headers;
    if (user) {
        struct str bearer = arena_printf(&office.arena, "Bearer %s", office_token(user).data);
        evhttp_add_header(to, "Authorization", bearer.data);
    }
    while (headers.len) {
        struct str value = str_cut(&headers, '\n');
        struct str name = str_trim(str_cut(&value, ':'));
        if (!name.len || memchr(name.data, '\0', name.len)) continue;
        evhttp_add_header(to, arena_cstr(&office.arena, name),
                          arena_cstr(&office.arena, str_trim(value)));
    }
    evhttp_add_header(to, "Content-Type", "application/json"); /* the first one counts */
}

static void check_answer(const struct http_request *request)
{
    const struct http_reply *reply = &request->reply;
    assert(reply->status >= 200 && reply->status <= 599 && reply->status != 500);
    if (!reply->content_type) {
        assert(reply->body.len == 0);
    } else if (strstr(reply->content_type, "json")) {
        json_error_t error;
        json_t *body = json_loadb(reply->body.data, reply->body.len, 0, &error);
        if (!body) {
            fprintf(stderr, "status %d: %s in %.*s\n", reply->status, error.text,
                    STR_FMT(reply->body));
            abort();
        }
        json_decref(body);
    }
    for (size_t i = 0; i < reply->header_count; i++)
        for (size_t j = 0; j < reply->headers[i].value.len; j++)
            assert(!strchr("\r\n", reply->headers[i].value.data[j]));
}

/* It is in one of the loop's lists: answered inside the handler, or handed back. */
static void take_answer(struct http_request *request)
{
    struct http_loop *loop = &office.loop;
    struct list *answered = loop->ready.head ? &loop->ready : &loop->finished;
    assert(answered->count == 1 && list_pop(answered) == &request->link);
    assert(!loop->ready.head && !loop->finished.head);
    check_answer(request);
    answer_release(&request->reply);
}

static void ignore_request(struct evhttp_request *native, void *data)
{
    (void)native, (void)data;
}

static void on_later(evutil_socket_t fd, short what, void *data)
{
    (void)fd, (void)what, (void)data;
}

void office_request(enum http_method method, struct str target, unsigned user, struct str headers,
                    struct str body)
{
    struct http_loop *loop = &office.loop;
    struct evhttp_request *native = evhttp_request_new(ignore_request, NULL);
    if (!loop->later_event) loop->later_event = event_new(loop->base, -1, 0, on_later, NULL);
    if (!native || !loop->later_event) abort();
    native->type = native_method(method);
    native->uri_elems = memchr(target.data, '\0', target.len)
                            ? NULL
                            : evhttp_uri_parse(arena_cstr(&office.arena, target));
    if (native->uri_elems) {
        add_headers(native, user, headers);
        /* Of its own size, so that a byte too many is noticed. */
        char *copy = malloc(body.len ? body.len : 1);
        if (!copy) abort();
        if (body.len) memcpy(copy, body.data, body.len);
        struct http_request request = {
            .method = method,
            .path = str_of(evhttp_uri_get_path(native->uri_elems)),
            .query = str_of(evhttp_uri_get_query(native->uri_elems)),
            .body = {copy, body.len},
            .peer = STR("192.0.2.1"),
            .started_us = clock_monotonic_us(),
            .loop = loop,
            .native = native,
        };
        if (!request.path.len) request.path = STR("/");
        api_handle(&request, office.api);
        office_work();
        take_answer(&request);
        arena_free(&request.arena);
        free(copy);
    }
    evhttp_request_free(native);
}
