/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks. */
#include "base/array.h"
#include "store/sqlite_internal.h"

static struct webhook webhook_row(sqlite3_stmt *rows, struct arena *arena)
{
    return (struct webhook){
        .id = sqlite_u64(rows, 0),
        .user_id = sqlite_u64(rows, 1),
        .everything = sqlite3_column_int64(rows, 2) != 0,
        .topics = sqlite_u32(rows, 3),
        .status = (enum webhook_status)sqlite3_column_int64(rows, 4),
        .failing_since = sqlite3_column_int64(rows, 5),
        .created_at = sqlite3_column_int64(rows, 6),
        .updated_at = sqlite3_column_int64(rows, 7),
        .old_secret_until = sqlite3_column_int64(rows, 8),
        .secret = sqlite_text(rows, 9, arena),
        .old_secret = sqlite_text(rows, 10, arena),
        .url = sqlite_text(rows, 11, arena),
        .description = sqlite_text(rows, 12, arena),
    };
}

void sqlite_load_webhooks(struct sqlite_store *store, struct working_set *set)
{
    struct webhook_entry *entry;
    for (size_t i = 0; (entry = map_each(&set->webhooks, &i));) {
        if (entry->loaded) continue;
        entry->loaded = true;
        sqlite3_stmt *rows = QUERY(store, WEBHOOK, NUM(entry->id));
        entry->found = sqlite_next(store, rows);
        if (!entry->found) continue;
        entry->row = webhook_row(rows, set->arena);
        sqlite_end(rows);
    }
    if (!set->webhooks_of.needed || set->webhooks_of.loaded) return;
    set->webhooks_of.loaded = true;
    sqlite3_stmt *rows = QUERY(store, WEBHOOK_COUNT, NUM(set->webhooks_of.user_id));
    while (sqlite_next(store, rows))
        set->webhooks_of.count = sqlite_u64(rows, 0);
}

void sqlite_write_webhook(struct sqlite_store *store, const struct change *change)
{
    const struct webhook *webhook = change->webhook;
    switch (change->kind) {
    case CHANGE_WEBHOOK_INSERT:
    case CHANGE_WEBHOOK_UPDATE:
        RUN(store, WEBHOOK_PUT, NUM(webhook->id), NUM(webhook->user_id), NUM(webhook->everything),
            NUM(webhook->topics), NUM(webhook->status), NUM(webhook->failing_since),
            NUM(webhook->created_at), NUM(webhook->updated_at), NUM(webhook->old_secret_until),
            BLOB(webhook->secret), BLOB(webhook->old_secret), TEXT(webhook->url),
            TEXT(webhook->description));
        break;
    case CHANGE_WEBHOOK_DELETE:
        RUN(store, WEBHOOK_DELETE, NUM(webhook->id));
        RUN(store, MESSAGES_OF_WEBHOOK_DELETE, NUM(webhook->id));
        break;
    default:
        RUN(store, MESSAGES_OF_USER_DELETE, NUM(change->user_id));
        RUN(store, WEBHOOKS_OF_USER_DELETE, NUM(change->user_id));
    }
}

enum store_status sqlite_list_webhooks(struct store *base, uint64_t user_id, struct arena *arena,
                                       struct webhook_list *ret_list)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    struct {
        struct webhook **items;
        size_t count, size;
    } webhooks = {0};
    sqlite3_stmt *rows =
        user_id ? QUERY(store, WEBHOOKS_OF_USER, NUM(user_id)) : QUERY(store, WEBHOOKS);
    while (sqlite_next(store, rows)) {
        struct webhook *webhook = ARENA_NEW(arena, struct webhook);
        *webhook = webhook_row(rows, arena);
        *ARRAY_PUSH(arena, &webhooks) = webhook;
    }
    *ret_list = (struct webhook_list){webhooks.items, webhooks.count};
    return sqlite_end_read(store);
}

enum store_status sqlite_find_webhook(struct store *base, uint64_t id, struct arena *arena,
                                      struct webhook **ret_webhook)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    sqlite3_stmt *rows = QUERY(store, WEBHOOK, NUM(id));
    *ret_webhook = NULL;
    while (sqlite_next(store, rows)) {
        *ret_webhook = ARENA_NEW(arena, struct webhook);
        **ret_webhook = webhook_row(rows, arena);
    }
    return sqlite_end_read(store);
}
