/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks. */
#include "base/array.h"
#include "store/postgres_internal.h"

static struct webhook webhook_row(const PGresult *rows, int row, struct arena *arena)
{
    return (struct webhook){
        .id = postgres_u64(rows, row, 0),
        .user_id = postgres_u64(rows, row, 1),
        .everything = postgres_i64(rows, row, 2) != 0,
        .topics = postgres_u32(rows, row, 3),
        .status = (enum webhook_status)postgres_i64(rows, row, 4),
        .failing_since = postgres_i64(rows, row, 5),
        .created_at = postgres_i64(rows, row, 6),
        .updated_at = postgres_i64(rows, row, 7),
        .old_secret_until = postgres_i64(rows, row, 8),
        .secret = postgres_text(rows, row, 9, arena),
        .old_secret = postgres_text(rows, row, 10, arena),
        .url = postgres_text(rows, row, 11, arena),
        .description = postgres_text(rows, row, 12, arena),
    };
}

void postgres_load_webhooks(struct postgres_store *store, struct working_set *set)
{
    struct webhook_entry *entry;
    for (size_t i = 0; (entry = map_each(&set->webhooks, &i));) {
        if (entry->loaded) continue;
        entry->loaded = true;
        PGresult *rows = QUERY(store, WEBHOOK_LOCK, NUM(entry->id));
        entry->found = postgres_count(rows) > 0;
        if (entry->found) entry->row = webhook_row(rows, 0, set->arena);
        PQclear(rows);
    }
    if (!set->webhooks_of.needed || set->webhooks_of.loaded) return;
    set->webhooks_of.loaded = true;
    PGresult *rows = QUERY(store, WEBHOOK_COUNT, NUM(set->webhooks_of.user_id));
    if (postgres_count(rows)) set->webhooks_of.count = postgres_u64(rows, 0, 0);
    PQclear(rows);
}

void postgres_write_webhook(struct postgres_store *store, const struct change *change)
{
    const struct webhook *webhook = change->webhook;
    switch (change->kind) {
    case CHANGE_WEBHOOK_INSERT:
    case CHANGE_WEBHOOK_UPDATE:
        WRITE(store, WEBHOOK_PUT, NUM(webhook->id), NUM(webhook->user_id), NUM(webhook->everything),
              NUM(webhook->topics), NUM(webhook->status), NUM(webhook->failing_since),
              NUM(webhook->created_at), NUM(webhook->updated_at), NUM(webhook->old_secret_until),
              TEXT(webhook->secret), TEXT(webhook->old_secret), TEXT(webhook->url),
              TEXT(webhook->description));
        break;
    case CHANGE_WEBHOOK_DELETE:
        WRITE(store, WEBHOOK_DELETE, NUM(webhook->id));
        WRITE(store, MESSAGES_OF_WEBHOOK_DELETE, NUM(webhook->id));
        break;
    default:
        WRITE(store, MESSAGES_OF_USER_DELETE, NUM(change->user_id));
        WRITE(store, WEBHOOKS_OF_USER_DELETE, NUM(change->user_id));
    }
}

enum store_status postgres_list_webhooks(struct store *base, uint64_t user_id, struct arena *arena,
                                         struct webhook_list *ret_list)
{
    struct postgres_store *store = postgres_begin_read(base, false);
    PGresult *rows = user_id ? QUERY(store, WEBHOOKS_OF_USER, NUM(user_id))
                             : postgres_query(store, STATEMENT_WEBHOOKS, NULL, 0);
    ret_list->count = (size_t)postgres_count(rows);
    ret_list->items = ARENA_ARRAY(arena, struct webhook *, ret_list->count);
    for (int row = 0; row < postgres_count(rows); row++) {
        ret_list->items[row] = ARENA_NEW(arena, struct webhook);
        *ret_list->items[row] = webhook_row(rows, row, arena);
    }
    PQclear(rows);
    return postgres_end_read(store);
}

enum store_status postgres_find_webhook(struct store *base, uint64_t id, struct arena *arena,
                                        struct webhook **ret_webhook)
{
    struct postgres_store *store = postgres_begin_read(base, false);
    PGresult *rows = QUERY(store, WEBHOOK, NUM(id));
    *ret_webhook = NULL;
    if (postgres_count(rows)) {
        *ret_webhook = ARENA_NEW(arena, struct webhook);
        **ret_webhook = webhook_row(rows, 0, arena);
    }
    PQclear(rows);
    return postgres_end_read(store);
}
