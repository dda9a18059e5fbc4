/* SPDX-License-Identifier: Apache-2.0 */
/* Prepared statements: what is bound to them, and what they yield. A result comes into memory
 * whole, so several may be read side by side. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/mysql_internal.h"

#include <errmsg.h>
#include <mysqld_error.h>

enum {
    /* What the headers of the client library do not name. */
    LOCK_NOWAIT_MYSQL = 3572,
    CHECK_VIOLATED_MYSQL = 3819,
    CHECK_VIOLATED_MARIADB = 4025,
    DISCONNECTED_BY_TIMEOUT_MYSQL = 4031,
    SERVER_SHUTDOWN = 1053,
    CONNECTION_KILLED = 1927,
};

struct column {
    bool is_text;
    my_bool is_null;
    int64_t number;
    char *text;
    unsigned long size, len;
};

struct maria_rows {
    const char *name;
    MYSQL_STMT *handle;
    unsigned short *order; /* which value each '?' stands for */
    MYSQL_BIND *parameters;
    unsigned parameter_count;
    unsigned column_count;
    struct column *columns;
    MYSQL_BIND *results;
    bool has_rows; /* a result is being read */
};

static const char *const statement_texts[STATEMENT_COUNT] = {
#define X(name, text) text,
    MARIA_STATEMENTS(X)
#undef X
};

static const char *const statement_names[STATEMENT_COUNT] = {
#define X(name, text) #name,
    MARIA_STATEMENTS(X)
#undef X
};

/* ---- failures ---- */

static bool is_lost(unsigned code)
{
    /* The library's own, of which TLS has another one for the same: a new connection is in order
     * again, whatever it was. */
    if (code >= CR_MIN_ERROR && code <= CR_MAX_ERROR) return true;
    if (code >= CER_MIN_ERROR && code <= CER_MAX_ERROR) return true;
    switch (code) {
    case SERVER_SHUTDOWN:
    case CONNECTION_KILLED:
    case DISCONNECTED_BY_TIMEOUT_MYSQL:
    case ER_UNKNOWN_COM_ERROR:    /* of a Galera node that left the others */
    case ER_UNKNOWN_STMT_HANDLER: /* somebody in between connected us to another server */
        return true;
    default: return false;
    }
}

static enum store_status status_of(unsigned code)
{
    switch (code) {
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_LOCK_DEADLOCK:
    case ER_CHECKREAD:
    case LOCK_NOWAIT_MYSQL: return STORE_BUSY;
    case ER_DUP_ENTRY:
    case ER_BAD_NULL_ERROR:
    case ER_WARN_DATA_OUT_OF_RANGE:
    case ER_DATA_TOO_LONG:
    case ER_DATA_OUT_OF_RANGE:
    case ER_TRUNCATED_WRONG_VALUE:
    case ER_TRUNCATED_WRONG_VALUE_FOR_FIELD:
    case ER_ROW_IS_REFERENCED_2:
    case ER_NO_REFERENCED_ROW_2:
    case CHECK_VIOLATED_MYSQL:
    case CHECK_VIOLATED_MARIADB: return STORE_REFUSED;
    default: return STORE_DOWN;
    }
}

/* Somebody else's process registered that address, or used that key, since this one looked. */
static bool is_race(const char *message, const char *what)
{
    return strstr(message, "users_email") || strstr(message, "users_username") ||
           strcmp(what, "REPLAYS") == 0;
}

/* Do not show these: they quote a value. */
static bool holds_values(unsigned code)
{
    return code == ER_DUP_ENTRY || code == ER_TRUNCATED_WRONG_VALUE ||
           code == ER_TRUNCATED_WRONG_VALUE_FOR_FIELD;
}

void maria_fail(struct maria_store *store, unsigned code, const char *message, const char *what)
{
    if (store->status != STORE_OK) return;
    store->status = status_of(code);
    store->code = code;
    if (code == ER_DUP_ENTRY && is_race(message, what)) store->status = STORE_BUSY;
    snprintf(store->error, sizeof(store->error), "%s: %s (MariaDB %u)", what,
             holds_values(code) ? "a value that does not fit" : message, code);
    if (is_lost(code)) maria_disconnect(store);
}

void maria_refuse(struct maria_store *store, const char *text)
{
    if (store->status != STORE_OK) return;
    store->status = STORE_REFUSED;
    snprintf(store->error, sizeof(store->error), "%s", text);
}

static bool fail_statement(struct maria_store *store, const struct maria_rows *rows)
{
    unsigned code = mysql_stmt_errno(rows->handle);
    char message[ERROR_MAX], name[40]; /* a lost connection takes the statement with it */
    snprintf(message, sizeof(message), "%s", mysql_stmt_error(rows->handle));
    snprintf(name, sizeof(name), "%s", rows->name);
    maria_fail(store, code, message, name);
    return false;
}

