/* SPDX-License-Identifier: Apache-2.0 */
/* The rows that prove rules 1 and 7. What must agree with what stands in check.c. */
#include "store/check.h"
#include "store/sqlite_internal.h"

struct rows {
    struct check_source source;
    struct sqlite_store *store;
    sqlite3_stmt *statements[CHECK_ROWS_COUNT];
};

static const enum sqlite_statement statements[CHECK_ROWS_COUNT] = {
#define X(name) STATEMENT_##name,
    CHECK_ROWS(X)
#undef X
};

static void begin(struct check_source *source, enum check_rows which, uint64_t event_id)
{
    struct rows *rows = (struct rows *)source;
    const struct sqlite_value event = NUM(event_id);
    rows->statements[which] =
        sqlite_query(rows->store, statements[which], &event, which == CHECK_HOLDERS ? 1 : 0);
}

static bool next(struct check_source *source, enum check_rows which, int64_t row[CHECK_COLUMNS])
{
    struct rows *rows = (struct rows *)source;
    sqlite3_stmt *statement = rows->statements[which];
    if (!sqlite_next(rows->store, statement)) return false;
    int count = sqlite3_column_count(statement);
    for (int i = 0; i < count; i++)
        row[i] = sqlite3_column_int64(statement, i);
    return true;
}

static bool is_well(const struct check_source *source)
{
    return ((const struct rows *)source)->store->status == STORE_OK;
}

enum store_status sqlite_check(struct store *base, struct check_figures *ret_figures,
                               void (*breach)(const char *sentence, void *data), void *data)
{
    struct rows rows = {.source = {begin, next, is_well}, .store = sqlite_begin_read(base)};
    check_rules(&rows.source, ret_figures, breach, data);
    for (size_t i = 0; i < CHECK_ROWS_COUNT; i++)
        sqlite_end(rows.statements[i]);
    return sqlite_end_read(rows.store);
}
