/* SPDX-License-Identifier: Apache-2.0 */
/* address.h -- whence a request comes. Only a trusted proxy is believed when it speaks for others.
 */
#ifndef API_ADDRESS_H
#define API_ADDRESS_H

#include <stdbool.h>
#include "http/server.h"

bool address_is_loopback(struct str address);

/* Did somebody pass the request on, whom the peer's address does not show? */
bool address_is_hidden(const struct http_request *request);

/* Behind proxies that 'trusted' lists (addresses, and "loopback" for all of those): the last
 * address in X-Forwarded-For that none of them has; what stands before it anybody may have written.
 * The peer's own otherwise. Lives in the request's arena. */
struct str address_of_client(struct http_request *request, const char *trusted);

/* What one client has for sure, and what limits count by: an IPv4 address, or the 64 bits of an
 * IPv6 network, in which he may call himself what he likes. */
struct str address_block(struct arena *arena, struct str address);

bool list_has(const char *list, struct str item);

#endif
