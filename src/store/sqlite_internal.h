/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_internal.h -- what the files of the SQLite driver share: a connection, and short ways to
 * run a statement and to read what it yields.
 *
 *     RUN(store, TICKET_RETURN, NUM(event_id), NUM(number));
 *
 *     sqlite3_stmt *rows = QUERY(store, BOOKING_NUMBERS, NUM(booking_id));
 *     while (sqlite_next(store, rows))
 *         use(sqlite3_column_int64(rows, 0));
 *
 * The first failure is kept in store->status, and from then on everything is a no-op that finds
 * nothing: so it is looked at once, at the end of an operation. */
#ifndef STORE_SQLITE_INTERNAL_H
#define STORE_SQLITE_INTERNAL_H

#include <sqlite3.h>

#include "store/bucket_filter.h"
#include "store/driver.h"
#include "store/replay_index.h"
#include "store/sqlite_statements.h"

enum sqlite_statement {
#define X(name, text) STATEMENT_##name,
    SQLITE_STATEMENTS(X)
#undef X
        STATEMENT_COUNT,
};

enum {
    SEQUENCE_JOURNAL = SEQUENCE_COUNT, /* behind those that core knows */
    SQLITE_SEQUENCES,
    SEQUENCE_JOURNAL_KEY = 100,      /* how it is written in the table */
    BOOKINGS_BUCKET = 8192,          /* as in the index bookings_by_user */
    SQLITE_ROWS_AT_ONCE = 16,        /* in one statement */
    SQLITE_COLUMNS_MOST = 11,        /* of the tables below */
    REPLAY_MS = 25 * 60 * 60 * 1000, /* older answers are not found: a day, and some */
};

/* Tables whose new rows are written many at a time. */
enum sqlite_gathered {
    SQLITE_BOOKINGS,
    SQLITE_TICKETS,
    SQLITE_JOURNAL,
    SQLITE_GATHERED,
};

/* What is bound to a statement. */
struct sqlite_value {
    enum { SQLITE_VALUE_NULL, SQLITE_VALUE_NUMBER, SQLITE_VALUE_TEXT, SQLITE_VALUE_BLOB } kind;
    int64_t number;
    struct str text;
};

struct sqlite_store {
    struct store store;
    sqlite3 *db;
    enum store_mode mode;
    int lock; /* of the writer: file descriptor, -1 for a reader */
    sqlite3_stmt *statements[STATEMENT_COUNT];

    enum store_status status; /* of the operation that is going on */
    bool reads_alone;         /* a reader's function outside of a batch */
    bool committed;           /* the last batch was */
    char error[256];

    /* The next id of each sequence. Only this writer draws from them; what a batch did not use, or
     * did not commit, is drawn again. */
    uint64_t next[SQLITE_SEQUENCES];
    uint64_t journal_next; /* within the commit that is going on */
    /* Rows of the commit that is going on which are not written yet. */
    struct {
        struct sqlite_value values[SQLITE_ROWS_AT_ONCE * SQLITE_COLUMNS_MOST];
        size_t count; /* of values */
    } gathered[SQLITE_GATHERED];

    struct bucket_filter *filter; /* of bookings_by_user; NULL while it is being opened */

    struct replay_index replays; /* which row of 'idempotency' answers to which key */

    int wal_frames;  /* in the write-ahead log after the last commit */
    int wal_tidy_at; /* frames at which it is looked at again */
};

/* ---- values that are bound ---- */

#define NUM(value)  ((struct sqlite_value){SQLITE_VALUE_NUMBER, (int64_t)(value), {NULL, 0}})
#define TEXT(value) ((struct sqlite_value){SQLITE_VALUE_TEXT, 0, (value)})
#define BLOB(value) ((struct sqlite_value){SQLITE_VALUE_BLOB, 0, (value)})
#define NIL         ((struct sqlite_value){SQLITE_VALUE_NULL, 0, {NULL, 0}})

static inline struct sqlite_value sqlite_num_or_nil(bool is_there, int64_t number)
{
    return is_there ? NUM(number) : NIL;
}

