/* SPDX-License-Identifier: Apache-2.0 */
/* admit serve: reads the settings, starts engine and server, waits for a signal, and ends both in
 * the order in which nothing that was accepted is lost. */
#include "commands/commands.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/api.h"
#include "api/compose.h"
#include "base/log.h"
#include "commands/confine.h"
#include "http/server.h"
#include "notify/notify.h"

enum {
    BODY_MAX = 64 * 1024,
    HEADERS_MAX = 16 * 1024,
    IDLE_TIMEOUT_S = 60,
    REQUEST_TIMEOUT_S = 20,
    HEARTBEAT_S = 15, /* proxies close what is silent for half a minute or more */
    CONNECTIONS_MAX = 20000,
    DRAIN_MS = 10000,
    SECRET_BYTES = 32,
};

static const char usage[] = "admit serve [settings]";

/* What is made at the first start and kept in the store's settings. */
struct kept {
    struct arena *arena;
    const char *given_secret;
    struct str jwt_secret;
    struct reference_key reference_key;
};

static const char *kept_hex(struct store *store, struct kept *kept, const char *name, size_t bytes,
                            struct str *ret_value)
{
    unsigned char random[SECRET_BYTES];
    char hex[2 * SECRET_BYTES + 1];
    randombytes_buf(random, bytes);
    sodium_bin2hex(hex, sizeof(hex), random, bytes);
    enum store_status status = store_setting(store, name, str_of(hex), kept->arena, ret_value);
    sodium_memzero(random, sizeof(random));
    sodium_memzero(hex, sizeof(hex));
    return status == STORE_OK ? NULL : store_error(store);
}

static const char *settings_made(struct store *writer, void *data)
{
    struct kept *kept = data;
    struct str key;
    const char *error = kept_hex(writer, kept, "reference_key", REFERENCE_KEY_SIZE, &key);
    if (error) return error;
    size_t length;
    if (sodium_hex2bin(kept->reference_key.bytes, REFERENCE_KEY_SIZE, key.data, key.len, NULL,
                       &length, NULL) != 0 ||
        length != REFERENCE_KEY_SIZE)
        return "the setting reference_key in the store is damaged: restore the store from a backup";
    if (kept->given_secret) {
        kept->jwt_secret = str_of(kept->given_secret);
        return NULL;
    }
    return kept_hex(writer, kept, "jwt_secret", SECRET_BYTES, &kept->jwt_secret);
}

/* Each connection is a descriptor: as many as the system lets us have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            log_warn("the limit of open files could not be raised",
                     LOG_STR("error", str_of(strerror(errno))));
    }
}

/* How others reach us. */
static const char *public_address(const struct options *options, uint16_t port, struct arena *arena)
{
    bool is_ipv6 = strchr(options->host, ':') != NULL;
    if (options->public_url) return options->public_url;
    return arena_printf(arena, "http%s://%s%s%s:%u", options->tls_cert ? "s" : "",
                        is_ipv6 ? "[" : "",
                        strcmp(options->host, "127.0.0.1") == 0 ? "localhost" : options->host,
                        is_ipv6 ? "]" : "", port)
        .data;
}

/* Greets who starts it by hand; the log has it for machines. */
static void greet(const struct options *options, uint16_t port, const char *url)
{
    log_info("listening", LOG_STR("address", str_of(options->host)), LOG_NUM("port", port),
             LOG_STR("database", str_starts(str_of(options->database_url), STR("sqlite:"))
                                     ? str_of(options->database_url)
                                     : STR("(see DATABASE_URL)")));
    if (!isatty(STDOUT_FILENO) && !getenv("ADMIT_GREET")) return;
    printf("\nadmit sells tickets at %s -- try it at %s/docs, or paste:\n\n"
           "curl %s/v1/users --json "
           "'{\"email\":\"me@example.org\",\"name\":\"Me\",\"password\":\"correct horse\"}'\n"
           "TOKEN=$(curl -s %s/v1/sessions --json "
           "'{\"login\":\"me@example.org\",\"password\":\"correct horse\"}' | sed "
           "'s/.*\"token\":\"\\([^\"]*\\)\".*/\\1/')\n"
           "curl %s/v1/events -H \"Authorization: Bearer $TOKEN\" --json "
           "'{\"name\":\"Concert\",\"capacity\":100}'\n\n",
           url, url, url, url, url);
    fflush(stdout);
}

