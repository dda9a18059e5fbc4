/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch decided, written. What selling writes is gathered first, and then every table is
 * written once: a row that was made and changed in the same batch is written as it is in the end.
 * Changes of events and people, which are few, are written as they come, and what was gathered
 * before them first. */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/fates.h"
#include "store/mysql_internal.h"
#include "store/search_words.h"

struct writing {
    struct maria_store *store;
    struct working_set *set;
    struct arena *arena;
    struct fates fates;
    struct maria_batch journal, payments;
    bool moves_directory;
};

static struct str octets(const unsigned char *data, size_t len)
{
    return (struct str){(const char *)data, len};
}

/* What should have changed so many rows and did not was decided from rows that are not there. */
static void expect(struct maria_store *store, int64_t changed, size_t count, const char *text)
{
    if (changed != (int64_t)count) maria_refuse(store, text);
}

/* ---- selling: gathering ---- */

static void gather_journal(struct writing *writing, const struct journal_entry *entry)
{
    ADD(&writing->journal, writing->arena, NUM(entry->booking_id),
        NUM(writing->store->journal_next++), NUM(entry->event_id), NUM(entry->ticket_type_id),
        NUM(entry->from), NUM(entry->to), NUM(entry->quantity), NUM(entry->actor_id),
        NUM(entry->at), TEXT(str_of(entry->reason)));
}

static void gather_payment(struct writing *writing, const struct payment *payment)
{
    ADD(&writing->payments, writing->arena, NUM(payment->id), NUM(payment->booking_id),
        NUM(payment->actor_id), NUM(payment->amount), TEXT(str_of(payment->currency)),
        NUM(payment->method), TEXT(payment->note), NUM(payment->created_at));
}

/* ---- selling: writing ---- */

static void end_updates(struct writing *writing, struct maria_set *set, enum maria_statement which,
                        const char *text)
{
    size_t count = set->count;
    if (count == 0) return;
    struct maria_value value = maria_set_end(set, writing->arena);
    expect(writing->store, maria_run(writing->store, which, &value, 1), count, text);
}

static void write_bookings(struct writing *writing)
{
    struct maria_batch inserted = {0}, ended = {0};
    struct maria_set updated = {0}, deleted = {0};
    for (size_t i = 0; i < writing->fates.bookings.count; i++) {
        const struct booking_fate *fate = writing->fates.bookings.items[i];
        const struct booking *row = fate->booking;
        bool stays = fate->how == FATE_INSERT || fate->how == FATE_UPDATE;
        if (stays && !booking_is_active(row->status))
            ADD(&ended, writing->arena, NUM(row->updated_at), NUM(row->id));
        if (fate->how == FATE_DELETE)
            SET_ADD(&deleted, (int64_t)row->id);
        else if (fate->how == FATE_UPDATE)
            SET_ADD(&updated, (int64_t)row->id, row->quantity, row->status, row->paid,
                    row->updated_at, row->expires_at);
        else if (fate->how == FATE_INSERT)
            ADD(&inserted, writing->arena, NUM(row->id), NUM(row->user_id), NUM(row->event_id),
                NUM(row->ticket_type_id), NUM(row->quantity), NUM(row->status),
                NUM(row->unit_price), NUM(row->paid), NUM(row->created_at), NUM(row->updated_at),
                NUM(row->expires_at));
        if (updated.count == ROWS_AT_ONCE)
            end_updates(writing, &updated, STATEMENT_BOOKINGS_UPDATE,
                        "a booking to be changed is not there");
    }
    maria_insert(writing->store, INSERT_BOOKINGS, &inserted, writing->arena);
    end_updates(writing, &updated, STATEMENT_BOOKINGS_UPDATE,
                "a booking to be changed is not there");
    end_updates(writing, &deleted, STATEMENT_BOOKINGS_DELETE,
                "a booking to be removed is not there");
    maria_insert(writing->store, INSERT_ENDED, &ended, writing->arena);
}

