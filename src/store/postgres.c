/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL: a server, any number of writers. The connection, statements in a pipeline,
 * transactions, settings. It is opened in postgres_open.c; what is loaded, written, found and
 * checked is in postgres_load.c, postgres_commit.c, postgres_read.c, postgres_journal.c,
 * postgres_search.c and postgres_check.c.
 *
 * A connection that was lost is opened again by the next operation, and whatever was going on has
 * failed. */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/postgres_internal.h"

enum {
    RETRY_US = 250 * 1000, /* between attempts to connect */
    IDLE_US = 5000 * 1000, /* unused for so long, a connection is looked at before it is used ... */
    ALIVE_MS = 2000,       /* ... and must answer in this time */
    ARRAY_HEADER = 20,
};

static const struct {
    const char *name, *types, *text;
} statements[STATEMENT_COUNT] = {
#define X(name, types, text) {#name, types, text},
    POSTGRES_STATEMENTS(X)
#undef X
};

/* pg_type.dat, where these have been the same since ever. */
enum {
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_TEXT = 25,
    OID_BYTEA_ARRAY = 1001,
    OID_TEXT_ARRAY = 1009,
    OID_INT8_ARRAY = 1016,
};

static Oid oid_of(char type)
{
    switch (type) {
    case 'n': return OID_INT8;
    case 't': return OID_TEXT;
    case 'b': return OID_BYTEA;
    case 'N': return OID_INT8_ARRAY;
    case 'T': return OID_TEXT_ARRAY;
    default: assert(type == 'B'); return OID_BYTEA_ARRAY;
    }
}

/* ---- failures ---- */

void postgres_fail(struct postgres_store *store, enum store_status status, const char *text)
{
    if (store->status != STORE_OK) return;
    assert(status != STORE_OK);
    store->status = status;
    snprintf(store->error, sizeof(store->error), "%s", text);
}

static const char *postgres_error(const struct store *base)
{
    return ((const struct postgres_store *)base)->error;
}

/* What was sent and not answered, the transaction, the prepared statements: all gone with it. */
static void forget_connection(struct postgres_store *store)
{
    PQfinish(store->connection);
    store->connection = NULL;
    store->in_transaction = false;
    memset(store->prepared, 0, sizeof(store->prepared));
    buf_clear(&store->expected);
    store->expected_at = 0;
    store->locked.count = 0;
}

static void lose_connection(struct postgres_store *store)
{
    char text[256];
    const char *message = PQerrorMessage(store->connection);
    if (!*message) message = "the server is silent";
    snprintf(text, sizeof(text), "the connection was lost: %.*s", (int)strcspn(message, "\n"),
             message);
    postgres_fail(store, store->committing ? STORE_UNKNOWN : STORE_DOWN, text);
    forget_connection(store);
}

static bool code_is(const char *code, const char *begins)
{
    return strncmp(code, begins, strlen(begins)) == 0;
}

/* Two people at once: the other one was faster, and the next try sees that. */
static bool somebody_was_faster(const PGresult *result, const char *code,
                                enum postgres_statement which)
{
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    if (code_is(code, "22012")) return which == STATEMENT_REPLAYS_INSERT;
    return code_is(code, "23505") && constraint &&
           (strcmp(constraint, "users_email") == 0 || strcmp(constraint, "users_username") == 0);
}

static enum store_status status_of(const PGresult *result, const char *code,
                                   enum postgres_statement which)
{
    static const char *const busy[] = {
        "40",    /* serialization failure, deadlock */
        "55P03", /* lock not available, or not in time */
        "57014", /* cancelled by whoever looks after the server */
        "0A000", /* a migration changed what a prepared statement yields */
    };
    if (somebody_was_faster(result, code, which)) return STORE_BUSY;
    for (size_t i = 0; i < sizeof(busy) / sizeof(busy[0]); i++)
        if (code_is(code, busy[i])) return STORE_BUSY;
    return code_is(code, "22") || code_is(code, "23") ? STORE_REFUSED : STORE_DOWN;
}