static void reload_certificate(const struct options *options, struct http_server *server)
{
    struct arena arena = {0};
    const char *error = "";
    if (!options->tls_cert) return;
    if (http_server_reload_tls(server, options->tls_cert, options->tls_key, &arena, &error))
        log_info("certificate reloaded", LOG_STR("file", str_of(options->tls_cert)));
    else
        log_error("the certificate was not reloaded, the old one stays in use",
                  LOG_STR("reason", str_of(error)));
    arena_free(&arena);
}

static void wait_for_end(const sigset_t *signals, const struct options *options,
                         struct http_server *server)
{
    for (;;) {
        int number;
        if (sigwait(signals, &number) != 0) continue;
        if (number != SIGHUP) {
            log_info("stopping", LOG_STR("signal", number == SIGINT ? STR("INT") : STR("TERM")));
            return;
        }
        log_reopen();
        log_info("log reopened");
        reload_certificate(options, server);
    }
}

static struct http_server *start_server(const struct options *options, struct api *api,
                                        unsigned loops, struct arena *arena, const char **ret_error)
{
    struct http_settings settings = {
        .host = options->host,
        .port = (uint16_t)options->port,
        .loops = loops,
        .max_body = BODY_MAX,
        .max_headers = HEADERS_MAX,
        .idle_timeout_s = IDLE_TIMEOUT_S,
        .request_timeout_s = REQUEST_TIMEOUT_S,
        .heartbeat_s = HEARTBEAT_S,
        .connections_max = CONNECTIONS_MAX,
        .tls_cert = options->tls_cert,
        .tls_key = options->tls_key,
        .handler = api_handle,
        .error_body = api_error_body,
        .data = api,
    };
    return http_server_start(&settings, arena, ret_error);
}

enum { POSTS_MOST = 256, POSTS_EACH = 4, PARCELS_WAITING = 512, POST_MS = 15000, MAIL_MS = 30000 };

/* NULL with an error. */
static struct notify *start_notify(const struct options *options, const struct kept *kept,
                                   const struct mail_templates *templates, const char *url,
                                   struct engine *engine, struct api *api, struct arena *arena,
                                   const char **ret_error)
{
    struct notify_settings settings = {
        .engine = engine,
        .database_url = options->database_url,
        .webhooks = options->webhooks,
        .open_organizing = options->open_organizing,
        .retry_first_ms = options->retry_first_s * 1000,
        .retry_for_ms = options->retry_for_s * 1000,
        .mail = options->smtp_url != NULL,
        .maker = {.templates = templates,
                  .public_url = str_of(url),
                  .reference_key = kept->reference_key,
                  .link_key = link_key_of(kept->jwt_secret)},
        .courier = {.smtp_url = options->smtp_url,
                    .allow_private = options->webhook_allow_private,
                    .ca_file = options->ca_file,
                    .user_agent = "admit/" ADMIT_VERSION,
                    .most = POSTS_MOST,
                    .each_most = POSTS_EACH,
                    .depth = PARCELS_WAITING,
                    .http_try_ms = POST_MS,
                    .mail_try_ms = MAIL_MS},
        .compose_booking = compose_booking_told,
        .compose_event = compose_event_told,
        .compose_data = api,
    };
    /* It was read before: an address that is none was refused with the settings. */
    if (settings.mail) mailbox_read(str_of(options->mail_from), arena, &settings.maker.from);
    return notify_start(&settings, arena, ret_error);
}

