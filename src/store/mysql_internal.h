/* SPDX-License-Identifier: Apache-2.0 */
/* mysql_internal.h -- what the files of the MariaDB driver share: a connection, and short ways to
 * run a statement and to read what it yields. Names begin with maria_, because mysql_ is the client
 * library's.
 *
 *     RUN(store, EVENT_DELETE, NUM(event_id));
 *
 *     struct maria_rows *rows = QUERY(store, HISTORY, NUM(booking_id));
 *     while (maria_next(store, rows))
 *         use(maria_i64(rows, 0));
 *
 * The first failure is kept in store->status, and from then on everything is a no-op that finds
 * nothing: so it is looked at once, at the end of an operation. */
#ifndef STORE_MYSQL_INTERNAL_H
#define STORE_MYSQL_INTERNAL_H

#include <mysql.h>

#include <ma_pvio.h> /* the library's own, for how long it waits: see maria_be_patient() */
#undef list_pop      /* of the library's own lists, which nobody asked for */
#undef list_push

#include "store/driver.h"
#include "store/mysql_statements.h"

enum maria_statement {
#define X(name, text) STATEMENT_##name,
    MARIA_STATEMENTS(X)
#undef X
        STATEMENT_COUNT,
};

enum maria_insert {
#define X(name, columns, head, row, tail) INSERT_##name,
    MARIA_INSERTS(X)
#undef X
        INSERT_COUNT,
};

enum {
    SEQUENCE_JOURNAL = SEQUENCE_COUNT, /* behind those that core knows */
    MARIA_SEQUENCES,
    SEQUENCE_JOURNAL_KEY = 100, /* how it is written in the table */
    BUCKET_BITS = 16,           /* as in the column bookings.bucket */
    REPLAY_HOURS = 24,
    WIDTHS = 7,          /* inserts of 1, 2, 4, ... 64 rows, where the server takes no arrays */
    ROWS_AT_ONCE = 2048, /* that go to the server in one piece: far below max_allowed_packet */
    VALUES_MAX = 16,     /* of one statement, or of one row */
    /* What an index can hold. What is longer, of which only folding knows how (a single letter may
     * become eighteen), is cut, in the table and in what is looked for. */
    KEY_MAX = 2800,
    WORD_MAX = 500,
    ERROR_MAX = 300,
    HOSTS_MAX = 16,
    /* So many seconds the server may be silent, ordinarily; while it works on a whole event; and
     * while it reads or changes everything. Then the connection counts as lost. It waits for a lock
     * for half of the first (innodb_lock_wait_timeout), and says so. */
    MARIA_PATIENCE_S = 10,
    MARIA_PATIENCE_SETS_S = 15 * 60,
    MARIA_PATIENCE_CHECK_S = 2 * 60 * 60,
};

#define HOUR_MS INT64_C(3600000)

/* ---- where the server is: mysql_url.c ---- */

enum maria_tls { TLS_DISABLED, TLS_PREFERRED, TLS_REQUIRED, TLS_VERIFY_IDENTITY };

struct maria_host {
    const char *name;
    unsigned port;
};

struct maria_url {
    struct maria_host hosts[HOSTS_MAX]; /* of one cluster, in the order in which they are tried */
    size_t host_count;                  /* at least 1 */
    const char *user, *password, *database, *socket; /* socket: in place of hosts, or NULL */
    enum maria_tls tls;
    const char *ca, *cert, *key; /* files, or NULL */
    bool arrays;                 /* rows may be bound as arrays, where the server can */
};

/* What follows "mysql:". Everything lives in 'arena'; false and a sentence, without the
 * password, when it makes no sense. */
bool maria_url_parse(const char *rest, struct arena *arena, struct maria_url *ret_url,
                     const char **ret_error);

/* ---- the store ---- */

struct maria_rows; /* a prepared statement, and the row of it that is being looked at */

/* Rows to be inserted, gathered until they are written: mysql_rows.c. */
struct maria_batch {
    struct maria_value *values; /* row after row, in the arena of the working set */
    size_t count;               /* rows */
    size_t size;                /* values that there is room for */
};

struct maria_store {
    struct store store;
    enum store_mode mode;
    struct arena arena; /* of the URL; lives as long as the store */
    struct maria_url url;

