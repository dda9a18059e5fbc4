/* SPDX-License-Identifier: Apache-2.0 */
#include "http/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections that wait to be accepted; the system may allow fewer. */
#define BACKLOG 4096

static int try_address(const struct addrinfo *address)
{
    const int on = 1, off = 0;
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) return -1;
    /* Not SO_REUSEPORT: a second server on this port would take half of the connections. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->ai_family == AF_INET6) /* "::" means IPv4 as well */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) return fd;

    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static const char *explain(int error, const char *host, unsigned port, struct arena *arena)
{
    switch (error) {
    case EADDRINUSE:
        return arena_printf(arena,
                            "PORT %u on HOST %s is in use by another program; stop that "
                            "one or choose another PORT",
                            port, host)
            .data;
    case EACCES:
        return arena_printf(arena,
                            "PORT %u on HOST %s is not allowed to this user; choose a "
                            "PORT from 1024 on, or grant CAP_NET_BIND_SERVICE",
                            port, host)
            .data;
    case EADDRNOTAVAIL:
        return arena_printf(arena,
                            "HOST %s is not an address of this machine; try 127.0.0.1, or "
                            "0.0.0.0 for all of its addresses",
                            host)
            .data;
    default:
        return arena_printf(arena, "cannot listen on HOST %s, PORT %u: %s", host, port,
                            strerror(error))
            .data;
    }
}

int listen_on(const char *host, uint16_t port, struct arena *arena, const char **ret_error)
{
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                   .ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses;
    char service[8];
    int fd = -1;

    snprintf(service, sizeof(service), "%u", (unsigned)port);
    const int result = getaddrinfo(host, service, &hints, &addresses);
    if (result != 0) {
        *ret_error = arena_printf(arena, "HOST %s is neither an address nor a known name: %s", host,
                                  gai_strerror(result))
                         .data;
        return -1;
    }
    for (const struct addrinfo *a = addresses; a && fd < 0; a = a->ai_next)
        fd = try_address(a);
    if (fd < 0) *ret_error = explain(errno, host, port, arena);
    freeaddrinfo(addresses);
    return fd;
}

uint16_t listen_port(int socket)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {0};
    socklen_t len = sizeof(address);

    if (getsockname(socket, &address.any, &len) != 0) return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}
