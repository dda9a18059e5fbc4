/* SPDX-License-Identifier: Apache-2.0 */
/* working_set.h -- what a batch knows: the rows that its commands need, and what was decided.
 *
 * It is filled in turns. Commands say what they need (working_set_plan), the store loads and
 * locks it (store_load), and as some needs show only then (a booking leads to its event), this
 * goes on until nothing new is asked for. Then core decides command after command, changing the
 * rows here and noting changes, and the store writes it all in one transaction.
 *
 * Every kind of row hangs in a map by its key. An entry that was asked for and is not
 * there stays as an entry that says so (found == false). Rows created by a command
 * are put into the maps, so that the next command of the same batch sees them. */
#ifndef CORE_WORKING_SET_H
#define CORE_WORKING_SET_H

#include "base/map.h"
#include "core/change.h"
#include "core/command.h"

enum sequence {
    SEQUENCE_EVENT,
    SEQUENCE_TICKET_TYPE,
    SEQUENCE_BOOKING,
    SEQUENCE_USER,
    SEQUENCE_PAYMENT,
    SEQUENCE_WEBHOOK,
    SEQUENCE_COUNT
};

/* A heap of ticket numbers, lowest first. */
struct numbers {
    uint32_t *items;
    size_t count, size;
};

struct type_entry {
    struct ticket_type row;
    struct event_entry *event;
    bool dirty;
    /* The head of the waiting list in order of id, as deep as the plan needs, and what joined in
     * this batch. [line_at] is the next in line; entries that left are skipped. */
    struct booking_entry **line;
    size_t line_count, line_size, line_at;
    uint32_t line_live;   /* entries of the line that still wait: all of it where == row.waiting */
    uint32_t line_needed; /* how deep the plan wants it; to be loaded where more than line_loaded */
    uint32_t line_loaded; /* how deep it was asked for */
};

struct event_entry {
    uint64_t id;
    bool loaded, found; /* loaded: the store has looked */
    struct event row;   /* its ticket types stand in 'types', in id order; row.types is NULL */
    struct type_entry **types;
    struct numbers returned; /* lowest returned numbers, as deep as needed */
    uint32_t numbers_needed; /* as line_needed */
    uint32_t numbers_loaded;
    bool numbers_dirty; /* next_number or ever_booked moved */
    bool gone;          /* deleted in this batch */
};

struct booking_entry {
    uint64_t id;
    bool loaded, found;
    bool in_line; /* stands in the loaded part of its type's line */
    struct booking row;
};

struct user_entry {
    uint64_t id;
    bool loaded, found;
    struct user row;
};

/* Who has this e-mail address or user name? Both are compared folded (base/text.h). */
struct login_entry {
    bool is_email;
    struct str folded;
    bool loaded;
    uint64_t user_id; /* 0: nobody */
};

struct holder_entry {
    uint64_t event_id, user_id;
    bool loaded;
    uint32_t quantity; /* tickets held or waited for */
    bool dirty;
};

/* The newest active booking of a user for an event, confirmed and held before waiting. */
struct newest_entry {
    uint64_t event_id, user_id;
    bool loaded;
    uint64_t booking_id; /* 0: none */
    bool stale;          /* this batch changed what a search would find */
};

/* The active bookings of a user whose event has not begun. */
struct user_bookings_entry {
    uint64_t user_id;
    bool loaded;
    uint64_t *booking_ids;
    size_t count;
};

struct replay_entry {
    struct replay_key key;
    bool loaded, found;
    struct replay_answer answer;
};

struct message_entry {
    uint64_t id;
    bool loaded, found;
    struct message row;
};

struct webhook_entry {
    uint64_t id;
    bool loaded, found;
    struct webhook row;
};

/* Messages that are due, of one way, in the order of their times; of those about one booking only
 * the first. Nobody else is given them meanwhile. */
struct claim_entry {
    struct claim wanted;
    bool loaded;
    struct message_entry **items;
    size_t count, size;
};

