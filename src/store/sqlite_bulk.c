/* SPDX-License-Identifier: Apache-2.0 */
/* Whole tables, in and out: see bulk.h. */
#include "store/bulk.h"
#include "store/sqlite_internal.h"

static const struct bulk_dialect dialect = {'?', '"', NULL, false};

/* NULL after a failure. */
static sqlite3_stmt *prepare(struct sqlite_store *store, const char *text)
{
    sqlite3_stmt *statement = NULL;
    if (store->status == STORE_OK && sqlite3_prepare_v2(store->db, text, -1, &statement, NULL))
        sqlite_fail(store, sqlite3_errcode(store->db), "bulk");
    return statement;
}

static struct sqlite_value sqlite_value_of(const struct bulk_value *value)
{
    switch (value->kind) {
    case BULK_NUMBER: return NUM(value->number);
    case BULK_TEXT: return TEXT(value->text);
    case BULK_BLOB: return BLOB(value->text);
    case BULK_NULL: break;
    }
    return NIL;
}

static void bind_all(struct sqlite_store *store, sqlite3_stmt *statement,
                     const struct bulk_value *values, size_t count)
{
    for (size_t i = 0; i < count && store->status == STORE_OK; i++) {
        struct sqlite_value value = sqlite_value_of(&values[i]);
        int code = sqlite_bind(statement, (int)i + 1, &value);
        if (code != SQLITE_OK) sqlite_fail(store, code, "bulk");
    }
}

static struct bulk_value column_value(sqlite3_stmt *rows, int column, enum bulk_kind kind,
                                      struct arena *arena)
{
    struct bulk_value value = {.kind = kind};
    if (sqlite3_column_type(rows, column) == SQLITE_NULL)
        value.kind = BULK_NULL;
    else if (kind == BULK_NUMBER)
        value.number = sqlite3_column_int64(rows, column);
    else
        value.text = sqlite_text(rows, column, arena);
    return value;
}

enum store_status sqlite_bulk_read(struct store *base, const struct bulk_table *table,
                                   const struct bulk_value *after, size_t limit,
                                   struct arena *arena, struct bulk_rows *ret_rows)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    sqlite3_stmt *rows = prepare(store, bulk_select(dialect, table, after != NULL, arena));
    size_t keys = after ? table->key_count : 0;
    bind_all(store, rows, after, keys);
    if (rows) sqlite3_bind_int64(rows, (int)keys + 1, (int64_t)limit);
    *ret_rows = (struct bulk_rows){
        .values = ARENA_ARRAY(arena, struct bulk_value, limit * table->column_count)};
    while (sqlite_next(store, rows)) {
        struct bulk_value *row = &ret_rows->values[ret_rows->count++ * table->column_count];
        for (size_t i = 0; i < table->column_count; i++)
            row[i] = column_value(rows, (int)i, table->columns[i].kind, arena);
    }
    sqlite3_finalize(rows);
    return sqlite_end_read(store);
}

/* Row by row: within the process a statement costs no round trip. */
static void write_part(struct sqlite_store *store, const struct bulk_part *part,
                       struct arena *arena)
{
    const struct bulk_table *table = part->table;
    struct str text = arena_printf(arena, "INSERT %s INTO %s", table->replaces ? "OR REPLACE" : "",
                                   bulk_values(dialect, table, 1, arena));
    sqlite3_stmt *insert = prepare(store, text.data);
    for (size_t i = 0; i < part->rows.count && store->status == STORE_OK; i++) {
        bind_all(store, insert, &part->rows.values[i * table->column_count], table->column_count);
        while (sqlite_next(store, insert)) {
        }
    }
    sqlite3_finalize(insert);
}

enum store_status sqlite_bulk_write(struct store *base, const struct bulk_part *parts, size_t count)
{
    struct sqlite_store *store = sqlite_begin_write(base);
    struct arena arena = {0};
    for (size_t i = 0; i < count; i++)
        write_part(store, &parts[i], &arena);
    arena_free(&arena);
    RUN(store, COMMIT);
    return store->status == STORE_OK ? STORE_OK : sqlite_roll_back(store);
}
