/* SPDX-License-Identifier: Apache-2.0 */
/* trip.h -- one try to deliver one parcel: what libcurl is told, and what is made of its answer.
 *
 * For the courier alone. The other side is not trusted: of what it sends a status is kept, a word
 * of when to come again, and of our own mail server a line. */
#ifndef NOTIFY_TRIP_H
#define NOTIFY_TRIP_H

#include <curl/curl.h>
#include "notify/courier.h"
#include "notify/reach.h"

enum {
    TRIP_READ_MOST =
        64 << 10, /* bytes of an answer's header, and of its body; then it is cut off */
    TRIP_CONNECT_MS = 10 * 1000,
    TRIP_LINE_SIZE = 200,
};

/* Zeroed it is one that is not under way. */
struct trip {
    CURL *easy;            /* one after the other; NULL before the first */
    struct parcel *parcel; /* NULL: none is under way */
    const struct courier_settings *settings;
    struct curl_slist *list; /* headers, or the recipient */
    int64_t began_us;
    size_t body_sent; /* of a mail */
    size_t header_read, body_read;
    bool was_private;             /* an address was none of the public's */
    char command[4], answered[4]; /* the last to the mail server, and to which it said 'line' */
    char line[TRIP_LINE_SIZE];
    char problem[CURL_ERROR_SIZE];
};

/* Prepares trip->easy, which the caller hands to libcurl, and then calls one of those below. False
 * when the parcel cannot be sent at all; then its report is written. 'server' is for mails. */
bool trip_begin(struct trip *trip, struct parcel *parcel, const struct courier_settings *settings,
                const struct mail_server *server);

/* Writes the report: libcurl is done with it, or it is given up. It must not be in a multi handle
 * any more. The parcel is not the trip's any more. */
void trip_end(struct trip *trip, CURLcode code);
void trip_give_up(struct trip *trip);

/* Closes its connections, where those are its own. */
void trip_free(struct trip *trip);

#endif
