/* SPDX-License-Identifier: Apache-2.0 */
/* model.h -- the things of a box office as plain values: events, ticket types, bookings, users.
 *
 * Times are milliseconds since 1970 (base/clock.h), 0 for none. Money is in minor units. Strings
 * are valid UTF-8. An optional limit is 0 when there is none. */
#ifndef CORE_MODEL_H
#define CORE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

enum {
    NAME_MAX_CHARACTERS = 200,
    VENUE_MAX_CHARACTERS = 200,
    DESCRIPTION_MAX_CHARACTERS = 10000,
    EMAIL_MAX_BYTES = 254,
    USERNAME_MIN = 3,
    USERNAME_MAX = 64,
    PASSWORD_MIN_BYTES = 8,
    PASSWORD_MAX_BYTES = 256,
    CAPACITY_MAX = 10000000,
    QUANTITY_MAX = 10000, /* tickets in one booking: a batch holds them all in memory */
    TICKET_TYPES_MAX = 50,
    NOTE_MAX_CHARACTERS = 500,
};
#define PRICE_MAX INT64_C(1000000000000)

enum event_status { EVENT_DRAFT, EVENT_ON_SALE, EVENT_CLOSED, EVENT_IS_CANCELLED };
extern const char *const event_status_names[4];

/* The numbers are stored: never change one. The states and arrows are drawn in core/booking.c. */
enum booking_status {
    BOOKING_NONE, /* before it exists; only in the journal */
    BOOKING_WAITING,
    BOOKING_HELD,
    BOOKING_CONFIRMED,
    BOOKING_CANCELLED,
    BOOKING_EXPIRED,
};
extern const char *const booking_status_names[6];

static inline bool booking_is_active(enum booking_status status)
{
    return status == BOOKING_WAITING || status == BOOKING_HELD || status == BOOKING_CONFIRMED;
}

enum role { ROLE_USER, ROLE_ORGANIZER, ROLE_ADMIN };
extern const char *const role_names[3];

enum payment_method { PAYMENT_CASH, PAYMENT_TRANSFER, PAYMENT_CARD, PAYMENT_OTHER };
extern const char *const payment_method_names[4];

/* The index of 'name' in such an array of 'count' names, -1 when it is none of them. */
int name_index(const char *const *names, size_t count, struct str name);
#define NAME_INDEX(names, name) name_index((names), sizeof(names) / sizeof(*(names)), (name))

struct ticket_type {
    uint64_t id, event_id;
    struct str name;
    uint32_t capacity;
    uint32_t booked, held; /* tickets; available is what is left of the capacity */
    uint32_t waiting;      /* bookings in line */
    uint64_t wanted;       /* tickets they want */
    int64_t price;
    uint32_t max_per_booking;
    int64_t sales_start, sales_end;
};

static inline uint32_t ticket_type_available(const struct ticket_type *type)
{
    return type->capacity - type->booked - type->held;
}

/* Could somebody who comes now have a ticket? Not before those who wait. */
static inline bool ticket_type_sells(const struct ticket_type *type)
{
    return type->waiting == 0 && ticket_type_available(type) > 0;
}

struct event {
    uint64_t id, organizer_id;
    struct str name, description, venue, timezone;
    char currency[4];
    int64_t starts_at, ends_at;
    enum event_status status;
    uint32_t max_per_user;
    uint64_t version; /* of what its managers write; selling does not move it */
    int64_t created_at, updated_at;
    struct ticket_type *types;
    size_t type_count;
    uint32_t next_number; /* the first ticket number that was never given out, from 1 */
    bool ever_booked;
};

struct booking {
    uint64_t id, user_id, event_id, ticket_type_id;
    uint32_t quantity;
    enum booking_status status;
    int64_t unit_price;
    int64_t paid;
    int64_t created_at, updated_at, expires_at;
    uint32_t *numbers; /* its tickets, ascending; none while it waits or when it is over */
    size_t number_count;
};

static inline int64_t booking_total(const struct booking *booking)
{
    return booking_is_active(booking->status) ? booking->unit_price * booking->quantity : 0;
}