static void write_tickets(struct writing *writing)
{
    struct maria_batch inserted = {0};
    struct maria_set moved = {0};
    static const char wrong[] = "a ticket to be given or returned is not as it should be";
    for (size_t i = 0; i < writing->fates.tickets.count; i++) {
        const struct ticket_fate *fate = writing->fates.tickets.items[i];
        if (fate->is_new)
            ADD(&inserted, writing->arena, NUM(fate->event_id), NUM(fate->number),
                maria_num_or_nil(fate->booking_id != 0, (int64_t)fate->booking_id),
                NUM(fate->is_booked));
        else
            SET_ADD(&moved, (int64_t)fate->event_id, fate->number, (int64_t)fate->was,
                    (int64_t)fate->booking_id, fate->is_booked, fate->is_given);
        if (moved.count == ROWS_AT_ONCE)
            end_updates(writing, &moved, STATEMENT_TICKETS_MOVE, wrong);
    }
    maria_insert(writing->store, INSERT_TICKETS, &inserted, writing->arena);
    end_updates(writing, &moved, STATEMENT_TICKETS_MOVE, wrong);
}

static void write_gathered(struct writing *writing)
{
    if (writing->fates.error) maria_refuse(writing->store, writing->fates.error);
    write_bookings(writing);
    write_tickets(writing);
    fates_clear(&writing->fates);
    maria_insert(writing->store, INSERT_JOURNAL, &writing->journal, writing->arena);
    maria_insert(writing->store, INSERT_PAYMENTS, &writing->payments, writing->arena);
}

/* ---- events ---- */

static void write_event_words(struct writing *writing, const struct event *event)
{
    struct field_words words = event_words(event, writing->arena);
    struct maria_batch rows = {0};
    RUN(writing->store, EVENT_WORDS_DELETE, NUM(event->id));
    for (size_t i = 0; i < words.count; i++)
        ADD(&rows, writing->arena, NUM(event->id), BLOB(maria_cut(words.items[i].word, WORD_MAX)),
            NUM(words.items[i].fields));
    maria_insert(writing->store, INSERT_EVENT_WORDS, &rows, writing->arena);
}

static void write_event_row(struct writing *writing, enum maria_statement which,
                            const struct event *event)
{
    const struct maria_value values[] = {
        NUM(event->id),
        NUM(event->organizer_id),
        NUM(event->status),
        NUM(event->starts_at),
        NUM(event->ends_at),
        maria_num_or_nil(event->starts_at != 0, zone_day(event->timezone, event->starts_at)),
        NUM(event->max_per_user),
        NUM(event->version),
        NUM(event->created_at),
        NUM(event->updated_at),
        TEXT(str_of(event->currency)),
        TEXT(event->timezone),
        TEXT(event->name),
        BLOB(maria_cut(text_fold(writing->arena, event->name), KEY_MAX)),
        TEXT(event->venue),
        TEXT(event->description),
    };
    expect(writing->store,
           maria_run(writing->store, which, values, sizeof(values) / sizeof(values[0])), 1,
           "an event to be changed is not there");
    write_event_words(writing, event);
}

static void add_type(struct writing *writing, struct maria_batch *rows,
                     const struct ticket_type *type)
{
    ADD(rows, writing->arena, NUM(type->id), NUM(type->event_id), TEXT(type->name),
        NUM(type->capacity), NUM(type->booked), NUM(type->held), NUM(type->waiting),
        NUM(type->wanted), NUM(type->price), NUM(type->max_per_booking), NUM(type->sales_start),
        NUM(type->sales_end));
}

static void insert_type(struct writing *writing, const struct ticket_type *type)
{
    struct maria_batch rows = {0};
    add_type(writing, &rows, type);
    maria_insert(writing->store, INSERT_TYPES, &rows, writing->arena);
}

static void update_type(struct writing *writing, const struct ticket_type *type)
{
    expect(writing->store,
           RUN(writing->store, TYPE_UPDATE, NUM(type->id), TEXT(type->name), NUM(type->price),
               NUM(type->max_per_booking), NUM(type->sales_start), NUM(type->sales_end)),
           1, "a ticket type to be changed is not there");
}