bool maria_exec(struct maria_store *store, const char *text)
{
    if (store->status != STORE_OK) return false;
    store->used_us = clock_monotonic_us();
    if (mysql_real_query(store->db, text, strlen(text)) == 0) return true;
    char message[ERROR_MAX];
    snprintf(message, sizeof(message), "%s", mysql_error(store->db));
    maria_fail(store, mysql_errno(store->db), message, text);
    return false;
}

/* ---- preparing ---- */

/* "?3" becomes "?", and where it stood is noted. One without a number is the next value. */
static void take_parameters(struct maria_rows *rows, const char *text, struct buf *plain)
{
    size_t most = 1;
    for (const char *at = text; *at; at++)
        most += *at == '?';
    rows->order = calloc(most, sizeof(*rows->order));
    rows->parameters = calloc(most, sizeof(*rows->parameters));
    if (!rows->order || !rows->parameters) out_of_memory();
    for (const char *at = text; *at; at++) {
        buf_add_char(plain, *at);
        if (*at != '?') continue;
        unsigned number = 0, count = rows->parameter_count++;
        while (at[1] >= '0' && at[1] <= '9')
            number = number * 10 + (unsigned)(*++at - '0');
        rows->order[count] = (unsigned short)(number ? number - 1 : count);
    }
}

static void make_columns(struct maria_rows *rows)
{
    MYSQL_RES *about = mysql_stmt_result_metadata(rows->handle);
    if (!about) return;
    rows->column_count = mysql_num_fields(about);
    rows->columns = calloc(rows->column_count, sizeof(*rows->columns));
    rows->results = calloc(rows->column_count, sizeof(*rows->results));
    if (!rows->columns || !rows->results) out_of_memory();
    const MYSQL_FIELD *fields = mysql_fetch_fields(about);
    for (unsigned i = 0; i < rows->column_count; i++) {
        enum enum_field_types type = fields[i].type;
        rows->columns[i].is_text =
            !(type == MYSQL_TYPE_TINY || type == MYSQL_TYPE_SHORT || type == MYSQL_TYPE_LONG ||
              type == MYSQL_TYPE_INT24 || type == MYSQL_TYPE_LONGLONG);
    }
    mysql_free_result(about);
}

struct maria_rows *maria_prepare(struct maria_store *store, const char *name, const char *text)
{
    if (store->status != STORE_OK) return NULL;
    struct maria_rows *rows = calloc(1, sizeof(*rows));
    if (!rows) out_of_memory();
    rows->name = name;
    rows->handle = mysql_stmt_init(store->db);
    if (!rows->handle) out_of_memory();
    struct buf plain = {0};
    take_parameters(rows, text, &plain);
    my_bool yes = 1;
    mysql_stmt_attr_set(rows->handle, STMT_ATTR_UPDATE_MAX_LENGTH, &yes);
    store->used_us = clock_monotonic_us();
    int failed = mysql_stmt_prepare(rows->handle, plain.data, plain.len);
    buf_free(&plain);
    if (!failed) {
        make_columns(rows);
        return rows;
    }
    unsigned code = mysql_stmt_errno(rows->handle);
    char message[ERROR_MAX];
    snprintf(message, sizeof(message), "%s", mysql_stmt_error(rows->handle));
    maria_rows_free(rows);
    maria_fail(store, code, message, name);
    return NULL;
}

void maria_rows_free(struct maria_rows *rows)
{
    if (!rows) return;
    mysql_stmt_close(rows->handle);
    for (unsigned i = 0; i < rows->column_count; i++)
        free(rows->columns[i].text);
    free(rows->columns);
    free(rows->results);
    free(rows->parameters);
    free(rows->order);
    free(rows);
}

MYSQL_STMT *maria_handle(struct maria_rows *rows)
{
    return rows->handle;
}

/* ---- running ---- */

/* Each column gets as much room as the longest text in it. */
static bool take_result(struct maria_store *store, struct maria_rows *rows)
{
    if (mysql_stmt_store_result(rows->handle) != 0) return fail_statement(store, rows);
    rows->has_rows = true;
    MYSQL_RES *about = mysql_stmt_result_metadata(rows->handle);
    const MYSQL_FIELD *fields = mysql_fetch_fields(about);
    for (unsigned i = 0; i < rows->column_count; i++) {
        struct column *column = &rows->columns[i];
        MYSQL_BIND *bind = &rows->results[i];
        *bind = (MYSQL_BIND){.is_null = &column->is_null, .length = &column->len};
        if (!column->is_text) {
            bind->buffer_type = MYSQL_TYPE_LONGLONG;
            bind->buffer = &column->number;
            bind->buffer_length = sizeof(column->number);
            continue;
        }
        if (fields[i].max_length + 1 > column->size) {
            column->size = fields[i].max_length + 1;
            column->text = realloc(column->text, column->size);
            if (!column->text) out_of_memory();
        }
        bind->buffer_type = MYSQL_TYPE_BLOB;
        bind->buffer = column->text;
        bind->buffer_length = column->size;
    }
    mysql_free_result(about);
    return mysql_stmt_bind_result(rows->handle, rows->results) == 0 || fail_statement(store, rows);
}

