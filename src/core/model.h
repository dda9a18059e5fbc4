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
    uint64_t booking_id, event_id, ticket_type_id;
    enum booking_status from, to;
    uint32_t quantity; /* tickets that changed their state */
    uint64_t actor_id; /* 0: the box office itself */
    int64_t at;
    const char *reason; /* a word of ours, a constant: see core/booking.c */
};

#endif
