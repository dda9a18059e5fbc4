/* SPDX-License-Identifier: Apache-2.0 */
/* Who is to be told what. */
#include "base/array.h"
#include "store/mysql_internal.h"

static struct message message_row(const struct maria_rows *rows, struct arena *arena)
{
    return (struct message){
        .id = maria_u64(rows, 0),
        .webhook_id = maria_u64(rows, 1),
        .subject = maria_u64(rows, 2),
        .topic = (enum topic)maria_i64(rows, 3),
        .event_id = maria_u64(rows, 4),
        .user_id = maria_u64(rows, 5),
        .status = (enum message_status)maria_i64(rows, 6),
        .tries = maria_u32(rows, 7),
        .created_at = maria_i64(rows, 8),
        .due_at = maria_i64(rows, 9),
        .settled_at = maria_i64(rows, 10),
        .answer = (int)maria_i64(rows, 11),
        .key = maria_text(rows, 12, arena),
        .error = maria_text(rows, 13, arena),
        .body = maria_text(rows, 14, arena),
    };
}

/* ---- what a batch needs ---- */

static void take_position(struct maria_store *store, struct maria_rows *rows,
                          struct outbox_position *position)
{
    while (maria_next(store, rows))
        *position = (struct outbox_position){maria_u64(rows, 0), maria_u64(rows, 1)};
}

static void load_claims(struct maria_store *store, struct working_set *set)
{
    for (size_t i = 0; i < set->claims.count; i++) {
        struct claim_entry *claim = &set->claims.items[i];
        if (claim->loaded) continue;
        claim->loaded = true;
        struct maria_rows *rows = QUERY(store, MESSAGES_DUE, NUM(claim->wanted.webhook_id),
                                        NUM(set->now), NUM(claim->wanted.most));
        while (maria_next(store, rows)) {
            struct message message = message_row(rows, set->arena);
            working_set_put_claimed(set, claim, &message);
        }
    }
}

static void load_messages(struct maria_store *store, struct working_set *set)
{
    struct maria_set ids = {0};
    struct message_entry *entry;
    for (size_t i = 0; (entry = map_each(&set->messages, &i));) {
        if (entry->loaded) continue;
        entry->loaded = true;
        SET_ADD(&ids, (int64_t)entry->id);
    }
    if (ids.count == 0) return;
    struct maria_rows *rows = QUERY(store, MESSAGES_BY_ID, maria_set_end(&ids, set->arena));
    while (maria_next(store, rows)) {
        entry = working_set_message(set, maria_u64(rows, 0));
        entry->found = true;
        entry->row = message_row(rows, set->arena);
    }
}

void maria_load_outbox(struct maria_store *store, struct working_set *set)
{
    if (set->position.needed && !set->position.loaded) {
        set->position.loaded = true;
        take_position(store, QUERY(store, OUTBOX_POSITION_LOCK), &set->position.row);
    }
    load_claims(store, set);
    load_messages(store, set);
}

/* ---- what a batch writes ---- */

static void insert_message(struct maria_store *store, const struct message *message)
{
    RUN(store, MESSAGE_INSERT, NUM(message->webhook_id), NUM(message->subject), NUM(message->topic),
        NUM(message->event_id), NUM(message->user_id), NUM(message->status), NUM(message->tries),
        NUM(message->created_at), NUM(message->due_at), NUM(message->settled_at),
        NUM(message->answer), BLOB(message->key),
        TEXT(maria_cut(message->error, MESSAGE_ERROR_MAX)), TEXT(message->body));
}

void maria_write_outbox(struct maria_store *store, const struct change *change)
{
    const struct message *message = change->message;
    switch (change->kind) {
    case CHANGE_NOTICE:
        RUN(store, NOTICE_INSERT, NUM(change->notice.topic), NUM(change->notice.event_id),
            NUM(change->notice.user_id), NUM(change->notice.webhook_id), NUM(change->notice.at),
            TEXT(change->notice.address));
        break;
    case CHANGE_NOTICE_TOLD:
        if (change->notice_told.told == UINT64_MAX)
            RUN(store, NOTICE_DELETE, NUM(change->notice_told.id));
        else
            RUN(store, NOTICE_TOLD, NUM(change->notice_told.id), NUM(change->notice_told.told));
        break;
    case CHANGE_POSITION:
        RUN(store, OUTBOX_POSITION_PUT, NUM(change->position.journal_id),
            NUM(change->position.turn));
        break;
    case CHANGE_MESSAGE_INSERT: insert_message(store, message); break;
    case CHANGE_MESSAGE_UPDATE:
        RUN(store, MESSAGE_UPDATE, NUM(message->id), NUM(message->status), NUM(message->tries),
            NUM(message->due_at), NUM(message->settled_at), NUM(message->answer),
            TEXT(maria_cut(message->error, MESSAGE_ERROR_MAX)));
        break;
    default: RUN(store, MESSAGE_DELETE, NUM(message->id));
    }
}

/* ---- readers ---- */

enum store_status maria_list_notices(struct store *base, size_t limit, struct arena *arena,
                                     struct notice_list *ret_list)
{
    struct maria_store *store = maria_begin_read(base);
    struct {
        struct notice *items;
        size_t count, size;
    } notices = {0};
    struct maria_rows *rows = QUERY(store, NOTICES, NUM(limit));
    while (maria_next(store, rows))
        *ARRAY_PUSH(arena, &notices) = (struct notice){
            .id = maria_u64(rows, 0),
            .topic = (enum topic)maria_i64(rows, 1),
            .event_id = maria_u64(rows, 2),
            .user_id = maria_u64(rows, 3),
            .webhook_id = maria_u64(rows, 4),
            .at = maria_i64(rows, 5),
            .told = maria_u64(rows, 6),
            .address = maria_text(rows, 7, arena),
        };
    *ret_list = (struct notice_list){notices.items, notices.count};
    return maria_end_read(store);
}

enum store_status maria_outbox_position(struct store *base, struct outbox_position *ret_position)
{
    struct maria_store *store = maria_begin_read(base);
    *ret_position = (struct outbox_position){0};
    take_position(store, QUERY(store, OUTBOX_POSITION), ret_position);
    return maria_end_read(store);
}

enum store_status maria_list_messages(struct store *base, const struct message_query *query,
                                      struct arena *arena, struct message_list *ret_list)
{
    struct maria_store *store = maria_begin_read(base);
    struct {
        struct message *items;
        size_t count, size;
    } messages = {0};
    int64_t before = query->before ? (int64_t)query->before : INT64_MAX;
    struct maria_rows *rows =
        query->webhook_id == UINT64_MAX
            ? QUERY(store, MESSAGES, NUM(before), NUM(query->status), NUM(query->limit))
            : QUERY(store, MESSAGES_OF_WAY, NUM(before), NUM(query->status), NUM(query->limit),
                    NUM(query->webhook_id));
    while (maria_next(store, rows))
        *ARRAY_PUSH(arena, &messages) = message_row(rows, arena);
    *ret_list = (struct message_list){messages.items, messages.count};
    return maria_end_read(store);
}

enum store_status maria_due_ways(struct store *base, int64_t now, struct arena *arena,
                                 struct way_list *ret_list)
{
    struct maria_store *store = maria_begin_read(base);
    struct {
        uint64_t *items;
        size_t count, size;
    } ways = {0};
    struct maria_rows *rows = QUERY(store, DUE_WAYS, NUM(now));
    while (maria_next(store, rows))
        *ARRAY_PUSH(arena, &ways) = maria_u64(rows, 0);
    *ret_list = (struct way_list){ways.items, ways.count};
    return maria_end_read(store);
}