    MYSQL *db;                     /* NULL while there is no connection */
    const struct maria_host *host; /* of the connection, or the one that was tried last */
    bool has_arrays;
    bool is_galera;            /* one node of several, whose locks hold on it alone */
    int patience_s;            /* of this operation */
    int64_t used_us, retry_us; /* monotonic: last spoken to, no attempt to connect before */
    struct maria_rows *statements[STATEMENT_COUNT];
    struct maria_rows *inserts[INSERT_COUNT][WIDTHS];

    enum store_status status; /* of the operation that is going on */
    char error[ERROR_MAX];
    unsigned code; /* the server's own, of the first failure */
    bool in_transaction;
    bool is_fresh;    /* nothing was said in this transaction yet */
    bool reads_alone; /* a reader's function outside of a batch */

    /* Of the batch that is going on. */
    uint64_t last_locked; /* the highest event that is locked */
    bool locks_closed;    /* rows that come behind the events in the order of locks are locked */
    bool has_sequences;   /* 'next' is locked and true */
    uint64_t next[MARIA_SEQUENCES];
    uint64_t journal_next;
    bool drops_replays; /* an answer too old to be given stands under one of the keys */

    unsigned char writer[16]; /* who this is, in the table batches */
    uint64_t batch;           /* the last one that was begun to be written; they are even */
};

/* ---- values that are bound ---- */

struct maria_value {
    enum { MARIA_NULL, MARIA_NUMBER, MARIA_TEXT, MARIA_BLOB } kind;
    int64_t number;
    struct str text;
};

#define NUM(value)  ((struct maria_value){MARIA_NUMBER, (int64_t)(value), {NULL, 0}})
#define TEXT(value) ((struct maria_value){MARIA_TEXT, 0, (value)})
#define BLOB(value) ((struct maria_value){MARIA_BLOB, 0, (value)}) /* and what is folded */
#define NIL         ((struct maria_value){MARIA_NULL, 0, {NULL, 0}})

static inline struct maria_value maria_num_or_nil(bool is_there, int64_t number)
{
    return is_there ? NUM(number) : NIL;
}

static inline struct maria_value maria_text_or_nil(struct str text)
{
    return text.len ? TEXT(text) : NIL;
}

static inline struct maria_value maria_blob_or_nil(struct str text)
{
    return text.len ? BLOB(text) : NIL;
}

/* ---- statements: mysql_query.c ---- */

/* Runs the statement, preparing it where that was not done yet. The rows stand in memory, until it
 * is run again. NULL after a failure. */
struct maria_rows *maria_query(struct maria_store *store, enum maria_statement which,
                               const struct maria_value *values, size_t count);
/* True with a row; false at the end, and after a failure. */
bool maria_next(struct maria_store *store, struct maria_rows *rows);
/* Returns how many rows it found to be changed, changed or not. */
int64_t maria_run(struct maria_store *store, enum maria_statement which,
                  const struct maria_value *values, size_t count);

#define MARIA_VALUES(...)                                                                          \
    (const struct maria_value[]){__VA_ARGS__},                                                     \
        sizeof((const struct maria_value[]){__VA_ARGS__}) / sizeof(struct maria_value)
#define QUERY(store, name, ...) maria_query((store), STATEMENT_##name, MARIA_VALUES(__VA_ARGS__))
#define RUN(store, name, ...)   maria_run((store), STATEMENT_##name, MARIA_VALUES(__VA_ARGS__))

/* The single number that a query yields, 'fallback' where it yields nothing or NULL. */
int64_t maria_number(struct maria_store *store, struct maria_rows *rows, int64_t fallback);

int maria_columns(const struct maria_rows *rows);
int64_t maria_i64(const struct maria_rows *rows, int column);
bool maria_is_null(const struct maria_rows *rows, int column);
struct str maria_text(const struct maria_rows *rows, int column, struct arena *arena);
/* As it stands in the row, until the next one. */
struct str maria_octets(const struct maria_rows *rows, int column);
void maria_currency(const struct maria_rows *rows, int column, char currency[4]);

