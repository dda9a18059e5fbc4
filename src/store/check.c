/* SPDX-License-Identifier: Apache-2.0 */
/* Three streams in the order of bookings -- the bookings, their rows in the journal, their tickets
 * -- are walked side by side, each table once and without sorting, and added up per ticket type
 * and event; then the sums are held against the counters. Memory goes by the number of ticket
 * types, not of bookings. */
#include "store/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/map.h"

/* What tickets or bookings of a type are in each state. */
struct sums {
    int64_t waiting, wanted, held, booked;
};

struct type_sums {
    uint64_t id, event_id;
    bool is_known; /* has a row in ticket_types */
    struct sums counters, from_bookings, from_journal;
};

struct event_sums {
    uint64_t id;
    bool is_known;
    int64_t max_per_user, next_number;
    int64_t owned; /* tickets that held and confirmed bookings should have */
};

struct check {
    struct check_source *source;
    struct arena arena;
    struct map types, events;
    struct check_figures figures;
    void (*breach)(const char *sentence, void *data);
    void *data;
};

static void begin(struct check *check, enum check_rows rows, uint64_t event_id)
{
    check->source->begin(check->source, rows, event_id);
}

static bool next(struct check *check, enum check_rows rows, int64_t row[CHECK_COLUMNS])
{
    return check->source->next(check->source, rows, row);
}

static bool is_well(const struct check *check)
{
    return check->source->is_well(check->source);
}

