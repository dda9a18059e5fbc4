/* SPDX-License-Identifier: Apache-2.0 */
/* Who is to be told what. Messages are few here: they are found by looking at all of them. */
#include <stdlib.h>

#include "base/array.h"
#include "store/memory_internal.h"

static struct message message_copy(const struct message_row *row, struct arena *arena)
{
    struct message message = row->row;
    message.key = arena_str(arena, message.key);
    message.error = arena_str(arena, message.error);
    message.body = arena_str(arena, message.body);
    return message;
}

/* ---- what a batch needs ---- */

/* Another message about the same booking, the same way, comes before it. */
static bool has_to_wait(const struct database *database, const struct message *message)
{
    struct rows rows = rows_all(database, MESSAGES);
    for (const struct message_row *row; (row = rows_next(&rows)) && row->row.id < message->id;)
        if (row->row.status == MESSAGE_WAITING && row->row.webhook_id == message->webhook_id &&
            message->subject && row->row.subject == message->subject)
            return true;
    return false;
}

static int by_time(const void *a, const void *b)
{
    const struct message *x = a, *y = b;
    if (x->due_at != y->due_at) return x->due_at < y->due_at ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void load_claim(const struct database *database, struct working_set *set,
                       struct claim_entry *claim)
{
    struct {
        struct message *items;
        size_t count, size;
    } due = {0};
    struct rows rows = rows_all(database, MESSAGES);
    for (const struct message_row *row; (row = rows_next(&rows));)
        if (row->row.status == MESSAGE_WAITING && row->row.webhook_id == claim->wanted.webhook_id &&
            row->row.due_at <= set->now && !has_to_wait(database, &row->row))
            *ARRAY_PUSH(set->arena, &due) = message_copy(row, set->arena);
    if (due.count) qsort(due.items, due.count, sizeof(*due.items), by_time);
    for (size_t i = 0; i < due.count && i < claim->wanted.most; i++)
        working_set_put_claimed(set, claim, &due.items[i]);
}

void memory_load_outbox(const struct database *database, struct working_set *set)
{
    if (set->position.needed) {
        set->position.loaded = true;
        set->position.row = database->position;
    }
    for (size_t i = 0; i < set->claims.count; i++) {
        if (!set->claims.items[i].loaded) load_claim(database, set, &set->claims.items[i]);
        set->claims.items[i].loaded = true;
    }
    size_t at = 0;
    for (struct message_entry *entry; (entry = map_each(&set->messages, &at));) {
        if (entry->loaded) continue;
        const struct message_row *row = row_at(database, MESSAGES, entry->id, 0);
        entry->loaded = true;
        entry->found = row != NULL;
        if (row) entry->row = message_copy(row, set->arena);
    }
}

static struct webhook webhook_copy(const struct webhook_row *row, struct arena *arena)
{
    struct webhook webhook = row->row;
    webhook.secret = arena_str(arena, webhook.secret);
    webhook.old_secret = arena_str(arena, webhook.old_secret);
    webhook.url = arena_str(arena, webhook.url);
    webhook.description = arena_str(arena, webhook.description);
    return webhook;
}

void memory_load_webhooks(const struct database *database, struct working_set *set)
{
    size_t at = 0;
    for (struct webhook_entry *entry; (entry = map_each(&set->webhooks, &at));) {
        if (entry->loaded) continue;
        const struct webhook_row *row = row_at(database, WEBHOOKS, entry->id, 0);
        entry->loaded = true;
        entry->found = row != NULL;
        if (row) entry->row = webhook_copy(row, set->arena);
    }
    if (!set->webhooks_of.needed || set->webhooks_of.loaded) return;
    set->webhooks_of.loaded = true;
    struct rows rows = rows_all(database, WEBHOOKS);
    for (const struct webhook_row *row; (row = rows_next(&rows));)
        set->webhooks_of.count += row->row.user_id == set->webhooks_of.user_id;
}

/* ---- readers ---- */

static struct database *read_locked(struct store *store)
{
    struct database *database = ((struct memory_store *)store)->database;
    pthread_rwlock_rdlock(&database->lock);
    return database;
}

enum store_status memory_list_notices(struct store *store, size_t limit, struct arena *arena,
                                      struct notice_list *ret_list)
{
    struct database *database = read_locked(store);
    struct {
        struct notice *items;
        size_t count, size;
    } notices = {0};
    struct rows rows = rows_all(database, NOTICES);
    for (const struct notice_row *row; notices.count < limit && (row = rows_next(&rows));) {
        struct notice *notice = ARRAY_PUSH(arena, &notices);
        *notice = row->row;
        notice->address = arena_str(arena, row->row.address);
    }
    pthread_rwlock_unlock(&database->lock);
    *ret_list = (struct notice_list){notices.items, notices.count};
    return STORE_OK;
}

enum store_status memory_outbox_position(struct store *store, struct outbox_position *ret_position)
{
    struct database *database = read_locked(store);
    *ret_position = database->position;
    pthread_rwlock_unlock(&database->lock);
    return STORE_OK;
}

enum store_status memory_list_messages(struct store *store, const struct message_query *query,
                                       struct arena *arena, struct message_list *ret_list)
{
    struct database *database = read_locked(store);
    struct {
        struct message *items;
        size_t count, size;
    } messages = {0};
    for (GTreeNode *node = g_tree_node_last(database->tables[MESSAGES]);
         node && messages.count < query->limit; node = g_tree_node_previous(node)) {
        const struct message_row *row = g_tree_node_value(node);
        if ((query->before && row->row.id >= query->before) ||
            (query->status >= 0 && (int)row->row.status != query->status) ||
            (query->webhook_id != UINT64_MAX && row->row.webhook_id != query->webhook_id))
            continue;
        *ARRAY_PUSH(arena, &messages) = message_copy(row, arena);
    }
    pthread_rwlock_unlock(&database->lock);
    *ret_list = (struct message_list){messages.items, messages.count};
    return STORE_OK;
}

enum store_status memory_due_ways(struct store *store, int64_t now, struct arena *arena,
                                  struct way_list *ret_list)
{
    struct database *database = read_locked(store);
    struct {
        uint64_t *items;
        size_t count, size;
    } ways = {0};
    struct rows rows = rows_all(database, MESSAGES);
    for (const struct message_row *row; (row = rows_next(&rows));) {
        const struct webhook_row *webhook = row_at(database, WEBHOOKS, row->row.webhook_id, 0);
        bool is_on = row->row.webhook_id == 0 || (webhook && webhook->row.status == WEBHOOK_ON);
        bool is_new = is_on && row->row.status == MESSAGE_WAITING && row->row.due_at <= now;
        for (size_t i = 0; is_new && i < ways.count; i++)
            is_new = ways.items[i] != row->row.webhook_id;
        if (is_new) *ARRAY_PUSH(arena, &ways) = row->row.webhook_id;
    }
    pthread_rwlock_unlock(&database->lock);
    *ret_list = (struct way_list){ways.items, ways.count};
    return STORE_OK;
}

enum store_status memory_list_webhooks(struct store *store, uint64_t user_id, struct arena *arena,
                                       struct webhook_list *ret_list)
{
    struct database *database = read_locked(store);
    struct {
        struct webhook **items;
        size_t count, size;
    } webhooks = {0};
    struct rows rows = rows_all(database, WEBHOOKS);
    for (const struct webhook_row *row; (row = rows_next(&rows));) {
        if (user_id && row->row.user_id != user_id) continue;
        struct webhook *webhook = ARENA_NEW(arena, struct webhook);
        *webhook = webhook_copy(row, arena);
        *ARRAY_PUSH(arena, &webhooks) = webhook;
    }
    pthread_rwlock_unlock(&database->lock);
    *ret_list = (struct webhook_list){webhooks.items, webhooks.count};
    return STORE_OK;
}

enum store_status memory_find_webhook(struct store *store, uint64_t id, struct arena *arena,
                                      struct webhook **ret_webhook)
{
    struct database *database = read_locked(store);
    const struct webhook_row *row = row_at(database, WEBHOOKS, id, 0);
    *ret_webhook = NULL;
    if (row) {
        *ret_webhook = ARENA_NEW(arena, struct webhook);
        **ret_webhook = webhook_copy(row, arena);
    }
    pthread_rwlock_unlock(&database->lock);
    return STORE_OK;
}
