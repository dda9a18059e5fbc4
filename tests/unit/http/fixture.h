/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h -- a server with a small handler, and a client that sees every byte.
 *
 * Paths:  /now        answers inside the handler: method, path, query, body
 *         /later      the same, from another thread
 *         /held       answers when release_held() is called
 *         /empty      204
 *         /closing    asks for the connection to be closed
 *         /large      8 MB in a body that is shared
 *         /header     the value of the request header X-Test */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/queue.h"
#include "http/server.h"

#define LARGE    ((size_t)8 << 20)
#define MAX_BODY 100000

struct fixture {
    struct http_server *server;
    struct queue later; /* what the other thread answers */
    pthread_t thread;
    pthread_mutex_t mutex;
    struct list held;
    char *large;
    atomic_int handled, released, loops_started;
};

/* Answers of the server as they came in. */
struct answer {
    int status;
    char head[4096];
    char *body;
    size_t len;
};

static inline void pause_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

/* --- the server's side --- */

static inline void release_large(void *fixture)
{
    atomic_fetch_add(&((struct fixture *)fixture)->released, 1);
}

static inline void write_echo(struct http_request *request)
{
    request->reply.status = 200;
    request->reply.content_type = "text/plain";
    request->reply.body =
        arena_printf(&request->arena, "%s %.*s?%.*s %.*s", http_method_name(request->method),
                     STR_FMT(request->path), STR_FMT(request->query), STR_FMT(request->body));
}

static inline bool is_path(const struct http_request *request, const char *path)
{
    return str_equal(request->path, str_of(path));
}

static inline void fixture_handler(struct http_request *request, void *data)
{
    struct fixture *fixture = data;

    atomic_fetch_add(&fixture->handled, 1);
    request->handler_data = fixture;
    write_echo(request);
    if (is_path(request, "/later")) {
        assert_true(queue_put(&fixture->later, &request->link));
        return;
    }
    if (is_path(request, "/held")) {
        pthread_mutex_lock(&fixture->mutex);
        list_push(&fixture->held, &request->link);
        pthread_mutex_unlock(&fixture->mutex);
        return;
    }
    if (is_path(request, "/empty")) {
        request->reply.status = 204;
        request->reply.content_type = NULL;
        request->reply.body = (struct str){0};
    } else if (is_path(request, "/closing")) {
        request->reply.close = true;
    } else if (is_path(request, "/large")) {
        request->reply.body = (struct str){fixture->large, LARGE};
        request->reply.release = release_large;
        request->reply.owner = fixture;
    } else if (is_path(request, "/header")) {
        request->reply.body = arena_str(&request->arena, http_header(request, "x-tEST"));
        http_add_header(request, "X-Peer", request->peer);
    }
    http_reply(request);
}

static inline void *fixture_thread(void *data)
{
    struct fixture *fixture = data;
    struct list list = {0};
    struct link *link;

    while (queue_take(&fixture->later, &list, 16, -1))
        while ((link = list_pop(&list)))
            http_finish(LINK_OWNER(link, struct http_request, link));
    return NULL;
}

static inline size_t held_count(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->mutex);
    const size_t count = fixture->held.count;
    pthread_mutex_unlock(&fixture->mutex);
    return count;
}

static inline void wait_for_held(struct fixture *fixture, size_t count)
{
    for (int i = 0; i < 500 && held_count(fixture) < count; i++)
        pause_ms(10);
    assert_int_equal(held_count(fixture), count);
}

static inline void release_held(struct fixture *fixture)
{
    struct link *link;

    pthread_mutex_lock(&fixture->mutex);
    struct list held = fixture->held;
    fixture->held = (struct list){0};
    pthread_mutex_unlock(&fixture->mutex);
    while ((link = list_pop(&held)))
        http_finish(LINK_OWNER(link, struct http_request, link));
}

static inline void fixture_error_body(int status, struct buf *body, struct http_reply *reply)
{
    buf_printf(body, "{\"status\":%d}", status);
    reply->content_type = "application/problem+json";
}

static inline void fixture_loop_started(unsigned index, void *data)
{
    (void)index;
    atomic_fetch_add(&((struct fixture *)data)->loops_started, 1);
}

static inline struct http_settings usual_settings(void)
{
    return (struct http_settings){
        .host = "127.0.0.1",
        .loops = 1,
        .max_body = MAX_BODY,
        .max_headers = 8000,
        .idle_timeout_s = 30,
        .request_timeout_s = 10,
        .heartbeat_s = 10,
        .connections_max = 1000,
        .handler = fixture_handler,
        .loop_started = fixture_loop_started,
        .error_body = fixture_error_body,
    };
}

