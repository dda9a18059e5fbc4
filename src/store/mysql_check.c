/* SPDX-License-Identifier: Apache-2.0 */
/* The rows that prove rules 1 and 7, page by page, all of one state. What must agree with what
 * stands in check.c. */
#include "store/check.h"
#include "store/mysql_internal.h"

enum { PAGE = 10000 };

struct rows {
    struct check_source source;
    struct maria_store *store;
    struct {
        struct maria_rows *page;
        uint64_t event_id;
        int64_t last; /* the key of the last row */
        int count;    /* rows of this page so far */
    } of[CHECK_ROWS_COUNT];
};

static const enum maria_statement statements[CHECK_ROWS_COUNT] = {
#define X(name) STATEMENT_##name,
    CHECK_ROWS(X)
#undef X
};

/* These come whole: what they find should not be there. */
static bool is_paged(enum check_rows which)
{
    return which != CHECK_COUNTS && which != CHECK_LINE_BLOCKS && which != CHECK_HOLDERS &&
           which != CHECK_PLACES;
}

static void begin_page(struct rows *rows, enum check_rows which)
{
    const struct maria_value values[] = {NUM(rows->of[which].last), NUM(PAGE),
                                         NUM(rows->of[which].event_id)};
    rows->of[which].page = maria_query(rows->store, statements[which], values, 3);
    rows->of[which].count = 0;
}

static void begin(struct check_source *source, enum check_rows which, uint64_t event_id)
{
    struct rows *rows = (struct rows *)source;
    rows->of[which].last = 0;
    rows->of[which].event_id = event_id;
    begin_page(rows, which);
}

static bool next(struct check_source *source, enum check_rows which, int64_t row[CHECK_COLUMNS])
{
    struct rows *rows = (struct rows *)source;
    if (!maria_next(rows->store, rows->of[which].page)) {
        if (!is_paged(which) || rows->of[which].count < PAGE) return false;
        begin_page(rows, which);
        if (!maria_next(rows->store, rows->of[which].page)) return false;
    }
    int count = maria_columns(rows->of[which].page);
    for (int i = 0; i < count; i++)
        row[i] = maria_i64(rows->of[which].page, i);
    rows->of[which].last = row[0];
    rows->of[which].count++;
    return true;
}

static bool is_well(const struct check_source *source)
{
    return ((const struct rows *)source)->store->status == STORE_OK;
}

enum store_status maria_check(struct store *base, struct check_figures *ret_figures,
                              void (*breach)(const char *sentence, void *data), void *data)
{
    struct rows rows = {.source = {begin, next, is_well}, .store = maria_begin_read(base)};
    maria_be_patient(rows.store, MARIA_PATIENCE_CHECK_S);
    check_rules(&rows.source, ret_figures, breach, data);
    return maria_end_read(rows.store);
}
