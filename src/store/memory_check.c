/* SPDX-License-Identifier: Apache-2.0 */
/* Rules 1 and 7 proved: what the counters of each ticket type say is added up three times more,
 * from the bookings, from the journal and from the tickets, and all must agree. What a person
 * holds of an event is added up as well. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "store/memory_internal.h"

struct tally {
    int64_t booked, held, waiting, wanted;
};

struct proof {
    struct tally bookings, journal, tickets;
};

struct check {
    const struct database *database;
    struct arena arena;
    struct map proofs; /* by ticket type */
    struct check_figures figures;
    void (*breach)(const char *sentence, void *data);
    void *data;
};

static void breach(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void breach(struct check *check, const char *format, ...)
{
    char sentence[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    check->figures.breaches++;
    check->breach(sentence, check->data);
}

/* The sums of a ticket type; of one that does not exist too, so that it is told apart at the end.
 */
static struct proof *proof_of(struct check *check, uint64_t type_id)
{
    struct proof *proof = map_get(&check->proofs, type_id, 0);
    if (!proof) {
        proof = ARENA_NEW(&check->arena, struct proof);
        map_put(&check->proofs, &check->arena, type_id, 0, proof);
    }
    return proof;
}

static void tally_add(struct tally *tally, enum booking_status status, int64_t tickets,
                      int64_t bookings)
{
    if (status == BOOKING_CONFIRMED) tally->booked += tickets;
    if (status == BOOKING_HELD) tally->held += tickets;
    if (status == BOOKING_WAITING) {
        tally->wanted += tickets;
        tally->waiting += bookings;
    }
}

/* ---- bookings, and their rows in the journal and among the tickets ---- */

/* How many tickets of the booking the journal leaves in each state. */
static void check_history(struct check *check, const struct booking *booking, uint64_t type_id,
                          const int64_t balance[])
{
    for (int i = BOOKING_WAITING; i <= BOOKING_CONFIRMED; i++) {
        int64_t quantity = booking && (int)booking->status == i ? booking->quantity : 0;
        if (balance[i] != quantity)
            breach(check,
                   "ticket type %" PRIu64 ": of a booking %" PRId64
                   " tickets are %s, the journal says %" PRId64,
                   type_id, quantity, booking_status_names[i], balance[i]);
        tally_add(&proof_of(check, type_id)->journal, (enum booking_status)i, balance[i],
                  balance[i] > 0);
    }
}

static void check_journal(struct check *check)
{
    struct rows rows = rows_all(check->database, JOURNAL);
    const struct journal_row *row = rows_next(&rows);
    while (row) {
        uint64_t id = row->key.a, type_id = row->row.ticket_type_id;
        int64_t balance[BOOKING_EXPIRED + 1] = {0};
        for (; row && row->key.a == id; row = rows_next(&rows)) {
            balance[row->row.from] -= row->row.quantity;
            balance[row->row.to] += row->row.quantity;
            check->figures.journal++;
        }
        /* The journal outlives a booking that was dropped after its end. */
        const struct booking_row *booking = row_at(check->database, BOOKINGS, id, 0);
        check_history(check, booking ? &booking->row : NULL, type_id, balance);
    }
}

static void check_bookings(struct check *check)
{
    struct rows rows = rows_all(check->database, BOOKINGS);
    for (const struct booking_row *row; (row = rows_next(&rows));) {
        const struct booking *booking = &row->row;
        check->figures.bookings++;
        check->figures.confirmed += booking->status == BOOKING_CONFIRMED;
        check->figures.waiting += booking->status == BOOKING_WAITING;
        check->figures.cancelled += booking->status == BOOKING_CANCELLED;
        tally_add(&proof_of(check, booking->ticket_type_id)->bookings, booking->status,
                  booking->quantity, 1);

        struct rows journal = rows_of(check->database, JOURNAL, booking->id, 0);
        if (!rows_next(&journal))
            breach(check, "ticket type %" PRIu64 ": a booking has no row in the journal",
                   booking->ticket_type_id);
        bool has = booking->status == BOOKING_HELD || booking->status == BOOKING_CONFIRMED;
        uint32_t count = 0;
        struct rows numbers = rows_of(check->database, NUMBERS_OF, booking->id, 0);
        while (rows_next(&numbers))
            count++;
        if (count != (has ? booking->quantity : 0))
            breach(check, "ticket type %" PRIu64 ": a %s booking of %u has %u tickets",
                   booking->ticket_type_id, booking_status_names[booking->status],
                   booking->quantity, count);
    }
}

/* ---- tickets ---- */

static void check_ticket(struct check *check, const struct ticket_row *ticket)
{
    uint64_t event_id = ticket->key.a, number = ticket->key.b;
    check->figures.tickets++;
    if (!ticket->booking_id) {
        if (ticket->is_booked)
            breach(check, "event %" PRIu64 ": ticket %" PRIu64 " is booked by nobody", event_id,
                   number);
        return;
    }
    const struct booking_row *booking = row_at(check->database, BOOKINGS, ticket->booking_id, 0);
    if (!booking || booking->row.event_id != event_id) {
        breach(check, "event %" PRIu64 ": ticket %" PRIu64 " belongs to no booking of it", event_id,
               number);
        return;
    }
    if (ticket->is_booked != (booking->row.status == BOOKING_CONFIRMED))
        breach(check, "event %" PRIu64 ": ticket %" PRIu64 " is %s, its booking %s", event_id,
               number, ticket->is_booked ? "booked" : "held",
               booking_status_names[booking->row.status]);
    tally_add(&proof_of(check, booking->row.ticket_type_id)->tickets,
              ticket->is_booked ? BOOKING_CONFIRMED : BOOKING_HELD, 1, 0);
}

static void check_tickets(struct check *check)
{
    struct rows rows = rows_all(check->database, EVENTS);
    for (const struct event_row *event; (event = rows_next(&rows));) {
        const struct counters_row *counters = row_at(check->database, COUNTERS, event->row.id, 0);
        uint64_t next = 1;
        struct rows tickets = rows_of(check->database, TICKETS, event->row.id, 0);
        for (const struct ticket_row *ticket; (ticket = rows_next(&tickets));) {
            check_ticket(check, ticket);
            if (ticket->key.b != next)
                breach(check, "event %" PRIu64 ": after ticket %" PRIu64 " comes %" PRIu64,
                       event->row.id, next - 1, ticket->key.b);
            next = ticket->key.b + 1;
        }
        if (next != counters->next_number)
            breach(check, "event %" PRIu64 ": ticket %" PRIu64 " is next, the counter says %u",
                   event->row.id, next, counters->next_number);
        check->figures.events++;
    }
}

/* ---- people ---- */

/* What each person has of an event with max_per_user, and nothing of any other event. */
static void check_holders(struct check *check, const struct event *event)
{
    struct map sums = {0};
    struct rows rows = rows_of(check->database, BOOKINGS_OF_EVENT, event->id, 0);
    for (const struct row *row; event->max_per_user && (row = rows_next(&rows));) {
        const struct booking_row *booking = row_at(check->database, BOOKINGS, row->b, 0);
        if (!booking_is_active(booking->row.status)) continue;
        struct holder_row *sum = map_get(&sums, booking->row.user_id, 0);
        if (!sum) {
            sum = ARENA_NEW(&check->arena, struct holder_row);
            map_put(&sums, &check->arena, booking->row.user_id, 0, sum);
        }
        sum->quantity += booking->row.quantity;
    }
    size_t agreed = 0;
    rows = rows_of(check->database, HOLDERS, event->id, 0);
    for (const struct holder_row *row; (row = rows_next(&rows));) {
        const struct holder_row *sum = map_get(&sums, row->key.b, 0);
        if (sum && sum->quantity == row->quantity)
            agreed++;
        else
            breach(check, "event %" PRIu64 ": user %" PRIu64 " holds %u, going by bookings %u",
                   event->id, row->key.b, row->quantity, sum ? sum->quantity : 0);
    }
    if (agreed < sums.count)
        breach(check, "event %" PRIu64 ": what %zu users hold is not or wrongly counted", event->id,
               sums.count - agreed);
}

static void check_people(struct check *check)
{
    struct rows rows = rows_all(check->database, EVENTS);
    for (const struct event_row *event; (event = rows_next(&rows));)
        check_holders(check, &event->row);
    rows = rows_all(check->database, USERS);
    for (const struct user_row *user; (user = rows_next(&rows));)
        check->figures.users += user->row.erased_at == 0;
}

/* ---- ticket types ---- */

static void compare(struct check *check, uint64_t type_id, const char *what, int64_t counter,
                    int64_t sum, const char *whose)
{
    if (counter != sum)
        breach(check, "ticket type %" PRIu64 ": %" PRId64 " %s, but %" PRId64 " going by its %s",
               type_id, counter, what, sum, whose);
}

static void check_type(struct check *check, const struct ticket_type *type)
{
    const struct proof *proof = proof_of(check, type->id);
    if ((uint64_t)type->booked + type->held > type->capacity)
        breach(check, "ticket type %" PRIu64 ": %u booked and %u held are more than %u", type->id,
               type->booked, type->held, type->capacity);
    const struct {
        const char *whose;
        const struct tally *sums;
    } sources[] = {{"bookings", &proof->bookings}, {"journal", &proof->journal}};
    for (size_t i = 0; i < 2; i++) {
        const struct tally *sums = sources[i].sums;
        compare(check, type->id, "booked", type->booked, sums->booked, sources[i].whose);
        compare(check, type->id, "held", type->held, sums->held, sources[i].whose);
        compare(check, type->id, "waiting", type->waiting, sums->waiting, sources[i].whose);
        compare(check, type->id, "wanted", (int64_t)type->wanted, sums->wanted, sources[i].whose);
    }
    compare(check, type->id, "booked", type->booked, proof->tickets.booked, "tickets");
    compare(check, type->id, "held", type->held, proof->tickets.held, "tickets");
    check->figures.ticket_types++;
    check->figures.capacity += type->capacity;
    check->figures.booked += type->booked;
    check->figures.held += type->held;
}

static void check_types(struct check *check)
{
    struct rows rows = rows_all(check->database, TYPES);
    for (const struct type_row *type; (type = rows_next(&rows));)
        check_type(check, &type->row);
    size_t known = check->figures.ticket_types;
    if (check->proofs.count > known)
        breach(check, "bookings, or rows of the journal, are of %zu ticket types that do not exist",
               check->proofs.count - known);
}

enum store_status memory_check(struct store *store, struct check_figures *ret_figures,
                               void (*breach_function)(const char *sentence, void *data),
                               void *data)
{
    struct database *database = ((struct memory_store *)store)->database;
    struct check check = {.database = database, .breach = breach_function, .data = data};
    pthread_rwlock_rdlock(&database->lock);
    check_bookings(&check);
    check_journal(&check);
    check_tickets(&check);
    check_types(&check);
    check_people(&check);
    pthread_rwlock_unlock(&database->lock);
    arena_free(&check.arena);
    *ret_figures = check.figures;
    return STORE_OK;
}