static void insert_event(struct writing *writing, const struct event *event)
{
    struct maria_batch rows = {0};
    write_event_row(writing, STATEMENT_EVENT_INSERT, event);
    RUN(writing->store, COUNTERS_INSERT, NUM(event->id), NUM(event->next_number),
        NUM(event->ever_booked));
    for (size_t i = 0; i < event->type_count; i++)
        add_type(writing, &rows, &event->types[i]);
    maria_insert(writing->store, INSERT_TYPES, &rows, writing->arena);
}

static void delete_event(struct maria_store *store, uint64_t event_id)
{
    RUN(store, EVENT_WORDS_DELETE, NUM(event_id));
    RUN(store, TYPES_DELETE, NUM(event_id));
    RUN(store, COUNTERS_DELETE, NUM(event_id));
    RUN(store, HOLDERS_DELETE, NUM(event_id));
    expect(store, RUN(store, EVENT_DELETE, NUM(event_id)), 1,
           "an event to be removed is not there");
}

/* An event may have a million bookings: they never come into this program's memory. */
static void cancel_event(struct maria_store *store, const struct change *change)
{
    uint64_t event_id = change->cancel.event_id;
    maria_be_patient(store, MARIA_PATIENCE_SETS_S);
    int64_t journaled = RUN(store, CANCEL_JOURNAL, NUM(event_id), NUM(change->cancel.actor_id),
                            NUM(change->cancel.at), NUM(store->journal_next));
    store->journal_next += (uint64_t)journaled;
    RUN(store, CANCEL_TICKETS, NUM(event_id));
    RUN(store, LINE_BLOCKS_DELETE, NUM(event_id));
    if (change->cancel.remove) {
        RUN(store, REMOVE_BOOKINGS, NUM(event_id));
    } else {
        RUN(store, CANCEL_ENDED, NUM(event_id), NUM(change->cancel.at));
        RUN(store, CANCEL_BOOKINGS, NUM(event_id), NUM(change->cancel.at));
    }
    RUN(store, HOLDERS_DELETE, NUM(event_id));
}

static void rebuild_holders(struct maria_store *store, uint64_t event_id)
{
    maria_be_patient(store, MARIA_PATIENCE_SETS_S);
    RUN(store, HOLDERS_DELETE, NUM(event_id));
    RUN(store, HOLDERS_FILL, NUM(event_id));
}

/* ---- people ---- */

static void write_user_words(struct writing *writing, const struct user *user)
{
    struct words words = user_words(user, writing->arena);
    struct maria_batch rows = {0};
    for (size_t i = 0; i < words.count; i++)
        ADD(&rows, writing->arena, NUM(user->id), BLOB(maria_cut(words.items[i], WORD_MAX)));
    maria_insert(writing->store, INSERT_USER_WORDS, &rows, writing->arena);
}

static struct maria_value folded_or_nil(struct writing *writing, struct str text)
{
    return maria_blob_or_nil(maria_cut(text_fold(writing->arena, text), KEY_MAX));
}

static void write_user(struct writing *writing, bool is_new, const struct user *user)
{
    struct maria_store *store = writing->store;
    const struct maria_value values[] = {
        NUM(user->id),
        maria_text_or_nil(user->email),
        folded_or_nil(writing, user->email),
        maria_text_or_nil(user->username),
        folded_or_nil(writing, user->username),
        TEXT(user->name),
        TEXT(user->password_hash),
        NUM(user->role),
        NUM(user->created_at),
        NUM(user->erased_at),
        NUM(user->verified_at),
        NUM(user->mail),
    };
    int64_t role = ROLE_USER;
    if (!is_new) role = maria_number(store, QUERY(store, USER_ROLE, NUM(user->id)), role);
    writing->moves_directory |= role != ROLE_USER || user->role != ROLE_USER || user->erased_at;
    expect(store,
           maria_run(store, is_new ? STATEMENT_USER_INSERT : STATEMENT_USER_UPDATE, values,
                     sizeof(values) / sizeof(values[0])),
           1, "a user to be changed is not there");
    if (!is_new) RUN(store, USER_WORDS_DELETE, NUM(user->id));
    write_user_words(writing, user);
}

/* ---- the rest ---- */

