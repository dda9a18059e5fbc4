/* SPDX-License-Identifier: Apache-2.0 */
/* postgres_internal.h -- what the files of the PostgreSQL driver share: a connection in pipeline
 * mode, and short ways to send statements and to read what they yield.
 *
 *     SEND(store, EVENTS, ARRAY(&ids));          nothing waits: statements gather
 *     SEND(store, TYPES, ARRAY(&ids));
 *     postgres_sync(store);                      they go, in one piece
 *     PGresult *events = postgres_result(store); answers come in the order of sending
 *     PGresult *types = postgres_result(store);
 *     PQclear(events), PQclear(types);           the caller's
 *
 * The first failure is kept in store->status, and from then on everything is a no-op that finds
 * nothing: so it is looked at once, at the end of an operation. NULL is a result without rows. */
#ifndef STORE_POSTGRES_INTERNAL_H
#define STORE_POSTGRES_INTERNAL_H

#include <libpq-fe.h>

#include "store/driver.h"
#include "store/postgres_statements.h"

enum postgres_statement {
#define X(name, types, text) STATEMENT_##name,
    POSTGRES_STATEMENTS(X)
#undef X
        STATEMENT_COUNT,
};

enum {
    POSTGRES_VALUES_MAX = 20,
    /* So long the server may be silent, ordinarily; while it works on a whole event; and while it
     * reads everything. Then the connection counts as lost. It waits for a lock for half of the
     * first (lock_timeout), and says so. */
    POSTGRES_PATIENCE_MS = 10 * 1000,
    POSTGRES_PATIENCE_SETS_MS = 15 * 60 * 1000,
    POSTGRES_PATIENCE_CHECK_MS = 2 * 60 * 60 * 1000,
};

/* Values of one type, as they travel: PostgreSQL's binary form of an array. Emptied and used
 * again. */
struct postgres_array {
    struct buf data;
    uint32_t count;
};

/* Rows on their way into a table, column by column. */
enum { POSTGRES_COLUMNS_MAX = 11 };
struct postgres_rows {
    struct postgres_array columns[POSTGRES_COLUMNS_MAX];
};

enum postgres_target {
    ROWS_BOOKINGS_INSERT,
    ROWS_BOOKINGS_UPDATE,
    ROWS_BOOKINGS_DELETE,
    ROWS_TICKETS_INSERT,
    ROWS_TICKETS_UPDATE,
    ROWS_JOURNAL,
    ROWS_REPLAYS,
    ROWS_LAST, /* for whatever is gathered and sent at once */
    ROWS_COUNT,
};

struct postgres_store {
    struct store store;
    enum store_mode mode;
    char *url;                 /* for libpq: "postgresql://..." */
    PGconn *connection;        /* NULL after it was lost */
    PGconn *bulk;              /* for bulk.h; NULL until it is needed */
    int64_t used_us, retry_us; /* monotonic: last spoken to, no attempt to connect before */
    bool prepared[STATEMENT_COUNT];

    /* What was sent and is not answered: see postgres.c. */
    struct buf expected;
    size_t expected_at;

    enum store_status status; /* of the operation that is going on */
    char error[256];
    bool in_transaction; /* BEGIN was sent, and no end of it */
    bool reads_alone;    /* a reader's function outside of a batch */
    int patience_ms;     /* of this operation */
    bool committing;     /* COMMIT is on its way: a loss now leaves it unknown */

    enum store_status last_commit; /* STORE_OK, UNKNOWN, or anything else: it did not happen */
    uint64_t batch_id;             /* in 'batches'; random at first, one more for each batch */
    int64_t batch_at;

    /* Events whose lock this transaction has, ascending within each load. */
    struct {
        uint64_t *ids;
        size_t count, size;
    } locked;
    struct postgres_rows rows[ROWS_COUNT];
};

/* ---- values that are bound ---- */

struct postgres_value {
    enum { POSTGRES_NULL, POSTGRES_NUMBER, POSTGRES_TEXT, POSTGRES_ARRAY } kind;
    int64_t number;
    struct str text; /* or octets */
    struct postgres_array *array;
};

#define NUM(value)   ((struct postgres_value){.kind = POSTGRES_NUMBER, .number = (int64_t)(value)})
#define TEXT(value)  ((struct postgres_value){.kind = POSTGRES_TEXT, .text = (value)})
#define ARRAY(value) ((struct postgres_value){.kind = POSTGRES_ARRAY, .array = (value)})
#define NIL          ((struct postgres_value){.kind = POSTGRES_NULL})

static inline struct postgres_value postgres_num_or_nil(bool is_there, int64_t number)
{
    return is_there ? NUM(number) : NIL;
}