/* The primary message names tables, columns and constraints; values stand in its details. */
static void fail_by_result(struct postgres_store *store, const PGresult *result,
                           enum postgres_statement which)
{
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (!code) return; /* the connection: it is looked at elsewhere */
    char text[256];
    snprintf(text, sizeof(text), "%s: %s (PostgreSQL %s)", statements[which].name,
             message ? message : "", code);
    postgres_fail(store, status_of(result, code, which), text);
}

/* After these the connection is of no use: what it has prepared does not fit the tables any more,
 * or it leads to a server that does not write (any more). */
static bool must_reconnect(const PGresult *result)
{
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return code && (code_is(code, "0A000") || code_is(code, "26000") || code_is(code, "25006"));
}

/* ---- arrays ---- */

static void put_u32(char *at, uint32_t value)
{
    value = htobe32(value);
    memcpy(at, &value, sizeof(value));
}

void postgres_array_clear(struct postgres_array *array)
{
    array->count = 0;
    buf_clear(&array->data);
    buf_reserve(&array->data, ARRAY_HEADER);
    array->data.len = ARRAY_HEADER; /* filled in when it is bound */
}

void postgres_array_number(struct postgres_array *array, int64_t number)
{
    char item[12];
    uint64_t value = htobe64((uint64_t)number);
    put_u32(item, sizeof(value));
    memcpy(item + 4, &value, sizeof(value));
    buf_add(&array->data, item, sizeof(item));
    array->count++;
}

void postgres_array_text(struct postgres_array *array, struct str text)
{
    char len[4];
    put_u32(len, (uint32_t)text.len);
    buf_add(&array->data, len, sizeof(len));
    buf_add_str(&array->data, text);
    array->count++;
}

static struct str array_finish(struct postgres_array *array, char type)
{
    const Oid item = type == 'N' ? OID_INT8 : type == 'T' ? OID_TEXT : OID_BYTEA;
    const uint32_t header[] = {1 /* dimension */, 0 /* NULLs */, item, array->count, 1};
    for (size_t i = 0; i < sizeof(header) / sizeof(header[0]); i++)
        put_u32(array->data.data + 4 * i, header[i]);
    return buf_str(&array->data);
}

struct postgres_array *postgres_fresh(struct postgres_store *store, size_t column)
{
    struct postgres_array *array = &store->rows[ROWS_LAST].columns[column];
    postgres_array_clear(array);
    return array;
}

struct postgres_array *postgres_words(struct postgres_store *store, size_t column,
                                      const struct words *words)
{
    struct postgres_array *array = postgres_fresh(store, column);
    for (size_t i = 0; i < words->count; i++)
        postgres_array_text(array, words->items[i]);
    return array;
}

/* ---- statements ----
 *
 * What was sent stands in 'expected', in order: a statement; one whose rows nobody asks for; one
 * that was only prepared; or the end of a piece, after which the server answers and forgets
 * errors. */

enum { EXPECT_NO_ROWS = 1 << 13, EXPECT_PREPARED = 1 << 14, EXPECT_END = 1 << 15 };
enum { EXPECTED_STATEMENT = EXPECT_NO_ROWS - 1 };
static_assert((int)STATEMENT_COUNT <= (int)EXPECTED_STATEMENT,
              "statements and flags share a number");

static void expect(struct postgres_store *store, unsigned what)
{
    uint16_t item = (uint16_t)what;
    buf_add(&store->expected, &item, sizeof(item));
}

static bool next_expected(struct postgres_store *store, unsigned *ret_what)
{
    uint16_t item;
    if (store->expected_at == store->expected.len) {
        buf_clear(&store->expected);
        store->expected_at = 0;
        return false;
    }
    memcpy(&item, store->expected.data + store->expected_at, sizeof(item));
    store->expected_at += sizeof(item);
    *ret_what = item;
    return true;
}

