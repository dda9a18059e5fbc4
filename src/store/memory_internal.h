/* SPDX-License-Identifier: Apache-2.0 */
/* memory_internal.h -- the tables of the memory store.
 *
 * A table is a balanced tree of rows in the order of their keys. A row is one piece of
 * memory, its strings and its key included, and never changes: what is written anew is a new row in
 * the place of the old one. So a batch that fails half-way is undone by putting the old rows
 * back, and a row that was read stays what it was for as long as the lock is held. */
#ifndef STORE_MEMORY_INTERNAL_H
#define STORE_MEMORY_INTERNAL_H

#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>

#include "store/driver.h"

enum table {
    /* what there is, and its key */
    EVENTS,       /* id */
    COUNTERS,     /* event: what selling moves in it */
    TYPES,        /* event, id */
    BOOKINGS,     /* id */
    TICKETS,      /* event, number */
    HOLDERS,      /* event, user */
    USERS,        /* id */
    JOURNAL,      /* booking, order of writing */
    PAYMENTS,     /* booking, id */
    REVOCATIONS,  /* user */
    REPLAYS,      /* user; key and hour as text */
    SETTINGS,     /* name as text */
    LOGINS,       /* is it an e-mail address? folded text */
    NOTICES,      /* id */
    MESSAGES,     /* id */
    WEBHOOKS,     /* id */
    MESSAGE_KEYS, /* 0; key as text: a row that is nothing but a key */
    /* indexes: rows that are nothing but a key */
    BOOKINGS_OF_USER,  /* user, booking */
    BOOKINGS_OF_EVENT, /* event, booking */
    ACTIVE_OF_USER,    /* user, booking */
    WAITING_FOR_TYPE,  /* ticket type, booking: the line */
    ENDED_AT,          /* updated_at, booking */
    NUMBERS_OF,        /* booking, number */
    RETURNED,          /* event, number */
    FEED,              /* order of writing in the journal, booking */
    TABLE_COUNT,
};

enum { REPLAY_HOURS = 24 }; /* an answer that is older is not found, pruned or not */

struct row {
    uint64_t a, b;
    struct str text;
};

struct event_row {
    struct row key;
    struct event row; /* without types and counters */
    struct str folded_name;
    struct str name_words, venue_words, description_words; /* see words_in() */
};

struct counters_row {
    struct row key;
    uint32_t next_number;
    bool ever_booked;
};

struct type_row {
    struct row key;
    struct ticket_type row;
};

struct booking_row {
    struct row key;
    struct booking row; /* its numbers stand in NUMBERS_OF */
};

struct ticket_row {
    struct row key;
    uint64_t booking_id; /* 0: returned */
    bool is_booked;
};

struct holder_row {
    struct row key;
    uint32_t quantity;
};

struct user_row {
    struct row key;
    struct user row;
    struct str words;
};

struct journal_row {
    struct row key;
    struct journal_entry row;
};

struct payment_row {
    struct row key;
    struct payment row;
};

struct revocation_row {
    struct row key;
    int64_t not_before;
};

struct replay_row {
    struct row key;
    struct replay_answer answer;
};

struct setting_row {
    struct row key;
    struct str value;
};

struct login_row {
    struct row key;
    uint64_t user_id;
};

struct notice_row {
    struct row key;
    struct notice row;
};

struct message_row {
    struct row key;
    struct message row;
};

struct webhook_row {
    struct row key;
    struct webhook row;
};

struct database {
    struct database *next;
    unsigned handles;
    bool has_writer;                      /* not looked at where there may be several */
    _Atomic(struct memory_store *) owner; /* the writer whose batch is under way; NULL: none */
    pthread_rwlock_t lock;                /* of everything below */
    uint64_t directory_version;           /* commits that changed a role or revoked tokens */
    GTree *tables[TABLE_COUNT];
    uint64_t sequences[SEQUENCE_COUNT]; /* the last id that was given out */
    uint64_t journal_rows;              /* ever written, as the next two */
    uint64_t notice_rows, message_rows;
    struct outbox_position position;
    char name[];
};

struct memory_store {
    struct store store;
    struct database *database;
    enum store_mode mode;
    const char *error; /* a constant */

    /* The writer's batch. */
    bool committed;                  /* the last one was */
    struct outbox_position position; /* where the batch leaves it */
    struct arena scratch;
    struct {
        struct undo {
            GTree *tree;
            struct row *old, *new; /* NULL: there was none, there is none */
        } * items;
        size_t count, size;
    } undo;
};

/* ---- reading; the lock is held ---- */

static inline void *row_at(const struct database *database, enum table table, uint64_t a,
                           uint64_t b)
{
    return g_tree_lookup(database->tables[table], &(struct row){.a = a, .b = b});
}

static inline void *row_named(const struct database *database, enum table table, uint64_t a,
                              struct str text)
{
    return g_tree_lookup(database->tables[table], &(struct row){.a = a, .text = text});
}

/* for (struct rows rows = rows_of(database, TICKETS, event_id, 0); (row = rows_next(&rows));)
 * The table must not change meanwhile. */
struct rows {
    GTreeNode *node;
    uint64_t last; /* the highest 'a' */
};

/* Those under 'a' from 'b' on. */
static inline struct rows rows_of(const struct database *database, enum table table, uint64_t a,
                                  uint64_t b)
{
    return (struct rows){g_tree_lower_bound(database->tables[table], &(struct row){.a = a, .b = b}),
                         a};
}

