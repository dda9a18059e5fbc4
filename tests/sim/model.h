/* SPDX-License-Identifier: Apache-2.0 */
/* model.h -- what a box office must be, written down a second time and differently.
 *
 * The model follows the rules of the interface (what is refused, who is served, which numbers are
 * given, what the journal says) and shares no code with src/core, only the words: commands,
 * outcomes, states. It keeps bookings in one array in the order in which they were committed, and
 * nothing else that could be worked out: every counter is added up when it is asked for.
 *
 * It is told of a command when the command has been committed, or refused, together with what was
 * answered, and says what is wrong with that. Ids are the store's to choose: the model takes them
 * from the answer, and looks whether they are new and rising. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "core/command.h"

enum {
    MODEL_USERS = 48,
    MODEL_EVENTS = 24,
    MODEL_TYPES = 6, /* of one event */
    MODEL_NUMBERS = 1024,
    ANSWER_NUMBERS = 16,
};

/* What a client is told, as far as it is the office's decision. Compared and kept as bytes: clear
 * it before it is filled in. */
struct answer {
    enum outcome outcome;
    uint32_t quantity, number_count, position, promoted, cancelled, type_count;
    uint64_t event_id, booking_id, user_id, payment_id, ahead, version;
    enum booking_status status;
    int64_t paid, total;
    uint32_t numbers[ANSWER_NUMBERS];
    struct answer_type {
        uint64_t id, wanted;
        uint32_t capacity, booked, held, waiting;
    } types[MODEL_TYPES];
};

struct m_user {
    uint64_t id;
    struct str email, username, name;
    enum role role;
    int64_t created_at, erased_at;
    int64_t not_before; /* tokens issued up to then are dead; 0: all are good */
};

struct m_type {
    uint64_t id;
    struct str name;
    uint32_t capacity, max_per_booking;
    int64_t price, sales_start, sales_end;
};

struct m_event {
    uint64_t id, organizer_id, version;
    bool gone; /* deleted */
    struct str name;
    char currency[4];
    int64_t starts_at, ends_at, created_at, updated_at;
    enum event_status status;
    uint32_t max_per_user;
    struct m_type types[MODEL_TYPES];
    uint32_t type_count;
    uint32_t numbers;              /* 1 to this were given out at least once */
    uint32_t owner[MODEL_NUMBERS]; /* who has a number: index of the booking + 1, 0: nobody */
    bool ever_booked;
};

struct m_entry { /* of the journal */
    enum booking_status from, to;
    uint32_t quantity;
    uint64_t actor_id;
    int64_t at;
    const char *reason;
    int32_t next; /* of the same booking, -1: none */
};

struct m_booking {
    uint64_t id, user_id, type_id;
    struct m_event *event;
    uint32_t quantity;
    enum booking_status status;
    bool removed; /* its time is over: it is not found any more */
    int64_t unit_price, paid, created_at, updated_at;
    int32_t first_entry, last_entry;
    bool touched; /* since somebody cleared this */
};

struct m_key {
    uint64_t user_id;
    uint32_t key, request;
    int64_t at;
    struct answer answer;
};

/* Users whose role or tokens the last command touched: who publishes that has to know. */
struct m_touched {
    size_t user; /* index */
    bool is_new, has_role, is_revoked;
    enum role role;
    int64_t not_before;
};

struct model {
    int64_t keep_cancelled_ms;
    struct m_user users[MODEL_USERS];
    struct m_event events[MODEL_EVENTS];
    size_t user_count, event_count;
    struct m_booking *bookings;
    struct m_entry *entries;
    struct m_key *keys;
    size_t booking_count, booking_size, entry_count, entry_size, key_count, key_size;
    uint64_t last_type_id, last_payment_id;

    bool event_touched[MODEL_EVENTS];
    struct m_touched touched[4];
    size_t touched_count;
    char complaint[512];
};

void model_free(struct model *model);

/* One command that was decided at 'now' with the answer 'got'. 'alive': the actor's token was
 * good, as far as the deciding process could know. NULL, or what is wrong. */
const char *model_decide(struct model *model, const struct command *command, int64_t now,
                         bool alive, const struct answer *got);

/* Keys: of the first 'count' answers the one that counts at 'now', or NULL; and a new one. */
const struct m_key *model_key(const struct model *model, size_t count, uint64_t user_id,
                              uint32_t key, int64_t now);
void model_key_add(struct model *model, const struct m_key *key);

/* ---- looking ---- */

struct m_user *model_user(struct model *model, uint64_t id);
struct m_event *model_event(struct model *model, uint64_t id); /* NULL for one that is gone too */
struct m_booking *model_booking(struct model *model, uint64_t id);

struct m_counters {
    uint32_t booked, waiting;
    uint64_t wanted;
};
struct m_counters model_count(const struct model *model, uint64_t type_id);

/* The place of a waiting booking, 1 = next, and the tickets wanted before it. */
uint32_t model_position(const struct model *model, const struct m_booking *booking,
                        uint64_t *ret_ahead);

/* The numbers that a booking has, ascending; returns how many. */
uint32_t model_numbers(const struct model *model, const struct m_booking *booking,
                       uint32_t numbers[ANSWER_NUMBERS]);

/* Rules 1 to 3 for every ticket type of an event; NULL, or what is wrong. */
const char *model_sane(struct model *model, const struct m_event *event);

#endif
