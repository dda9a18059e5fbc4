/* SPDX-License-Identifier: Apache-2.0 */
#include "store/bulk.h"

#include <assert.h>

#include "store/driver.h"

#define N(name)                                                                                    \
    {                                                                                              \
        name, BULK_NUMBER                                                                          \
    }
#define T(name)                                                                                    \
    {                                                                                              \
        name, BULK_TEXT                                                                            \
    }
#define B(name)                                                                                    \
    {                                                                                              \
        name, BULK_BLOB                                                                            \
    }
#define COLUMNS(...)                                                                               \
    .column_count = sizeof((struct bulk_column[]){__VA_ARGS__}) / sizeof(struct bulk_column),      \
    .columns = {__VA_ARGS__}

const struct bulk_table bulk_tables[] = {
    {.name = "users",
     .key_count = 1,
     .page = 1000,
     COLUMNS(N("id"), T("email"), T("email_folded"), T("username"), T("username_folded"), T("name"),
             T("password_hash"), N("role"), N("created_at"), N("erased_at"), N("verified_at"),
             N("mail"))},
    {.name = "user_words", .key_count = 2, .page = 2000, COLUMNS(N("user_id"), T("word"))},
    {.name = "revocations", .key_count = 1, .page = 2000, COLUMNS(N("user_id"), N("not_before"))},
    {.name = "events",
     .key_count = 1,
     .page = 100,
     COLUMNS(N("id"), N("organizer_id"), N("status"), N("starts_at"), N("ends_at"), N("local_day"),
             N("max_per_user"), N("version"), N("created_at"), N("updated_at"), T("currency"),
             T("timezone"), T("name"), T("name_folded"), T("venue"), T("description"))},
    {.name = "event_words",
     .key_count = 2,
     .page = 2000,
     COLUMNS(N("event_id"), T("word"), N("fields"))},
    {.name = "event_counters",
     .key_count = 1,
     .page = 2000,
     COLUMNS(N("event_id"), N("next_number"), N("ever_booked"))},
    {.name = "ticket_types",
     .key_count = 1,
     .page = 1000,
     COLUMNS(N("id"), N("event_id"), T("name"), N("capacity"), N("booked"), N("held"), N("waiting"),
             N("wanted"), N("price"), N("max_per_booking"), N("sales_start"), N("sales_end"))},
    {.name = "bookings",
     .key_count = 1,
     .page = 2000,
     COLUMNS(N("id"), N("user_id"), N("event_id"), N("ticket_type_id"), N("quantity"), N("status"),
             N("unit_price"), N("paid"), N("created_at"), N("updated_at"), N("expires_at"))},
    {.name = "line_blocks",
     .key_count = 2,
     .page = 2000,
     COLUMNS(N("ticket_type_id"), N("block"), N("waiting"), N("wanted"))},
    {.name = "tickets",
     .key_count = 2,
     .page = 2000,
     COLUMNS(N("event_id"), N("number"), N("booking_id"), N("is_booked"))},
    {.name = "journal",
     .key_count = 2,
     .page = 2000,
     COLUMNS(N("booking_id"), N("id"), N("event_id"), N("ticket_type_id"), N("from_status"),
             N("to_status"), N("quantity"), N("actor_id"), N("at"), T("reason"))},
    {.name = "holders",
     .key_count = 2,
     .page = 2000,
     COLUMNS(N("event_id"), N("user_id"), N("quantity"))},
    {.name = "payments",
     .key_count = 1,
     .page = 1000,
     COLUMNS(N("id"), N("booking_id"), N("actor_id"), N("amount"), T("currency"), N("method"),
             T("note"), N("created_at"))},
    {.name = "notices",
     .key_count = 1,
     .page = 1000,
     COLUMNS(N("id"), N("topic"), N("event_id"), N("user_id"), N("webhook_id"), N("at"), N("told"),
             T("address"))},
    {.name = "outbox_position",
     .key_count = 1,
     .page = 100,
     COLUMNS(N("id"), N("journal_id"), N("turn"))},
    {.name = "outbox",
     .key_count = 1,
     .page = 200,
     COLUMNS(N("id"), N("webhook_id"), N("subject"), N("topic"), N("event_id"), N("user_id"),
             N("status"), N("tries"), N("created_at"), N("due_at"), N("settled_at"), N("answer"),
             T("message"), T("error"), T("body"))},
    {.name = "webhooks",
     .key_count = 1,
     .page = 200,
     COLUMNS(N("id"), N("user_id"), N("everything"), N("topics"), N("status"), N("failing_since"),
             N("created_at"), N("updated_at"), N("old_secret_until"), B("secret"), B("old_secret"),
             T("url"), T("description"))},
    /* The embedded store may have an answer that has run out beside the one that took its place;
     * where a key is unique the later one wins. */
    {.name = "idempotency",
     .key_count = 3,
     .page = 200,
     .replaces = true,
     COLUMNS(N("at"), N("user_id"), B("key"), B("request"), N("status"), B("body"))},
    {.name = "sequences",
     .key_count = 1,
     .page = 100,
     .replaces = true,
     COLUMNS(N("sequence"), N("next"))},
    {.name = "settings",
     .key_count = 1,
     .page = 100,
     .replaces = true,
     COLUMNS(T("name"), B("value"))},
};
const size_t bulk_table_count = sizeof(bulk_tables) / sizeof(bulk_tables[0]);

