/* SPDX-License-Identifier: Apache-2.0 */
/* command.h -- what somebody wants of the box office, and what became of it.
 *
 * A command is checked for form before it is made (lengths, ranges, UTF-8); whether it is
 * possible is decided by core/decide.h. */
#ifndef CORE_COMMAND_H
#define CORE_COMMAND_H

#include "core/model.h"
#include "core/outcome.h"

enum command_kind {
    COMMAND_BOOK,
    COMMAND_CANCEL,        /* one booking, or some of its tickets */
    COMMAND_CANCEL_NEWEST, /* this user's newest active booking of an event, confirmed before
                              waiting */
    COMMAND_PAY,
    COMMAND_CREATE_EVENT,
    COMMAND_UPDATE_EVENT,
    COMMAND_DELETE_EVENT,
    COMMAND_REGISTER,
    COMMAND_UPDATE_USER,
    COMMAND_SET_ROLE,
    COMMAND_SIGN_OUT,
    COMMAND_ERASE_USER,
    COMMAND_ASK_RESET,        /* somebody forgot the password of an address */
    COMMAND_RESET_PASSWORD,   /* ... and has proved that the address is his */
    COMMAND_ASK_CONFIRMATION, /* send the link again */
    COMMAND_CONFIRM_EMAIL,    /* it was followed */
    COMMAND_PRUNE,            /* drops what has been kept long enough */
    COMMAND_TELL,             /* writes messages for what happened, and how far that has come */
    COMMAND_CLAIM,            /* takes messages that are due, to send them */
    COMMAND_SETTLE,           /* what became of messages that were claimed */
    COMMAND_RETRY,            /* one that was settled is due again */
    COMMAND_DROP,             /* one is forgotten, sent or not */
    COMMAND_CREATE_WEBHOOK,
    COMMAND_UPDATE_WEBHOOK,
    COMMAND_DELETE_WEBHOOK,
    COMMAND_TEST_WEBHOOK, /* one that is on is sent a message of nothing */
    COMMAND_KINDS,
};

struct actor {
    uint64_t id; /* 0: the operator, at the command line */
    enum role role;
    int64_t token_at; /* when the token was issued */
};

/* Which members of an update are meant. */
enum event_field {
    FIELD_NAME = 1 << 0,
    FIELD_DESCRIPTION = 1 << 1,
    FIELD_VENUE = 1 << 2,
    FIELD_STARTS_AT = 1 << 3,
    FIELD_ENDS_AT = 1 << 4,
    FIELD_TIMEZONE = 1 << 5,
    FIELD_CURRENCY = 1 << 6,
    FIELD_STATUS = 1 << 7,
    FIELD_MAX_PER_USER = 1 << 8,
    FIELD_CAPACITY = 1 << 9, /* from here on: of a ticket type */
    FIELD_PRICE = 1 << 10,
    FIELD_MAX_PER_BOOKING = 1 << 11,
    FIELD_SALES_START = 1 << 12,
    FIELD_SALES_END = 1 << 13,
    FIELD_EMAIL = 1 << 14, /* of a user */
    FIELD_USERNAME = 1 << 15,
    FIELD_PASSWORD = 1 << 16,
    FIELD_MAIL = 1 << 17,
};

struct ticket_type_update {
    unsigned fields;
    struct ticket_type type; /* id 0: a new one */
};

/* Which members of a webhook are meant. */
enum webhook_field {
    WEBHOOK_FIELD_URL = 1 << 0,
    WEBHOOK_FIELD_DESCRIPTION = 1 << 1,
    WEBHOOK_FIELD_TOPICS = 1 << 2,
    WEBHOOK_FIELD_STATUS = 1 << 3,
    WEBHOOK_FIELD_SECRET = 1 << 4,  /* the one before is good until 'old_secret_until' */
    WEBHOOK_FIELD_FAILING = 1 << 5, /* failing_since: the box office's own */
};

