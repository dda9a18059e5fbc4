/* SPDX-License-Identifier: Apache-2.0 */
/* Starting and stopping; what happens in between is in loop.c. */
#include "http/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/recycle.h"
#include "http/listen.h"
#include "http/tls.h"

static void log_of_libevent(int severity, const char *message)
{
    const enum log_level level = severity == EVENT_LOG_DEBUG  ? LOG_DEBUG
                                 : severity == EVENT_LOG_MSG  ? LOG_INFO
                                 : severity == EVENT_LOG_WARN ? LOG_WARN
                                                              : LOG_ERROR;
    LOG_AT(level, "libevent", LOG_STR("message", str_of(message)));
}

bool server_thread(pthread_t *thread, void *(*run)(void *data), void *data)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool started = pthread_create(thread, NULL, run, data) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void stop_loops(struct http_server *server)
{
    atomic_store(&server->stopping, true);
    for (unsigned i = 0; i < server->settings.loops; i++)
        if (server->loops[i].started) loop_wake(&server->loops[i]);
    for (unsigned i = 0; i < server->settings.loops; i++)
        if (server->loops[i].started) pthread_join(server->loops[i].thread, NULL);
}

void server_release(struct http_server *server)
{
    if (atomic_fetch_sub(&server->references, 1) > 1) return;
    for (unsigned i = 0; i < server->settings.loops; i++)
        pthread_mutex_destroy(&server->loops[i].mutex);
    pthread_mutex_destroy(&server->tls_mutex);
    free(server->loops);
    free(server);
}

static void close_all(struct http_server *server)
{
    for (unsigned i = 0; i < server->settings.loops; i++)
        loop_close(&server->loops[i]);
    hub_free(server->hub);
    if (server->listener >= 0) close(server->listener);
    tls_close(server->tls);
    server_release(server);
}

static const char *open_all(struct http_server *server, struct arena *arena)
{
    const struct http_settings *settings = &server->settings;
    const char *error = NULL;
    bool open = true;

    if (!settings->tls_cert != !settings->tls_key)
        return "TLS_CERT and TLS_KEY go together: give both or neither";
    if (settings->tls_cert) {
        server->tls = tls_open(settings->tls_cert, settings->tls_key, arena, &error);
        if (!server->tls) return error;
    }
    server->listener = listen_on(settings->host, settings->port, arena, &error);
    if (server->listener < 0) return error;
    server->port = listen_port(server->listener);
    server->hub = hub_new(server);
    open = server->hub && hub_start(server->hub);
    for (unsigned i = 0; open && i < settings->loops; i++)
        open = loop_open(&server->loops[i], server, i);
    for (unsigned i = 0; open && i < settings->loops; i++)
        open = loop_start(&server->loops[i]);
    return open ? NULL : "HTTP_LOOPS: the system has no resources for so many loops";
}

struct http_server *http_server_start(const struct http_settings *settings, struct arena *arena,
                                      const char **ret_error)
{
    struct http_server *server = calloc(1, sizeof(*server));

    if (!server) abort();
    server->settings = *settings;
    server->listener = -1;
    pthread_mutex_init(&server->tls_mutex, NULL);
    atomic_init(&server->references, 1);
    server->loops = calloc(settings->loops, sizeof(*server->loops));
    if (!server->loops) abort();
    for (unsigned i = 0; i < settings->loops; i++) {
        server->loops[i].wake_fd = -1;
        pthread_mutex_init(&server->loops[i].mutex, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    event_set_log_callback(log_of_libevent);
    event_set_mem_functions(recycle_malloc, recycle_realloc, recycle_free);

    const char *error = open_all(server, arena);
    if (!error) return server;
    *ret_error = error;
    hub_stop(server->hub);
    stop_loops(server);
    close_all(server);
    return NULL;
}

bool http_server_reload_tls(struct http_server *server, const char *cert, const char *key,
                            struct arena *arena, const char **ret_error)
{
    struct ssl_ctx_st *fresh = tls_open(cert, key, arena, ret_error), *old;

    if (!fresh) return false;
    pthread_mutex_lock(&server->tls_mutex);
    old = server->tls;
    server->tls = fresh;
    pthread_mutex_unlock(&server->tls_mutex);
    tls_close(old); /* connections that began with it keep it */
    return true;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

size_t http_server_stop(struct http_server *server, int timeout_ms)
{
    size_t cut_off = 0;

    server->stop_at_us = clock_monotonic_us() + (int64_t)timeout_ms * 1000;
    hub_stop(server->hub); /* it hands its connections back to the loops */
    stop_loops(server);
    for (unsigned i = 0; i < server->settings.loops; i++)
        cut_off += server->loops[i].cut_off;
    close_all(server);
    return cut_off;
}

struct http_counts http_server_counts(struct http_server *server)
{
    return (struct http_counts){
        .connections = atomic_load(&server->connections),
        .accepted = atomic_load(&server->accepted),
        .refused = atomic_load(&server->refused),
        .timed_out = atomic_load(&server->timed_out),
        .streams = atomic_load(&server->streams),
    };
}
