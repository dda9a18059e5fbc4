/* SPDX-License-Identifier: Apache-2.0 */
/* bulk.h -- everything that a store keeps, as rows of plain values: for moving it into another one.
 *
 * Every store has the tables of schema/sqlite/001_initial.sql under the same names, so they are
 * listed once, here, and a driver reads and writes any of them by that list. What only one of them
 * has (indexes, helpers of its own) is not moved. */
#ifndef STORE_BULK_H
#define STORE_BULK_H

#include "store/store.h"

enum bulk_kind { BULK_NUMBER, BULK_TEXT, BULK_BLOB, BULK_NULL };

enum { BULK_COLUMNS_MAX = 16 };

struct bulk_column {
    const char *name;
    enum bulk_kind kind;
};

struct bulk_table {
    const char *name;
    size_t key_count;    /* the first columns are the key; rows are read in its order */
    size_t page;         /* so many rows are moved at once: by their size */
    size_t column_count; /* any column but those of the key may be NULL */
    /* What is written takes the place of what is there. Elsewhere rows are new. */
    bool replaces;
    struct bulk_column columns[BULK_COLUMNS_MAX];
};

/* In an order in which rows come after those that they refer to; settings last. */
extern const struct bulk_table bulk_tables[];
extern const size_t bulk_table_count;
const struct bulk_table *bulk_table(const char *name); /* one that there is */

struct bulk_value {
    enum bulk_kind kind;
    int64_t number;
    struct str text;
};

/* 'values' row by row. */
struct bulk_rows {
    struct bulk_value *values;
    size_t count;
};

/* Rows that are written in one transaction. */
struct bulk_part {
    const struct bulk_table *table;
    struct bulk_rows rows;
};

/* Can this store be read and written like that? */
bool bulk_is_possible(const struct store *store);

/* Up to 'limit' rows behind the key 'after' (NULL: from the first on), in the order of keys. */
enum store_status bulk_read(struct store *store, const struct bulk_table *table,
                            const struct bulk_value *after, size_t limit, struct arena *arena,
                            struct bulk_rows *ret_rows);

/* Of a writer between its batches. On anything but STORE_OK nothing is known to be written. */
enum store_status bulk_write(struct store *store, const struct bulk_part *parts, size_t count);

/* ---- for drivers: statements by the list ---- */

/* How a database wants it: "?1" or "$1", "name" or `name`. 'divide': how whole numbers are divided,
 * where the table idempotency has the hour of 'at' beside it, and is found by user and key; NULL:
 * there it is found by time. */
struct bulk_dialect {
    char placeholder, quote;
    const char *divide;
    bool spells_out; /* does not use an index for (a, b) > (1, 2) */
};

/* SELECT of the table's columns; its values are those of 'after', where there is one (not all need
 * be used), and the limit behind them. */
const char *bulk_select(struct bulk_dialect dialect, const struct bulk_table *table, bool is_after,
                        struct arena *arena);

/* "table (columns) VALUES (...), (...)" for so many rows: what stands before and behind it is the
 * driver's. */
const char *bulk_values(struct bulk_dialect dialect, const struct bulk_table *table, size_t rows,
                        struct arena *arena);

#endif