static inline struct sqlite_value sqlite_text_or_nil(struct str text)
{
    return text.len ? TEXT(text) : NIL;
}

/* ---- statements ---- */

/* Prepares the statement where that was not done yet, and binds. What the values point to must
 * live until the statement has been stepped through. NULL after a failure. */
sqlite3_stmt *sqlite_query(struct sqlite_store *store, enum sqlite_statement which,
                           const struct sqlite_value *values, size_t count);
/* True with a row; false at the end, after which the statement holds nothing any more, and
 * after a failure. Who leaves before the end calls sqlite_end(). */
bool sqlite_next(struct sqlite_store *store, sqlite3_stmt *rows);
void sqlite_end(sqlite3_stmt *rows); /* NULL is fine */
/* To the end; returns how many rows it changed. */
int sqlite_run(struct sqlite_store *store, enum sqlite_statement which,
               const struct sqlite_value *values, size_t count);

#define SQLITE_VALUES(...)                                                                         \
    (const struct sqlite_value[]){__VA_ARGS__},                                                    \
        sizeof((const struct sqlite_value[]){__VA_ARGS__}) / sizeof(struct sqlite_value)
#define QUERY(store, name, ...) sqlite_query((store), STATEMENT_##name, SQLITE_VALUES(__VA_ARGS__))
#define RUN(store, name, ...)   sqlite_run((store), STATEMENT_##name, SQLITE_VALUES(__VA_ARGS__))

/* The single number that a query yields, 'fallback' where it yields nothing or NULL. */
int64_t sqlite_number(struct sqlite_store *store, sqlite3_stmt *rows, int64_t fallback);

/* Binds one value of a statement; what it points to must live until that was stepped through. */
int sqlite_bind(sqlite3_stmt *statement, int at, const struct sqlite_value *value);

/* Notes a failure by SQLite's code; 'what' was being done. */
void sqlite_fail(struct sqlite_store *store, int code, const char *what);

/* Notes a failure that SQLite did not notice; the text is a constant. */
void sqlite_refuse(struct sqlite_store *store, const char *text);

/* A column as an id or a count, and as text that lives in 'arena'. */
static inline uint64_t sqlite_u64(sqlite3_stmt *rows, int column)
{
    return (uint64_t)sqlite3_column_int64(rows, column);
}
static inline uint32_t sqlite_u32(sqlite3_stmt *rows, int column)
{
    return (uint32_t)sqlite3_column_int64(rows, column);
}
struct str sqlite_text(sqlite3_stmt *rows, int column, struct arena *arena); /* blobs as well */
void sqlite_currency(sqlite3_stmt *rows, int column, char currency[4]);

/* ---- operations ---- */

/* A reader's function is a transaction of its own, so that the statements in it see one state.
 * Within a writer's batch it is part of that. */
struct sqlite_store *sqlite_begin_read(struct store *store);
enum store_status sqlite_end_read(struct sqlite_store *store);

/* Begins the batch's transaction when there is none. */
struct sqlite_store *sqlite_begin_write(struct store *store);
/* Ends a transaction that failed, and returns why. */
enum store_status sqlite_roll_back(struct sqlite_store *store);

/* The buckets of bookings_by_user that hold all bookings of the event (0: of any). */
struct sqlite_buckets {
    int64_t first, last; /* last < first: none */
};
struct sqlite_buckets sqlite_buckets(struct sqlite_store *store, uint64_t event_id);

/* What SQLITE_BOOKING_COLUMNS, SQLITE_USER_COLUMNS yield; the booking without its numbers. */
struct booking sqlite_booking_row(sqlite3_stmt *rows);
struct user sqlite_user_row(sqlite3_stmt *rows, struct arena *arena);

/* The event with its types; NULL when there is none, and after a failure. */
struct event *sqlite_event(struct sqlite_store *store, uint64_t id, struct arena *arena);

/* The ticket types of an event in order of id; the numbers of a booking, ascending. */
struct ticket_type *sqlite_types(struct sqlite_store *store, uint64_t event_id, struct arena *arena,
                                 size_t *ret_count);
