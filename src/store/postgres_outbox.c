/* SPDX-License-Identifier: Apache-2.0 */
/* Who is to be told what. */
#include "base/array.h"
#include "store/postgres_internal.h"

static struct message message_row(const PGresult *rows, int row, struct arena *arena)
{
    return (struct message){
        .id = postgres_u64(rows, row, 0),
        .webhook_id = postgres_u64(rows, row, 1),
        .subject = postgres_u64(rows, row, 2),
        .topic = (enum topic)postgres_i64(rows, row, 3),
        .event_id = postgres_u64(rows, row, 4),
        .user_id = postgres_u64(rows, row, 5),
        .status = (enum message_status)postgres_i64(rows, row, 6),
        .tries = postgres_u32(rows, row, 7),
        .created_at = postgres_i64(rows, row, 8),
        .due_at = postgres_i64(rows, row, 9),
        .settled_at = postgres_i64(rows, row, 10),
        .answer = (int)postgres_i64(rows, row, 11),
        .key = postgres_text(rows, row, 12, arena),
        .error = postgres_text(rows, row, 13, arena),
        .body = postgres_text(rows, row, 14, arena),
    };
}

/* ---- what a batch needs: its commands are alone, so a round trip for each does not matter ---- */

static void take_position(PGresult *rows, struct outbox_position *position)
{
    if (postgres_count(rows))
        *position = (struct outbox_position){postgres_u64(rows, 0, 0), postgres_u64(rows, 0, 1)};
    PQclear(rows);
}

static void load_claims(struct postgres_store *store, struct working_set *set)
{
    for (size_t i = 0; i < set->claims.count; i++) {
        struct claim_entry *claim = &set->claims.items[i];
        if (claim->loaded) continue;
        claim->loaded = true;
        PGresult *rows = QUERY(store, MESSAGES_DUE, NUM(claim->wanted.webhook_id), NUM(set->now),
                               NUM(claim->wanted.most));
        for (int row = 0; row < postgres_count(rows); row++) {
            struct message message = message_row(rows, row, set->arena);
            working_set_put_claimed(set, claim, &message);
        }
        PQclear(rows);
    }
}

static void load_messages(struct postgres_store *store, struct working_set *set)
{
    struct postgres_array *ids = postgres_fresh(store, 0);
    struct message_entry *entry;
    size_t wanted = 0;
    for (size_t i = 0; (entry = map_each(&set->messages, &i));) {
        if (entry->loaded) continue;
        entry->loaded = true;
        postgres_array_number(ids, (int64_t)entry->id);
        wanted++;
    }
    if (!wanted) return;
    PGresult *rows = QUERY(store, MESSAGES_BY_ID, ARRAY(ids));
    for (int row = 0; row < postgres_count(rows); row++) {
        entry = working_set_message(set, postgres_u64(rows, row, 0));
        entry->found = true;
        entry->row = message_row(rows, row, set->arena);
    }
    PQclear(rows);
}

void postgres_load_outbox(struct postgres_store *store, struct working_set *set)
{
    if (set->position.needed && !set->position.loaded) {
        set->position.loaded = true;
        take_position(postgres_query(store, STATEMENT_OUTBOX_POSITION_LOCK, NULL, 0),
                      &set->position.row);
    }
    load_claims(store, set);
    load_messages(store, set);
}

/* ---- what a batch writes ---- */

static void insert_message(struct postgres_store *store, const struct message *message)
{
    WRITE(store, MESSAGE_INSERT, NUM(message->webhook_id), NUM(message->subject),
          NUM(message->topic), NUM(message->event_id), NUM(message->user_id), NUM(message->status),
          NUM(message->tries), NUM(message->created_at), NUM(message->due_at),
          NUM(message->settled_at), NUM(message->answer), TEXT(message->key), TEXT(message->error),
          TEXT(message->body));
}