__attribute__((format(printf, 2, 3))) static void breach(struct check *check, const char *format,
                                                         ...)
{
    char sentence[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    check->figures.breaches++;
    check->breach(sentence, check->data);
}

static struct type_sums *type_of(struct check *check, uint64_t id, uint64_t event_id)
{
    struct type_sums *type = map_get(&check->types, id, 0);
    if (type) return type;
    type = ARENA_NEW(&check->arena, struct type_sums);
    type->id = id;
    type->event_id = event_id;
    map_put(&check->types, &check->arena, id, 0, type);
    return type;
}

static struct event_sums *event_of(struct check *check, uint64_t id)
{
    struct event_sums *event = map_get(&check->events, id, 0);
    if (event) return event;
    event = ARENA_NEW(&check->arena, struct event_sums);
    event->id = id;
    map_put(&check->events, &check->arena, id, 0, event);
    return event;
}

/* ---- the counters, and rule 1 ---- */

static void read_events(struct check *check)
{
    struct check_figures *figures = &check->figures;
    int64_t row[CHECK_COLUMNS];
    begin(check, CHECK_COUNTS, 0);
    while (next(check, CHECK_COUNTS, row)) {
        figures->events = (uint64_t)row[0];
        figures->ticket_types = (uint64_t)row[1];
        figures->users = (uint64_t)row[2];
    }
    begin(check, CHECK_EVENTS, 0);
    while (next(check, CHECK_EVENTS, row)) {
        struct event_sums *event = event_of(check, (uint64_t)row[0]);
        event->is_known = true;
        event->max_per_user = row[1];
        event->next_number = row[2]; /* 0 where there is none */
        if (event->next_number < 1)
            breach(check, "event %" PRIu64 " has no counter of ticket numbers", event->id);
    }
}

static void check_rule_1(struct check *check, const struct type_sums *type, int64_t capacity)
{
    const struct sums *has = &type->counters;
    if (has->booked < 0 || has->held < 0 || has->booked + has->held > capacity)
        breach(check,
               "event %" PRIu64 ", ticket type %" PRIu64 ": %" PRId64 " booked and %" PRId64
               " held do not fit its capacity of %" PRId64,
               type->event_id, type->id, has->booked, has->held, capacity);
    if (has->waiting < 0 || has->wanted < has->waiting || (has->waiting == 0 && has->wanted != 0))
        breach(check,
               "event %" PRIu64 ", ticket type %" PRIu64 ": %" PRId64
               " bookings cannot wait for %" PRId64 " tickets",
               type->event_id, type->id, has->waiting, has->wanted);
}

static void read_types(struct check *check)
{
    int64_t row[CHECK_COLUMNS];
    begin(check, CHECK_TYPES, 0);
    while (next(check, CHECK_TYPES, row)) {
        struct type_sums *type = type_of(check, (uint64_t)row[0], (uint64_t)row[1]);
        int64_t capacity = row[2];
        type->is_known = true;
        type->counters = (struct sums){
            .booked = row[3],
            .held = row[4],
            .waiting = row[5],
            .wanted = row[6],
        };
        check->figures.capacity += (uint64_t)capacity;
        check->figures.booked += (uint64_t)type->counters.booked;
        check->figures.held += (uint64_t)type->counters.held;
        check_rule_1(check, type, capacity);
    }
}

/* ---- booking after booking ---- */

/* Rows in the order of bookings: the next one stands ready. */
struct stream {
    enum check_rows rows;
    int64_t row[CHECK_COLUMNS];
    uint64_t booking_id; /* UINT64_MAX at the end */
};

static void stream_next(struct check *check, struct stream *stream)
{
    bool more = next(check, stream->rows, stream->row);
    stream->booking_id = more ? (uint64_t)stream->row[0] : UINT64_MAX;
}

static struct stream stream_begin(struct check *check, enum check_rows rows)
{
    struct stream stream = {.rows = rows};
    begin(check, rows, 0);
    stream_next(check, &stream);
    return stream;
}

/* What the three streams say about one booking. */
struct proof {
    uint64_t id;
    bool has_row, has_journal, has_tickets;
    struct {
        uint64_t event_id, ticket_type_id;
        enum booking_status status;
        int64_t quantity;
    } row;
    struct {
        uint64_t event_id, ticket_type_id, last_type_id;
        int64_t wanted, held, booked; /* what came in less what went out */
    } journal;
    struct {
        int64_t count;
        uint64_t first_event_id, last_event_id;
        bool some_booked, all_booked;
    } tickets;
};

static void take_row(struct check *check, struct stream *stream, struct proof *proof)
{
    struct check_figures *figures = &check->figures;
    proof->has_row = true;
    proof->row.event_id = (uint64_t)stream->row[1];
    proof->row.ticket_type_id = (uint64_t)stream->row[2];
    proof->row.status = (enum booking_status)stream->row[3];
    proof->row.quantity = stream->row[4];
    figures->bookings++;
    figures->confirmed += proof->row.status == BOOKING_CONFIRMED;
    figures->waiting += proof->row.status == BOOKING_WAITING;
    figures->cancelled += proof->row.status == BOOKING_CANCELLED;

    struct sums *sums =
        &type_of(check, proof->row.ticket_type_id, proof->row.event_id)->from_bookings;
    if (proof->row.status == BOOKING_WAITING) {
        sums->waiting++;
        sums->wanted += proof->row.quantity;
    } else if (proof->row.status == BOOKING_HELD) {
        sums->held += proof->row.quantity;
    } else if (proof->row.status == BOOKING_CONFIRMED) {
        sums->booked += proof->row.quantity;
    }
    if (proof->row.status == BOOKING_HELD || proof->row.status == BOOKING_CONFIRMED)
        event_of(check, proof->row.event_id)->owned += proof->row.quantity;
    stream_next(check, stream);
}

static void take_journal(struct check *check, struct stream *stream, struct proof *proof)
{
    proof->has_journal = true;
    check->figures.journal += (uint64_t)stream->row[1];
    proof->journal.event_id = (uint64_t)stream->row[2];
    proof->journal.ticket_type_id = (uint64_t)stream->row[3];
    proof->journal.last_type_id = (uint64_t)stream->row[4];
    proof->journal.wanted = stream->row[5];
    proof->journal.held = stream->row[6];
    proof->journal.booked = stream->row[7];

    struct sums *sums =
        &type_of(check, proof->journal.ticket_type_id, proof->journal.event_id)->from_journal;
    sums->waiting += proof->journal.wanted > 0;
    sums->wanted += proof->journal.wanted;
    sums->held += proof->journal.held;
    sums->booked += proof->journal.booked;
    stream_next(check, stream);
}

static void take_tickets(struct check *check, struct stream *stream, struct proof *proof)
{
    proof->has_tickets = true;
    proof->tickets.count = stream->row[1];
    proof->tickets.first_event_id = (uint64_t)stream->row[2];
    proof->tickets.last_event_id = (uint64_t)stream->row[3];
    proof->tickets.all_booked = stream->row[4] != 0;
    proof->tickets.some_booked = stream->row[5] != 0;
    stream_next(check, stream);
}

/* Tickets: as many as the booking has a right to, of its event, booked once it is confirmed. */
static void check_tickets_of(struct check *check, const struct proof *proof)
{
    bool owns = proof->has_row &&
                (proof->row.status == BOOKING_HELD || proof->row.status == BOOKING_CONFIRMED);
    int64_t due = owns ? proof->row.quantity : 0;
    uint64_t event_id = proof->has_row ? proof->row.event_id : proof->tickets.first_event_id;
    uint64_t type_id = proof->has_row ? proof->row.ticket_type_id : 0;
    if (proof->tickets.count != due)
        breach(check,
               "event %" PRIu64 ", ticket type %" PRIu64 ": booking %" PRIu64 " has %" PRId64
               " tickets where its state (%s) gives it %" PRId64,
               event_id, type_id, proof->id, proof->tickets.count,
               booking_status_names[proof->row.status], due);
    if (!owns || !proof->has_tickets) return;
    if (proof->tickets.first_event_id != event_id || proof->tickets.last_event_id != event_id)
        breach(check,
               "event %" PRIu64 ", ticket type %" PRIu64 ": booking %" PRIu64
               " has tickets of event %" PRIu64,
               event_id, type_id, proof->id,
               proof->tickets.first_event_id != event_id ? proof->tickets.first_event_id
                                                         : proof->tickets.last_event_id);
    bool is_booked = proof->row.status == BOOKING_CONFIRMED;
    if (proof->tickets.all_booked != is_booked || proof->tickets.some_booked != is_booked)
        breach(check,
               "event %" PRIu64 ", ticket type %" PRIu64 ": booking %" PRIu64
               " is %s, but its tickets are %s",
               event_id, type_id, proof->id, booking_status_names[proof->row.status],
               proof->tickets.some_booked ? "booked" : "not booked");
}

/* Rule 7 for one booking: its history leads to where it is. It outlives the booking's row. */
static void check_history_of(struct check *check, const struct proof *proof)
{
    uint64_t event_id = proof->has_row ? proof->row.event_id : proof->journal.event_id;
    uint64_t type_id = proof->has_row ? proof->row.ticket_type_id : proof->journal.ticket_type_id;
    if (proof->has_journal &&
        (proof->journal.ticket_type_id != type_id || proof->journal.last_type_id != type_id ||
         proof->journal.event_id != event_id))
        breach(check,
               "event %" PRIu64 ", ticket type %" PRIu64 ": the journal has booking %" PRIu64
               " under event %" PRIu64 ", ticket types %" PRIu64 " to %" PRIu64,
               event_id, type_id, proof->id, proof->journal.event_id, proof->journal.ticket_type_id,
               proof->journal.last_type_id);
    const struct {
        enum booking_status status;
        int64_t net;
    } states[] = {{BOOKING_WAITING, proof->journal.wanted},
                  {BOOKING_HELD, proof->journal.held},
                  {BOOKING_CONFIRMED, proof->journal.booked}};
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        bool is_it = proof->has_row && proof->row.status == states[i].status;
        int64_t quantity = is_it ? proof->row.quantity : 0;
        if (states[i].net != quantity)
            breach(check,
                   "event %" PRIu64 ", ticket type %" PRIu64 ": booking %" PRIu64 " is %" PRId64
                   " tickets %s, going by the journal %" PRId64,
                   event_id, type_id, proof->id, quantity, booking_status_names[states[i].status],
                   states[i].net);
    }
    if (!proof->has_journal && !booking_is_active(proof->row.status) && proof->has_row)
        breach(check,
               "event %" PRIu64 ", ticket type %" PRIu64 ": booking %" PRIu64
               " is not in the journal",
               event_id, type_id, proof->id);
}