static inline struct rows rows_all(const struct database *database, enum table table)
{
    return (struct rows){g_tree_node_first(database->tables[table]), UINT64_MAX};
}

static inline void *rows_next(struct rows *rows)
{
    struct row *row = rows->node ? g_tree_node_value(rows->node) : NULL;
    if (!row || row->a > rows->last) return NULL;
    rows->node = g_tree_node_next(rows->node);
    return row;
}

/* Those under 'a' below 'b', from the highest down: for rows_previous(). */
static inline struct rows rows_below(const struct database *database, enum table table, uint64_t a,
                                     uint64_t b)
{
    GTree *tree = database->tables[table];
    GTreeNode *end = g_tree_lower_bound(tree, &(struct row){.a = a, .b = b});
    return (struct rows){end ? g_tree_node_previous(end) : g_tree_node_last(tree), a};
}

static inline void *rows_previous(struct rows *rows)
{
    struct row *row = rows->node ? g_tree_node_value(rows->node) : NULL;
    if (!row || row->a != rows->last) return NULL;
    rows->node = g_tree_node_previous(rows->node);
    return row;
}

/* REPLAYS are in order of key and then of hour, so that the newest under a key is the last. */
struct replay_name {
    unsigned char key[16];
    unsigned char hour[8];
};

static inline struct replay_name replay_name(const struct replay_key *key, int64_t hour)
{
    struct replay_name name;
    memcpy(name.key, key->key, sizeof(name.key));
    for (int i = 0; i < 8; i++)
        name.hour[i] = (unsigned char)((uint64_t)hour >> (56 - 8 * i));
    return name;
}

/* Hours since 1970: that of an answer is part of its key, so that old ones are found together. */
static inline int64_t hour_of(int64_t at)
{
    return at / (60 * 60 * 1000);
}

/* The store as a writer's; anything else is a bug. */
struct memory_store *memory_writer(struct store *store);

/* The writer's batch is over; nothing where it has none under way. */
void memory_end(struct memory_store *memory);

/* Copies into 'arena', with all their strings; the booking with its numbers. */
struct event memory_event(const struct database *database, const struct event_row *row,
                          struct arena *arena);
struct ticket_type *memory_types(const struct database *database, uint64_t event_id,
                                 struct arena *arena, size_t *ret_count);
struct booking memory_booking(const struct database *database, const struct booking_row *row,
                              struct arena *arena);
struct user memory_user(const struct user_row *row, struct arena *arena);

/* memory_write.c */
enum store_status memory_commit(struct store *store, struct working_set *set);
enum store_status memory_setting(struct store *store, const char *name, struct str fallback,
                                 struct arena *arena, struct str *ret_value);

/* memory_read.c: the readers' part of the driver. */
enum store_status memory_find_event(struct store *store, uint64_t id, struct arena *arena,
                                    struct event **ret_event);
enum store_status memory_search_events(struct store *store, const struct event_query *query,
                                       struct arena *arena, struct event_list *ret_list);
enum store_status memory_find_booking(struct store *store, uint64_t id, struct arena *arena,
                                      struct booking_view **ret_booking);
enum store_status memory_list_bookings(struct store *store, const struct booking_query *query,
                                       struct arena *arena, struct booking_list *ret_list);
enum store_status memory_list_tickets(struct store *store, uint64_t event_id, uint32_t after,
                                      size_t limit, struct arena *arena,
                                      struct ticket_list *ret_list);
enum store_status memory_booking_history(struct store *store, uint64_t booking_id,
                                         struct arena *arena, struct journal_list *ret_list);
enum store_status memory_list_journal(struct store *store, const struct journal_query *query,
                                      struct arena *arena, struct journal_page *ret_page);
enum store_status memory_booking_payments(struct store *store, uint64_t booking_id,
                                          struct arena *arena, struct payment_list *ret_list);
enum store_status memory_find_user(struct store *store, uint64_t id, struct str folded_email,
                                   struct str folded_username, struct arena *arena,
                                   struct user **ret_user);
enum store_status memory_list_users(struct store *store, const struct user_query *query,
                                    struct arena *arena, struct user_list *ret_list);
enum store_status memory_load_directory(struct store *store, struct arena *arena,
                                        struct directory_rows *ret_rows);

/* memory_outbox.c */
void memory_load_webhooks(const struct database *database, struct working_set *set);
void memory_load_outbox(const struct database *database, struct working_set *set);
enum store_status memory_list_notices(struct store *store, size_t limit, struct arena *arena,
                                      struct notice_list *ret_list);
enum store_status memory_outbox_position(struct store *store, struct outbox_position *ret_position);
enum store_status memory_list_messages(struct store *store, const struct message_query *query,
                                       struct arena *arena, struct message_list *ret_list);
enum store_status memory_list_webhooks(struct store *store, uint64_t user_id, struct arena *arena,
                                       struct webhook_list *ret_list);
enum store_status memory_find_webhook(struct store *store, uint64_t id, struct arena *arena,
                                      struct webhook **ret_webhook);
enum store_status memory_due_ways(struct store *store, int64_t now, struct arena *arena,
                                  struct way_list *ret_list);

/* memory_check.c */
enum store_status memory_check(struct store *store, struct check_figures *ret_figures,
                               void (*breach)(const char *sentence, void *data), void *data);

#endif
