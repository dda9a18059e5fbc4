/* SPDX-License-Identifier: Apache-2.0 */
/* listeners -- many who listen to one stream of server-sent events.
 *
 *     listeners PORT COUNT PATH
 *
 * Opens COUNT connections, says "listening" when each of them has had its first state, listens
 * until its standard input ends, and prints what it saw, in JSON. It knows no more of a state than
 * its id. A state is new when the first of all has it; 'behind' is how long after that another one
 * got it, 'apart' the time between two new ones. What is committed just after a state was composed
 * comes with the next one, so it has reached everybody after 'apart' and 'behind' together. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ID_SIZE = 16, CARRIED = 32, STATES = 1 << 16, BUFFER_SIZE = 65536, AT_ONCE = 200 };

struct listener {
    int fd;
    uint64_t last;  /* id of the newest state, 0 for none */
    size_t carried; /* the end of what came, as an id may be cut in two */
    char carry[CARRIED];
};

struct state {
    uint64_t id, first_ns;
};

static struct {
    struct listener *listeners;
    size_t count, ready, ended;
    struct state states[STATES]; /* by hash */
    size_t state_count, since_ready;
    uint64_t newest, newest_ns, received;
    uint64_t behind_ns, apart_ns, last_ns;
} run;

static __attribute__((noreturn)) void die(const char *what)
{
    fprintf(stderr, "listeners: %s: %s\n", what, errno ? strerror(errno) : "cannot go on");
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct state *state_of(uint64_t id)
{
    size_t at = (id * 0x9e3779b97f4a7c15u) >> 48;
    while (run.states[at].id && run.states[at].id != id)
        at = (at + 1) % STATES;
    return &run.states[at];
}

static void note_state(struct listener *listener, uint64_t id, uint64_t now)
{
    struct state *state = state_of(id);
    if (!state->id) {
        if (++run.state_count > STATES / 2) die("too many states");
        *state = (struct state){id, now};
        /* Before the first one nothing may have happened for long. */
        if (run.ready == run.count && run.since_ready++ > 0 && now - run.newest_ns > run.apart_ns)
            run.apart_ns = now - run.newest_ns;
        run.newest = id;
        run.newest_ns = now;
    }
    if (!listener->last) run.ready++;
    /* Of those who come in, the first ones wait for nobody. */
    if (run.ready == run.count && now - state->first_ns > run.behind_ns && listener->last)
        run.behind_ns = now - state->first_ns;
    listener->last = id;
    run.received++;
    run.last_ns = now;
}

/* All the "id: " in what came, with what was left of it before. */
static void take(struct listener *listener, const char *data, size_t size, uint64_t now)
{
    static char all[CARRIED + BUFFER_SIZE + 1];
    memcpy(all, listener->carry, listener->carried);
    memcpy(all + listener->carried, data, size);
    size += listener->carried;
    all[size] = '\0';
    const char *at = all, *found;
    while ((found = strstr(at, "\nid: ")) && found + 5 + ID_SIZE < all + size) {
        note_state(listener, strtoull(found + 5, NULL, 16), now);
        at = found + 5 + ID_SIZE;
    }
    size_t left = (size_t)(all + size - at);
    if (left >= CARRIED) left = CARRIED - 1;
    memcpy(listener->carry, all + size - left, left);
    listener->carried = left;
}

/* Connects a few hundred at a time: more are more than a listening socket may keep waiting. */
static void open_one(struct listener *listener, int epoll, uint16_t port, const char *path)
{
    char request[512];
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int length =
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
    listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener->fd < 0) die("socket");
    if (connect(listener->fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        die("connect");
    if (send(listener->fd, request, (size_t)length, MSG_NOSIGNAL) != length) die("send");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = listener};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener->fd, &event) != 0) die("epoll_ctl");
}

static void receive(struct listener *listener)
{
    static char buffer[BUFFER_SIZE];
    ssize_t size = recv(listener->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size > 0) {
        take(listener, buffer, (size_t)size, now_ns());
        return;
    }
    close(listener->fd);
    listener->fd = -1;
    run.ended++;
}

/* False at the end of the standard input. */
static bool listen_on(int epoll, int timeout_ms)
{
    struct epoll_event events[512];
    int count = epoll_wait(epoll, events, 512, timeout_ms);
    bool more = true;
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr)
            receive(events[i].data.ptr);
        else
            more = false;
    }
    return more;
}

static void print_result(void)
{
    struct rusage usage;
    size_t newest = 0;
    getrusage(RUSAGE_SELF, &usage);
    for (size_t i = 0; i < run.count; i++)
        newest += run.listeners[i].last == run.newest;
    printf("{\"listeners\":%zu,\"ended\":%zu,\"states\":%zu,\"received\":%llu,\"with_newest\":%zu,"
           "\"newest\":\"%016llx\",\"behind_us\":%llu,\"apart_us\":%llu,\"last_us\":%llu,"
           "\"client_cpu_s\":%.2f}\n",
           run.count, run.ended, run.state_count, (unsigned long long)run.received, newest,
           (unsigned long long)run.newest, (unsigned long long)run.behind_ns / 1000,
           (unsigned long long)run.apart_ns / 1000, (unsigned long long)run.last_ns / 1000,
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    if (argc != 4) {
        fprintf(stderr, "usage: listeners PORT COUNT PATH\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    run.count = strtoul(argv[2], NULL, 10);
    run.listeners = calloc(run.count + 1, sizeof(*run.listeners));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!run.listeners || epoll < 0) die("memory");
    for (size_t i = 0; i < run.count; i++) {
        open_one(&run.listeners[i], epoll, (uint16_t)strtoul(argv[1], NULL, 10), argv[3]);
        while (i + 1 - run.ready > AT_ONCE && run.ended == 0)
            listen_on(epoll, 1000);
    }
    while (run.ready < run.count && run.ended == 0)
        listen_on(epoll, 1000);
    printf("listening\n");
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0) die("epoll_ctl");
    while (listen_on(epoll, -1))
        continue;
    print_result();
    return 0;
}
