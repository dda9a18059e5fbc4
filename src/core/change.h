/* SPDX-License-Identifier: Apache-2.0 */
/* change.h -- what core decided, as plain values that a store writes in order.
 *
 * Counters (of ticket types, of ticket numbers, of holders) are not changes: they stand in the
 * working set, marked dirty, and are written once a batch however often they moved. */
#ifndef CORE_CHANGE_H
#define CORE_CHANGE_H

#include "core/model.h"

enum change_kind {
    CHANGE_BOOKING_INSERT,
    CHANGE_BOOKING_UPDATE, /* status, quantity, paid, updated_at */
    CHANGE_BOOKING_DELETE, /* KEEP_CANCELLED=0 */
    CHANGE_TICKETS_NEW,    /* 'count' rows from 'number' on, for booking_id */
    CHANGE_TICKET_GIVE,    /* a returned number gets a new owner */
    CHANGE_TICKET_RETURN,
    CHANGE_JOURNAL,
    CHANGE_PAYMENT,
    CHANGE_EVENT_INSERT, /* the row, the ticket types in row.types, its counters */
    CHANGE_EVENT_UPDATE, /* the row without counters */
    CHANGE_EVENT_DELETE, /* one that was never booked: with its types */
    CHANGE_EVENT_CANCEL, /* every active booking of it: journal, status, tickets, in sets */
    CHANGE_TYPE_INSERT,
    CHANGE_TYPE_UPDATE,     /* name, price, limits; counters and capacity are the dirty mark's */
    CHANGE_HOLDERS_REBUILD, /* max_per_user came to an event that is already selling */
    CHANGE_USER_INSERT,
    CHANGE_USER_UPDATE, /* the whole row */
    CHANGE_REVOKE,      /* tokens of user_id issued at or before 'at' are dead */
    CHANGE_REPLAY,      /* the answer to an Idempotency-Key */
    CHANGE_PRUNE,
    CHANGE_NOTICE,         /* something happened that is not of one booking */
    CHANGE_NOTICE_TOLD,    /* 'told' of it moved; UINT64_MAX: everybody was told, and it goes */
    CHANGE_POSITION,       /* how far the journal has been told */
    CHANGE_MESSAGE_INSERT, /* nothing where one with its key is there already */
    CHANGE_MESSAGE_UPDATE, /* status, tries, times, answer, error */
    CHANGE_MESSAGE_DELETE,
    CHANGE_WEBHOOK_INSERT,
    CHANGE_WEBHOOK_UPDATE, /* the whole row */
    CHANGE_WEBHOOK_DELETE, /* with its messages */
    CHANGE_FORGET_USER,    /* his webhooks with their messages, and messages to him */
};

/* The answer to a request that carried an Idempotency-Key. Keys and requests are kept as
 * hashes (BLAKE2b, 16 bytes). */
struct replay_key {
    uint64_t user_id;
    unsigned char key[16];
};

struct replay_answer {
    unsigned char request[16];
    int status;
    int64_t at;
    struct str body; /* with its headers: the writer's own format */
};

struct change {
    enum change_kind kind;
    union {
        const struct booking *booking;
        struct {
            uint64_t event_id, booking_id;
            uint32_t number, count;
            bool is_booked; /* false while it is only held */
        } tickets;
        struct journal_entry journal;
        const struct payment *payment;
        const struct event *event;
        const struct ticket_type *type;
        struct {
            uint64_t event_id, actor_id;
            int64_t at;
            bool remove; /* KEEP_CANCELLED=0 */
        } cancel;
        uint64_t event_id; /* CHANGE_EVENT_DELETE, CHANGE_HOLDERS_REBUILD */
        const struct user *user;
        struct {
            uint64_t user_id;
            int64_t at;
        } revoke;
        struct {
            const struct replay_key *key;
            const struct replay_answer *answer;
        } replay;
        struct {
            int64_t cancelled_before; /* bookings that ended earlier; 0: none */
            int64_t replays_before, revocations_before;
            int64_t sent_before, parked_before; /* messages that were settled earlier */
            uint32_t most;                      /* rows of each kind */
        } prune;
        struct notice notice;
        struct {
            uint64_t id, told;
        } notice_told;
        struct outbox_position position;
        const struct message *message;
        const struct webhook *webhook;
        uint64_t user_id; /* CHANGE_FORGET_USER */
    };
};

/* It writes rows of the journal. */
static inline bool change_is_journaled(const struct change *change)
{
    return change->kind == CHANGE_JOURNAL || change->kind == CHANGE_EVENT_CANCEL;
}

#endif
