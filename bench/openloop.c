/* SPDX-License-Identifier: Apache-2.0 */
/* openloop -- sends requests at a fixed rate, whatever the answers do.
 *
 *     openloop PORT CONNECTIONS RATE SECONDS FILE EVERY ONCE
 *
 * FILE, EVERY and ONCE are those of lua/replay.lua: lines KIND METHOD PATH TOKEN BODY, each EVERYth
 * request the next line of kind c, the ONCEth first. A request belongs to an instant of a
 * timetable, and its latency is counted from there: where all connections are taken, or this
 * program gets no processor, the waiting is in the figure. wrk, which sends when it was answered,
 * would leave it out. Prints JSON. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    BUFFER_SIZE = 256 * 1024,
    LINE_FIELDS = 5,
    CONNECTIONS_MOST = 16384,
    PATIENCE_S = 10, /* for the last answers */
};

struct request {
    char *text;
    size_t length;
    char kind;
};

struct requests {
    struct request *items;
    size_t count, room;
};

struct connection {
    int fd;
    char kind;
    uint64_t due_ns; /* when its request should have been sent */
    uint64_t sent_ns;
    size_t received;
    char *buffer;
};

struct run {
    struct requests again, once;
    size_t every, once_at, again_at;
    bool ran_short;
    struct connection *connections, **idle;
    size_t idle_count;
    uint64_t begin_ns, total, next, answered, bad;
    double interval_ns;
    uint32_t *latency_us;
    char *kinds;                      /* of each latency */
    uint32_t *served_us, *refused_us; /* from when it was sent: of 2xx, and of 503 */
    uint64_t served, refused, with_retry_after;
    uint64_t sent[3], good[3];
};

static const char kind_names[] = "rbc";

static __attribute__((noreturn)) void die(const char *what)
{
    fprintf(stderr, "openloop: %s: %s\n", what, errno ? strerror(errno) : "cannot go on");
    exit(1);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory) die("memory");
    return memory;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int kind_index(char kind)
{
    const char *found = strchr(kind_names, kind);
    if (!found || !kind) die("a line of an unknown kind");
    return (int)(found - kind_names);
}

/* ---- the file ---- */

static void add_request(struct requests *requests, struct request request)
{
    if (requests->count == requests->room) {
        requests->room = requests->room ? 2 * requests->room : 1024;
        requests->items = realloc(requests->items, requests->room * sizeof(*requests->items));
        if (!requests->items) die("memory");
    }
    requests->items[requests->count++] = request;
}

static struct request compose(char **fields, int port)
{
    const char *token = fields[3], *body = fields[4];
    struct request request = {.kind = fields[0][0]};
    char length[80] = "";
    if (*body)
        snprintf(length, sizeof(length),
                 "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    int written = asprintf(&request.text, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s%s%s\r\n%s",
                           fields[1], fields[2], port, *token ? "Authorization: Bearer " : "",
                           token, *token ? "\r\n" : "", length, body);
    if (written < 0) die("memory");
    request.length = (size_t)written;
    return request;
}

static void read_requests(struct run *run, const char *path, int port)
{
    FILE *file = fopen(path, "r");
    if (!file) die(path);
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, file) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        char *rest = line, *fields[LINE_FIELDS] = {NULL};
        for (int i = 0; i < LINE_FIELDS; i++)
            fields[i] = strsep(&rest, "\t");
        if (!fields[LINE_FIELDS - 1]) die("a line has too few fields");
        add_request(fields[0][0] == 'c' ? &run->once : &run->again, compose(fields, port));
    }
    free(line);
    fclose(file);
    if ((run->again.count == 0 && run->every != 1) || (run->once.count == 0 && run->every > 0))
        die("too few lines");
}

/* ---- sending and receiving ---- */

static const struct request *next_request(struct run *run)
{
    if (run->every > 0 && (run->next + 1) % run->every == 0) {
        if (run->once_at >= run->once.count) run->ran_short = true;
        return &run->once.items[run->once_at++ % run->once.count];
    }
    return &run->again.items[run->again_at++ % run->again.count];
}