static inline uint64_t maria_u64(const struct maria_rows *rows, int column)
{
    return (uint64_t)maria_i64(rows, column);
}
static inline uint32_t maria_u32(const struct maria_rows *rows, int column)
{
    return (uint32_t)maria_i64(rows, column);
}

/* A statement without values and rows, as it is. */
bool maria_exec(struct maria_store *store, const char *text);
/* Prepares a text of which "?3" is the third value; 'name' is for errors. */
struct maria_rows *maria_prepare(struct maria_store *store, const char *name, const char *text);
bool maria_execute(struct maria_store *store, struct maria_rows *rows,
                   const struct maria_value *values, size_t count);
MYSQL_STMT *maria_handle(struct maria_rows *rows);
void maria_rows_free(struct maria_rows *rows); /* NULL is fine */

/* Notes a failure that the server did not notice; the text is a constant. */
void maria_refuse(struct maria_store *store, const char *text);
/* Notes a failure of the server's, or of the connection to it. */
void maria_fail(struct maria_store *store, unsigned code, const char *message, const char *what);

/* ---- rows to insert: mysql_rows.c ---- */

#define ADD(batch, arena, ...) maria_add((batch), (arena), MARIA_VALUES(__VA_ARGS__))
void maria_add(struct maria_batch *batch, struct arena *arena, const struct maria_value *values,
               size_t count);
/* Writes what was gathered, and makes the batch empty. */
void maria_insert(struct maria_store *store, enum maria_insert which, struct maria_batch *batch,
                  struct arena *arena);

/* Sets of keys, as the statements take them. */
struct maria_set {
    struct buf json;
    size_t count;
};
void maria_set_add(struct maria_set *set, const int64_t *numbers, size_t count); /* 1: no array */
void maria_set_add_text(struct maria_set *set, struct str text);
/* With a number before the text: [7, "text"]. */
void maria_set_add_pair(struct maria_set *set, int64_t number, struct str text);
/* Ends the set; its memory is the arena's from now on. */
struct maria_value maria_set_end(struct maria_set *set, struct arena *arena);