void sqlite_numbers(struct sqlite_store *store, struct booking *booking, struct arena *arena);

/* How far those that match are counted. Where there are as many, they are not gathered first: what
 * is wanted is walked in its own order instead, and a page is full soon, because so many match. */
enum { SQLITE_MANY = 2000 };

/* The row of REPLAY that answers to 'key'; NULL when there is none, or it is too old at 'now'. */
sqlite3_stmt *sqlite_find_replay(struct sqlite_store *store, const struct replay_key *key,
                                 int64_t now);

/* sqlite_load.c, sqlite_commit.c, sqlite_read.c, sqlite_journal.c, sqlite_search.c, sqlite_check.c:
 * their parts of the driver. */
enum store_status sqlite_load(struct store *store, struct working_set *set);
enum store_status sqlite_commit(struct store *store, struct working_set *set);

/* sqlite_webhooks.c */
void sqlite_load_webhooks(struct sqlite_store *store, struct working_set *set);
void sqlite_write_webhook(struct sqlite_store *store, const struct change *change);
enum store_status sqlite_list_webhooks(struct store *store, uint64_t user_id, struct arena *arena,
                                       struct webhook_list *ret_list);
enum store_status sqlite_find_webhook(struct store *store, uint64_t id, struct arena *arena,
                                      struct webhook **ret_webhook);

/* sqlite_outbox.c */
void sqlite_load_outbox(struct sqlite_store *store, struct working_set *set);
void sqlite_write_outbox(struct sqlite_store *store, const struct change *change);
enum store_status sqlite_list_notices(struct store *store, size_t limit, struct arena *arena,
                                      struct notice_list *ret_list);
enum store_status sqlite_outbox_position(struct store *store, struct outbox_position *ret_position);
enum store_status sqlite_list_messages(struct store *store, const struct message_query *query,
                                       struct arena *arena, struct message_list *ret_list);
enum store_status sqlite_due_ways(struct store *store, int64_t now, struct arena *arena,
                                  struct way_list *ret_list);

enum store_status sqlite_find_event(struct store *store, uint64_t id, struct arena *arena,
                                    struct event **ret_event);
enum store_status sqlite_search_events(struct store *store, const struct event_query *query,
                                       struct arena *arena, struct event_list *ret_list);
enum store_status sqlite_find_booking(struct store *store, uint64_t id, struct arena *arena,
                                      struct booking_view **ret_booking);
enum store_status sqlite_list_bookings(struct store *store, const struct booking_query *query,
                                       struct arena *arena, struct booking_list *ret_list);
enum store_status sqlite_list_tickets(struct store *store, uint64_t event_id, uint32_t after,
                                      size_t limit, struct arena *arena,
                                      struct ticket_list *ret_list);
enum store_status sqlite_booking_history(struct store *store, uint64_t booking_id,
                                         struct arena *arena, struct journal_list *ret_list);
enum store_status sqlite_list_journal(struct store *store, const struct journal_query *query,
                                      struct arena *arena, struct journal_page *ret_page);
enum store_status sqlite_booking_payments(struct store *store, uint64_t booking_id,
                                          struct arena *arena, struct payment_list *ret_list);
enum store_status sqlite_find_user(struct store *store, uint64_t id, struct str folded_email,
                                   struct str folded_username, struct arena *arena,
                                   struct user **ret_user);
enum store_status sqlite_list_users(struct store *store, const struct user_query *query,
                                    struct arena *arena, struct user_list *ret_list);
enum store_status sqlite_load_directory(struct store *store, struct arena *arena,
                                        struct directory_rows *ret_rows);
enum store_status sqlite_check(struct store *store, struct check_figures *ret_figures,
                               void (*breach)(const char *sentence, void *data), void *data);
enum store_status sqlite_bulk_read(struct store *store, const struct bulk_table *table,
                                   const struct bulk_value *after, size_t limit,
                                   struct arena *arena, struct bulk_rows *ret_rows);
enum store_status sqlite_bulk_write(struct store *store, const struct bulk_part *parts,
                                    size_t count);

#endif
