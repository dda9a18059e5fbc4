/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks. */
#include "base/array.h"
#include "store/mysql_internal.h"

static struct webhook webhook_row(const struct maria_rows *rows, struct arena *arena)
{
    return (struct webhook){
        .id = maria_u64(rows, 0),
        .user_id = maria_u64(rows, 1),
        .everything = maria_i64(rows, 2) != 0,
        .topics = maria_u32(rows, 3),
        .status = (enum webhook_status)maria_i64(rows, 4),
        .failing_since = maria_i64(rows, 5),
        .created_at = maria_i64(rows, 6),
        .updated_at = maria_i64(rows, 7),
        .old_secret_until = maria_i64(rows, 8),
        .secret = maria_text(rows, 9, arena),
        .old_secret = maria_text(rows, 10, arena),
        .url = maria_text(rows, 11, arena),
        .description = maria_text(rows, 12, arena),
    };
}

void maria_load_webhooks(struct maria_store *store, struct working_set *set)
{
    struct webhook_entry *entry;
    for (size_t i = 0; (entry = map_each(&set->webhooks, &i));) {
        if (entry->loaded) continue;
        entry->loaded = true;
        struct maria_rows *rows = QUERY(store, WEBHOOK_LOCK, NUM(entry->id));
        while (maria_next(store, rows)) {
            entry->found = true;
            entry->row = webhook_row(rows, set->arena);
        }
    }
    if (!set->webhooks_of.needed || set->webhooks_of.loaded) return;
    set->webhooks_of.loaded = true;
    struct maria_rows *rows = QUERY(store, WEBHOOK_COUNT, NUM(set->webhooks_of.user_id));
    while (maria_next(store, rows))
        set->webhooks_of.count = maria_u64(rows, 0);
}

void maria_write_webhook(struct maria_store *store, const struct change *change)
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

enum store_status maria_list_webhooks(struct store *base, uint64_t user_id, struct arena *arena,
                                      struct webhook_list *ret_list)
{
    struct maria_store *store = maria_begin_read(base);
    struct {
        struct webhook **items;
        size_t count, size;
    } webhooks = {0};
    struct maria_rows *rows =
        user_id ? QUERY(store, WEBHOOKS_OF_USER, NUM(user_id)) : QUERY(store, WEBHOOKS);
    while (maria_next(store, rows)) {
        struct webhook *webhook = ARENA_NEW(arena, struct webhook);
        *webhook = webhook_row(rows, arena);
        *ARRAY_PUSH(arena, &webhooks) = webhook;
    }
    *ret_list = (struct webhook_list){webhooks.items, webhooks.count};
    return maria_end_read(store);
}

enum store_status maria_find_webhook(struct store *base, uint64_t id, struct arena *arena,
                                     struct webhook **ret_webhook)
{
    struct maria_store *store = maria_begin_read(base);
    struct maria_rows *rows = QUERY(store, WEBHOOK, NUM(id));
    *ret_webhook = NULL;
    while (maria_next(store, rows)) {
        *ret_webhook = ARENA_NEW(arena, struct webhook);
        **ret_webhook = webhook_row(rows, arena);
    }
    return maria_end_read(store);
}