static void prune(struct maria_store *store, const struct change *change)
{
    uint32_t most = change->prune.most;
    if (change->prune.cancelled_before) {
        RUN(store, PRUNE_BOOKINGS, NUM(change->prune.cancelled_before), NUM(most));
        RUN(store, PRUNE_ENDED, NUM(change->prune.cancelled_before), NUM(most));
    }
    RUN(store, PRUNE_REPLAYS, NUM(change->prune.replays_before / HOUR_MS), NUM(most));
    RUN(store, PRUNE_REVOCATIONS, NUM(change->prune.revocations_before), NUM(most));
    RUN(store, PRUNE_SENT, NUM(change->prune.sent_before), NUM(most));
    RUN(store, PRUNE_PARKED, NUM(change->prune.parked_before), NUM(most));
}

/* True for what is gathered. */
static bool gather(struct writing *writing, const struct change *change)
{
    if (fates_add(&writing->fates, change)) return true;
    switch (change->kind) {
    case CHANGE_JOURNAL: gather_journal(writing, &change->journal); return true;
    case CHANGE_PAYMENT: gather_payment(writing, change->payment); return true;
    case CHANGE_REPLAY: return true; /* in the order of their keys, in the end */
    default: return false;
    }
}

static void write_change(struct writing *writing, const struct change *change)
{
    struct maria_store *store = writing->store;
    if (gather(writing, change)) return;
    write_gathered(writing);
    switch (change->kind) {
    case CHANGE_EVENT_INSERT: insert_event(writing, change->event); break;
    case CHANGE_EVENT_UPDATE:
        write_event_row(writing, STATEMENT_EVENT_UPDATE, change->event);
        break;
    case CHANGE_EVENT_DELETE: delete_event(store, change->event_id); break;
    case CHANGE_EVENT_CANCEL: cancel_event(store, change); break;
    case CHANGE_TYPE_INSERT: insert_type(writing, change->type); break;
    case CHANGE_TYPE_UPDATE: update_type(writing, change->type); break;
    case CHANGE_HOLDERS_REBUILD: rebuild_holders(store, change->event_id); break;
    case CHANGE_USER_INSERT: write_user(writing, true, change->user); break;
    case CHANGE_USER_UPDATE: write_user(writing, false, change->user); break;
    case CHANGE_REVOKE:
        RUN(store, REVOKE, NUM(change->revoke.user_id), NUM(change->revoke.at));
        writing->moves_directory = true;
        break;
    case CHANGE_PRUNE: prune(store, change); break;
    case CHANGE_NOTICE:
    case CHANGE_NOTICE_TOLD:
    case CHANGE_POSITION:
    case CHANGE_MESSAGE_INSERT:
    case CHANGE_MESSAGE_UPDATE:
    case CHANGE_MESSAGE_DELETE: maria_write_outbox(store, change); break;
    case CHANGE_WEBHOOK_INSERT:
    case CHANGE_WEBHOOK_UPDATE:
    case CHANGE_WEBHOOK_DELETE:
    case CHANGE_FORGET_USER: maria_write_webhook(store, change); break;
    default: assert(!"a change that is not written");
    }
}

/* ---- counters: once a batch, however often they moved ---- */

/* One of them, as in the rush for it, is written without a set. */
static void write_types(struct writing *writing)
{
    static const char missing[] = "a ticket type to be counted is not there";
    struct maria_set set = {0};
    const struct type_entry *type;
    const struct ticket_type *row = NULL;
    for (size_t i = 0; (type = map_each(&writing->set->types, &i));) {
        if (!type->dirty || type->event->gone) continue;
        row = &type->row;
        SET_ADD(&set, (int64_t)row->id, row->capacity, row->booked, row->held, row->waiting,
                (int64_t)row->wanted);
    }
    if (set.count != 1) {
        end_updates(writing, &set, STATEMENT_TYPES_COUNT, missing);
        return;
    }
    maria_set_end(&set, writing->arena);
    expect(writing->store,
           RUN(writing->store, TYPE_COUNT, NUM(row->id), NUM(row->capacity), NUM(row->booked),
               NUM(row->held), NUM(row->waiting), NUM(row->wanted)),
           1, missing);
}

