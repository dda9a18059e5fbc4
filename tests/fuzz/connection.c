/* SPDX-License-Identifier: Apache-2.0 */
/* What comes over a connection, into the real server with the whole API behind it: a loop on this
 * thread, a socket of its own on the loopback address. "\n---\n" in an input is where a write
 * ends, so that the bytes come in pieces; "{token}" is a good one. What is left waits until its
 * deadline, which comes at once. */
#include "lib/office.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/listen.h"
#include "http/loop.h"

enum { WRITES_MOST = 32 };

static struct http_server server;
static struct http_loop loop;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    struct arena arena = {0};
    const char *error = "";
    server = (struct http_server){
        .settings = {.host = "127.0.0.1",
                     .loops = 1,
                     .max_body = 64 * 1024,
                     .max_headers = 16 * 1024,
                     .idle_timeout_s = 60,
                     .request_timeout_s = 20,
                     .heartbeat_s = 15,
                     .connections_max = 100,
                     .handler = api_handle,
                     .error_body = api_error_body,
                     .data = office_api()},
        .loops = &loop,
    };
    server.listener = listen_on("127.0.0.1", 0, &arena, &error);
    if (server.listener < 0) abort();
    server.port = listen_port(server.listener);
    pthread_mutex_init(&server.tls_mutex, NULL);
    pthread_mutex_init(&loop.mutex, NULL);
    server.hub = hub_new(&server);
    if (!server.hub || !loop_open(&loop, &server, 0)) abort();
    arena_free(&arena);
    return 0;
}

static int connect_to_server(void)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(server.port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) abort();
    /* A million connections a day must not leave a million waiting ports. */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) abort();
    return fd;
}

/* Answers must begin like answers. */
static void read_answers(int fd)
{
    static char bytes[65536];
    bool first = true;
    for (ssize_t n; (n = recv(fd, bytes, sizeof(bytes), 0)) > 0; first = false) {
        assert(!first || n < 13 || memcmp(bytes, "HTTP/1.", 7) == 0);
        assert(!first || n < 13 || memcmp(bytes + 9, "500", 3) != 0);
    }
}

static void turn(int fd)
{
    for (int i = 0; i < 4; i++) {
        event_base_loop(loop.base, EVLOOP_NONBLOCK);
        office_work();
        hub_turn(server.hub, false);
    }
    read_answers(fd);
}

static void send_part(int fd, struct str part)
{
    while (part.len) {
        struct str plain = fuzz_cut(&part, STR("{token}"));
        bool token = part.len || (plain.data + plain.len != part.data);
        if (plain.len) (void)!send(fd, plain.data, plain.len, MSG_NOSIGNAL);
        struct str text = office_token(2);
        if (token) (void)!send(fd, text.data, text.len, MSG_NOSIGNAL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = fuzz_text(data, size);
    office_begin();
    int fd = connect_to_server();
    while (loop.connection_count == 0)
        event_base_loop(loop.base, EVLOOP_NONBLOCK);
    for (int i = 0; i < WRITES_MOST && text.len; i++) {
        send_part(fd, fuzz_cut(&text, STR("\n---\n")));
        turn(fd);
    }
    for (int i = 0; loop.connection_count && i < 10; i++) {
        loop.tick += 100;
        connections_sweep(&loop);
        turn(fd);
    }
    close(fd);
    for (int i = 0; loop.connection_count && i < 100; i++)
        turn(fd);
    assert(loop.connection_count == 0 && loop.under_way == 0 && server.connections == 0);
    office_end();
    return 0;
}