static bool prepare(struct postgres_store *store, enum postgres_statement which)
{
    Oid oids[POSTGRES_VALUES_MAX];
    size_t count = strlen(statements[which].types);
    assert(count <= POSTGRES_VALUES_MAX);
    if (store->prepared[which]) return true;
    for (size_t i = 0; i < count; i++)
        oids[i] = oid_of(statements[which].types[i]);
    if (!PQsendPrepare(store->connection, statements[which].name, statements[which].text,
                       (int)count, oids))
        return false;
    store->prepared[which] = true;
    expect(store, EXPECT_PREPARED | which);
    return true;
}

static void send(struct postgres_store *store, enum postgres_statement which, unsigned flags,
                 const struct postgres_value *values, size_t count)
{
    const char *data[POSTGRES_VALUES_MAX];
    int lengths[POSTGRES_VALUES_MAX], formats[POSTGRES_VALUES_MAX];
    uint64_t numbers[POSTGRES_VALUES_MAX];
    if (store->status != STORE_OK) return;
    assert(store->connection && count == strlen(statements[which].types));
    for (size_t i = 0; i < count; i++) {
        struct str value = {NULL, 0};
        if (values[i].kind == POSTGRES_NUMBER) {
            numbers[i] = htobe64((uint64_t)values[i].number);
            value = (struct str){(const char *)&numbers[i], sizeof(numbers[i])};
        } else if (values[i].kind == POSTGRES_TEXT) {
            value = values[i].text.data ? values[i].text : STR("");
        } else if (values[i].kind == POSTGRES_ARRAY) {
            value = array_finish(values[i].array, statements[which].types[i]);
        }
        data[i] = value.data; /* NULL is NULL */
        lengths[i] = (int)value.len;
        formats[i] = 1;
    }
    if (prepare(store, which) && PQsendQueryPrepared(store->connection, statements[which].name,
                                                     (int)count, data, lengths, formats, 1))
        expect(store, which | flags);
    else
        lose_connection(store);
}

void postgres_send(struct postgres_store *store, enum postgres_statement which,
                   const struct postgres_value *values, size_t count)
{
    send(store, which, 0, values, count);
}

void postgres_write(struct postgres_store *store, enum postgres_statement which,
                    const struct postgres_value *values, size_t count)
{
    send(store, which, EXPECT_NO_ROWS, values, count);
}

bool postgres_await(const struct postgres_store *store, short events)
{
    struct pollfd ready = {.fd = PQsocket(store->connection), .events = events};
    int moved, most_ms = store->patience_ms;
    if (store_is_hurried() && most_ms > HURRIED_PATIENCE_S * 1000)
        most_ms = HURRIED_PATIENCE_S * 1000;
    do
        moved = poll(&ready, 1, most_ms);
    while (moved < 0 && errno == EINTR);
    if (moved <= 0) return false;
    return !(ready.revents & ~POLLOUT) || PQconsumeInput(store->connection);
}

/* Both ways at once: the server may stop reading until its answers are taken. */
static bool flush(const struct postgres_store *store)
{
    int left;
    while ((left = PQflush(store->connection)) > 0)
        if (!postgres_await(store, POLLIN | POLLOUT)) return false;
    return left == 0;
}

void postgres_sync(struct postgres_store *store)
{
    if (store->status != STORE_OK) return;
    if (PQpipelineSync(store->connection)) {
        expect(store, EXPECT_END);
        store->used_us = clock_monotonic_us();
        if (flush(store)) return;
    }
    lose_connection(store);
}

static PGresult *one_result(const struct postgres_store *store)
{
    while (PQisBusy(store->connection))
        if (!postgres_await(store, POLLIN)) return NULL;
    return PQgetResult(store->connection);
}

/* Of a statement there is one result, and a NULL behind it. NULL: the connection is lost. */
static PGresult *take_result(struct postgres_store *store, unsigned what)
{
    PGresult *result = one_result(store);
    if (result && !(what & EXPECT_END)) PQclear(one_result(store));
    return result;
}