/* How a stretch of a waiting list changed: that of the bookings whose id is in the same block.
 * Stores that cannot count a line otherwise keep a sum for each block, so that a place in a line of
 * a million is a sum over some thousand rows. */
enum { LINE_BLOCK_BITS = 10 };

struct line_change {
    uint64_t ticket_type_id, block; /* block: id >> LINE_BLOCK_BITS */
    int32_t bookings;
    int64_t tickets;
};

struct id_supply {
    uint64_t *ids; /* ascending; drawn under the locks of this batch */
    size_t count, used, needed;
};

struct working_set {
    struct arena *arena;
    int64_t now;
    int64_t keep_cancelled_ms; /* 0: a cancelled booking is removed at once */
    bool tells;                /* notices are written: somebody may want to know */

    struct map events, types, bookings, users, holders, newest, user_bookings, replays, messages;
    struct map webhooks;
    struct map line_changes;
    struct {
        struct login_entry **items;
        size_t count, size;
    } logins;
    struct {
        struct claim_entry *items;
        size_t count, size;
    } claims;
    struct {
        bool needed, loaded;
        struct outbox_position row;
    } position;
    struct { /* how many webhooks that user has, whose row is locked */
        uint64_t user_id;
        bool needed, loaded;
        size_t count;
    } webhooks_of;
    struct id_supply ids[SEQUENCE_COUNT];
    struct {
        struct change *items;
        size_t count, size;
    } changes;
    bool wants; /* something was asked for that is not loaded yet */
};

void working_set_init(struct working_set *set, struct arena *arena, int64_t now);

/* Notes what 'command' needs, as far as it can be seen by now. '*stage' is 0 at first and this
 * function's own after that. Returns true when nothing more will be asked for; otherwise it is to
 * be called again after the next load. */
bool working_set_plan(struct working_set *set, const struct command *command, unsigned *stage);

/* The same for the answer to an Idempotency-Key. */
struct replay_entry *working_set_want_replay(struct working_set *set, const struct replay_key *key);

/* For stores: puts a loaded booking into its entry (making one where needed), and an event with
 * its 'count' types, which are copied. */
struct booking_entry *working_set_put_booking(struct working_set *set,
                                              const struct booking *booking);
void working_set_put_event(struct working_set *set, struct event_entry *entry,
                           const struct event *event, const struct ticket_type *types,
                           size_t count);
/* The next in the loaded part of the line of 'type'. */
void working_set_put_waiting(struct working_set *set, struct type_entry *type,
                             const struct booking *booking);

/* A message that was claimed, and is locked. */
void working_set_put_claimed(struct working_set *set, struct claim_entry *claim,
                             const struct message *message);

/* Ids for new rows; core counted them when it planned, so running out is a bug. */
uint64_t working_set_id(struct working_set *set, enum sequence sequence);

struct event_entry *working_set_event(const struct working_set *set, uint64_t id);
struct booking_entry *working_set_booking(const struct working_set *set, uint64_t id);
struct user_entry *working_set_user(const struct working_set *set, uint64_t id);
struct holder_entry *working_set_holder(const struct working_set *set, uint64_t event_id,
                                        uint64_t user_id);
struct newest_entry *working_set_newest(const struct working_set *set, uint64_t event_id,
                                        uint64_t user_id);
struct webhook_entry *working_set_webhook(const struct working_set *set, uint64_t id);
struct message_entry *working_set_message(const struct working_set *set, uint64_t id);
struct login_entry *working_set_login(const struct working_set *set, bool is_email,
                                      struct str folded);

/* The event as it is now, with its ticket types in one array, in the set's arena. */
struct event *working_set_event_copy(const struct working_set *set,
                                     const struct event_entry *entry);

/* How many numbers of the event were given out once and are free now. */
uint32_t event_returned_total(const struct event_entry *event);

struct change *working_set_change(struct working_set *set, enum change_kind kind);

void numbers_push(struct numbers *numbers, struct arena *arena, uint32_t number);
uint32_t numbers_pop(struct numbers *numbers); /* the lowest; empty is a bug */

#endif
