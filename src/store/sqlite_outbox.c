/* SPDX-License-Identifier: Apache-2.0 */
/* Who is to be told what. */
#include "base/array.h"
#include "store/sqlite_internal.h"

static struct message message_row(sqlite3_stmt *rows, struct arena *arena)
{
    return (struct message){
        .id = sqlite_u64(rows, 0),
        .webhook_id = sqlite_u64(rows, 1),
        .subject = sqlite_u64(rows, 2),
        .topic = (enum topic)sqlite3_column_int(rows, 3),
        .event_id = sqlite_u64(rows, 4),
        .user_id = sqlite_u64(rows, 5),
        .status = (enum message_status)sqlite3_column_int(rows, 6),
        .tries = sqlite_u32(rows, 7),
        .created_at = sqlite3_column_int64(rows, 8),
        .due_at = sqlite3_column_int64(rows, 9),
        .settled_at = sqlite3_column_int64(rows, 10),
        .answer = sqlite3_column_int(rows, 11),
        .key = sqlite_text(rows, 12, arena),
        .error = sqlite_text(rows, 13, arena),
        .body = sqlite_text(rows, 14, arena),
    };
}

/* ---- what a batch needs ---- */

static void load_position(struct sqlite_store *store, struct outbox_position *position)
{
    sqlite3_stmt *rows = QUERY(store, OUTBOX_POSITION);
    if (!sqlite_next(store, rows)) return;
    *position = (struct outbox_position){sqlite_u64(rows, 0), sqlite_u64(rows, 1)};
    sqlite_end(rows);
}

void sqlite_load_outbox(struct sqlite_store *store, struct working_set *set)
{
    if (set->position.needed && !set->position.loaded) {
        set->position.loaded = true;
        load_position(store, &set->position.row);
    }
    for (size_t i = 0; i < set->claims.count; i++) {
        struct claim_entry *claim = &set->claims.items[i];
        if (claim->loaded) continue;
        claim->loaded = true;
        sqlite3_stmt *rows = QUERY(store, MESSAGES_DUE, NUM(claim->wanted.webhook_id),
                                   NUM(set->now), NUM(claim->wanted.most));
        while (sqlite_next(store, rows)) {
            struct message message = message_row(rows, set->arena);
            working_set_put_claimed(set, claim, &message);
        }
    }
    struct message_entry *message;
    for (size_t i = 0; (message = map_each(&set->messages, &i));) {
        if (message->loaded) continue;
        message->loaded = true;
        sqlite3_stmt *rows = QUERY(store, MESSAGE, NUM(message->id));
        message->found = sqlite_next(store, rows);
        if (!message->found) continue;
        message->row = message_row(rows, set->arena);
        sqlite_end(rows);
    }
}

/* ---- what a batch writes ---- */

static void insert_message(struct sqlite_store *store, const struct message *message)
{
    RUN(store, MESSAGE_INSERT, NUM(message->webhook_id), NUM(message->subject), NUM(message->topic),
        NUM(message->event_id), NUM(message->user_id), NUM(message->status), NUM(message->tries),
        NUM(message->created_at), NUM(message->due_at), NUM(message->settled_at),
        NUM(message->answer), TEXT(message->key), TEXT(message->error), TEXT(message->body));
}

void sqlite_write_outbox(struct sqlite_store *store, const struct change *change)
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
            TEXT(message->error));
        break;
    default: RUN(store, MESSAGE_DELETE, NUM(message->id));
    }
}

/* ---- readers ---- */

enum store_status sqlite_list_notices(struct store *base, size_t limit, struct arena *arena,
                                      struct notice_list *ret_list)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    struct {
        struct notice *items;
        size_t count, size;
    } notices = {0};
    sqlite3_stmt *rows = QUERY(store, NOTICES, NUM(limit));
    while (sqlite_next(store, rows))
        *ARRAY_PUSH(arena, &notices) = (struct notice){
            .id = sqlite_u64(rows, 0),
            .topic = (enum topic)sqlite3_column_int(rows, 1),
            .event_id = sqlite_u64(rows, 2),
            .user_id = sqlite_u64(rows, 3),
            .webhook_id = sqlite_u64(rows, 4),
            .at = sqlite3_column_int64(rows, 5),
            .told = sqlite_u64(rows, 6),
            .address = sqlite_text(rows, 7, arena),
        };
    *ret_list = (struct notice_list){notices.items, notices.count};
    return sqlite_end_read(store);
}

enum store_status sqlite_outbox_position(struct store *base, struct outbox_position *ret_position)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    *ret_position = (struct outbox_position){0};
    load_position(store, ret_position);
    return sqlite_end_read(store);
}

enum store_status sqlite_list_messages(struct store *base, const struct message_query *query,
                                       struct arena *arena, struct message_list *ret_list)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    struct {
        struct message *items;
        size_t count, size;
    } messages = {0};
    int64_t before = query->before ? (int64_t)query->before : INT64_MAX;
    sqlite3_stmt *rows =
        query->webhook_id == UINT64_MAX
            ? QUERY(store, MESSAGES, NUM(before), NUM(query->status), NUM(query->limit))
            : QUERY(store, MESSAGES_OF_WAY, NUM(before), NUM(query->status), NUM(query->limit),
                    NUM(query->webhook_id));
    while (sqlite_next(store, rows))
        *ARRAY_PUSH(arena, &messages) = message_row(rows, arena);
    *ret_list = (struct message_list){messages.items, messages.count};
    return sqlite_end_read(store);
}

enum store_status sqlite_due_ways(struct store *base, int64_t now, struct arena *arena,
                                  struct way_list *ret_list)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    struct {
        uint64_t *items;
        size_t count, size;
    } ways = {0};
    sqlite3_stmt *rows = QUERY(store, DUE_WAYS, NUM(now));
    while (sqlite_next(store, rows))
        *ARRAY_PUSH(arena, &ways) = sqlite_u64(rows, 0);
    *ret_list = (struct way_list){ways.items, ways.count};
    return sqlite_end_read(store);
}
