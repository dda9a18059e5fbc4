/* SPDX-License-Identifier: Apache-2.0 */
/* mail.h -- the mail to a person about something that happened: from plain values to a complete
 * message (RFC 5322), as text and as HTML (RFC 2046, multipart/alternative), with an entry for his
 * calendar where there is a date (RFC 5545).
 *
 * The same facts give the same mail but for its links, which live from when they are sent. Nothing
 * here asks for the time, for randomness or for a store. */
#ifndef NOTIFY_MAIL_H
#define NOTIFY_MAIL_H

#include "auth/link.h"
#include "core/reference.h"
#include "notify/mime.h"
#include "notify/templates.h"
#include "store/store.h"

/* How long links in mail are good. */
#define MAIL_RESET_MS   (INT64_C(30) * 60 * 1000)
#define MAIL_CONFIRM_MS (INT64_C(7) * 24 * 3600 * 1000)

/* Filled in once; for any thread. */
struct mail_maker {
    const struct mail_templates *templates;
    struct mailbox from;
    struct str public_url; /* without a slash at its end */
    struct reference_key reference_key;
    struct link_key link_key;
};

struct mail_facts {
    enum topic topic;
    struct str key;     /* of the message: ASCII, the same however often it is sent */
    int64_t created_at; /* of the message */
    int64_t now;
    const struct user *user;            /* to whom: the whole row, as it is now */
    struct str address;                 /* account.email_changed: the old one, to which it goes */
    const struct event *event;          /* of booking.* and event.*, as it is now */
    const struct booking_view *booking; /* of booking.*, and of event.* to who booked */
    enum booking_status was;            /* booking.cancelled: the state before */
    uint32_t quantity;                  /* tickets that changed; 0: all of the booking */
    uint32_t position;                  /* booking.waiting, as it was told; 0: as in 'booking' */
    uint64_t ahead;
    struct str
        reason; /* booking.cancelled: the journal's word; webhook.disabled: what went wrong */
    const struct webhook *webhook; /* webhook.disabled */
};

struct mail {
    struct str from, to; /* for SMTP: addresses without '<' and '>' */
    struct str data;     /* lines end with CRLF */
};

/* Would he be written to about this? Not where there is no mail for the topic or no address, and
 * not about bookings where he does not want it. */
bool mail_wanted(enum topic topic, const struct user *user);

/* False: there is nothing to be sent, as above, or because no mail can go to the address, or
 * because what it is about is not there any more (NULL above), has come true or is of no concern by
 * now. */
bool mail_compose(const struct mail_maker *maker, const struct mail_facts *facts,
                  struct arena *arena, struct mail *ret_mail);

/* What a link proves (auth/link.h), for who makes it and who checks it. */
struct link_claim mail_reset_claim(const struct user *user, struct arena *arena);
struct link_claim mail_confirm_claim(const struct user *user, struct arena *arena);

#endif