static void walk_bookings(struct check *check)
{
    struct stream rows = stream_begin(check, CHECK_BOOKINGS);
    struct stream journal = stream_begin(check, CHECK_JOURNAL);
    struct stream tickets = stream_begin(check, CHECK_TICKETS_OF_BOOKINGS);
    for (;;) {
        struct proof proof = {.id = rows.booking_id};
        if (journal.booking_id < proof.id) proof.id = journal.booking_id;
        if (tickets.booking_id < proof.id) proof.id = tickets.booking_id;
        /* After a failure a stream ends early, and what is missing there is no breach. */
        if (proof.id == UINT64_MAX || !is_well(check)) break;
        if (rows.booking_id == proof.id) take_row(check, &rows, &proof);
        if (journal.booking_id == proof.id) take_journal(check, &journal, &proof);
        if (tickets.booking_id == proof.id) take_tickets(check, &tickets, &proof);
        if (!is_well(check)) break;
        check_tickets_of(check, &proof);
        if (proof.has_row || proof.has_journal) check_history_of(check, &proof);
    }
}

/* ---- the sums against the counters ---- */

static void compare(struct check *check, const struct type_sums *type, const struct sums *sums,
                    const char *source)
{
    const struct {
        const char *what;
        int64_t counter, sum;
    } pairs[] = {{"tickets booked", type->counters.booked, sums->booked},
                 {"tickets held", type->counters.held, sums->held},
                 {"bookings waiting", type->counters.waiting, sums->waiting},
                 {"tickets wanted", type->counters.wanted, sums->wanted}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (pairs[i].counter != pairs[i].sum)
            breach(check,
                   "event %" PRIu64 ", ticket type %" PRIu64 ": its counter says %" PRId64
                   " %s, %s %" PRId64,
                   type->event_id, type->id, pairs[i].counter, pairs[i].what, source, pairs[i].sum);
}

static void check_types(struct check *check)
{
    const struct type_sums *type;
    for (size_t i = 0; (type = map_each(&check->types, &i));) {
        if (!type->is_known) {
            breach(check,
                   "event %" PRIu64 ", ticket type %" PRIu64
                   ": there is no such ticket type, but bookings or a journal of it",
                   type->event_id, type->id);
            continue;
        }
        compare(check, type, &type->from_bookings, "the bookings");
        compare(check, type, &type->from_journal, "the journal");
    }
}

static void check_numbers(struct check *check)
{
    struct map seen = {0};
    int64_t row[CHECK_COLUMNS];
    begin(check, CHECK_TICKETS_OF_EVENTS, 0);
    while (next(check, CHECK_TICKETS_OF_EVENTS, row)) {
        struct event_sums *event = event_of(check, (uint64_t)row[0]);
        int64_t count = row[1], highest = row[2], owned = row[3];
        map_put(&seen, &check->arena, event->id, 0, event);
        check->figures.tickets += (uint64_t)count;
        if (highest >= event->next_number)
            breach(check,
                   "event %" PRIu64 ": ticket number %" PRId64
                   " was given out, but the next one is said to be %" PRId64,
                   event->id, highest, event->next_number);
        if (count != event->next_number - 1)
            breach(check,
                   "event %" PRIu64 ": there are %" PRId64 " ticket numbers, not all the %" PRId64
                   " below the next one",
                   event->id, count, event->next_number - 1);
        if (row[4])
            breach(check, "event %" PRIu64 ": ticket %" PRId64 " is booked by nobody", event->id,
                   row[4]);
        if (owned != event->owned)
            breach(check,
                   "event %" PRIu64 ": %" PRId64 " tickets belong to bookings, which own %" PRId64,
                   event->id, owned, event->owned);
    }
    const struct event_sums *event;
    for (size_t i = 0; (event = map_each(&check->events, &i));) {
        if (!event->is_known)
            breach(check,
                   "event %" PRIu64 ": there is no such event, but bookings or tickets of it",
                   event->id);
        else if (event->next_number > 1 && !map_get(&seen, event->id, 0))
            breach(check,
                   "event %" PRIu64 ": there are 0 ticket numbers, not all the %" PRId64
                   " below the next one",
                   event->id, event->next_number - 1);
    }
}

static void check_line_blocks(struct check *check)
{
    int64_t row[CHECK_COLUMNS];
    begin(check, CHECK_LINE_BLOCKS, 0);
    while (next(check, CHECK_LINE_BLOCKS, row))
        breach(check,
               "ticket type %" PRId64 ": block %" PRId64 " of its line is said to hold %" PRId64
               " bookings, and %" PRId64 " wait there, or their tickets differ",
               row[0], row[1], row[2], row[3]);
}

static void check_holders(struct check *check)
{
    int64_t row[CHECK_COLUMNS];
    const struct event_sums *event;
    for (size_t i = 0; (event = map_each(&check->events, &i));) {
        if (event->max_per_user <= 0) continue;
        begin(check, CHECK_HOLDERS, event->id);
        while (next(check, CHECK_HOLDERS, row))
            breach(check,
                   "event %" PRIu64 ": user %" PRId64 " is counted with %" PRId64
                   " tickets, whose bookings have %" PRId64,
                   event->id, row[0], row[1], row[2]);
    }
}

/* Or else rows to come would have ids that who follows the journal has left behind. */
static void check_places(struct check *check)
{
    int64_t row[CHECK_COLUMNS];
    begin(check, CHECK_PLACES, 0);
    while (next(check, CHECK_PLACES, row))
        if (row[0] > row[1])
            breach(check,
                   "the journal has a row %" PRId64 ", but the last one is said to be %" PRId64,
                   row[0], row[1]);
}

void check_rules(struct check_source *source, struct check_figures *ret_figures,
                 void (*breach_found)(const char *sentence, void *data), void *data)
{
    struct check check = {.source = source, .breach = breach_found, .data = data};
    read_events(&check);
    read_types(&check);
    walk_bookings(&check);
    if (is_well(&check)) check_types(&check);
    if (is_well(&check)) check_numbers(&check);
    check_line_blocks(&check);
    check_holders(&check);
    check_places(&check);
    *ret_figures = check.figures;
    arena_free(&check.arena);
}
