/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch decided, written. */
#include <assert.h>

#include "base/clock.h"
#include "store/search_words.h"
#include "store/sqlite_internal.h"

/* What should have changed one row and did not was decided from rows that are not there. */
static void one_row(struct sqlite_store *store, int changed, const char *text)
{
    if (changed != 1) sqlite_refuse(store, text);
}

/* ---- rows that are written many at a time ---- */

static void write_rows(struct sqlite_store *store, enum sqlite_gathered table)
{
    enum { SIZES = 3 };
    static const size_t sizes[SIZES] = {SQLITE_ROWS_AT_ONCE, 4, 1};
    static const struct {
        size_t columns;
        enum sqlite_statement inserts[SIZES];
    } tables[] = {
#define INSERTS(name)                                                                              \
    {STATEMENT_##name##_INSERT_16, STATEMENT_##name##_INSERT_4, STATEMENT_##name##_INSERT}
        [SQLITE_BOOKINGS] = {11, INSERTS(BOOKING)},
        [SQLITE_TICKETS] = {4, INSERTS(TICKET)},
        [SQLITE_JOURNAL] = {10, INSERTS(JOURNAL)},
#undef INSERTS
    };
    const struct sqlite_value *values = store->gathered[table].values;
    size_t left = store->gathered[table].count;
    for (int i = 0; i < SIZES; i++) {
        size_t count = sizes[i] * tables[table].columns;
        for (; left >= count; left -= count, values += count)
            sqlite_run(store, tables[table].inserts[i], values, count);
    }
    assert(left == 0);
    store->gathered[table].count = 0;
}

static void add_row(struct sqlite_store *store, enum sqlite_gathered table,
                    const struct sqlite_value *values, size_t columns)
{
    memcpy(&store->gathered[table].values[store->gathered[table].count], values,
           columns * sizeof(*values));
    store->gathered[table].count += columns;
    if (store->gathered[table].count == SQLITE_ROWS_AT_ONCE * columns) write_rows(store, table);
}
#define ADD_ROW(store, table, ...) add_row((store), (table), SQLITE_VALUES(__VA_ARGS__))

/* What sells adds rows; whatever else is done looks at them in their tables. The journal is never
 * looked at here. */
static void write_rows_before(struct sqlite_store *store, enum change_kind kind)
{
    if (kind == CHANGE_BOOKING_INSERT || kind == CHANGE_TICKETS_NEW || kind == CHANGE_JOURNAL ||
        kind == CHANGE_REPLAY)
        return;
    write_rows(store, SQLITE_BOOKINGS);
    write_rows(store, SQLITE_TICKETS);
}

/* ---- selling ---- */

static void write_booking(struct sqlite_store *store, enum change_kind kind,
                          const struct booking *booking)
{
    switch (kind) {
    case CHANGE_BOOKING_INSERT:
        ADD_ROW(store, SQLITE_BOOKINGS, NUM(booking->id), NUM(booking->user_id),
                NUM(booking->event_id), NUM(booking->ticket_type_id), NUM(booking->quantity),
                NUM(booking->status), NUM(booking->unit_price), NUM(booking->paid),
                NUM(booking->created_at), NUM(booking->updated_at), NUM(booking->expires_at));
        break;
    case CHANGE_BOOKING_UPDATE:
        one_row(store,
                RUN(store, BOOKING_UPDATE, NUM(booking->id), NUM(booking->quantity),
                    NUM(booking->status), NUM(booking->paid), NUM(booking->updated_at),
                    NUM(booking->expires_at)),
                "a booking to be changed is not there");
        break;
    default:
        one_row(store, RUN(store, BOOKING_DELETE, NUM(booking->id)),
                "a booking to be removed is not there");
    }
}

static void write_tickets(struct sqlite_store *store, const struct change *change)
{
    uint64_t event_id = change->tickets.event_id, booking_id = change->tickets.booking_id;
    uint32_t number = change->tickets.number;
    bool is_booked = change->tickets.is_booked;
    switch (change->kind) {
    case CHANGE_TICKETS_NEW:
        for (uint32_t i = 0; i < change->tickets.count; i++)
            ADD_ROW(store, SQLITE_TICKETS, NUM(event_id), NUM(number + i), NUM(booking_id),
                    NUM(is_booked));
        break;
    case CHANGE_TICKET_GIVE:
        one_row(
            store,
            RUN(store, TICKET_GIVE, NUM(event_id), NUM(number), NUM(booking_id), NUM(is_booked)),
            "a ticket to be given again was not returned");
        break;
    default:
        one_row(store, RUN(store, TICKET_RETURN, NUM(event_id), NUM(number), NUM(booking_id)),
                "a ticket to be returned is not the booking's");
    }
}

static void add_journal(struct sqlite_store *store, const struct journal_entry *entry)
{
    ADD_ROW(store, SQLITE_JOURNAL, NUM(entry->booking_id), NUM(store->journal_next++),
            NUM(entry->event_id), NUM(entry->ticket_type_id), NUM(entry->from), NUM(entry->to),
            NUM(entry->quantity), NUM(entry->actor_id), NUM(entry->at),
            TEXT(str_of(entry->reason)));
}

static void write_payment(struct sqlite_store *store, const struct payment *payment)
{
    RUN(store, PAYMENT_INSERT, NUM(payment->id), NUM(payment->booking_id), NUM(payment->actor_id),
        NUM(payment->amount), TEXT(str_of(payment->currency)), NUM(payment->method),
        TEXT(payment->note), NUM(payment->created_at));
}

/* ---- events ---- */

static void write_event_words(struct sqlite_store *store, const struct event *event,
                              struct arena *arena)
{
    struct field_words words = event_words(event, arena);
    RUN(store, EVENT_WORDS_DELETE, NUM(event->id));
    for (size_t i = 0; i < words.count; i++)
        RUN(store, EVENT_WORD, NUM(event->id), TEXT(words.items[i].word),
            NUM(words.items[i].fields));
}

static void write_event_row(struct sqlite_store *store, enum sqlite_statement which,
                            const struct event *event, struct arena *arena)
{
    const struct sqlite_value values[] = {
        NUM(event->id),
        NUM(event->organizer_id),
        NUM(event->status),
        NUM(event->starts_at),
        NUM(event->ends_at),
        sqlite_num_or_nil(event->starts_at != 0, zone_day(event->timezone, event->starts_at)),
        NUM(event->max_per_user),
        NUM(event->version),
        NUM(event->created_at),
        NUM(event->updated_at),
        TEXT(str_of(event->currency)),
        TEXT(event->timezone),
        TEXT(event->name),
        TEXT(text_fold(arena, event->name)),
        TEXT(event->venue),
        TEXT(event->description),
    };
    one_row(store, sqlite_run(store, which, values, sizeof(values) / sizeof(values[0])),
            "an event to be changed is not there");
    write_event_words(store, event, arena);
}

static void insert_type(struct sqlite_store *store, const struct ticket_type *type)
{
    RUN(store, TYPE_INSERT, NUM(type->id), NUM(type->event_id), TEXT(type->name),
        NUM(type->capacity), NUM(type->booked), NUM(type->held), NUM(type->waiting),
        NUM(type->wanted), NUM(type->price), NUM(type->max_per_booking), NUM(type->sales_start),
        NUM(type->sales_end));
}

static void update_type(struct sqlite_store *store, const struct ticket_type *type)
{
    one_row(store,
            RUN(store, TYPE_UPDATE, NUM(type->id), TEXT(type->name), NUM(type->price),
                NUM(type->max_per_booking), NUM(type->sales_start), NUM(type->sales_end)),
            "a ticket type to be changed is not there");
}

static void insert_event(struct sqlite_store *store, const struct event *event, struct arena *arena)
{
    write_event_row(store, STATEMENT_EVENT_INSERT, event, arena);
    RUN(store, COUNTERS_INSERT, NUM(event->id), NUM(event->next_number), NUM(event->ever_booked));
    for (size_t i = 0; i < event->type_count; i++)
        insert_type(store, &event->types[i]);
}

static void delete_event(struct sqlite_store *store, uint64_t event_id)
{
    RUN(store, EVENT_WORDS_DELETE, NUM(event_id));
    RUN(store, TYPES_DELETE, NUM(event_id));
    RUN(store, COUNTERS_DELETE, NUM(event_id));
    RUN(store, HOLDERS_DELETE, NUM(event_id));
    one_row(store, RUN(store, EVENT_DELETE, NUM(event_id)), "an event to be removed is not there");
}

/* An event may have a million bookings: they never come into this program's memory. */
static void cancel_event(struct sqlite_store *store, const struct change *change)
{
    uint64_t event_id = change->cancel.event_id;
    int journaled = RUN(store, CANCEL_JOURNAL, NUM(event_id), NUM(change->cancel.actor_id),
                        NUM(change->cancel.at), NUM(store->journal_next));
    store->journal_next += (uint64_t)journaled;
    RUN(store, CANCEL_TICKETS, NUM(event_id));
    RUN(store, LINE_BLOCKS_DELETE, NUM(event_id));
    if (change->cancel.remove)
        RUN(store, REMOVE_BOOKINGS, NUM(event_id));
    else
        RUN(store, CANCEL_BOOKINGS, NUM(event_id), NUM(change->cancel.at));
    RUN(store, HOLDERS_DELETE, NUM(event_id));
}

static void rebuild_holders(struct sqlite_store *store, uint64_t event_id)
{
    RUN(store, HOLDERS_DELETE, NUM(event_id));
    RUN(store, HOLDERS_FILL, NUM(event_id));
}

/* ---- people ---- */

static void write_user_words(struct sqlite_store *store, const struct user *user,
                             struct arena *arena)
{
    struct words words = user_words(user, arena);
    RUN(store, USER_WORDS_DELETE, NUM(user->id));
    for (size_t i = 0; i < words.count; i++)
        RUN(store, USER_WORD, NUM(user->id), TEXT(words.items[i]));
}

static void write_user(struct sqlite_store *store, enum sqlite_statement which,
                       const struct user *user, struct arena *arena)
{
    const struct sqlite_value values[] = {
        NUM(user->id),
        sqlite_text_or_nil(user->email),
        sqlite_text_or_nil(text_fold(arena, user->email)),
        sqlite_text_or_nil(user->username),
        sqlite_text_or_nil(text_fold(arena, user->username)),
        TEXT(user->name),
        TEXT(user->password_hash),
        NUM(user->role),
        NUM(user->created_at),
        NUM(user->erased_at),
        NUM(user->verified_at),
        NUM(user->mail),
    };
    one_row(store, sqlite_run(store, which, values, sizeof(values) / sizeof(values[0])),
            "a user to be changed is not there");
    write_user_words(store, user, arena);
}

/* ---- the rest ---- */

static void write_replay(struct sqlite_store *store, const struct change *change)
{
    const struct replay_key *key = change->replay.key;
    const struct replay_answer *answer = change->replay.answer;
    sqlite3_stmt *other = sqlite_find_replay(store, key, answer->at);
    if (other) {
        sqlite_end(other);
        sqlite_refuse(store, "there is an answer to this key already");
        return;
    }
    RUN(store, REPLAY_INSERT, NUM(key->user_id),
        BLOB(((struct str){(const char *)key->key, sizeof(key->key)})),
        BLOB(((struct str){(const char *)answer->request, sizeof(answer->request)})),
        NUM(answer->status), NUM(answer->at), BLOB(answer->body));
    replay_index_add(&store->replays, key, (uint64_t)sqlite3_last_insert_rowid(store->db),
                     answer->at);
}

static void prune(struct sqlite_store *store, const struct change *change)
{
    uint32_t most = change->prune.most;
    if (change->prune.cancelled_before)
        RUN(store, PRUNE_BOOKINGS, NUM(change->prune.cancelled_before), NUM(most));
    RUN(store, PRUNE_REPLAYS, NUM(change->prune.replays_before), NUM(most));
    replay_index_prune(&store->replays, change->prune.replays_before);
    RUN(store, PRUNE_REVOCATIONS, NUM(change->prune.revocations_before), NUM(most));
    RUN(store, PRUNE_MESSAGES, NUM(change->prune.sent_before), NUM(change->prune.parked_before),
        NUM(most));
}

static void write_change(struct sqlite_store *store, const struct change *change,
                         struct arena *arena)
{
    switch (change->kind) {
    case CHANGE_BOOKING_INSERT:
    case CHANGE_BOOKING_UPDATE:
    case CHANGE_BOOKING_DELETE: write_booking(store, change->kind, change->booking); break;
    case CHANGE_TICKETS_NEW:
    case CHANGE_TICKET_GIVE:
    case CHANGE_TICKET_RETURN: write_tickets(store, change); break;
    case CHANGE_JOURNAL: add_journal(store, &change->journal); break;
    case CHANGE_PAYMENT: write_payment(store, change->payment); break;
    case CHANGE_EVENT_INSERT: insert_event(store, change->event, arena); break;
    case CHANGE_EVENT_UPDATE:
        write_event_row(store, STATEMENT_EVENT_UPDATE, change->event, arena);
        break;
    case CHANGE_EVENT_DELETE: delete_event(store, change->event_id); break;
    case CHANGE_EVENT_CANCEL: cancel_event(store, change); break;
    case CHANGE_TYPE_INSERT: insert_type(store, change->type); break;
    case CHANGE_TYPE_UPDATE: update_type(store, change->type); break;
    case CHANGE_HOLDERS_REBUILD: rebuild_holders(store, change->event_id); break;
    case CHANGE_USER_INSERT: write_user(store, STATEMENT_USER_INSERT, change->user, arena); break;
    case CHANGE_USER_UPDATE: write_user(store, STATEMENT_USER_UPDATE, change->user, arena); break;
    case CHANGE_REVOKE:
        RUN(store, REVOKE, NUM(change->revoke.user_id), NUM(change->revoke.at));
        break;
    case CHANGE_REPLAY: write_replay(store, change); break;
    case CHANGE_PRUNE: prune(store, change); break;
    case CHANGE_NOTICE:
    case CHANGE_NOTICE_TOLD:
    case CHANGE_POSITION:
    case CHANGE_MESSAGE_INSERT:
    case CHANGE_MESSAGE_UPDATE:
    case CHANGE_MESSAGE_DELETE: sqlite_write_outbox(store, change); break;
    case CHANGE_WEBHOOK_INSERT:
    case CHANGE_WEBHOOK_UPDATE:
    case CHANGE_WEBHOOK_DELETE:
    case CHANGE_FORGET_USER: sqlite_write_webhook(store, change); break;
    }
}

/* ---- counters: once a batch, however often they moved ---- */

static void write_counters(struct sqlite_store *store, const struct working_set *set)
{
    const struct type_entry *type;
    for (size_t i = 0; (type = map_each(&set->types, &i));) {
        const struct ticket_type *row = &type->row;
        if (!type->dirty || type->event->gone) continue;
        one_row(store,
                RUN(store, TYPE_COUNT, NUM(row->id), NUM(row->capacity), NUM(row->booked),
                    NUM(row->held), NUM(row->waiting), NUM(row->wanted)),
                "a ticket type to be counted is not there");
    }
    const struct event_entry *event;
    for (size_t i = 0; (event = map_each(&set->events, &i));)
        if (event->numbers_dirty && !event->gone)
            one_row(store,
                    RUN(store, COUNTERS_UPDATE, NUM(event->id), NUM(event->row.next_number),
                        NUM(event->row.ever_booked)),
                    "an event to be counted is not there");
}

/* An empty block goes, so that who looks for his place does not walk over them. */
static void write_line(struct sqlite_store *store, const struct working_set *set)
{
    const struct line_change *line;
    for (size_t i = 0; (line = map_each(&set->line_changes, &i));) {
        struct sqlite_value type = NUM(line->ticket_type_id), block = NUM(line->block);
        if (line->bookings == 0 && line->tickets == 0) continue;
        if (RUN(store, LINE_BLOCK_ADD, type, block, NUM(line->bookings), NUM(line->tickets)) == 0)
            RUN(store, LINE_BLOCK_INSERT, type, block, NUM(line->bookings), NUM(line->tickets));
        if (line->bookings < 0) RUN(store, LINE_BLOCK_DROP, type, block);
    }
}

static void write_holders(struct sqlite_store *store, const struct working_set *set)
{
    const struct holder_entry *holder;
    for (size_t i = 0; (holder = map_each(&set->holders, &i));) {
        if (!holder->dirty) continue;
        const struct event_entry *event = working_set_event(set, holder->event_id);
        if (event && event->gone) continue;
        if (holder->quantity)
            RUN(store, HOLDER_PUT, NUM(holder->event_id), NUM(holder->user_id),
                NUM(holder->quantity));
        else
            RUN(store, HOLDER_DELETE, NUM(holder->event_id), NUM(holder->user_id));
    }
}

static void write_sequences(struct sqlite_store *store, const struct working_set *set)
{
    for (int i = 0; i < SEQUENCE_COUNT; i++)
        if (set->ids[i].used)
            RUN(store, SEQUENCE_PUT, NUM(i), NUM(store->next[i] + set->ids[i].used));
    if (store->journal_next != store->next[SEQUENCE_JOURNAL])
        RUN(store, SEQUENCE_PUT, NUM(SEQUENCE_JOURNAL_KEY), NUM(store->journal_next));
}

enum store_status sqlite_commit(struct store *base, struct working_set *set)
{
    struct sqlite_store *store = sqlite_begin_write(base);
    store->journal_next = store->next[SEQUENCE_JOURNAL];
    for (int i = 0; i < SQLITE_GATHERED; i++)
        store->gathered[i].count = 0;
    for (size_t i = 0; i < set->changes.count && store->status == STORE_OK; i++) {
        write_rows_before(store, set->changes.items[i].kind);
        write_change(store, &set->changes.items[i], set->arena);
    }
    for (int i = 0; i < SQLITE_GATHERED; i++)
        write_rows(store, (enum sqlite_gathered)i);
    write_counters(store, set);
    write_line(store, set);
    write_holders(store, set);
    write_sequences(store, set);
    RUN(store, COMMIT);
    if (store->status != STORE_OK) return sqlite_roll_back(store);

    for (int i = 0; i < SEQUENCE_COUNT; i++)
        store->next[i] += set->ids[i].used;
    store->next[SEQUENCE_JOURNAL] = store->journal_next;
    store->committed = true;
    return STORE_OK;
}