void postgres_write_outbox(struct postgres_store *store, const struct change *change)
{
    const struct message *message = change->message;
    switch (change->kind) {
    case CHANGE_NOTICE:
        WRITE(store, NOTICE_INSERT, NUM(change->notice.topic), NUM(change->notice.event_id),
              NUM(change->notice.user_id), NUM(change->notice.webhook_id), NUM(change->notice.at),
              TEXT(change->notice.address));
        break;
    case CHANGE_NOTICE_TOLD:
        if (change->notice_told.told == UINT64_MAX)
            WRITE(store, NOTICE_DELETE, NUM(change->notice_told.id));
        else
            WRITE(store, NOTICE_TOLD, NUM(change->notice_told.id), NUM(change->notice_told.told));
        break;
    case CHANGE_POSITION:
        WRITE(store, OUTBOX_POSITION_PUT, NUM(change->position.journal_id),
              NUM(change->position.turn));
        break;
    case CHANGE_MESSAGE_INSERT: insert_message(store, message); break;
    case CHANGE_MESSAGE_UPDATE:
        WRITE(store, MESSAGE_UPDATE, NUM(message->id), NUM(message->status), NUM(message->tries),
              NUM(message->due_at), NUM(message->settled_at), NUM(message->answer),
              TEXT(message->error));
        break;
    default: WRITE(store, MESSAGE_DELETE, NUM(message->id));
    }
}

/* ---- readers ---- */

enum store_status postgres_list_notices(struct store *base, size_t limit, struct arena *arena,
                                        struct notice_list *ret_list)
{
    struct postgres_store *store = postgres_begin_read(base, false);
    PGresult *rows = QUERY(store, NOTICES, NUM(limit));
    ret_list->count = (size_t)postgres_count(rows);
    ret_list->items = ARENA_ARRAY(arena, struct notice, ret_list->count);
    for (int row = 0; row < postgres_count(rows); row++)
        ret_list->items[row] = (struct notice){
            .id = postgres_u64(rows, row, 0),
            .topic = (enum topic)postgres_i64(rows, row, 1),
            .event_id = postgres_u64(rows, row, 2),
            .user_id = postgres_u64(rows, row, 3),
            .webhook_id = postgres_u64(rows, row, 4),
            .at = postgres_i64(rows, row, 5),
            .told = postgres_u64(rows, row, 6),
            .address = postgres_text(rows, row, 7, arena),
        };
    PQclear(rows);
    return postgres_end_read(store);
}

enum store_status postgres_outbox_position(struct store *base, struct outbox_position *ret_position)
{
    struct postgres_store *store = postgres_begin_read(base, false);
    *ret_position = (struct outbox_position){0};
    take_position(postgres_query(store, STATEMENT_OUTBOX_POSITION, NULL, 0), ret_position);
    return postgres_end_read(store);
}

enum store_status postgres_list_messages(struct store *base, const struct message_query *query,
                                         struct arena *arena, struct message_list *ret_list)
{
    struct postgres_store *store = postgres_begin_read(base, false);
    int64_t before = query->before ? (int64_t)query->before : INT64_MAX;
    PGresult *rows =
        query->webhook_id == UINT64_MAX
            ? QUERY(store, MESSAGES, NUM(before), NUM(query->status), NUM(query->limit))
            : QUERY(store, MESSAGES_OF_WAY, NUM(before), NUM(query->status), NUM(query->limit),
                    NUM(query->webhook_id));
    ret_list->count = (size_t)postgres_count(rows);
    ret_list->items = ARENA_ARRAY(arena, struct message, ret_list->count);
    for (int row = 0; row < postgres_count(rows); row++)
        ret_list->items[row] = message_row(rows, row, arena);
    PQclear(rows);
    return postgres_end_read(store);
}

enum store_status postgres_due_ways(struct store *base, int64_t now, struct arena *arena,
                                    struct way_list *ret_list)
{
    struct postgres_store *store = postgres_begin_read(base, false);
    PGresult *rows = QUERY(store, DUE_WAYS, NUM(now));
    ret_list->count = (size_t)postgres_count(rows);
    ret_list->webhook_ids = ARENA_ARRAY(arena, uint64_t, ret_list->count);
    for (int row = 0; row < postgres_count(rows); row++)
        ret_list->webhook_ids[row] = postgres_u64(rows, row, 0);
    PQclear(rows);
    return postgres_end_read(store);
}
