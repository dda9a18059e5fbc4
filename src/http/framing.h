/* SPDX-License-Identifier: Apache-2.0 */
/* framing.h -- where requests begin and end, by the letter of RFC 9112.
 *
 * evhttp takes line feeds for line ends, folds lines, stops at a NUL, and reads the size of a chunk
 * as strtoll() does. A proxy in front of us may read the same bytes in another way, and what is one
 * request for the one is two for the other: that is how a stranger's request gets glued to somebody
 * else's. So every byte that comes in passes here first, too. A request counts only when both find
 * its end; anything that RFC 9112 does not allow, or leaves to taste, is refused for good:
 *
 *   - lines end with CR LF, and neither stands elsewhere; no NUL or other control character
 *   - one space on either side of the target; the version is HTTP/1. and a digit
 *   - no folded lines, no white space before a colon
 *   - one Content-Length of digits, or Transfer-Encoding, or neither
 *   - a chunk's size is hexadecimal digits, nothing else; CR LF behind its data; no trailer, whose
 *     fields evhttp would mix with the head's */
#ifndef HTTP_FRAMING_H
#define HTTP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAMING_LINE_KEPT = 40 }; /* long enough for the two headers that matter */

/* Of one connection. All zeroes at its beginning. */
struct framing {
    int state;
    bool bad; /* and stays so */
    bool has_length, has_encoding, chunked;
    bool is_length, is_encoding;  /* the line that is being read */
    uint8_t spaces;               /* seen in the request line */
    uint8_t line_len;             /* at most FRAMING_LINE_KEPT */
    uint8_t digits;               /* of the size of a chunk */
    uint32_t complete;            /* requests that have come in whole and were not taken */
    uint64_t left;                /* bytes to come of the body or the chunk */
    char line[FRAMING_LINE_KEPT]; /* the last word of the first line; a name, or its value */
};

/* How many bytes at the start are those of a token (RFC 9110, section 5.6.2). */
size_t framing_token_prefix(const char *data, size_t len);

/* The next bytes of the connection, however they were cut. */
void framing_feed(struct framing *framing, const char *data, size_t len);

/* Has a whole request come in? Takes it. */
bool framing_take(struct framing *framing);

#endif