static uint64_t due_ns(const struct run *run, uint64_t index)
{
    return run->begin_ns + (uint64_t)((double)index * run->interval_ns);
}

static void send_what_is_due(struct run *run)
{
    while (run->next < run->total && run->idle_count > 0 && due_ns(run, run->next) <= now_ns()) {
        struct connection *connection = run->idle[--run->idle_count];
        connection->due_ns = due_ns(run, run->next);
        const struct request *request = next_request(run);
        connection->kind = request->kind;
        connection->received = 0;
        run->sent[kind_index(request->kind)]++;
        run->next++;
        connection->sent_ns = now_ns();
        ssize_t sent = send(connection->fd, request->text, request->length, MSG_NOSIGNAL);
        if (sent != (ssize_t)request->length) die("send");
    }
}

/* The size of the whole answer, or 0 as long as its head is not complete. */
static size_t answer_size(const struct connection *connection)
{
    const char *text = connection->buffer;
    const char *end = memmem(text, connection->received, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = (size_t)(end - text) + 4;
    for (const char *line = text; line < end;) {
        const char *next = memmem(line, head - (size_t)(line - text), "\r\n", 2);
        if (strncasecmp(line, "content-length:", 15) == 0)
            return head + strtoul(line + 15, NULL, 10);
        line = next + 2;
    }
    errno = 0;
    die("an answer without a length");
}

static void note_answer(struct run *run, const struct connection *connection)
{
    uint64_t latency = (now_ns() - connection->due_ns) / 1000;
    run->latency_us[run->answered] = latency > UINT32_MAX ? UINT32_MAX : (uint32_t)latency;
    run->kinds[run->answered++] = connection->kind;
    uint32_t since_sent = (uint32_t)((now_ns() - connection->sent_ns) / 1000);
    if (connection->buffer[9] == '2') { /* HTTP/1.1 2xx */
        run->good[kind_index(connection->kind)]++;
        run->served_us[run->served++] = since_sent;
        return;
    }
    run->bad++;
    if (memcmp(connection->buffer + 9, "503", 3) != 0) return;
    run->refused_us[run->refused++] = since_sent;
    run->with_retry_after +=
        memmem(connection->buffer, connection->received, "\r\nRetry-After: ", 15) != NULL;
}

static void receive(struct run *run, struct connection *connection)
{
    if (connection->received == BUFFER_SIZE) die("an answer that is too long");
    ssize_t got = recv(connection->fd, connection->buffer + connection->received,
                       BUFFER_SIZE - connection->received, 0);
    if (got == 0) errno = ECONNRESET;
    if (got <= 0) die("receive");
    connection->received += (size_t)got;
    size_t size = answer_size(connection);
    if (size == 0 || connection->received < size) return;
    note_answer(run, connection);
    run->idle[run->idle_count++] = connection;
}

/* No busy waiting: the processors are the server's. */
static void wait_for_something(struct run *run, int poll)
{
    struct epoll_event events[64];
    uint64_t now = now_ns(), until = now + 100000000;
    if (run->next < run->total && run->idle_count > 0) until = due_ns(run, run->next);
    uint64_t wait = until > now ? until - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(wait / 1000000000),
                               .tv_nsec = (long)(wait % 1000000000)};
    int count = epoll_pwait2(poll, events, 64, &timeout, NULL);
    if (count < 0 && errno != EINTR) die("epoll_pwait2");
    for (int i = 0; i < count; i++)
        receive(run, events[i].data.ptr);
}

static int open_connections(struct run *run, size_t count, int port)
{
    int poll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (size_t i = 0; i < count; i++) {
        struct connection *connection = &run->connections[i];
        connection->fd = socket(AF_INET, SOCK_STREAM, 0);
        connection->buffer = allocate(BUFFER_SIZE, 1);
        int on = 1;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        if (connection->fd < 0 ||
            connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) ||
            setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
            epoll_ctl(poll, EPOLL_CTL_ADD, connection->fd, &event))
            die("connect");
        run->idle[run->idle_count++] = connection;
    }
    return poll;
}

