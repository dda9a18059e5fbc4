/* SPDX-License-Identifier: Apache-2.0 */
/* Whole tables, in and out: see bulk.h. On a connection beside the store's own, which is in
 * pipeline mode and knows its statements by number; a move is no hurry, and ends when this is lost.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/bulk.h"
#include "store/postgres_internal.h"

static const struct bulk_dialect dialect = {'$', '"', NULL, false};

enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, VALUES_MOST = 65535 };

/* ---- values ---- */

struct parameters {
    int count;
    Oid *types;
    const char **values;
    int *lengths, *formats;
};

static struct parameters parameters_new(struct arena *arena, size_t count)
{
    return (struct parameters){.types = ARENA_ARRAY(arena, Oid, count),
                               .values = ARENA_ARRAY(arena, const char *, count),
                               .lengths = ARENA_ARRAY(arena, int, count),
                               .formats = ARENA_ARRAY(arena, int, count)};
}

static void add_number(struct parameters *parameters, int64_t number, struct arena *arena)
{
    uint64_t *wire = ARENA_NEW(arena, uint64_t);
    int at = parameters->count++;
    *wire = htobe64((uint64_t)number);
    parameters->types[at] = OID_INT8;
    parameters->values[at] = (const char *)wire;
    parameters->lengths[at] = sizeof(*wire);
    parameters->formats[at] = 1;
}

static void add_value(struct parameters *parameters, const struct bulk_value *value,
                      enum bulk_kind kind, struct arena *arena)
{
    if (value->kind == BULK_NUMBER) {
        add_number(parameters, value->number, arena);
        return;
    }
    int at = parameters->count++;
    bool is_null = value->kind == BULK_NULL;
    parameters->types[at] = kind == BULK_NUMBER ? OID_INT8
                            : kind == BULK_TEXT ? OID_TEXT
                                                : OID_BYTEA;
    parameters->values[at] = is_null ? NULL : value->text.data ? value->text.data : "";
    parameters->lengths[at] = (int)value->text.len;
    parameters->formats[at] = 1;
}

/* ---- the connection ---- */

static bool note_result(struct postgres_store *store, const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return true;
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    char text[256];
    snprintf(text, sizeof(text), "bulk: %s (PostgreSQL %s)",
             message ? message : "the connection was lost", code ? code : "?");
    bool is_refusal = code && (strncmp(code, "22", 2) == 0 || strncmp(code, "23", 2) == 0);
    postgres_fail(store, is_refusal ? STORE_REFUSED : STORE_DOWN, text);
    return false;
}

/* NULL after a failure; the caller's otherwise. */
static PGresult *run(struct postgres_store *store, const char *text,
                     const struct parameters *parameters)
{
    static const struct parameters none;
    if (!parameters) parameters = &none;
    if (store->status != STORE_OK) return NULL;
    PGresult *result =
        PQexecParams(store->bulk, text, parameters->count, parameters->types, parameters->values,
                     parameters->lengths, parameters->formats, 1);
    if (note_result(store, result)) return result;
    PQclear(result);
    return NULL;
}

static void run_through(struct postgres_store *store, const char *text,
                        const struct parameters *parameters)
{
    PGresult *result = run(store, text, parameters);
    PQclear(result);
}

static struct postgres_store *begin(struct store *base)
{
    struct postgres_store *store = (struct postgres_store *)base;
    store->status = STORE_OK;
    if (store->bulk && PQstatus(store->bulk) != CONNECTION_OK) {
        PQfinish(store->bulk);
        store->bulk = NULL;
    }
    if (store->bulk) return store;
    store->bulk = postgres_connect(store);
    if (PQstatus(store->bulk) != CONNECTION_OK)
        postgres_fail(store, STORE_DOWN, "the database cannot be reached");
    /* Pages come by an index, also of tables of which nothing is known yet. */
    run_through(store, "SET enable_seqscan = off", NULL);
    run_through(store, "SET enable_sort = off", NULL);
    run_through(store, "SET enable_bitmapscan = off", NULL);
    return store;
}

/* ---- reading ---- */

static struct bulk_value value_of(const PGresult *result, int row, int column, enum bulk_kind kind,
                                  struct arena *arena)
{
    struct bulk_value value = {.kind = kind};
    if (PQgetisnull(result, row, column))
        value.kind = BULK_NULL;
    else if (kind == BULK_NUMBER)
        value.number = postgres_i64(result, row, column);
    else
        value.text = postgres_text(result, row, column, arena);
    return value;
}