struct event_update {
    unsigned fields;
    struct event event; /* id is that of the event to change; types are not looked at */
    uint64_t version;   /* If-Match: 0 for any */
    struct ticket_type_update *types;
    size_t type_count;
};

/* A stretch of the outbox: so many of the messages that go one way. */
struct claim {
    uint64_t webhook_id;
    uint32_t most;
    int64_t until; /* when the claim ends, unless it is settled before */
};

/* What came of trying to send a message. */
struct report {
    uint64_t message_id;
    enum message_status status; /* WAITING: again, at 'due_at' */
    int64_t due_at;
    int answer;
    struct str error; /* empty where it was sent */
};

/* Of a notice: the bookings of its event from 'told' on have been told; UINT64_MAX: it is done. */
struct notice_progress {
    uint64_t notice_id, told;
};

struct command {
    enum command_kind kind;
    struct actor actor;
    bool organizing_allowed; /* may the actor create events and manage his own? */
    bool verified_only;      /* COMMAND_BOOK: only with an address that was confirmed */
    union {
        struct {
            uint64_t event_id, ticket_type_id; /* ticket_type_id 0: the only one */
            uint32_t quantity;
            bool join_waiting_list;
        } book;
        struct {
            uint64_t booking_id; /* COMMAND_CANCEL */
            uint64_t event_id;   /* COMMAND_CANCEL_NEWEST */
            uint32_t quantity;   /* 0: all */
        } cancel;
        struct {
            uint64_t booking_id;
            int64_t amount;
            enum payment_method method;
            struct str note;
        } pay;
        struct event create; /* ids are made by core; types as given */
        struct event_update update;
        uint64_t event_id; /* COMMAND_DELETE_EVENT */
        struct {
            unsigned fields;
            struct user user; /* COMMAND_UPDATE_USER and SET_ROLE: id says whom */
            /* RESET_PASSWORD and CONFIRM_EMAIL: what the link was made for, or it is void: the
             * address in 'user', and the hash of the old password. */
            struct str password_was;
        } user; /* of every command about a user */
        struct {
            int64_t replays_before, revocations_before;
            int64_t sent_before, parked_before;
            uint32_t most;
        } prune;
        struct {
            struct outbox_position from; /* OUTCOME_STALE where it stands elsewhere by now */
            uint64_t journal_id;         /* where it is to stand */
            const struct message *messages;
            size_t message_count;
            const struct notice_progress *notices;
            size_t notice_count;
        } tell;
        struct {
            const struct claim *items;
            size_t count;
        } claim;
        struct {
            const struct report *items;
            size_t count;
        } settle;
        uint64_t message_id; /* COMMAND_RETRY, COMMAND_DROP */
        struct {
            unsigned fields;
            struct webhook webhook; /* COMMAND_CREATE: all but id and user_id as given */
        } webhook;
    };
};

struct result {
    enum outcome outcome;
    bool again; /* nothing was decided: an earlier command of this batch changed what this one had
                 * searched for, so it belongs into the next batch */
    /* What the command was about, as it is now; they live as long as the batch. */
    struct event *event;
    struct ticket_type *type;
    struct booking *booking;
    struct user *user;
    struct payment *payment;
    struct message **messages; /* COMMAND_CLAIM: those that are the caller's now */
    size_t message_count;
    struct webhook *webhook;
    uint32_t position;  /* in the waiting list, 1 = next; only where outcome is OUTCOME_WAITING */
    uint64_t ahead;     /* tickets wanted before */
    uint32_t promoted;  /* bookings of others that got their tickets by this */
    uint32_t cancelled; /* tickets, or places in line, that this gave back */
    enum booking_status was; /* COMMAND_CANCEL*: the state before */
    /* For errors: which member of the request (a JSON pointer) and a sentence; NULL for the
     * outcome's own text. */
    const char *pointer;
    struct str detail;
};

#endif