static void let_go(struct maria_rows *rows)
{
    if (rows->has_rows) mysql_stmt_free_result(rows->handle);
    rows->has_rows = false;
}

static void bind_value(MYSQL_BIND *bind, const struct maria_value *value)
{
    static const enum enum_field_types types[] = {[MARIA_NULL] = MYSQL_TYPE_NULL,
                                                  [MARIA_NUMBER] = MYSQL_TYPE_LONGLONG,
                                                  [MARIA_TEXT] = MYSQL_TYPE_STRING,
                                                  [MARIA_BLOB] = MYSQL_TYPE_BLOB};
    const void *data = value->kind == MARIA_NUMBER ? (const void *)&value->number
                       : value->text.data          ? (const void *)value->text.data
                                                   : "";
    bind->buffer_type = types[value->kind];
    bind->buffer = (void *)(uintptr_t)data; /* the library only reads it */
    bind->buffer_length = value->text.len;
}

bool maria_execute(struct maria_store *store, struct maria_rows *rows,
                   const struct maria_value *values, size_t count)
{
    if (store->status != STORE_OK) return false;
    let_go(rows);
    for (unsigned i = 0; i < rows->parameter_count; i++) {
        assert(rows->order[i] < count);
        bind_value(&rows->parameters[i], &values[rows->order[i]]);
    }
    store->used_us = clock_monotonic_us();
    if ((rows->parameter_count && mysql_stmt_bind_param(rows->handle, rows->parameters) != 0) ||
        mysql_stmt_execute(rows->handle) != 0)
        return fail_statement(store, rows);
    return rows->column_count == 0 || take_result(store, rows);
}

static struct maria_rows *query_once(struct maria_store *store, enum maria_statement which,
                                     const struct maria_value *values, size_t count)
{
    struct maria_rows **rows = &store->statements[which];
    if (!*rows) *rows = maria_prepare(store, statement_names[which], statement_texts[which]);
    return *rows && maria_execute(store, *rows, values, count) ? *rows : NULL;
}

/* Where the connection was gone before the first statement of a transaction, nothing is lost with
 * it: the server was started anew, say. */
struct maria_rows *maria_query(struct maria_store *store, enum maria_statement which,
                               const struct maria_value *values, size_t count)
{
    if (store->status != STORE_OK) return NULL;
    bool is_first = store->is_fresh, in_transaction = store->in_transaction;
    int patience_s = store->patience_s;
    store->is_fresh = false;
    struct maria_rows *rows = query_once(store, which, values, count);
    if (rows || !is_first || store->db) return rows;
    store->status = STORE_OK;
    if (!maria_connect(store)) return NULL;
    maria_be_patient(store, patience_s);
    store->in_transaction = in_transaction;
    return query_once(store, which, values, count);
}

bool maria_next(struct maria_store *store, struct maria_rows *rows)
{
    if (!rows || store->status != STORE_OK) return false;
    int code = mysql_stmt_fetch(rows->handle);
    if (code == 0) return true;
    if (code == MYSQL_NO_DATA)
        let_go(rows);
    else if (code == MYSQL_DATA_TRUNCATED)
        maria_fail(store, ER_DATA_OUT_OF_RANGE, "a value is larger than it can be", rows->name);
    else
        fail_statement(store, rows);
    return false;
}

int64_t maria_run(struct maria_store *store, enum maria_statement which,
                  const struct maria_value *values, size_t count)
{
    struct maria_rows *rows = maria_query(store, which, values, count);
    return rows ? (int64_t)mysql_stmt_affected_rows(rows->handle) : 0;
}

/* ---- reading ---- */

int maria_columns(const struct maria_rows *rows)
{
    return (int)rows->column_count;
}

int64_t maria_i64(const struct maria_rows *rows, int column)
{
    const struct column *from = &rows->columns[column];
    assert(!from->is_text || from->is_null);
    return from->is_null ? 0 : from->number;
}

bool maria_is_null(const struct maria_rows *rows, int column)
{
    return rows->columns[column].is_null;
}

struct str maria_octets(const struct maria_rows *rows, int column)
{
    const struct column *from = &rows->columns[column];
    assert(from->is_text || from->is_null);
    return from->is_null ? STR("") : (struct str){from->text, from->len};
}

struct str maria_text(const struct maria_rows *rows, int column, struct arena *arena)
{
    return arena_str(arena, maria_octets(rows, column));
}

void maria_currency(const struct maria_rows *rows, int column, char currency[4])
{
    struct str text = maria_octets(rows, column);
    snprintf(currency, 4, "%.*s", STR_FMT(text));
}

int64_t maria_number(struct maria_store *store, struct maria_rows *rows, int64_t fallback)
{
    if (!maria_next(store, rows) || maria_is_null(rows, 0)) return fallback;
    return maria_i64(rows, 0);
}