/* Engine and server, until a signal ends them. Returns the exit status. */
static int run(const struct options *options, struct sandbox *sandbox,
               const struct mail_templates *templates, struct arena *arena, const sigset_t *signals)
{
    size_t cores = engine_processors();
    unsigned loops = options->http_loops ? (unsigned)options->http_loops
                     : cores > 3         ? (unsigned)cores / 2
                                         : 1;
    struct kept kept = {.arena = arena, .given_secret = options->jwt_secret};
    struct engine_settings engine_settings = {
        .database_url = options->database_url,
        .lanes = (size_t)options->lanes,
        .readers = (size_t)options->readers,
        .hashers = options->hashers ? (size_t)options->hashers
                   : cores < 4      ? 1
                                    : cores / 4,
        .queue_depth = (size_t)options->queue_depth,
        .keep_cancelled_ms = options->keep_cancelled_ms,
        .tells = options->webhooks || options->smtp_url,
    };
    const char *error;
    struct engine *engine = engine_start(&engine_settings, settings_made, &kept, arena, &error);
    if (!engine) return command_fail("%s", error);
    struct api_settings api_settings = {
        .engine = engine,
        .jwt_secret = kept.jwt_secret,
        .reference_key = kept.reference_key,
        .token_ttl_s = options->token_ttl_s,
        .rate_limit = options->rate_limit,
        .open_organizing = options->open_organizing,
        .sends_mail = options->smtp_url != NULL,
        .verified_only = options->verified_only,
        .link_key = link_key_of(kept.jwt_secret),
        .webhooks = options->webhooks,
        .webhook_allow_private = options->webhook_allow_private,
        .cors_origins = options->cors_origins,
        .trust_proxy = options->trust_proxy,
        .metrics_token = options->metrics_token,
        .loops = loops,
    };
    struct api *api = api_new(&api_settings);
    struct http_server *server = start_server(options, api, loops, arena, &error);
    const char *url = server ? public_address(options, http_server_port(server), arena) : NULL;
    struct notify *notify =
        server ? start_notify(options, &kept, templates, url, engine, api, arena, &error) : NULL;
    int status = 0;
    size_t cut_off = 0;
    if (notify) {
        api_set_server(api, server);
        api_set_notify(api, notify_counts(notify));
        if (confine_calls(sandbox, options)) {
            greet(options, http_server_port(server), url);
            wait_for_end(signals, options, server);
        } else {
            status = 1;
        }
    } else {
        status = command_fail("%s", error);
    }
    store_hurry();
    /* The server first: it answers what is under way, for which the engine must still run. */
    if (server) cut_off = http_server_stop(server, DRAIN_MS);
    if (cut_off) log_warn("requests were cut off", LOG_NUM("count", cut_off));
    notify_stop(notify);
    engine_stop(engine, cut_off > 0);
    if (notify) log_info("stopped");
    api_free(api);
    return status;
}

int command_serve(int argc, char **argv)
{
    if (command_wants_help(argc, argv)) {
        printf("usage: %s\n\nServes the box office over HTTP. Each setting is a flag, an "
               "environment variable, or a line\n"
               "in '.env' in the working directory; the first of these wins.\n\n",
               usage);
        options_help(OPTIONS_STORE | OPTIONS_LOG | OPTIONS_SERVE);
        return 0;
    }
    struct arena arena = {0};
    struct options options;
    struct sandbox sandbox;
    if (!command_options(&options, OPTIONS_STORE | OPTIONS_LOG | OPTIONS_SERVE, argc, argv, 0,
                         usage, &arena)) {
        arena_free(&arena);
        return 1;
    }
    /* Before any thread: they all inherit it, and only sigwait() takes these signals. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);

    enum log_format format = options.log_format >= 0 ? (enum log_format)options.log_format
                             : isatty(STDERR_FILENO) ? LOG_TEXT
                                                     : LOG_JSON;
    int status = 1;
    const char *error;
    /* While the directory can still be read, and although there may be no mail to send now. */
    const struct mail_templates *templates =
        mail_templates_read(options.mail_templates, &arena, &error);
    if (!templates) {
        status = command_fail("%s", error);
        arena_free(&arena);
        return status;
    }
    confine_files(&sandbox, &options);
    if (log_start(options.log_level, format, options.log_file)) {
        raise_descriptor_limit();
        status = run(&options, &sandbox, templates, &arena, &signals);
        log_stop();
    } else {
        command_fail("LOG_FILE is \"%s\": %s", options.log_file, strerror(errno));
    }
    arena_free(&arena);
    return status;
}
