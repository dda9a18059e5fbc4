/* SPDX-License-Identifier: Apache-2.0 */
/* The rows that prove rules 1 and 7. What must agree with what stands in check.c. */
#include "store/check.h"
#include "store/memory_internal.h"

struct source {
    struct check_source source;
    const struct database *database;
    struct rows rows[CHECK_ROWS_COUNT]; /* where each kind has come to */
    struct arena arena;
    struct map holders; /* of the event that was asked for last: struct holder by user */
    size_t holders_at;
    bool is_begun; /* and nothing was asked for yet */
};

struct holder {
    uint64_t user_id;
    int64_t counted, sum;
};

/* The next one under 'a', from where 'rows' stand; NULL: they stay there. */
static void *next_under(struct rows *rows, uint64_t a)
{
    struct rows under = {rows->node, a};
    void *row = rows_next(&under);
    if (row) rows->node = under.node;
    return row;
}

static bool next_event(struct source *source, struct rows *rows, int64_t row[])
{
    const struct event_row *event = rows_next(rows);
    if (!event) return false;
    const struct counters_row *counters = row_at(source->database, COUNTERS, event->row.id, 0);
    row[0] = (int64_t)event->row.id;
    row[1] = event->row.max_per_user;
    row[2] = counters ? counters->next_number : 0;
    return true;
}

static bool next_type(struct rows *rows, int64_t row[])
{
    const struct type_row *type = rows_next(rows);
    if (!type) return false;
    row[0] = (int64_t)type->row.id;
    row[1] = (int64_t)type->row.event_id;
    row[2] = type->row.capacity;
    row[3] = type->row.booked;
    row[4] = type->row.held;
    row[5] = type->row.waiting;
    row[6] = (int64_t)type->row.wanted;
    return true;
}

static bool next_booking(struct rows *rows, int64_t row[])
{
    const struct booking_row *booking = rows_next(rows);
    if (!booking) return false;
    row[0] = (int64_t)booking->row.id;
    row[1] = (int64_t)booking->row.event_id;
    row[2] = (int64_t)booking->row.ticket_type_id;
    row[3] = booking->row.status;
    row[4] = booking->row.quantity;
    return true;
}

static bool next_journal(struct rows *rows, int64_t row[])
{
    const struct journal_row *entry = rows_next(rows);
    if (!entry) return false;
    int64_t balance[BOOKING_EXPIRED + 1] = {0};
    row[0] = (int64_t)entry->key.a;
    row[1] = 0;
    row[2] = (int64_t)entry->row.event_id;
    row[3] = row[4] = (int64_t)entry->row.ticket_type_id;
    do {
        int64_t type_id = (int64_t)entry->row.ticket_type_id;
        row[1]++;
        if (type_id < row[3]) row[3] = type_id;
        if (type_id > row[4]) row[4] = type_id;
        balance[entry->row.from] -= entry->row.quantity;
        balance[entry->row.to] += entry->row.quantity;
    } while ((entry = next_under(rows, (uint64_t)row[0])));
    row[5] = balance[BOOKING_WAITING];
    row[6] = balance[BOOKING_HELD];
    row[7] = balance[BOOKING_CONFIRMED];
    return true;
}

/* The index knows the numbers of a booking; the tickets themselves must know the booking, too. */
static bool next_tickets_of_booking(struct source *source, struct rows *rows, int64_t row[])
{
    const struct row *number = rows_next(rows);
    if (!number) return false;
    uint64_t id = number->a;
    const struct booking_row *booking = row_at(source->database, BOOKINGS, id, 0);
    int64_t event_id = booking ? (int64_t)booking->row.event_id : 0;
    row[0] = (int64_t)id;
    row[1] = 0;
    row[2] = row[3] = event_id;
    row[4] = true;
    row[5] = false;
    do {
        const struct ticket_row *ticket =
            row_at(source->database, TICKETS, (uint64_t)event_id, number->b);
        if (!ticket || ticket->booking_id != id) row[2] = 0;
        bool is_booked = ticket && ticket->is_booked;
        row[1]++;
        row[4] &= is_booked;
        row[5] |= is_booked;
    } while ((number = next_under(rows, id)));
    return true;
}

static bool next_tickets_of_event(struct rows *rows, int64_t row[])
{
    const struct ticket_row *ticket = rows_next(rows);
    if (!ticket) return false;
    row[0] = (int64_t)ticket->key.a;
    row[1] = row[3] = row[4] = 0;
    do {
        row[1]++;
        row[2] = (int64_t)ticket->key.b;
        if (ticket->booking_id)
            row[3]++;
        else if (ticket->is_booked)
            row[4] = (int64_t)ticket->key.b;
    } while ((ticket = next_under(rows, (uint64_t)row[0])));
    return true;
}

