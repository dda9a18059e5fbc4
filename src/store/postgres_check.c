/* SPDX-License-Identifier: Apache-2.0 */
/* The rows that prove rules 1 and 7, from cursors. What must agree with what stands in check.c. */
#include "store/check.h"
#include "store/postgres_internal.h"

struct rows {
    struct check_source source;
    struct postgres_store *store;
    struct {
        PGresult *part; /* the rows that were fetched last */
        int at;
    } cursors[CHECK_ROWS_COUNT];
};

/* DECLARE; behind it FETCH and CLOSE. */
static const enum postgres_statement declares[CHECK_ROWS_COUNT] = {
#define X(name) STATEMENT_##name,
    CHECK_ROWS(X)
#undef X
};

static void fetch(struct rows *rows, enum check_rows which)
{
    PQclear(rows->cursors[which].part);
    rows->cursors[which].at = 0;
    rows->cursors[which].part =
        postgres_query(rows->store, (enum postgres_statement)(declares[which] + 1), NULL, 0);
}

static void begin(struct check_source *source, enum check_rows which, uint64_t event_id)
{
    struct rows *rows = (struct rows *)source;
    const struct postgres_value event = NUM(event_id);
    postgres_write(rows->store, declares[which], &event, which == CHECK_HOLDERS ? 1 : 0);
    fetch(rows, which);
}

static bool next(struct check_source *source, enum check_rows which, int64_t row[CHECK_COLUMNS])
{
    struct rows *rows = (struct rows *)source;
    if (rows->cursors[which].part &&
        rows->cursors[which].at == PQntuples(rows->cursors[which].part))
        fetch(rows, which);
    const PGresult *part = rows->cursors[which].part;
    if (!postgres_count(part)) {
        postgres_write(rows->store, (enum postgres_statement)(declares[which] + 2), NULL, 0);
        PQclear(rows->cursors[which].part);
        rows->cursors[which].part = NULL;
        return false;
    }
    int at = rows->cursors[which].at++, count = PQnfields(part);
    for (int i = 0; i < count; i++)
        row[i] = postgres_i64(part, at, i);
    return true;
}

static bool is_well(const struct check_source *source)
{
    return ((const struct rows *)source)->store->status == STORE_OK;
}

enum store_status postgres_check(struct store *base, struct check_figures *ret_figures,
                                 void (*breach)(const char *sentence, void *data), void *data)
{
    struct rows rows = {.source = {begin, next, is_well}, .store = postgres_begin_read(base, true)};
    rows.store->patience_ms = POSTGRES_PATIENCE_CHECK_MS;
    postgres_write(rows.store, STATEMENT_CHECK_PLANS, NULL, 0);
    check_rules(&rows.source, ret_figures, breach, data);
    for (size_t i = 0; i < CHECK_ROWS_COUNT; i++)
        PQclear(rows.cursors[i].part);
    return postgres_end_read(rows.store);
}