const struct bulk_table *bulk_table(const char *name)
{
    size_t i = 0;
    while (strcmp(bulk_tables[i].name, name) != 0)
        assert(++i < bulk_table_count);
    return &bulk_tables[i];
}

bool bulk_is_possible(const struct store *store)
{
    return store->driver->bulk_read && store->driver->bulk_write;
}

enum store_status bulk_read(struct store *store, const struct bulk_table *table,
                            const struct bulk_value *after, size_t limit, struct arena *arena,
                            struct bulk_rows *ret_rows)
{
    return store->driver->bulk_read(store, table, after, limit, arena, ret_rows);
}

enum store_status bulk_write(struct store *store, const struct bulk_part *parts, size_t count)
{
    return store->driver->bulk_write(store, parts, count);
}

/* ---- statements ---- */

static void add_name(struct buf *out, struct bulk_dialect dialect, const char *name)
{
    buf_printf(out, "%c%s%c", dialect.quote, name, dialect.quote);
}

/* Some stores have an index of the idempotency keys by time, the others by user and key. */
static bool has_hour(struct bulk_dialect dialect, const struct bulk_table *table)
{
    return dialect.divide && strcmp(table->name, "idempotency") == 0;
}

static size_t first_of_key(struct bulk_dialect dialect, const struct bulk_table *table)
{
    return has_hour(dialect, table) ? 1 : 0;
}

static void add_columns(struct buf *out, struct bulk_dialect dialect,
                        const struct bulk_table *table, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        if (i > first) buf_add_char(out, ',');
        add_name(out, dialect, table->columns[i].name);
    }
}

/* "(a, b) > (1, 2)" */
static void add_row_after(struct buf *out, struct bulk_dialect dialect,
                          const struct bulk_table *table)
{
    size_t first = first_of_key(dialect, table);
    buf_add_str(out, STR(" WHERE ("));
    add_columns(out, dialect, table, first, table->key_count);
    buf_add_str(out, STR(") > ("));
    for (size_t i = first; i < table->key_count; i++)
        buf_printf(out, "%s%c%zu", i > first ? "," : "", dialect.placeholder, i + 1);
    buf_add_char(out, ')');
}

/* "(a = 1 AND b > 2) OR (a > 1)" */
static void add_spelled_out(struct buf *out, struct bulk_dialect dialect,
                            const struct bulk_table *table)
{
    buf_add_str(out, STR(" WHERE "));
    size_t first = first_of_key(dialect, table);
    for (size_t last = table->key_count; last-- > first;) {
        buf_add_str(out, STR("("));
        for (size_t i = first; i <= last; i++) {
            if (i > first) buf_add_str(out, STR(" AND "));
            add_name(out, dialect, table->columns[i].name);
            buf_printf(out, " %c %c%zu", i < last ? '=' : '>', dialect.placeholder, i + 1);
        }
        buf_add_str(out, last > first ? STR(") OR ") : STR(")"));
    }
}

static const char *text_of(struct buf *out, struct arena *arena)
{
    const char *text = arena_cstr(arena, buf_str(out));
    buf_free(out);
    return text;
}

const char *bulk_select(struct bulk_dialect dialect, const struct bulk_table *table, bool is_after,
                        struct arena *arena)
{
    struct buf out = {0};
    buf_add_str(&out, STR("SELECT "));
    add_columns(&out, dialect, table, 0, table->column_count);
    buf_add_str(&out, STR(" FROM "));
    add_name(&out, dialect, table->name);
    if (is_after) (dialect.spells_out ? add_spelled_out : add_row_after)(&out, dialect, table);
    buf_add_str(&out, STR(" ORDER BY "));
    add_columns(&out, dialect, table, first_of_key(dialect, table), table->key_count);
    buf_printf(&out, " LIMIT %c%zu", dialect.placeholder, is_after ? table->key_count + 1 : 1);
    return text_of(&out, arena);
}

const char *bulk_values(struct bulk_dialect dialect, const struct bulk_table *table, size_t rows,
                        struct arena *arena)
{
    struct buf out = {0};
    add_name(&out, dialect, table->name);
    buf_add_str(&out, STR(" ("));
    add_columns(&out, dialect, table, 0, table->column_count);
    bool with_hour = has_hour(dialect, table);
    buf_add_str(&out, with_hour ? STR(",hour) VALUES ") : STR(") VALUES "));
    for (size_t row = 0, at = 1; row < rows; row++) {
        buf_add_str(&out, row ? STR(",(") : STR("("));
        for (size_t i = 0; i < table->column_count; i++)
            buf_printf(&out, "%s%c%zu", i ? "," : "", dialect.placeholder, at++);
        if (with_hour)
            buf_printf(&out, ",%c%zu %s 3600000", dialect.placeholder, at - table->column_count,
                       dialect.divide);
        buf_add_char(&out, ')');
    }
    return text_of(&out, arena);
}