/* NULL where it failed, which is noted unless that was before. */
static PGresult *look_at(struct postgres_store *store, PGresult *result, unsigned what)
{
    enum postgres_statement which = (enum postgres_statement)(what & EXPECTED_STATEMENT);
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK: return result;
    case PGRES_PIPELINE_SYNC: break;
    case PGRES_FATAL_ERROR: fail_by_result(store, result, which); /* fall through */
    default:
        if (what & EXPECT_PREPARED) store->prepared[which] = false;
    }
    bool of_no_use = must_reconnect(result);
    PQclear(result);
    if (of_no_use) forget_connection(store);
    return NULL;
}

/* Takes the next answer, and notes its failure; its rows where they were asked for. */
static PGresult *take(struct postgres_store *store, unsigned what)
{
    PGresult *result = take_result(store, what);
    if (!result || PQstatus(store->connection) == CONNECTION_BAD) {
        fail_by_result(store, result, STATEMENT_PING); /* "terminating connection because ..." */
        if (store->committing && store->status != STORE_OK) store->status = STORE_UNKNOWN;
        PQclear(result);
        lose_connection(store);
        return NULL;
    }
    return look_at(store, result, what);
}

PGresult *postgres_result(struct postgres_store *store)
{
    unsigned what;
    while (store->status == STORE_OK) {
        bool more = next_expected(store, &what);
        assert(more);
        (void)more;
        PGresult *result = take(store, what);
        if (what <= EXPECTED_STATEMENT) return result;
        PQclear(result);
    }
    return NULL;
}

void postgres_finish(struct postgres_store *store)
{
    unsigned what;
    while (store->status == STORE_OK && next_expected(store, &what))
        PQclear(take(store, what));
}

PGresult *postgres_query(struct postgres_store *store, enum postgres_statement which,
                         const struct postgres_value *values, size_t count)
{
    postgres_send(store, which, values, count);
    postgres_sync(store);
    return postgres_result(store);
}

/* Takes what is still to come, after a failure or of what nobody waited for. */
static void drain(struct postgres_store *store)
{
    unsigned what;
    while (store->connection && next_expected(store, &what)) {
        PGresult *result = take_result(store, what);
        if (!result || PQstatus(store->connection) == CONNECTION_BAD) {
            PQclear(result);
            forget_connection(store);
            return;
        }
        if (what & EXPECT_PREPARED && PQresultStatus(result) != PGRES_COMMAND_OK)
            store->prepared[what & EXPECTED_STATEMENT] = false;
        PQclear(result);
    }
}

/* ---- rows ---- */

int64_t postgres_i64(const PGresult *rows, int row, int column)
{
    const char *data = PQgetvalue(rows, row, column);
    uint64_t wide;
    uint32_t middle;
    uint16_t narrow;
    if (PQgetisnull(rows, row, column)) return 0;
    switch (PQgetlength(rows, row, column)) {
    case sizeof(wide): memcpy(&wide, data, sizeof(wide)); return (int64_t)be64toh(wide);
    case sizeof(middle): memcpy(&middle, data, sizeof(middle)); return (int32_t)be32toh(middle);
    default:
        assert(PQgetlength(rows, row, column) == sizeof(narrow));
        memcpy(&narrow, data, sizeof(narrow));
        return (int16_t)be16toh(narrow);
    }
}

struct str postgres_peek(const PGresult *rows, int row, int column)
{
    return (struct str){PQgetvalue(rows, row, column), (size_t)PQgetlength(rows, row, column)};
}

struct str postgres_text(const PGresult *rows, int row, int column, struct arena *arena)
{
    return arena_str(arena, postgres_peek(rows, row, column));
}

void postgres_currency(const PGresult *rows, int row, int column, char currency[4])
{
    snprintf(currency, 4, "%.*s", STR_FMT(postgres_peek(rows, row, column)));
}

int64_t postgres_number(PGresult *rows)
{
    int64_t number = postgres_count(rows) ? postgres_i64(rows, 0, 0) : 0;
    PQclear(rows);
    return number;
}

/* ---- operations ---- */

/* Nobody should have said anything. A server that went away has: it is noticed here, before an
 * operation fails by it. */
static void look_for_end(struct postgres_store *store)
{
    struct pollfd ready = {.fd = PQsocket(store->connection), .events = POLLIN};
    if (poll(&ready, 1, 0) != 0) forget_connection(store);
}