/* ---- figures ---- */

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* Sorts them. */
static void print_percentiles(const char *name, uint32_t *chosen, size_t count)
{
    qsort(chosen, count, sizeof(*chosen), compare);
    const struct {
        const char *name;
        double part;
    } parts[] = {
        {"p50_us", 0.5}, {"p90_us", 0.9}, {"p99_us", 0.99}, {"p999_us", 0.999}, {"max_us", 1}};
    printf(", \"%s\": {\"count\": %zu", name, count);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        printf(", \"%s\": %u", parts[i].name,
               count ? chosen[(size_t)((double)(count - 1) * parts[i].part)] : 0);
    printf("}");
}

static void print_latencies(const struct run *run, const char *name, char kind)
{
    uint32_t *chosen = allocate(run->answered, sizeof(*chosen));
    size_t count = 0;
    for (uint64_t i = 0; i < run->answered; i++)
        if (!kind || run->kinds[i] == kind) chosen[count++] = run->latency_us[i];
    print_percentiles(name, chosen, count);
    free(chosen);
}

static void print_figures(const struct run *run, uint64_t end_ns)
{
    printf("{\"answered\": %lu, \"bad\": %lu, \"unanswered\": %lu, \"short\": %d, \"duration_us\": "
           "%lu, ",
           run->answered, run->bad, run->total - run->answered, run->ran_short,
           (end_ns - run->begin_ns) / 1000);
    printf("\"sent\": {\"r\": %lu, \"b\": %lu, \"c\": %lu}, \"good\": {\"r\": %lu, \"b\": %lu, "
           "\"c\": %lu}",
           run->sent[0], run->sent[1], run->sent[2], run->good[0], run->good[1], run->good[2]);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf(", \"client_cpu_s\": %.3f",
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    print_latencies(run, "all", 0);
    print_latencies(run, "r", 'r');
    print_latencies(run, "b", 'b');
    print_latencies(run, "c", 'c');
    printf(", \"with_retry_after\": %lu", run->with_retry_after);
    print_percentiles("served", run->served_us, run->served);
    print_percentiles("refused", run->refused_us, run->refused);
    printf("}\n");
}

int main(int argc, char **argv)
{
    if (argc != 8) die("PORT CONNECTIONS RATE SECONDS FILE EVERY ONCE are wanted");
    struct run run = {.every = strtoul(argv[6], NULL, 10), .once_at = strtoul(argv[7], NULL, 10)};
    size_t connections = strtoul(argv[2], NULL, 10);
    double rate = strtod(argv[3], NULL), seconds = strtod(argv[4], NULL);
    if (connections < 1 || connections > CONNECTIONS_MOST || rate <= 0) die("arguments");
    run.interval_ns = 1e9 / rate;
    run.total = (uint64_t)(rate * seconds);
    run.connections = allocate(connections, sizeof(*run.connections));
    run.idle = allocate(connections, sizeof(struct connection *));
    run.latency_us = allocate(run.total, sizeof(*run.latency_us));
    run.kinds = allocate(run.total, 1);
    run.served_us = allocate(run.total, sizeof(*run.served_us));
    run.refused_us = allocate(run.total, sizeof(*run.refused_us));
    read_requests(&run, argv[5], atoi(argv[1]));
    int poll = open_connections(&run, connections, atoi(argv[1]));
    prctl(PR_SET_TIMERSLACK, 1);

    run.begin_ns = now_ns();
    uint64_t end = due_ns(&run, run.total) + UINT64_C(1000000000) * PATIENCE_S;
    while (run.answered < run.total && now_ns() < end) {
        send_what_is_due(&run);
        wait_for_something(&run, poll);
    }
    print_figures(&run, now_ns());
    return 0;
}