static struct holder *holder_of(struct source *source, uint64_t user_id)
{
    struct holder *holder = map_get(&source->holders, user_id, 0);
    if (holder) return holder;
    holder = ARENA_NEW(&source->arena, struct holder);
    holder->user_id = user_id;
    map_put(&source->holders, &source->arena, user_id, 0, holder);
    return holder;
}

static void begin_holders(struct source *source, uint64_t event_id)
{
    const struct database *database = source->database;
    arena_reset(&source->arena);
    source->holders = (struct map){0};
    source->holders_at = 0;
    struct rows rows = rows_of(database, HOLDERS, event_id, 0);
    for (const struct holder_row *row; (row = rows_next(&rows));)
        holder_of(source, row->key.b)->counted = row->quantity;
    rows = rows_of(database, BOOKINGS_OF_EVENT, event_id, 0);
    for (const struct row *row; (row = rows_next(&rows));) {
        const struct booking_row *booking = row_at(database, BOOKINGS, row->b, 0);
        if (booking_is_active(booking->row.status))
            holder_of(source, booking->row.user_id)->sum += booking->row.quantity;
    }
}

static bool next_holder(struct source *source, int64_t row[])
{
    const struct holder *holder;
    do
        holder = map_each(&source->holders, &source->holders_at);
    while (holder && holder->counted == holder->sum);
    if (!holder) return false;
    row[0] = (int64_t)holder->user_id;
    row[1] = holder->counted;
    row[2] = holder->sum;
    return true;
}

static bool count_all(const struct database *database, int64_t row[])
{
    struct rows users = rows_all(database, USERS);
    row[0] = g_tree_nnodes(database->tables[EVENTS]);
    row[1] = g_tree_nnodes(database->tables[TYPES]);
    row[2] = 0;
    for (const struct user_row *user; (user = rows_next(&users));)
        row[2] += user->row.erased_at == 0;
    return true;
}

static bool read_places(const struct database *database, int64_t row[])
{
    GTreeNode *last = g_tree_node_last(database->tables[FEED]);
    row[0] = last ? (int64_t)((const struct row *)g_tree_node_value(last))->a : 0;
    row[1] = (int64_t)database->journal_rows;
    return true;
}

static void begin(struct check_source *base, enum check_rows which, uint64_t event_id)
{
    static const enum table tables[CHECK_ROWS_COUNT] = {
        [CHECK_EVENTS] = EVENTS,
        [CHECK_TYPES] = TYPES,
        [CHECK_BOOKINGS] = BOOKINGS,
        [CHECK_JOURNAL] = JOURNAL,
        [CHECK_TICKETS_OF_BOOKINGS] = NUMBERS_OF,
        [CHECK_TICKETS_OF_EVENTS] = TICKETS,
    };
    struct source *source = (struct source *)base;
    source->is_begun = true;
    source->rows[which] = rows_all(source->database, tables[which]);
    if (which == CHECK_HOLDERS) begin_holders(source, event_id);
}

/* The first call behind begin(): of what has one row. */
static bool is_first(struct source *source)
{
    bool first = source->is_begun;
    source->is_begun = false;
    return first;
}

static bool next(struct check_source *base, enum check_rows which, int64_t row[CHECK_COLUMNS])
{
    struct source *source = (struct source *)base;
    struct rows *rows = &source->rows[which];
    switch (which) {
    case CHECK_COUNTS: return is_first(source) && count_all(source->database, row);
    case CHECK_EVENTS: return next_event(source, rows, row);
    case CHECK_TYPES: return next_type(rows, row);
    case CHECK_BOOKINGS: return next_booking(rows, row);
    case CHECK_JOURNAL: return next_journal(rows, row);
    case CHECK_TICKETS_OF_BOOKINGS: return next_tickets_of_booking(source, rows, row);
    case CHECK_TICKETS_OF_EVENTS: return next_tickets_of_event(rows, row);
    case CHECK_HOLDERS: return next_holder(source, row);
    case CHECK_PLACES: return is_first(source) && read_places(source->database, row);
    default: return false; /* its lines have no blocks */
    }
}

static bool is_well(const struct check_source *base)
{
    (void)base;
    return true;
}

enum store_status memory_check(struct store *store, struct check_figures *ret_figures,
                               void (*breach)(const char *sentence, void *data), void *data)
{
    struct database *database = ((struct memory_store *)store)->database;
    struct source source = {.source = {begin, next, is_well}, .database = database};
    pthread_rwlock_rdlock(&database->lock);
    check_rules(&source.source, ret_figures, breach, data);
    pthread_rwlock_unlock(&database->lock);
    arena_free(&source.arena);
    return STORE_OK;
}