static inline struct postgres_value postgres_text_or_nil(struct str text)
{
    return text.len ? TEXT(text) : NIL;
}

void postgres_array_clear(struct postgres_array *array);
void postgres_array_number(struct postgres_array *array, int64_t number);
void postgres_array_text(struct postgres_array *array, struct str text); /* or octets */

/* The array of that column, cleared; for what is sent before the next call with this column. */
struct postgres_array *postgres_fresh(struct postgres_store *store, size_t column);
/* Words as an array, in that column. */
struct postgres_array *postgres_words(struct postgres_store *store, size_t column,
                                      const struct words *words);

/* ---- statements ---- */

/* What the values point to is copied. */
void postgres_send(struct postgres_store *store, enum postgres_statement which,
                   const struct postgres_value *values, size_t count);
/* The same for one whose rows nobody asks for: postgres_result() passes over it, and notes its
 * failure. */
void postgres_write(struct postgres_store *store, enum postgres_statement which,
                    const struct postgres_value *values, size_t count);
/* Waits until something moved; false when nothing did for too long, or the connection is gone. */
bool postgres_await(const struct postgres_store *store, short events);
/* Lets go what was sent, so that results can be taken. */
void postgres_sync(struct postgres_store *store);
/* Of the next statement. The caller's, who calls PQclear(), also with NULL. */
PGresult *postgres_result(struct postgres_store *store);
/* Takes all that is still to come, with whatever failed of it. */
void postgres_finish(struct postgres_store *store);
/* Send, sync and result of a single one. */
PGresult *postgres_query(struct postgres_store *store, enum postgres_statement which,
                         const struct postgres_value *values, size_t count);

#define POSTGRES_VALUES(...)                                                                       \
    (const struct postgres_value[]){__VA_ARGS__},                                                  \
        sizeof((const struct postgres_value[]){__VA_ARGS__}) / sizeof(struct postgres_value)