struct user {
    uint64_t id;
    struct str email, username; /* as typed; empty when there is none */
    struct str name;
    struct str password_hash;
    enum role role;
    int64_t created_at, erased_at;
    int64_t verified_at; /* the e-mail address was shown to be his; 0: not yet */
    bool mail;           /* wants news by mail; what concerns the account comes anyway */
};

struct payment {
    uint64_t id, booking_id, actor_id;
    int64_t amount;
    char currency[4];
    enum payment_method method;
    struct str note;
    int64_t created_at;
};

struct journal_entry {
    uint64_t id; /* rising, with gaps; the store gives it: 0 until it is written */
    uint64_t booking_id, event_id, ticket_type_id;
    enum booking_status from, to;
    uint32_t quantity; /* tickets that changed their state */
    uint64_t actor_id; /* 0: the box office itself */
    int64_t at;
    const char *reason; /* a word of ours, a constant: see core/booking.c */
};

/* What somebody may be told of. The numbers are stored: never change one. */
enum topic {
    TOPIC_NONE,
    /* bookings: from the journal */
    TOPIC_BOOKING_CONFIRMED,
    TOPIC_BOOKING_WAITING,
    TOPIC_BOOKING_PROMOTED,
    TOPIC_BOOKING_CANCELLED,
    /* events: as notices */
    TOPIC_EVENT_CHANGED,
    TOPIC_EVENT_CANCELLED,
    TOPIC_EVENT_SOLD_OUT,
    TOPIC_WEBHOOK_TEST,
    /* accounts: as notices, and by mail only */
    TOPIC_WELCOME,
    TOPIC_CONFIRM_EMAIL,
    TOPIC_PASSWORD_RESET,
    TOPIC_PASSWORD_CHANGED,
    TOPIC_WEBHOOK_DISABLED,
    TOPIC_EMAIL_CHANGED,
    TOPIC_COUNT,
};
/* "booking.confirmed"; those from TOPIC_WELCOME on never leave by a webhook. */
extern const char *const topic_names[TOPIC_COUNT];

/* Something that happened and is not of one booking, until whom it concerns was told. */
struct notice {
    uint64_t id;
    enum topic topic;
    uint64_t event_id, user_id, webhook_id; /* as the topic has them, 0 otherwise */
    struct str address;                     /* to which it goes; empty: to the user's */
    int64_t at;
    uint64_t told; /* the bookings of the event from this id on have been told; 0: none yet */
};

/* The numbers are stored: never change one. */
enum message_status { MESSAGE_WAITING = 1, MESSAGE_SENT, MESSAGE_PARKED };
extern const char *const message_status_names[4];

/* One message, one way: to a webhook, or by mail to a user. */
struct message {
    uint64_t id, webhook_id; /* webhook_id 0: by mail */
    uint64_t subject; /* the booking: one way's messages about it keep their order; 0: none */
    uint64_t event_id, user_id;
    enum topic topic;
    enum message_status status;
    uint32_t tries;
    int64_t created_at, settled_at;
    int64_t due_at;         /* tried next; while it is being tried: when that is given up */
    int answer;             /* the last status, of HTTP or SMTP; 0: none */
    struct str key;         /* ASCII: the same for the receiver, however often it is sent */
    struct str error, body; /* body: JSON */
};

/* How far the outbox has come. Every step of it takes the next turn, so that of two processes that
 * read the same place only one goes on from there. */
struct outbox_position {
    uint64_t journal_id; /* what was written to the journal up to here has been told */
    uint64_t turn;       /* 0: it was never begun */
};

/* The numbers are stored: never change one. */
enum webhook_status { WEBHOOK_ON = 1, WEBHOOK_OFF, WEBHOOK_DISABLED };
extern const char *const webhook_status_names[4];

enum { WEBHOOK_SECRET_SIZE = 32, WEBHOOK_URL_MAX_BYTES = 2000, WEBHOOKS_EACH = 20 /* of a user */ };

struct webhook {
    uint64_t id, user_id;
    bool everything; /* an administrator's: of all events, not of his own only */
    uint32_t topics; /* bits, by enum topic */
    enum webhook_status status;
    int64_t failing_since; /* the first failure after the last success; 0: none */
    int64_t created_at, updated_at;
    int64_t old_secret_until;      /* until then the old secret signs too */
    struct str secret, old_secret; /* octets; the old one is empty where there is none */
    struct str url, description;
};

#endif