#define SET_ADD(set, ...)                                                                          \
    maria_set_add((set), (const int64_t[]){__VA_ARGS__},                                           \
                  sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* At most 'most' octets of it, in whole characters. */
struct str maria_cut(struct str text, size_t most);
/* The hash that a key is kept as, fit for a set. */
struct str maria_hex(const unsigned char key[16], struct arena *arena);

/* ---- connection and transactions: mysql.c ---- */

/* Sets up a connection that is not there; false, with the status, when it cannot be had. */
bool maria_connect(struct maria_store *store);
void maria_disconnect(struct maria_store *store);
/* From now on, and until the next operation begins. */
void maria_be_patient(struct maria_store *store, int seconds);
/* Brings the connected database up to date and looks at what the operator should know. */
struct maria_opening {
    struct maria_store *store;
    struct arena *arena;
    const char **ret_error;
};
bool maria_open_database(const struct maria_opening *opening, bool migrate);
__attribute__((format(printf, 2, 3))) bool maria_refuse_opening(const struct maria_opening *opening,
                                                                const char *format, ...);

/* A reader's function is a transaction of its own, so that the statements in it see one state.
 * Within a writer's batch it is part of that. */
struct maria_store *maria_begin_read(struct store *store);
enum store_status maria_end_read(struct maria_store *store);
/* Begins the batch's transaction when there is none. */
struct maria_store *maria_begin_write(struct store *store);
/* Ends a transaction that failed, and returns why. */
enum store_status maria_roll_back(struct maria_store *store);
/* Locks the sequences, and reads them. */
void maria_load_sequences(struct maria_store *store);

/* ---- rows of things: mysql_load.c ---- */

struct booking maria_booking_row(const struct maria_rows *rows);
struct event maria_event_row(const struct maria_rows *rows, struct arena *arena);
struct user maria_user_row(const struct maria_rows *rows, struct arena *arena);

/* The ticket types of several events, of each in order of id, once round. 'events' are in no
 * order; each gets a part of one array. */
void maria_types_of(struct maria_store *store, struct event **events, size_t count,
                    struct arena *arena);
/* The numbers of all these bookings that have any, ascending. */
void maria_numbers_of(struct maria_store *store, struct booking **bookings, size_t count,
                      struct arena *arena);

/* Below which bucket nothing is, and above which. */
struct maria_buckets {
    int64_t first, last; /* last < first: none */
};
struct maria_buckets maria_buckets(struct maria_store *store, uint64_t event_id,
                                   struct arena *arena); /* 0: of any event */

/* ---- the parts of the driver ---- */

enum store_status maria_load(struct store *store, struct working_set *set);
enum store_status maria_commit(struct store *store, struct working_set *set);

/* mysql_webhooks.c */
void maria_load_webhooks(struct maria_store *store, struct working_set *set);
void maria_write_webhook(struct maria_store *store, const struct change *change);
enum store_status maria_list_webhooks(struct store *store, uint64_t user_id, struct arena *arena,
                                      struct webhook_list *ret_list);
enum store_status maria_find_webhook(struct store *store, uint64_t id, struct arena *arena,
                                     struct webhook **ret_webhook);

/* mysql_outbox.c; an error is cut to so many octets */
enum { MESSAGE_ERROR_MAX = 1000 };
void maria_load_outbox(struct maria_store *store, struct working_set *set);
void maria_write_outbox(struct maria_store *store, const struct change *change);
enum store_status maria_list_notices(struct store *store, size_t limit, struct arena *arena,
                                     struct notice_list *ret_list);
enum store_status maria_outbox_position(struct store *store, struct outbox_position *ret_position);
enum store_status maria_list_messages(struct store *store, const struct message_query *query,
                                      struct arena *arena, struct message_list *ret_list);
enum store_status maria_due_ways(struct store *store, int64_t now, struct arena *arena,
                                 struct way_list *ret_list);

enum store_status maria_find_event(struct store *store, uint64_t id, struct arena *arena,
                                   struct event **ret_event);
enum store_status maria_search_events(struct store *store, const struct event_query *query,
                                      struct arena *arena, struct event_list *ret_list);
enum store_status maria_find_booking(struct store *store, uint64_t id, struct arena *arena,
                                     struct booking_view **ret_booking);
enum store_status maria_list_bookings(struct store *store, const struct booking_query *query,
                                      struct arena *arena, struct booking_list *ret_list);
enum store_status maria_list_tickets(struct store *store, uint64_t event_id, uint32_t after,
                                     size_t limit, struct arena *arena,
                                     struct ticket_list *ret_list);
enum store_status maria_booking_history(struct store *store, uint64_t booking_id,
                                        struct arena *arena, struct journal_list *ret_list);
enum store_status maria_list_journal(struct store *store, const struct journal_query *query,
                                     struct arena *arena, struct journal_page *ret_page);
enum store_status maria_booking_payments(struct store *store, uint64_t booking_id,
                                         struct arena *arena, struct payment_list *ret_list);
enum store_status maria_find_user(struct store *store, uint64_t id, struct str folded_email,
                                  struct str folded_username, struct arena *arena,
                                  struct user **ret_user);
enum store_status maria_list_users(struct store *store, const struct user_query *query,
                                   struct arena *arena, struct user_list *ret_list);
enum store_status maria_load_directory(struct store *store, struct arena *arena,
                                       struct directory_rows *ret_rows);
enum store_status maria_directory_version(struct store *store, uint64_t *ret_version);
enum store_status maria_check(struct store *store, struct check_figures *ret_figures,
                              void (*breach)(const char *sentence, void *data), void *data);

enum store_status maria_bulk_read(struct store *store, const struct bulk_table *table,
                                  const struct bulk_value *after, size_t limit, struct arena *arena,
                                  struct bulk_rows *ret_rows);
enum store_status maria_bulk_write(struct store *store, const struct bulk_part *parts,
                                   size_t count);

/* The word of which fewest rows begin with it; up to MARIA_MANY, from where on those who match are
 * not gathered first. */
enum { MARIA_MANY = 1000 };
struct maria_rare {
    struct str word;
    int64_t count; /* MARIA_MANY where there are no words either */
};
struct maria_rare maria_rare_word(struct maria_store *store, enum maria_statement count_word,
                                  const struct words *words);

#endif
