/* SPDX-License-Identifier: Apache-2.0 */
/* Whole tables, in and out: see bulk.h. */
#include "store/bulk.h"
#include "store/mysql_internal.h"

static const struct bulk_dialect dialect = {'?', '`', "DIV", true};

/* How much of a column an index holds; 0: it is a text like any other. */
static size_t folded_most(const struct bulk_column *column)
{
    if (strcmp(column->name, "word") == 0) return WORD_MAX;
    return strstr(column->name, "_folded") ? KEY_MAX : 0;
}

static struct maria_value maria_value_of(const struct bulk_value *value,
                                         const struct bulk_table *table, size_t column)
{
    size_t most = folded_most(&table->columns[column]);
    bool is_octets = most || table == bulk_table("settings");
    switch (value->kind) {
    case BULK_NUMBER: return NUM(value->number);
    case BULK_TEXT:
        if (most) return BLOB(maria_cut(value->text, most));
        return is_octets ? BLOB(value->text) : TEXT(value->text);
    case BULK_BLOB: return BLOB(value->text);
    case BULK_NULL: break;
    }
    return NIL;
}

/* ---- reading ---- */

static struct bulk_value column_value(const struct maria_rows *rows, int column,
                                      enum bulk_kind kind, struct arena *arena)
{
    struct bulk_value value = {.kind = kind};
    if (maria_is_null(rows, column))
        value.kind = BULK_NULL;
    else if (kind == BULK_NUMBER)
        value.number = maria_i64(rows, column);
    else
        value.text = maria_text(rows, column, arena);
    return value;
}

enum store_status maria_bulk_read(struct store *base, const struct bulk_table *table,
                                  const struct bulk_value *after, size_t limit, struct arena *arena,
                                  struct bulk_rows *ret_rows)
{
    struct maria_store *store = maria_begin_read(base);
    maria_be_patient(store, MARIA_PATIENCE_SETS_S);
    struct maria_value values[VALUES_MAX];
    size_t count = 0;
    for (; after && count < table->key_count; count++)
        values[count] = maria_value_of(&after[count], table, count);
    values[count++] = NUM(limit);
    struct maria_rows *rows =
        maria_prepare(store, "bulk", bulk_select(dialect, table, after != NULL, arena));
    *ret_rows = (struct bulk_rows){
        .values = ARENA_ARRAY(arena, struct bulk_value, limit * table->column_count)};
    if (rows) maria_execute(store, rows, values, count);
    while (maria_next(store, rows)) {
        struct bulk_value *row = &ret_rows->values[ret_rows->count++ * table->column_count];
        for (size_t i = 0; i < table->column_count; i++)
            row[i] = column_value(rows, (int)i, table->columns[i].kind, arena);
    }
    maria_rows_free(rows);
    return maria_end_read(store);
}

/* ---- writing ---- */

/* Of words that were cut two may have become one. */
static const char *verb(const struct bulk_table *table)
{
    if (table->replaces) return "REPLACE INTO ";
    return folded_most(&table->columns[1]) == WORD_MAX ? "INSERT IGNORE INTO " : "INSERT INTO ";
}

static void write_part(struct maria_store *store, const struct bulk_part *part, struct arena *arena)
{
    const struct bulk_table *table = part->table;
    size_t count = part->rows.count * table->column_count;
    if (count == 0 || store->status != STORE_OK) return;
    struct maria_value *values = ARENA_ARRAY(arena, struct maria_value, count);
    for (size_t i = 0; i < count; i++)
        values[i] = maria_value_of(&part->rows.values[i], table, i % table->column_count);
    struct str text = arena_printf(arena, "%s%s", verb(table),
                                   bulk_values(dialect, table, part->rows.count, arena));
    struct maria_rows *insert = maria_prepare(store, "bulk", text.data);
    if (insert) maria_execute(store, insert, values, count);
    maria_rows_free(insert);
}

/* Of bookings that ended: bookings_ended is no table of all stores. */
static void write_ended(struct maria_store *store, const struct bulk_part *part,
                        struct arena *arena)
{
    enum { ID = 0, STATUS = 5, UPDATED_AT = 9 }; /* columns of the table bookings */
    struct maria_batch ended = {0};
    for (size_t i = 0; i < part->rows.count; i++) {
        const struct bulk_value *row = &part->rows.values[i * part->table->column_count];
        if (!booking_is_active((enum booking_status)row[STATUS].number))
            ADD(&ended, arena, NUM(row[UPDATED_AT].number), NUM(row[ID].number));
    }
    maria_insert(store, INSERT_ENDED, &ended, arena);
}

enum store_status maria_bulk_write(struct store *base, const struct bulk_part *parts, size_t count)
{
    struct maria_store *store = maria_begin_write(base);
    maria_be_patient(store, MARIA_PATIENCE_SETS_S);
    struct arena arena = {0};
    for (size_t i = 0; i < count; i++) {
        write_part(store, &parts[i], &arena);
        if (parts[i].table == bulk_table("bookings")) write_ended(store, &parts[i], &arena);
    }
    arena_free(&arena);
    if (store->status == STORE_OK) maria_exec(store, "COMMIT");
    store->in_transaction = false;
    return store->status == STORE_OK ? STORE_OK : maria_roll_back(store);
}
