/* SPDX-License-Identifier: Apache-2.0 */
/* response.h -- how a response begins: status line, headers, empty line (RFC 9112). */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include "http/server.h"

enum response_connection { RESPONSE_KEEP, RESPONSE_KEEP_HTTP10, RESPONSE_CLOSE };

/* Appends it to 'out'. 'date' is the value of the Date header. */
void response_head(struct buf *out, const struct http_reply *reply, const char *date,
                   enum response_connection connection);

/* May a response with this status have a body at all? */
bool response_has_body(int status);

/* IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT", of seconds since 1970. */
void response_date(int64_t second, char text[40]);

#endif