#define SEND(store, name, ...)                                                                     \
    postgres_send((store), STATEMENT_##name, POSTGRES_VALUES(__VA_ARGS__))
#define WRITE(store, name, ...)                                                                    \
    postgres_write((store), STATEMENT_##name, POSTGRES_VALUES(__VA_ARGS__))
#define QUERY(store, name, ...)                                                                    \
    postgres_query((store), STATEMENT_##name, POSTGRES_VALUES(__VA_ARGS__))

/* Notes a failure that the server did not notice; the text is a constant. */
void postgres_fail(struct postgres_store *store, enum store_status status, const char *text);

/* ---- rows ---- */

static inline int postgres_count(const PGresult *rows)
{
    return rows ? PQntuples(rows) : 0;
}

/* A number of any width; NULL is 0. Of NULL rows: 'fallback' of postgres_number(). */
int64_t postgres_i64(const PGresult *rows, int row, int column);
static inline uint64_t postgres_u64(const PGresult *rows, int row, int column)
{
    return (uint64_t)postgres_i64(rows, row, column);
}
static inline uint32_t postgres_u32(const PGresult *rows, int row, int column)
{
    return (uint32_t)postgres_i64(rows, row, column);
}
/* As it lies in the result, and a copy in 'arena'; NULL is empty. */
struct str postgres_peek(const PGresult *rows, int row, int column);
struct str postgres_text(const PGresult *rows, int row, int column, struct arena *arena);
void postgres_currency(const PGresult *rows, int row, int column, char currency[4]);
/* The single number that a statement yields, 0 where it yields nothing; clears the rows. */
int64_t postgres_number(PGresult *rows);

/* What POSTGRES_BOOKING_COLUMNS, POSTGRES_EVENT_COLUMNS, POSTGRES_USER_COLUMNS and
 * POSTGRES_TYPE_COLUMNS yield; the event without its types. */
struct booking postgres_booking_row(const PGresult *rows, int row, struct arena *arena);
struct event postgres_event_row(const PGresult *rows, int row, struct arena *arena);
struct user postgres_user_row(const PGresult *rows, int row, struct arena *arena);
struct ticket_type postgres_type_row(const PGresult *rows, int row, struct arena *arena);

/* The rows [*at, ...) of 'types' that belong to 'event_id', which comes no later than theirs; moves
 * '*at' behind them. */
struct ticket_type *postgres_types_of(const PGresult *types, int *at, uint64_t event_id,
                                      struct arena *arena, size_t *ret_count);

/* ---- operations ---- */

/* A reader's function. With 'statements' more than one it is a transaction of its own, so that they
 * see one state; within a writer's batch it is part of that. */
struct postgres_store *postgres_begin_read(struct store *store, bool many);
enum store_status postgres_end_read(struct postgres_store *store);

/* A part of a batch. The transaction begins with the first SEND after postgres_want_begin(). */
struct postgres_store *postgres_begin_write(struct store *store);
void postgres_want_begin(struct postgres_store *store);
/* Ends a transaction that failed, and returns why. */
enum store_status postgres_roll_back(struct postgres_store *store);

/* postgres_open.c */
struct store *postgres_open(const char *rest, enum store_mode mode, bool migrate,
                            struct arena *arena, const char **ret_error);
/* Prepares a new connection for work: settings, pipeline mode. False and a text in store->error. */
bool postgres_set_up(struct postgres_store *store);
/* A connection by the store's URL, in whatever state it is then. */
PGconn *postgres_connect(const struct postgres_store *store);
void postgres_free(struct postgres_store *store);

/* postgres_load.c, postgres_commit.c, postgres_read.c, postgres_journal.c, postgres_search.c,
 * postgres_check.c: their parts of the driver. */
enum store_status postgres_load(struct store *store, struct working_set *set);
enum store_status postgres_commit(struct store *store, struct working_set *set);

/* postgres_webhooks.c */
void postgres_load_webhooks(struct postgres_store *store, struct working_set *set);
void postgres_write_webhook(struct postgres_store *store, const struct change *change);
enum store_status postgres_list_webhooks(struct store *store, uint64_t user_id, struct arena *arena,
                                         struct webhook_list *ret_list);
enum store_status postgres_find_webhook(struct store *store, uint64_t id, struct arena *arena,
                                        struct webhook **ret_webhook);

/* postgres_outbox.c */
void postgres_load_outbox(struct postgres_store *store, struct working_set *set);
void postgres_write_outbox(struct postgres_store *store, const struct change *change);
enum store_status postgres_list_notices(struct store *store, size_t limit, struct arena *arena,
                                        struct notice_list *ret_list);
enum store_status postgres_outbox_position(struct store *store,
                                           struct outbox_position *ret_position);
enum store_status postgres_list_messages(struct store *store, const struct message_query *query,
                                         struct arena *arena, struct message_list *ret_list);
enum store_status postgres_due_ways(struct store *store, int64_t now, struct arena *arena,
                                    struct way_list *ret_list);

enum store_status postgres_find_event(struct store *store, uint64_t id, struct arena *arena,
                                      struct event **ret_event);
enum store_status postgres_search_events(struct store *store, const struct event_query *query,
                                         struct arena *arena, struct event_list *ret_list);
enum store_status postgres_find_booking(struct store *store, uint64_t id, struct arena *arena,
                                        struct booking_view **ret_booking);
enum store_status postgres_list_bookings(struct store *store, const struct booking_query *query,
                                         struct arena *arena, struct booking_list *ret_list);
enum store_status postgres_list_tickets(struct store *store, uint64_t event_id, uint32_t after,
                                        size_t limit, struct arena *arena,
                                        struct ticket_list *ret_list);
enum store_status postgres_booking_history(struct store *store, uint64_t booking_id,
                                           struct arena *arena, struct journal_list *ret_list);
enum store_status postgres_list_journal(struct store *store, const struct journal_query *query,
                                        struct arena *arena, struct journal_page *ret_page);
enum store_status postgres_booking_payments(struct store *store, uint64_t booking_id,
                                            struct arena *arena, struct payment_list *ret_list);
enum store_status postgres_find_user(struct store *store, uint64_t id, struct str folded_email,
                                     struct str folded_username, struct arena *arena,
                                     struct user **ret_user);
enum store_status postgres_list_users(struct store *store, const struct user_query *query,
                                      struct arena *arena, struct user_list *ret_list);
enum store_status postgres_load_directory(struct store *store, struct arena *arena,
                                          struct directory_rows *ret_rows);
enum store_status postgres_directory_version(struct store *store, uint64_t *ret_version);
enum store_status postgres_check(struct store *store, struct check_figures *ret_figures,
                                 void (*breach)(const char *sentence, void *data), void *data);

enum store_status postgres_bulk_read(struct store *store, const struct bulk_table *table,
                                     const struct bulk_value *after, size_t limit,
                                     struct arena *arena, struct bulk_rows *ret_rows);
enum store_status postgres_bulk_write(struct store *store, const struct bulk_part *parts,
                                      size_t count);

/* Up to here those who match are gathered first; as SQLITE_MANY. */
enum { POSTGRES_MANY = 1000 };

/* The word of which fewest rows begin with it, as 'count_word' counts them; POSTGRES_MANY of
 * them where there is no word or none is rare. */
struct postgres_rare {
    struct str word;
    int64_t count;
};
struct postgres_rare postgres_rare_word(struct postgres_store *store,
                                        enum postgres_statement count_word,
                                        const struct words *words);

#endif