static void write_events(struct writing *writing)
{
    static const char missing[] = "an event to be counted is not there";
    struct maria_set set = {0};
    const struct event_entry *event;
    const struct event *row = NULL;
    for (size_t i = 0; (event = map_each(&writing->set->events, &i));) {
        if (!event->numbers_dirty || event->gone) continue;
        row = &event->row;
        SET_ADD(&set, (int64_t)row->id, row->next_number, row->ever_booked);
    }
    if (set.count != 1) {
        end_updates(writing, &set, STATEMENT_COUNTERS_UPDATE, missing);
        return;
    }
    maria_set_end(&set, writing->arena);
    expect(writing->store,
           RUN(writing->store, COUNTER_UPDATE, NUM(row->id), NUM(row->next_number),
               NUM(row->ever_booked)),
           1, missing);
}

/* What only grows may be a new block; what shrinks is there. An empty one goes, so that who looks
 * for his place does not walk over them. */
static void write_line(struct writing *writing)
{
    struct maria_batch grown = {0};
    struct maria_set changed = {0}, emptied = {0};
    const struct line_change *line;
    for (size_t i = 0; (line = map_each(&writing->set->line_changes, &i));) {
        if (line->bookings == 0 && line->tickets == 0) continue;
        if (line->bookings > 0 && line->tickets >= line->bookings)
            ADD(&grown, writing->arena, NUM(line->ticket_type_id), NUM(line->block),
                NUM(line->bookings), NUM(line->tickets));
        else
            SET_ADD(&changed, (int64_t)line->ticket_type_id, (int64_t)line->block, line->bookings,
                    line->tickets);
        if (line->bookings < 0)
            SET_ADD(&emptied, (int64_t)line->ticket_type_id, (int64_t)line->block);
    }
    maria_insert(writing->store, INSERT_LINE_BLOCKS, &grown, writing->arena);
    end_updates(writing, &changed, STATEMENT_LINE_BLOCKS_UPDATE,
                "a block of a line to be changed is not there");
    if (emptied.count)
        RUN(writing->store, LINE_BLOCKS_DROP, maria_set_end(&emptied, writing->arena));
}

static void write_holders(struct writing *writing)
{
    struct maria_batch put = {0};
    struct maria_set removed = {0};
    const struct holder_entry *holder;
    for (size_t i = 0; (holder = map_each(&writing->set->holders, &i));) {
        const struct event_entry *event = working_set_event(writing->set, holder->event_id);
        if (!holder->dirty || (event && event->gone)) continue;
        if (holder->quantity)
            ADD(&put, writing->arena, NUM(holder->event_id), NUM(holder->user_id),
                NUM(holder->quantity));
        else
            SET_ADD(&removed, (int64_t)holder->event_id, (int64_t)holder->user_id);
    }
    maria_insert(writing->store, INSERT_HOLDERS, &put, writing->arena);
    if (removed.count) RUN(writing->store, HOLDERS_REMOVE, maria_set_end(&removed, writing->arena));
}

/* ---- answers that are kept ---- */

static int by_key(const void *a, const void *b)
{
    const struct change *one = *(const struct change *const *)a,
                        *other = *(const struct change *const *)b;
    uint64_t user = one->replay.key->user_id, other_user = other->replay.key->user_id;
    if (user != other_user) return user < other_user ? -1 : 1;
    return memcmp(one->replay.key->key, other->replay.key->key, sizeof(one->replay.key->key));
}

/* In the order of their keys, as everybody does: two who insert the same two keys must not wait for
 * each other. */
