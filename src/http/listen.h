/* SPDX-License-Identifier: Apache-2.0 */
/* listen.h -- the one listening socket. */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include <stdint.h>
#include "base/arena.h"

/* A non-blocking listening socket, or -1 and a sentence that names HOST or PORT. A port that
 * another server listens on is refused. */
int listen_on(const char *host, uint16_t port, struct arena *arena, const char **ret_error);

/* The port it has got. */
uint16_t listen_port(int socket);

#endif
