/* SPDX-License-Identifier: Apache-2.0 */
/* courier.h -- carries parcels to other people's servers: POST requests to web servers that
 * strangers named, and mails to the one mail server of ours.
 *
 * Threads of its own do it, with libcurl; nobody waits for them, and neither POSTs for mails nor
 * the other way round. Whatever the other side does (hangs, lies, sends gigabytes, sends us
 * elsewhere), a parcel comes back within a bounded time and memory, and 'done' is called exactly
 * once for each that was taken.
 *
 * A POST goes to http and https only, follows no redirect, heeds no proxy, and, unless that is
 * allowed, connects to public addresses only: the address itself is looked at when its socket is
 * made, so a name may resolve to whatever it likes. */
#ifndef NOTIFY_COURIER_H
#define NOTIFY_COURIER_H

#include "base/arena.h"
#include "base/list.h"

enum parcel_fate {
    PARCEL_UNTRIED,   /* not begun before 'begin_by_us', or the courier stopped: nothing was sent */
    PARCEL_DELIVERED, /* taken: 2xx, or 250 behind the mail */
    PARCEL_FAILED,    /* may well be taken later; it may also have been taken, and we not heard */
    PARCEL_REFUSED,   /* never will be: the address is none that we send to (a private one), or the
                       * mail server refuses the recipient or the mail itself for good (5xx).
                       * Whether a status of HTTP is final (410) is for the caller to say. */
};

enum parcel_kind { PARCEL_POST, PARCEL_MAIL };

enum { PARCEL_ERROR_SIZE = 256 };

/* The caller's, with all it points to, until 'done' is called. */
struct parcel {
    struct link link; /* the courier's */
    enum parcel_kind kind;
    uint64_t receiver; /* POST: of whose there are at most 'each_most' under way at once */
    int64_t
        begin_by_us; /* by clock_monotonic_us(): begun later than that, it comes back untried;
                      * 0: whenever. From beginning to 'done' it is COURIER_TRY_MOST_MS at most. */
    struct str url;  /* POST */
    const struct str *headers; /* POST: "name: value" each, without line ends; Content-Type, too */
    size_t header_count;
    struct str from, to; /* mail: bare addresses (RFC 5321, Mailbox; UTF-8 by RFC 6531), as they
                          * go onto the envelope */
    struct str body;     /* of the POST; or the mail, RFC 5322 with CRLF line ends */

    /* On a thread of the courier's, several at once: hand it on, and do not wait there.
     * courier_send() may be called. */
    void (*done)(struct parcel *parcel);
    void *data; /* the caller's */

    /* The report, there when 'done' is called. */
    enum parcel_fate fate;
    int answer;            /* the last status, of HTTP or SMTP; 0: none came */
    int64_t retry_after_s; /* HTTP said so (Retry-After, at most a day); 0: not said */
    int64_t took_us;
    char error[PARCEL_ERROR_SIZE]; /* for people, printable ASCII; empty when delivered. It never
                                    * tells what a private address is or answers. */
};

/* However long a try may take, name and connection included; for leases. */
enum { COURIER_TRY_MOST_MS = 60 * 1000 };

struct courier_settings {
    const char *smtp_url; /* see courier_mail_url_error(); NULL: no mails */
    bool allow_private;   /* WEBHOOK_ALLOW_PRIVATE: POSTs to any address, and http:// */
    const char *ca_file;  /* the authorities to trust, these alone (PEM); NULL: the system's */
    const char *user_agent;
    unsigned most;      /* POSTs under way at once */
    unsigned each_most; /* for one receiver; and mails under way at once */
    unsigned depth;     /* taken and not begun yet, at most: POSTs, and mails */
    int http_try_ms;    /* 15000 */
    int mail_try_ms;    /* COURIER_TRY_MOST_MS at most */
};

/* What is wrong with an SMTP_URL, as a sentence with what would do; NULL when it is good:
 *     smtps://[user:password@]host[:port]                    TLS from the first byte (port 465)
 *     smtp://[user:password@]host[:port][?starttls=required] (port 587)
 *     smtp://[user:password@]host[:port]?starttls=off        not encrypted
 * Without a word of it STARTTLS is required, but not to this machine itself (localhost,
 * 127.0.0.0/8,
 * ::1). A password does not go unencrypted to any other machine. */
const char *courier_mail_url_error(const char *url, struct arena *arena);

/* What is wrong with the URL of a webhook, as a sentence with what would do; NULL when it is good:
 * https (http, too, when private ones are allowed), a host, neither user, password nor fragment;
 * not a private address written out, nor a name that is obviously local (localhost, .local,
 * .internal, one without a dot). Names are not resolved here. */
const char *courier_post_url_error(struct str url, bool allow_private, struct arena *arena);

struct courier;

/* NULL with *ret_error, which lives as long as the program or the arena, when the library cannot do
 * what is wanted. The settings are copied. */
struct courier *courier_start(const struct courier_settings *settings, struct arena *arena,
                              const char **ret_error);

/* False when it holds 'depth' of the kind that have not begun, or is being stopped: then the parcel
 * is still the caller's, and 'done' is not called. From any thread. A mail only where there is an
 * SMTP_URL. */
bool courier_send(struct courier *courier, struct parcel *parcel);

/* How many more of the kind courier_send() would take now. */
size_t courier_room(struct courier *courier, enum parcel_kind kind);

/* Writes up to 'most' receivers of POSTs of whom as many are under way as may be, or more wait:
 * to fetch more for them is of no use now. Returns how many. From any thread. */
size_t courier_busy(struct courier *courier, uint64_t *receivers, size_t most);

/* Those not begun come back untried, those under way get 'wait_ms' and fail then ("stopped");
 * afterwards the thread has ended and no 'done' will be called any more. NULL is fine. */
void courier_stop(struct courier *courier, int wait_ms);

#endif