/* A network that lost its way ends nothing: whoever uses the connection would wait in vain. */
static void look_whether_alive(struct postgres_store *store)
{
    if (clock_monotonic_us() - store->used_us < IDLE_US) return;
    PQclear(QUERY(store, PING));
    if (store->status != STORE_OK && store->connection) forget_connection(store);
    store->status = STORE_OK;
}

static void reconnect(struct postgres_store *store)
{
    if (clock_monotonic_us() < store->retry_us || store_is_hurried()) {
        postgres_fail(store, STORE_DOWN, "the database could not be reached a moment ago");
        return;
    }
    store->connection = postgres_connect(store);
    char text[256] = "";
    if (PQstatus(store->connection) != CONNECTION_OK) {
        const char *message = PQerrorMessage(store->connection);
        snprintf(text, sizeof(text), "%.*s", (int)strcspn(message, "\n"), message);
    } else if (!postgres_set_up(store)) {
        snprintf(text, sizeof(text), "%s", store->error);
    }
    if (!text[0]) return;
    store->retry_us = clock_monotonic_us() + RETRY_US;
    postgres_fail(store, STORE_DOWN, text);
    forget_connection(store);
}

static void begin_operation(struct postgres_store *store)
{
    store->status = STORE_OK;
    store->committing = false;
    store->patience_ms = ALIVE_MS;
    if (!store->in_transaction) { /* otherwise it goes on, or fails by itself */
        if (store->connection) drain(store);
        if (store->connection) look_for_end(store);
        if (store->connection) look_whether_alive(store);
        if (!store->connection) reconnect(store);
    }
    store->patience_ms = POSTGRES_PATIENCE_MS;
}

static void begin_transaction(struct postgres_store *store, enum postgres_statement how)
{
    postgres_write(store, how, NULL, 0);
    store->in_transaction = store->status == STORE_OK;
}

/* Nobody waits for the answer: the next operation takes it. */
static void end_transaction(struct postgres_store *store, enum postgres_statement how)
{
    postgres_write(store, how, NULL, 0);
    postgres_sync(store);
    store->in_transaction = false;
}

struct postgres_store *postgres_begin_write(struct store *base)
{
    struct postgres_store *store = (struct postgres_store *)base;
    assert(store->mode == STORE_WRITE);
    begin_operation(store);
    return store;
}

void postgres_want_begin(struct postgres_store *store)
{
    if (store->in_transaction || store->status != STORE_OK) return;
    store->locked.count = 0;
    begin_transaction(store, STATEMENT_BEGIN_WRITE);
}

enum store_status postgres_roll_back(struct postgres_store *store)
{
    enum store_status status = store->status;
    char error[sizeof(store->error)];
    memcpy(error, store->error, sizeof(error));
    store->status = STORE_OK;
    store->committing = false;
    if (store->in_transaction) end_transaction(store, STATEMENT_ROLLBACK);
    store->status = status;
    memcpy(store->error, error, sizeof(error));
    return status;
}

static void postgres_abandon(struct store *base)
{
    struct postgres_store *store = (struct postgres_store *)base;
    store->status = STORE_OK;
    postgres_roll_back(store);
}

struct postgres_store *postgres_begin_read(struct store *base, bool many)
{
    struct postgres_store *store = (struct postgres_store *)base;
    begin_operation(store);
    store->reads_alone = !store->in_transaction && many;
    if (store->reads_alone) begin_transaction(store, STATEMENT_BEGIN_READ);
    return store;
}

enum store_status postgres_end_read(struct postgres_store *store)
{
    if (store->status != STORE_OK) return postgres_roll_back(store);
    if (store->reads_alone) end_transaction(store, STATEMENT_COMMIT);
    return store->status;
}

/* ---- the rest of the driver ---- */

/* The row of the batch is written by its transaction, or by this: whoever comes second waits for
 * the first, and fails. So what this finds undone stays undone, also where the server is still
 * about to do it. */