static inline struct fixture *fixture_start(struct http_settings settings)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct arena arena = {0};
    const char *error = NULL;

    assert_non_null(fixture);
    fixture->large = malloc(LARGE);
    assert_non_null(fixture->large);
    memset(fixture->large, 'x', LARGE);
    queue_init(&fixture->later, 100000);
    pthread_mutex_init(&fixture->mutex, NULL);
    assert_int_equal(pthread_create(&fixture->thread, NULL, fixture_thread, fixture), 0);
    settings.data = fixture;
    fixture->server = http_server_start(&settings, &arena, &error);
    if (!fixture->server) fail_msg("%s", error);
    arena_free(&arena);
    return fixture;
}

/* Stops the server, too, unless the test has done so. Returns how many requests were cut off. */
static inline size_t fixture_stop(struct fixture *fixture)
{
    const size_t cut_off = fixture->server ? http_server_stop(fixture->server, 5000) : 0;

    release_held(fixture);
    queue_close(&fixture->later);
    pthread_join(fixture->thread, NULL);
    queue_destroy(&fixture->later);
    pthread_mutex_destroy(&fixture->mutex);
    free(fixture->large);
    free(fixture);
    return cut_off;
}

/* --- the client's side --- */

static inline int client_to_port(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static inline int client(struct fixture *fixture)
{
    return client_to_port(http_server_port(fixture->server));
}

static inline void send_bytes(int fd, const char *data, size_t len)
{
    while (len > 0) {
        const ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        assert_true(n > 0);
        data += n;
        len -= (size_t)n;
    }
}

static inline void send_text(int fd, const char *text)
{
    send_bytes(fd, text, strlen(text));
}

/* One byte, or -1 at the end; a test that waits for 10 seconds has failed. */
static inline int receive_byte(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    unsigned char byte;

    assert_int_equal(poll(&ready, 1, 10000), 1);
    const ssize_t n = recv(fd, &byte, 1, 0);
    return n == 1 ? byte : -1;
}

/* Reads to the end of the connection; false when it ended in a reset. */
static inline bool receive_end(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char bytes[4096];
    ssize_t n;

    do {
        assert_int_equal(poll(&ready, 1, 10000), 1);
        n = recv(fd, bytes, sizeof(bytes), 0);
    } while (n > 0);
    return n == 0;
}

static inline size_t content_length(const char *head)
{
    const char *line = strstr(head, "Content-Length: ");
    return line ? strtoul(line + 16, NULL, 10) : 0;
}

static inline struct answer receive_head(int fd)
{
    struct answer answer = {0};
    size_t len = 0;

    while (len < sizeof(answer.head) - 1) {
        const int byte = receive_byte(fd);
        if (byte < 0) break;
        answer.head[len++] = (char)byte;
        if (len >= 4 && memcmp(answer.head + len - 4, "\r\n\r\n", 4) == 0) break;
    }
    if (len > 12) answer.status = atoi(answer.head + 9);
    return answer;
}

/* status 0: the connection ended. */
static inline struct answer receive(int fd)
{
    struct answer answer = receive_head(fd);

    answer.len = content_length(answer.head);
    answer.body = calloc(1, answer.len + 1);
    assert_non_null(answer.body);
    for (size_t got = 0; got < answer.len;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, 10000), 1);
        const ssize_t n = recv(fd, answer.body + got, answer.len - got, 0);
        assert_true(n > 0);
        got += (size_t)n;
    }
    return answer;
}

static inline void expect(int fd, int status, const char *body)
{
    struct answer answer = receive(fd);

    assert_int_equal(answer.status, status);
    assert_string_equal(answer.body, body);
    free(answer.body);
}

static inline void expect_no_answer(int fd)
{
    struct answer answer = receive(fd);

    assert_int_equal(answer.status, 0);
    free(answer.body);
}

/* An error of the protocol itself: our body, and then the end without a reset. */
static inline void expect_error(int fd, int status)
{
    struct answer answer = receive(fd);
    char body[40];

    snprintf(body, sizeof(body), "{\"status\":%d}", status);
    assert_int_equal(answer.status, status);
    assert_string_equal(answer.body, body);
    assert_non_null(strstr(answer.head, "\r\nContent-Type: application/problem+json\r\n"));
    assert_non_null(strstr(answer.head, "\r\nConnection: close\r\n"));
    assert_non_null(strstr(answer.head, "\r\nX-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(answer.head, "\r\nCache-Control: no-store\r\n"));
    free(answer.body);
    assert_true(receive_end(fd));
}

#endif