enum store_status postgres_bulk_read(struct store *base, const struct bulk_table *table,
                                     const struct bulk_value *after, size_t limit,
                                     struct arena *arena, struct bulk_rows *ret_rows)
{
    struct postgres_store *store = begin(base);
    struct parameters parameters = parameters_new(arena, table->key_count + 1);
    for (size_t i = 0; after && i < table->key_count; i++)
        add_value(&parameters, &after[i], table->columns[i].kind, arena);
    add_number(&parameters, (int64_t)limit, arena);
    PGresult *result = run(store, bulk_select(dialect, table, after != NULL, arena), &parameters);
    size_t count = (size_t)postgres_count(result);
    *ret_rows = (struct bulk_rows){
        .values = ARENA_ARRAY(arena, struct bulk_value, count * table->column_count + 1),
        .count = count};
    for (size_t i = 0; i < count * table->column_count; i++) {
        size_t column = i % table->column_count;
        ret_rows->values[i] = value_of(result, (int)(i / table->column_count), (int)column,
                                       table->columns[column].kind, arena);
    }
    PQclear(result);
    return store->status;
}

/* ---- writing ---- */

static void write_rows(struct postgres_store *store, const struct bulk_table *table,
                       const struct bulk_value *rows, size_t count, const char *conflict,
                       struct arena *arena)
{
    struct parameters parameters = parameters_new(arena, count * table->column_count);
    for (size_t i = 0; i < count * table->column_count; i++)
        add_value(&parameters, &rows[i], table->columns[i % table->column_count].kind, arena);
    struct str text = arena_printf(arena, "INSERT INTO %s%s",
                                   bulk_values(dialect, table, count, arena), conflict);
    run_through(store, text.data, &parameters);
}

/* Sequences are the database's own, and the table of this name is a view on them. */
static void write_sequence(struct postgres_store *store, const struct bulk_value *row,
                           struct arena *arena)
{
    static const struct {
        int64_t sequence;
        const char *name;
    } names[] = {{SEQUENCE_EVENT, "event_ids"},
                 {SEQUENCE_TICKET_TYPE, "ticket_type_ids"},
                 {SEQUENCE_BOOKING, "booking_ids"},
                 {SEQUENCE_USER, "user_ids"},
                 {SEQUENCE_PAYMENT, "payment_ids"},
                 {SEQUENCE_WEBHOOK, "webhook_ids"},
                 {100, "journal_ids"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].sequence != row[0].number) continue;
        struct parameters parameters = parameters_new(arena, 1);
        add_number(&parameters, row[1].number, arena);
        struct str text = arena_printf(arena, "SELECT setval('%s', $1, false)", names[i].name);
        run_through(store, text.data, &parameters);
    }
}

/* One by one: a statement may not meet the same key twice. */
static void replace_row(struct postgres_store *store, const struct bulk_table *table,
                        const struct bulk_value *row, struct arena *arena)
{
    if (table == bulk_table("sequences"))
        write_sequence(store, row, arena);
    else if (table == bulk_table("settings"))
        write_rows(store, table, row, 1, " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                   arena);
    else
        write_rows(store, table, row, 1,
                   " ON CONFLICT (user_id, key) DO UPDATE SET request = excluded.request, "
                   "status = excluded.status, at = excluded.at, "
                   "body = excluded.body",
                   arena);
}

/* Where the database itself counts the ids, it counts on behind what was copied. */
static void count_on(struct postgres_store *store, const struct bulk_table *table)
{
    if (table == bulk_table("notices"))
        run_through(store,
                    "SELECT setval(pg_get_serial_sequence('notices', 'id'), max(id)) FROM notices",
                    NULL);
    if (table == bulk_table("outbox"))
        run_through(store,
                    "SELECT setval(pg_get_serial_sequence('outbox', 'id'), max(id)) FROM outbox",
                    NULL);
}

static void write_part(struct postgres_store *store, const struct bulk_part *part)
{
    const struct bulk_table *table = part->table;
    size_t at_once = table->replaces ? 1 : VALUES_MOST / table->column_count;
    struct arena arena = {0};
    for (size_t at = 0, count; at < part->rows.count && store->status == STORE_OK; at += count) {
        const struct bulk_value *rows = &part->rows.values[at * table->column_count];
        count = part->rows.count - at < at_once ? part->rows.count - at : at_once;
        arena_reset(&arena);
        if (table->replaces)
            replace_row(store, table, rows, &arena);
        else
            write_rows(store, table, rows, count, "", &arena);
    }
    count_on(store, table);
    arena_free(&arena);
}

enum store_status postgres_bulk_write(struct store *base, const struct bulk_part *parts,
                                      size_t count)
{
    struct postgres_store *store = begin(base);
    run_through(store, "BEGIN", NULL);
    for (size_t i = 0; i < count; i++)
        write_part(store, &parts[i]);
    run_through(store, "COMMIT", NULL);
    enum store_status status = store->status;
    if (status == STORE_OK) return status;
    PGresult *result = PQexec(store->bulk, "ROLLBACK"); /* of a lost one it is over anyway */
    PQclear(result);
    return status;
}