static void write_replays(struct writing *writing)
{
    const struct working_set *set = writing->set;
    const struct change **replays =
        ARENA_ARRAY(writing->arena, const struct change *, set->changes.count);
    size_t count = 0;
    for (size_t i = 0; i < set->changes.count; i++)
        if (set->changes.items[i].kind == CHANGE_REPLAY) replays[count++] = &set->changes.items[i];
    if (count == 0) return;
    qsort(replays, count, sizeof(*replays), by_key);
    struct maria_batch rows = {0};
    struct maria_set keys = {0};
    for (size_t i = 0; i < count; i++) {
        const struct replay_key *key = replays[i]->replay.key;
        const struct replay_answer *answer = replays[i]->replay.answer;
        ADD(&rows, writing->arena, NUM(answer->at / HOUR_MS), NUM(key->user_id),
            BLOB(octets(key->key, sizeof(key->key))),
            BLOB(octets(answer->request, sizeof(answer->request))), NUM(answer->status),
            NUM(answer->at), BLOB(answer->body));
        maria_set_add_pair(&keys, (int64_t)key->user_id, maria_hex(key->key, writing->arena));
    }
    struct maria_value all = maria_set_end(&keys, writing->arena);
    if (writing->store->drops_replays)
        RUN(writing->store, REPLAYS_DROP, all, NUM(set->now / HOUR_MS - REPLAY_HOURS));
    maria_insert(writing->store, INSERT_REPLAYS, &rows, writing->arena);
}

/* ---- the end ---- */

static bool needs_sequences(const struct working_set *set)
{
    for (size_t i = 0; i < set->changes.count; i++)
        if (change_is_journaled(&set->changes.items[i])) return true;
    for (int i = 0; i < SEQUENCE_COUNT; i++)
        if (set->ids[i].used) return true;
    return false;
}

static void write_sequences(struct maria_store *store, const struct working_set *set)
{
    uint64_t next[MARIA_SEQUENCES];
    if (!store->has_sequences) return;
    for (int i = 0; i < SEQUENCE_COUNT; i++)
        next[i] = store->next[i] + set->ids[i].used;
    next[SEQUENCE_JOURNAL] = store->journal_next;
    /* What other nodes do meanwhile must meet this batch: see mysql.c. */
    if (store->is_galera && store->journal_next == store->next[SEQUENCE_JOURNAL])
        next[SEQUENCE_JOURNAL]++;
    if (memcmp(next, store->next, sizeof(next)) == 0) return;
    RUN(store, SEQUENCES_UPDATE, NUM(next[0]), NUM(next[1]), NUM(next[2]), NUM(next[3]),
        NUM(next[4]), NUM(next[5]), NUM(next[6]));
}

/* A batch that another node had overtaken was seen to go on without an error, as if in a new
 * transaction. Whatever another node commits changes this row. */
static void look_for_others(struct maria_store *store)
{
    enum store_status status = store->status;
    if (status != STORE_OK && status != STORE_REFUSED) return;
    store->status = STORE_OK;
    uint64_t journal = (uint64_t)maria_number(store, QUERY(store, JOURNAL_LOCK), 0);
    if (store->status != STORE_OK) return;
    store->status = journal == store->next[SEQUENCE_JOURNAL] ? status : STORE_BUSY;
}

static enum store_status end_batch(struct maria_store *store, int64_t now)
{
    store->batch += 2;
    RUN(store, BATCH_PUT, BLOB(octets(store->writer, sizeof(store->writer))), NUM(store->batch),
        NUM(now));
    if (store->status != STORE_OK) return maria_roll_back(store);
    bool committed = maria_exec(store, "COMMIT");
    store->in_transaction = false;
    if (committed) return STORE_OK;
    /* The connection went while the answer was awaited. A node that loses the others then cannot
     * know whether they got the batch, whatever it says. */
    if (store->is_galera && store->status != STORE_BUSY) maria_disconnect(store);
    if (!store->db) return store->status = STORE_UNKNOWN;
    return maria_roll_back(store);
}

enum store_status maria_commit(struct store *base, struct working_set *set)
{
    struct maria_store *store = maria_begin_write(base);
    struct writing writing = {
        .store = store, .set = set, .arena = set->arena, .fates.arena = set->arena};
    if (needs_sequences(set)) maria_load_sequences(store);
    store->journal_next = store->next[SEQUENCE_JOURNAL];
    for (size_t i = 0; i < set->changes.count && store->status == STORE_OK; i++)
        write_change(&writing, &set->changes.items[i]);
    write_gathered(&writing);
    write_types(&writing);
    write_events(&writing);
    write_line(&writing);
    write_holders(&writing);
    write_replays(&writing);
    if (writing.moves_directory) RUN(store, VERSION_BUMP);
    if (store->is_galera) look_for_others(store);
    write_sequences(store, set);
    return end_batch(store, set->now);
}
