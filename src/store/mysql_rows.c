/* SPDX-License-Identifier: Apache-2.0 */
/* Many rows in few round trips. MariaDB takes the rows of an INSERT as arrays, any number of them.
 * Where the server, or something between, cannot do that, there are statements of 1, 2, 4, ... 64
 * rows, and a batch is the sum of them. */
#include <stdio.h>

#include "base/json.h"
#include "store/mysql_internal.h"

static const struct insert {
    const char *name, *head, *row, *tail;
    size_t columns;
} inserts[INSERT_COUNT] = {
#define X(name, columns, head, row, tail) {#name, head, row, tail, columns},
    MARIA_INSERTS(X)
#undef X
};

void maria_add(struct maria_batch *batch, struct arena *arena, const struct maria_value *values,
               size_t count)
{
    size_t used = batch->count * count;
    if (used + count > batch->size) {
        size_t size = batch->size ? batch->size * 2 : 32 * count;
        struct maria_value *more = arena_alloc(arena, size * sizeof(*more));
        if (used) memcpy(more, batch->values, used * sizeof(*more));
        batch->values = more;
        batch->size = size;
    }
    memcpy(batch->values + used, values, count * sizeof(*values));
    batch->count++;
}

static struct maria_rows *prepare(struct maria_store *store, enum maria_insert which, int width)
{
    struct maria_rows **rows = &store->inserts[which][width];
    if (*rows) return *rows;
    const struct insert *insert = &inserts[which];
    struct buf text = {0};
    buf_add_str(&text, str_of(insert->head));
    for (int i = 0; i < 1 << width; i++) {
        if (i) buf_add_char(&text, ',');
        buf_add_str(&text, str_of(insert->row));
    }
    buf_add_str(&text, str_of(insert->tail));
    buf_add_char(&text, '\0');
    *rows = maria_prepare(store, insert->name, text.data);
    buf_free(&text);
    return *rows;
}

/* ---- as arrays ---- */

/* One column of all rows, as the client library wants it. */
static void bind_column(MYSQL_BIND *bind, const struct maria_value *values, size_t columns,
                        size_t count, struct arena *arena)
{
    int kind = MARIA_NULL;
    char *indicators = arena_alloc(arena, count);
    for (size_t i = 0; i < count; i++) {
        indicators[i] =
            values[i * columns].kind == MARIA_NULL ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
        if (values[i * columns].kind != MARIA_NULL) kind = values[i * columns].kind;
    }
    bind->u.indicator = indicators;
    if (kind == MARIA_TEXT || kind == MARIA_BLOB) {
        const char **texts = ARENA_ARRAY(arena, const char *, count);
        unsigned long *lengths = ARENA_ARRAY(arena, unsigned long, count);
        for (size_t i = 0; i < count; i++) {
            struct str text = values[i * columns].text;
            texts[i] = text.data ? text.data : "";
            lengths[i] = text.len;
        }
        bind->buffer_type = kind == MARIA_TEXT ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB;
        bind->buffer = texts;
        bind->length = lengths;
    } else {
        int64_t *numbers = arena_alloc(arena, count * sizeof(*numbers));
        for (size_t i = 0; i < count; i++)
            numbers[i] = values[i * columns].number;
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = numbers;
    }
}

static void insert_array(struct maria_store *store, enum maria_insert which,
                         const struct maria_value *values, size_t count, struct arena *arena)
{
    struct maria_rows *rows = prepare(store, which, 0);
    if (!rows) return;
    size_t columns = inserts[which].columns;
    MYSQL_BIND binds[VALUES_MAX] = {0};
    for (size_t i = 0; i < columns; i++)
        bind_column(&binds[i], values + i, columns, count, arena);
    unsigned size = (unsigned)count;
    MYSQL_STMT *handle = maria_handle(rows);
    mysql_stmt_attr_set(handle, STMT_ATTR_ARRAY_SIZE, &size);
    if (mysql_stmt_bind_param(handle, binds) != 0 || mysql_stmt_execute(handle) != 0) {
        char message[ERROR_MAX];
        snprintf(message, sizeof(message), "%s", mysql_stmt_error(handle));
        maria_fail(store, mysql_stmt_errno(handle), message, inserts[which].name);
    }
}

/* ---- as many values ---- */

static void insert_wide(struct maria_store *store, enum maria_insert which,
                        const struct maria_value *values, int width)
{
    struct maria_rows *rows = prepare(store, which, width);
    if (rows) maria_execute(store, rows, values, inserts[which].columns << width);
}

void maria_insert(struct maria_store *store, enum maria_insert which, struct maria_batch *batch,
                  struct arena *arena)
{
    size_t columns = inserts[which].columns, done = 0;
    while (done < batch->count && store->status == STORE_OK) {
        const struct maria_value *values = batch->values + done * columns;
        size_t left = batch->count - done;
        if (store->has_arrays) {
            size_t count = left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE;
            insert_array(store, which, values, count, arena);
            done += count;
            continue;
        }
        int width = 0;
        while (width + 1 < WIDTHS && (size_t)2 << width <= left)
            width++;
        insert_wide(store, which, values, width);
        done += (size_t)1 << width;
    }
    batch->count = 0;
}

/* ---- sets ---- */

static void begin_item(struct maria_set *set)
{
    if (set->count++ == 0) emit_open(&set->json, '[');
}

void maria_set_add(struct maria_set *set, const int64_t *numbers, size_t count)
{
    begin_item(set);
    if (count > 1) emit_open(&set->json, '[');
    for (size_t i = 0; i < count; i++)
        emit_i64(&set->json, numbers[i]);
    if (count > 1) emit_close(&set->json, ']');
}

void maria_set_add_text(struct maria_set *set, struct str text)
{
    begin_item(set);
    emit_str(&set->json, text);
}

void maria_set_add_pair(struct maria_set *set, int64_t number, struct str text)
{
    begin_item(set);
    emit_open(&set->json, '[');
    emit_i64(&set->json, number);
    emit_str(&set->json, text);
    emit_close(&set->json, ']');
}

struct maria_value maria_set_end(struct maria_set *set, struct arena *arena)
{
    if (set->count == 0) emit_open(&set->json, '[');
    emit_close(&set->json, ']');
    struct str text = arena_str(arena, buf_str(&set->json));
    buf_free(&set->json);
    set->count = 0;
    return TEXT(text);
}

struct str maria_cut(struct str text, size_t most)
{
    if (text.len <= most) return text;
    text.len = most;
    text.len = str_utf8_prefix(text);
    return text;
}

struct str maria_hex(const unsigned char key[16], struct arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    char *text = arena_alloc(arena, 32);
    for (int i = 0; i < 16; i++) {
        text[2 * i] = digits[key[i] >> 4];
        text[2 * i + 1] = digits[key[i] & 15];
    }
    return (struct str){text, 32};
}
