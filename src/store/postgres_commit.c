/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch decided, written: rows of one kind by one statement, all statements and COMMIT in
 * one piece.
 *
 * Changes come in order, and one row may be changed more than once in a batch; of a booking
 * and of a ticket only its last state is written. Statements about a whole event come between. */
#include <assert.h>

#include "base/clock.h"
#include "store/fates.h"
#include "store/postgres_internal.h"
#include "store/search_words.h"

enum {
    REPLAY_KEPT_MS = 24 * 60 * 60 * 1000,
    BATCH_KEPT_MS = 10 * 60 * 1000, /* longer than anybody asks what became of it */
    BATCHES_PRUNED = 100000,
};

struct committing {
    struct postgres_store *store;
    const struct working_set *set;
    struct fates fates;
};

/* ---- rows that gather ---- */

static void clear_rows(struct postgres_store *store)
{
    for (size_t i = 0; i < ROWS_COUNT; i++)
        for (size_t j = 0; j < POSTGRES_COLUMNS_MAX; j++)
            postgres_array_clear(&store->rows[i].columns[j]);
}

static void add_numbers(struct postgres_rows *rows, const int64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        postgres_array_number(&rows->columns[i], numbers[i]);
}

#define ADD(rows, ...)                                                                             \
    add_numbers((rows), (const int64_t[]){__VA_ARGS__},                                            \
                sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static uint32_t row_count(const struct postgres_store *store, enum postgres_target target)
{
    return store->rows[target].columns[0].count;
}

/* All columns as values, and behind them 'more'; nothing where there is no row. */
static void write_rows(struct postgres_store *store, enum postgres_target target,
                       enum postgres_statement which, size_t columns,
                       const struct postgres_value *more, size_t more_count)
{
    struct postgres_value values[POSTGRES_COLUMNS_MAX + 2] = {0};
    if (!row_count(store, target)) return;
    for (size_t i = 0; i < columns; i++)
        values[i] = ARRAY(&store->rows[target].columns[i]);
    for (size_t i = 0; i < more_count; i++)
        values[columns + i] = more[i];
    postgres_write(store, which, values, columns + more_count);
    for (size_t i = 0; i < POSTGRES_COLUMNS_MAX; i++)
        postgres_array_clear(&store->rows[target].columns[i]);
}

/* The same, where the statement counts what it changed. */
static void write_exactly(struct postgres_store *store, enum postgres_target target,
                          enum postgres_statement which, size_t columns)
{
    struct postgres_value count = NUM(row_count(store, target));
    write_rows(store, target, which, columns, &count, 1);
}

/* ---- bookings, tickets, journal ---- */

static void gather_booking(struct postgres_store *store, const struct booking_fate *fate)
{
    const struct booking *row = fate->booking;
    switch (fate->how) {
    case FATE_INSERT:
        ADD(&store->rows[ROWS_BOOKINGS_INSERT], (int64_t)row->id, (int64_t)row->user_id,
            (int64_t)row->event_id, (int64_t)row->ticket_type_id, row->quantity, row->status,
            row->unit_price, row->paid, row->created_at, row->updated_at, row->expires_at);
        break;
    case FATE_UPDATE:
        ADD(&store->rows[ROWS_BOOKINGS_UPDATE], (int64_t)row->id, row->quantity, row->status,
            row->paid, row->updated_at, row->expires_at);
        break;
    case FATE_DELETE: ADD(&store->rows[ROWS_BOOKINGS_DELETE], (int64_t)row->id); break;
    case FATE_NOTHING: break;
    }
}

static void gather_ticket(struct postgres_store *store, const struct ticket_fate *fate)
{
    if (fate->is_new)
        ADD(&store->rows[ROWS_TICKETS_INSERT], (int64_t)fate->event_id, fate->number,
            (int64_t)fate->booking_id, fate->is_booked);
    else
        ADD(&store->rows[ROWS_TICKETS_UPDATE], (int64_t)fate->event_id, fate->number,
            fate->is_given ? 0 : (int64_t)fate->was, (int64_t)fate->was, (int64_t)fate->booking_id,
            fate->is_booked);
}

static void gather_journal(struct postgres_store *store, const struct journal_entry *entry)
{
    struct postgres_rows *rows = &store->rows[ROWS_JOURNAL];
    ADD(rows, (int64_t)entry->booking_id, (int64_t)entry->event_id, (int64_t)entry->ticket_type_id,
        entry->from, entry->to, entry->quantity, (int64_t)entry->actor_id, entry->at);
    postgres_array_text(&rows->columns[8], str_of(entry->reason));
}

static void gather_replay(struct postgres_store *store, const struct change *change)
{
    const struct replay_key *key = change->replay.key;
    const struct replay_answer *answer = change->replay.answer;
    struct postgres_array *columns = store->rows[ROWS_REPLAYS].columns;
    postgres_array_number(&columns[0], (int64_t)key->user_id);
    postgres_array_text(&columns[1], (struct str){(const char *)key->key, sizeof(key->key)});
    postgres_array_text(&columns[2],
                        (struct str){(const char *)answer->request, sizeof(answer->request)});
    postgres_array_number(&columns[3], answer->status);
    postgres_array_number(&columns[4], answer->at);
    postgres_array_text(&columns[5], answer->body);
}

/* What has gathered so far. */
static void write_gathered(struct committing *committing)
{
    struct postgres_store *store = committing->store;
    const struct fates *fates = &committing->fates;
    if (fates->error) postgres_fail(store, STORE_REFUSED, fates->error);
    for (size_t i = 0; i < fates->bookings.count; i++)
        gather_booking(store, fates->bookings.items[i]);
    for (size_t i = 0; i < fates->tickets.count; i++)
        gather_ticket(store, fates->tickets.items[i]);
    fates_clear(&committing->fates);

    write_rows(store, ROWS_BOOKINGS_INSERT, STATEMENT_BOOKINGS_INSERT, 11, NULL, 0);
    write_exactly(store, ROWS_BOOKINGS_UPDATE, STATEMENT_BOOKINGS_UPDATE, 6);
    write_exactly(store, ROWS_BOOKINGS_DELETE, STATEMENT_BOOKINGS_DELETE, 1);
    write_rows(store, ROWS_TICKETS_INSERT, STATEMENT_TICKETS_INSERT, 4, NULL, 0);
    write_exactly(store, ROWS_TICKETS_UPDATE, STATEMENT_TICKETS_UPDATE, 6);
    write_rows(store, ROWS_JOURNAL, STATEMENT_JOURNAL_INSERT, 9, NULL, 0);
}

static void write_payment(struct postgres_store *store, const struct payment *payment)
{
    WRITE(store, PAYMENT_INSERT, NUM(payment->id), NUM(payment->booking_id), NUM(payment->actor_id),
          NUM(payment->amount), TEXT(str_of(payment->currency)), NUM(payment->method),
          TEXT(payment->note), NUM(payment->created_at));
}

/* ---- events ---- */

static void write_event_words(struct postgres_store *store, const struct event *event,
                              struct arena *arena)
{
    struct field_words words = event_words(event, arena);
    struct postgres_array *all = postgres_fresh(store, 0), *fields = postgres_fresh(store, 1);
    for (size_t i = 0; i < words.count; i++) {
        postgres_array_text(all, words.items[i].word);
        postgres_array_number(fields, words.items[i].fields);
    }
    WRITE(store, EVENT_WORDS_DELETE, NUM(event->id));
    WRITE(store, EVENT_WORDS_INSERT, NUM(event->id), ARRAY(all), ARRAY(fields));
}

static void write_event_row(struct postgres_store *store, enum postgres_statement which,
                            const struct event *event, struct arena *arena)
{
    const struct postgres_value values[] = {
        NUM(event->id),
        NUM(event->organizer_id),
        NUM(event->status),
        NUM(event->starts_at),
        NUM(event->ends_at),
        postgres_num_or_nil(event->starts_at != 0, zone_day(event->timezone, event->starts_at)),
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
    postgres_write(store, which, values, sizeof(values) / sizeof(values[0]));
    write_event_words(store, event, arena);
}

static void insert_type(struct postgres_store *store, const struct ticket_type *type)
{
    WRITE(store, TYPE_INSERT, NUM(type->id), NUM(type->event_id), TEXT(type->name),
          NUM(type->capacity), NUM(type->booked), NUM(type->held), NUM(type->waiting),
          NUM(type->wanted), NUM(type->price), NUM(type->max_per_booking), NUM(type->sales_start),
          NUM(type->sales_end));
}

static void update_type(struct postgres_store *store, const struct ticket_type *type)
{
    WRITE(store, TYPE_UPDATE, NUM(type->id), TEXT(type->name), NUM(type->price),
          NUM(type->max_per_booking), NUM(type->sales_start), NUM(type->sales_end));
}

static void insert_event(struct postgres_store *store, const struct event *event,
                         struct arena *arena)
{
    write_event_row(store, STATEMENT_EVENT_INSERT, event, arena);
    WRITE(store, COUNTERS_INSERT, NUM(event->id), NUM(event->next_number), NUM(event->ever_booked));
    for (size_t i = 0; i < event->type_count; i++)
        insert_type(store, &event->types[i]);
}

static void delete_event(struct postgres_store *store, uint64_t event_id)
{
    WRITE(store, EVENT_WORDS_DELETE, NUM(event_id));
    WRITE(store, TYPES_DELETE, NUM(event_id));
    WRITE(store, COUNTERS_DELETE, NUM(event_id));
    WRITE(store, HOLDERS_DELETE, NUM(event_id));
    WRITE(store, EVENT_DELETE, NUM(event_id));
}

/* An event may have a million bookings: they never come into this program's memory. */
static void cancel_event(struct postgres_store *store, const struct change *change)
{
    uint64_t event_id = change->cancel.event_id;
    WRITE(store, CANCEL_JOURNAL, NUM(event_id), NUM(change->cancel.actor_id),
          NUM(change->cancel.at));
    WRITE(store, CANCEL_TICKETS, NUM(event_id));
    WRITE(store, LINE_BLOCKS_DELETE, NUM(event_id));
    if (change->cancel.remove)
        WRITE(store, REMOVE_BOOKINGS, NUM(event_id));
    else
        WRITE(store, CANCEL_BOOKINGS, NUM(event_id), NUM(change->cancel.at));
    WRITE(store, HOLDERS_DELETE, NUM(event_id));
}

static void rebuild_holders(struct postgres_store *store, uint64_t event_id)
{
    WRITE(store, HOLDERS_DELETE, NUM(event_id));
    WRITE(store, HOLDERS_FILL, NUM(event_id));
}

/* ---- people ---- */

static void write_user_words(struct postgres_store *store, const struct user *user,
                             struct arena *arena)
{
    struct words words = user_words(user, arena);
    struct postgres_array *all = postgres_fresh(store, 0);
    for (size_t i = 0; i < words.count; i++)
        postgres_array_text(all, words.items[i]);
    WRITE(store, USER_WORDS_DELETE, NUM(user->id));
    WRITE(store, USER_WORDS_INSERT, NUM(user->id), ARRAY(all));
}

static void write_user(struct postgres_store *store, enum postgres_statement which,
                       const struct user *user, struct arena *arena)
{
    const struct postgres_value values[] = {
        NUM(user->id),
        postgres_text_or_nil(user->email),
        postgres_text_or_nil(text_fold(arena, user->email)),
        postgres_text_or_nil(user->username),
        postgres_text_or_nil(text_fold(arena, user->username)),
        TEXT(user->name),
        TEXT(user->password_hash),
        NUM(user->role),
        NUM(user->created_at),
        NUM(user->erased_at),
        NUM(user->verified_at),
        NUM(user->mail),
    };
    WRITE(store, DIRECTORY_MOVE_FOR, NUM(user->id), NUM(user->role));
    postgres_write(store, which, values, sizeof(values) / sizeof(values[0]));
    write_user_words(store, user, arena);
}

static void revoke(struct postgres_store *store, const struct change *change)
{
    WRITE(store, REVOKE, NUM(change->revoke.user_id), NUM(change->revoke.at));
    WRITE(store, DIRECTORY_MOVE);
}

/* ---- the rest ---- */

static void prune(struct postgres_store *store, const struct change *change, int64_t now)
{
    uint32_t most = change->prune.most;
    if (change->prune.cancelled_before)
        WRITE(store, PRUNE_BOOKINGS, NUM(change->prune.cancelled_before), NUM(most));
    WRITE(store, PRUNE_REPLAYS, NUM(change->prune.replays_before), NUM(most));
    WRITE(store, PRUNE_REVOCATIONS, NUM(change->prune.revocations_before), NUM(most));
    WRITE(store, PRUNE_MESSAGES, NUM(change->prune.sent_before), NUM(change->prune.parked_before),
          NUM(most));
    WRITE(store, PRUNE_BATCHES, NUM(now - BATCH_KEPT_MS), NUM(BATCHES_PRUNED));
}

/* Rows that gather. */
static bool gather_change(struct committing *committing, const struct change *change)
{
    struct postgres_store *store = committing->store;
    if (fates_add(&committing->fates, change)) return true;
    switch (change->kind) {
    case CHANGE_JOURNAL: gather_journal(store, &change->journal); return true;
    case CHANGE_REPLAY: gather_replay(store, change); return true;
    default: return false;
    }
}

static void write_change(struct committing *committing, const struct change *change)
{
    struct postgres_store *store = committing->store;
    struct arena *arena = committing->set->arena;
    if (gather_change(committing, change)) return;
    switch (change->kind) {
    case CHANGE_PAYMENT: write_payment(store, change->payment); break;
    case CHANGE_EVENT_INSERT: insert_event(store, change->event, arena); break;
    case CHANGE_EVENT_UPDATE:
        write_event_row(store, STATEMENT_EVENT_UPDATE, change->event, arena);
        break;
    case CHANGE_EVENT_DELETE: delete_event(store, change->event_id); break;
    case CHANGE_EVENT_CANCEL:
        store->patience_ms = POSTGRES_PATIENCE_SETS_MS;
        write_gathered(committing);
        cancel_event(store, change);
        break;
    case CHANGE_TYPE_INSERT: insert_type(store, change->type); break;
    case CHANGE_TYPE_UPDATE: update_type(store, change->type); break;
    case CHANGE_HOLDERS_REBUILD:
        store->patience_ms = POSTGRES_PATIENCE_SETS_MS;
        write_gathered(committing);
        rebuild_holders(store, change->event_id);
        break;
    case CHANGE_USER_INSERT: write_user(store, STATEMENT_USER_INSERT, change->user, arena); break;
    case CHANGE_USER_UPDATE: write_user(store, STATEMENT_USER_UPDATE, change->user, arena); break;
    case CHANGE_REVOKE: revoke(store, change); break;
    case CHANGE_PRUNE: prune(store, change, committing->set->now); break;
    case CHANGE_NOTICE:
    case CHANGE_NOTICE_TOLD:
    case CHANGE_POSITION:
    case CHANGE_MESSAGE_INSERT:
    case CHANGE_MESSAGE_UPDATE:
    case CHANGE_MESSAGE_DELETE: postgres_write_outbox(store, change); break;
    case CHANGE_WEBHOOK_INSERT:
    case CHANGE_WEBHOOK_UPDATE:
    case CHANGE_WEBHOOK_DELETE:
    case CHANGE_FORGET_USER: postgres_write_webhook(store, change); break;
    default: assert(!"a kind of change that is not written");
    }
}

/* ---- counters: once a batch, however often they moved ---- */

static void write_counters(struct postgres_store *store, const struct working_set *set)
{
    struct postgres_rows *rows = &store->rows[ROWS_LAST];
    const struct type_entry *type;
    for (size_t i = 0; i < POSTGRES_COLUMNS_MAX; i++)
        postgres_array_clear(&rows->columns[i]);
    for (size_t i = 0; (type = map_each(&set->types, &i));) {
        const struct ticket_type *row = &type->row;
        if (!type->dirty || type->event->gone) continue;
        ADD(rows, (int64_t)row->id, row->capacity, row->booked, row->held, row->waiting,
            (int64_t)row->wanted);
    }
    write_exactly(store, ROWS_LAST, STATEMENT_TYPES_COUNT, 6);
    const struct event_entry *event;
    for (size_t i = 0; (event = map_each(&set->events, &i));)
        if (event->numbers_dirty && !event->gone)
            ADD(rows, (int64_t)event->id, event->row.next_number, event->row.ever_booked);
    write_exactly(store, ROWS_LAST, STATEMENT_COUNTERS_UPDATE, 3);
}

/* An empty block goes, so that who looks for his place does not walk over them. */
static void write_line(struct postgres_store *store, const struct working_set *set)
{
    struct postgres_rows *joined = &store->rows[ROWS_BOOKINGS_INSERT],
                         *moved = &store->rows[ROWS_LAST],
                         *left = &store->rows[ROWS_BOOKINGS_UPDATE];
    const struct line_change *line;
    for (size_t i = 0; (line = map_each(&set->line_changes, &i));) {
        int64_t type = (int64_t)line->ticket_type_id, block = (int64_t)line->block;
        if (line->bookings == 0 && line->tickets == 0) continue;
        ADD(moved, type, block, line->bookings, line->tickets);
        if (line->bookings > 0) ADD(joined, type, block);
        if (line->bookings < 0) ADD(left, type, block);
    }
    write_rows(store, ROWS_BOOKINGS_INSERT, STATEMENT_LINE_BLOCKS_MAKE, 2, NULL, 0);
    write_exactly(store, ROWS_LAST, STATEMENT_LINE_BLOCKS_ADD, 4);
    write_rows(store, ROWS_BOOKINGS_UPDATE, STATEMENT_LINE_BLOCKS_DROP, 2, NULL, 0);
}

static void write_holders(struct postgres_store *store, const struct working_set *set)
{
    struct postgres_rows *put = &store->rows[ROWS_LAST], *drop = &store->rows[ROWS_BOOKINGS_DELETE];
    const struct holder_entry *holder;
    for (size_t i = 0; (holder = map_each(&set->holders, &i));) {
        if (!holder->dirty) continue;
        const struct event_entry *event = working_set_event(set, holder->event_id);
        if (event && event->gone) continue;
        if (holder->quantity)
            ADD(put, (int64_t)holder->event_id, (int64_t)holder->user_id, holder->quantity);
        else
            ADD(drop, (int64_t)holder->event_id, (int64_t)holder->user_id);
    }
    write_rows(store, ROWS_LAST, STATEMENT_HOLDERS_PUT, 3, NULL, 0);
    write_rows(store, ROWS_BOOKINGS_DELETE, STATEMENT_HOLDERS_DROP, 2, NULL, 0);
}

static void write_replays(struct postgres_store *store, int64_t now)
{
    const struct postgres_value more[] = {NUM(now - REPLAY_KEPT_MS),
                                          NUM(row_count(store, ROWS_REPLAYS))};
    write_rows(store, ROWS_REPLAYS, STATEMENT_REPLAYS_INSERT, 6, more, 2);
}

/* Before any id of the journal is drawn: see postgres_journal.c. */
static void mark_journal(struct postgres_store *store, const struct working_set *set)
{
    size_t i = 0;
    while (i < set->changes.count && !change_is_journaled(&set->changes.items[i]))
        i++;
    if (i < set->changes.count) postgres_write(store, STATEMENT_JOURNAL_MARK, NULL, 0);
}

static void write_all(struct committing *committing)
{
    struct postgres_store *store = committing->store;
    const struct working_set *set = committing->set;
    clear_rows(store);
    mark_journal(store, set);
    for (size_t i = 0; i < set->changes.count; i++)
        write_change(committing, &set->changes.items[i]);
    write_gathered(committing);
    write_counters(store, set);
    write_line(store, set);
    write_holders(store, set);
    write_replays(store, set->now);
    store->batch_id++;
    store->batch_at = set->now;
    WRITE(store, BATCH_INSERT, NUM(store->batch_id), NUM(set->now));
}

enum store_status postgres_commit(struct store *base, struct working_set *set)
{
    struct committing committing = {
        .store = postgres_begin_write(base), .set = set, .fates.arena = set->arena};
    struct postgres_store *store = committing.store;
    store->last_commit = STORE_DOWN;
    postgres_want_begin(store);
    if (store->status == STORE_OK) write_all(&committing);
    store->committing = store->status == STORE_OK; /* from here on it may happen */
    WRITE(store, COMMIT);
    postgres_sync(store);
    postgres_finish(store);
    store->last_commit = store->status;
    if (store->status != STORE_OK) return postgres_roll_back(store);
    store->committing = store->in_transaction = false;
    return STORE_OK;
}