static enum store_status postgres_was_committed(struct store *base, bool *ret_committed)
{
    struct postgres_store *store = (struct postgres_store *)base;
    if (store->last_commit == STORE_UNKNOWN) {
        begin_operation(store);
        PGresult *rows = QUERY(store, BATCH_CLAIM, NUM(store->batch_id), NUM(store->batch_at));
        if (store->status == STORE_OK)
            store->last_commit = postgres_count(rows) ? STORE_DOWN : STORE_OK;
        PQclear(rows);
        if (store->status != STORE_OK) return STORE_DOWN;
    }
    *ret_committed = store->last_commit == STORE_OK;
    return STORE_OK;
}

static enum store_status postgres_setting(struct store *base, const char *name, struct str fallback,
                                          struct arena *arena, struct str *ret_value)
{
    struct postgres_store *store = (struct postgres_store *)base;
    assert(!store->in_transaction); /* it is a transaction of its own */
    postgres_begin_read(base, false);
    if (store->mode == STORE_WRITE)
        WRITE(store, SETTING_INSERT, TEXT(str_of(name)), TEXT(fallback));
    PGresult *rows = QUERY(store, SETTING, TEXT(str_of(name)));
    if (postgres_count(rows))
        *ret_value = postgres_text(rows, 0, 0, arena);
    else
        postgres_fail(store, STORE_REFUSED, "a setting is not there, and a reader cannot make it");
    PQclear(rows);
    return postgres_end_read(store);
}

static enum store_status postgres_ping(struct store *base)
{
    struct postgres_store *store = postgres_begin_read(base, false);
    if (postgres_number(QUERY(store, PING)) == 0) return postgres_end_read(store);
    postgres_fail(store, STORE_DOWN, "the server is a standby: it does not write");
    forget_connection(store);
    return store->status;
}

static enum store_status postgres_backup(struct store *base, const char *path, struct arena *arena,
                                         const char **ret_error)
{
    (void)base;
    *ret_error = arena_printf(arena,
                              "admit copies embedded stores only. Copy this one with PostgreSQL's "
                              "own tool: pg_dump --format=custom --file=%s DATABASE_URL",
                              path)
                     .data;
    return STORE_REFUSED;
}

void postgres_free(struct postgres_store *store)
{
    if (store->connection) PQfinish(store->connection);
    if (store->bulk) PQfinish(store->bulk);
    for (size_t i = 0; i < ROWS_COUNT; i++)
        for (size_t j = 0; j < POSTGRES_COLUMNS_MAX; j++)
            buf_free(&store->rows[i].columns[j].data);
    buf_free(&store->expected);
    free(store->locked.ids);
    free(store->url);
    free(store);
}

static void postgres_close(struct store *base)
{
    postgres_free((struct postgres_store *)base);
}

const struct store_driver postgres_driver = {
    .scheme = "postgres",
    .alias = "postgresql",
    .shared = true,
    .open = postgres_open,
    .close = postgres_close,
    .error = postgres_error,
    .load = postgres_load,
    .commit = postgres_commit,
    .abandon = postgres_abandon,
    .was_committed = postgres_was_committed,
    .setting = postgres_setting,
    .ping = postgres_ping,
    .find_event = postgres_find_event,
    .search_events = postgres_search_events,
    .find_booking = postgres_find_booking,
    .list_bookings = postgres_list_bookings,
    .list_tickets = postgres_list_tickets,
    .booking_history = postgres_booking_history,
    .list_journal = postgres_list_journal,
    .booking_payments = postgres_booking_payments,
    .find_user = postgres_find_user,
    .list_users = postgres_list_users,
    .load_directory = postgres_load_directory,
    .directory_version = postgres_directory_version,
    .list_notices = postgres_list_notices,
    .outbox_position = postgres_outbox_position,
    .list_messages = postgres_list_messages,
    .due_ways = postgres_due_ways,
    .list_webhooks = postgres_list_webhooks,
    .find_webhook = postgres_find_webhook,
    .backup = postgres_backup,
    .check = postgres_check,
    .bulk_read = postgres_bulk_read,
    .bulk_write = postgres_bulk_write,
};
