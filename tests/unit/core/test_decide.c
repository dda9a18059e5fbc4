/* SPDX-License-Identifier: Apache-2.0 */
/* The core by itself: working sets filled by hand, no store, and the changes looked at one by one.
 * What it does over many batches and on every store is told by the scripts in tests/rules. */
#include <cmocka.h>
#include <stdlib.h>

#include "core/decide.h"

enum { NOW = 1000000, EVENT = 1, TYPE = 7 };

struct desk {
    struct arena arena;
    struct working_set set;
    uint64_t ids[64];
};

/* A batch for an event with one type, of which 'booked' are out and 'waiting' wait, a ticket each.
 */
static int open_desk(void **state, struct ticket_type type, uint32_t next_number)
{
    struct desk *desk = calloc(1, sizeof(*desk));
    working_set_init(&desk->set, &desk->arena, NOW);
    desk->set.keep_cancelled_ms = 1;
    for (size_t i = 0; i < 64; i++)
        desk->ids[i] = 100 + i;
    desk->set.ids[SEQUENCE_BOOKING].ids = desk->ids;
    desk->set.ids[SEQUENCE_BOOKING].count = 64;
    struct event event = {.id = EVENT,
                          .organizer_id = 9,
                          .status = EVENT_ON_SALE,
                          .next_number = next_number,
                          .ever_booked = next_number > 1};
    type.id = TYPE;
    type.event_id = EVENT;
    struct command any = {.kind = COMMAND_DELETE_EVENT, .event_id = EVENT};
    unsigned stage = 0;
    working_set_plan(&desk->set, &any, &stage);
    struct event_entry *entry = working_set_event(&desk->set, EVENT);
    working_set_put_event(&desk->set, entry, &event, &type, 1);
    desk->set.wants = false;
    *state = desk;
    return 0;
}

static int close_desk(void **state)
{
    struct desk *desk = *state;
    arena_free(&desk->arena);
    free(desk);
    return 0;
}

static int three_seats(void **state)
{
    return open_desk(state, (struct ticket_type){.capacity = 3, .price = 50}, 1);
}

static int sold_out_with_a_line(void **state)
{
    return open_desk(
        state, (struct ticket_type){.capacity = 1, .booked = 1, .waiting = 2, .wanted = 3}, 2);
}

static struct result book(struct desk *desk, uint64_t user_id, uint32_t quantity)
{
    struct command command = {.kind = COMMAND_BOOK, .actor = {.id = user_id}};
    struct result result;
    command.book.event_id = EVENT;
    command.book.quantity = quantity;
    command.book.join_waiting_list = true;
    decide(&desk->set, &command, &result);
    return result;
}

static const struct change *change(const struct desk *desk, size_t index, enum change_kind kind)
{
    assert_true(index < desk->set.changes.count);
    assert_int_equal(desk->set.changes.items[index].kind, kind);
    return &desk->set.changes.items[index];
}

static void a_booking_is_a_row_numbers_and_a_line_in_the_journal(void **state)
{
    struct desk *desk = *state;
    struct result result = book(desk, 5, 2);
    assert_int_equal(result.outcome, OUTCOME_CREATED);
    assert_int_equal(desk->set.changes.count, 3);
    const struct booking *row = change(desk, 0, CHANGE_BOOKING_INSERT)->booking;
    assert_int_equal(row->id, 100);
    assert_int_equal(row->user_id, 5);
    assert_int_equal(row->unit_price, 50);
    assert_int_equal(row->status, BOOKING_CONFIRMED);
    assert_int_equal(row->created_at, NOW);
    const struct change *tickets = change(desk, 1, CHANGE_TICKETS_NEW);
    assert_int_equal(tickets->tickets.number, 1);
    assert_int_equal(tickets->tickets.count, 2);
    const struct journal_entry *entry = &change(desk, 2, CHANGE_JOURNAL)->journal;
    assert_int_equal(entry->from, BOOKING_NONE);
    assert_int_equal(entry->to, BOOKING_CONFIRMED);
    assert_int_equal(entry->quantity, 2);
    assert_int_equal(entry->actor_id, 5);
    const struct event_entry *event = working_set_event(&desk->set, EVENT);
    assert_int_equal(event->types[0]->row.booked, 2);
    assert_true(event->types[0]->dirty && event->numbers_dirty);
    assert_int_equal(event->row.next_number, 3);
}

static void a_refusal_changes_nothing(void **state)
{
    struct desk *desk = *state;
    assert_int_equal(book(desk, 5, 4).outcome, TOO_MANY);
    struct command command = {.kind = COMMAND_BOOK, .actor = {.id = 5}};
    struct result result;
    command.book.event_id = EVENT;
    command.book.quantity = 1;
    command.book.ticket_type_id = TYPE + 1;
    decide(&desk->set, &command, &result);
    assert_int_equal(result.outcome, NO_SUCH_TICKET_TYPE);
    assert_int_equal(desk->set.changes.count, 0);
    assert_int_equal(desk->set.ids[SEQUENCE_BOOKING].used, 0);
    assert_false(working_set_event(&desk->set, EVENT)->types[0]->dirty);
}

static void commands_of_a_batch_see_one_another(void **state)
{
    struct desk *desk = *state;
    assert_int_equal(book(desk, 5, 2).booking->numbers[1], 2);
    assert_int_equal(book(desk, 6, 1).booking->numbers[0], 3);
    struct result waits = book(desk, 7, 1);
    assert_int_equal(waits.outcome, OUTCOME_WAITING);
    assert_int_equal(waits.position, 1);
    assert_int_equal(book(desk, 8, 2).position, 2);
    assert_int_equal(book(desk, 9, 1).ahead, 3);
}

static void the_line_is_counted_by_its_blocks(void **state)
{
    struct desk *desk = *state;
    book(desk, 5, 3);
    book(desk, 6, 2);
    book(desk, 7, 1);
    size_t at = 0;
    const struct line_change *line = map_each(&desk->set.line_changes, &at);
    assert_non_null(line);
    assert_int_equal(line->ticket_type_id, TYPE);
    assert_int_equal(line->bookings, 2);
    assert_int_equal(line->tickets, 3);
    assert_null(map_each(&desk->set.line_changes, &at));
}

static void who_joins_a_line_that_is_not_loaded_is_not_put_behind_a_gap(void **state)
{
    struct desk *desk = *state;
    struct result result = book(desk, 5, 1);
    assert_int_equal(result.outcome, OUTCOME_WAITING);
    assert_int_equal(result.position, 3);
    assert_int_equal(result.ahead, 3);
    assert_int_equal(working_set_event(&desk->set, EVENT)->types[0]->line_count, 0);
}

static void a_plan_asks_for_as_much_of_the_line_as_may_come_free(void **state)
{
    struct desk *desk = *state;
    struct booking held = {.id = 4,
                           .user_id = 3,
                           .event_id = EVENT,
                           .ticket_type_id = TYPE,
                           .quantity = 1,
                           .status = BOOKING_CONFIRMED};
    struct command command = {.kind = COMMAND_CANCEL, .actor = {.id = 3}};
    command.cancel.booking_id = 4;
    unsigned stage = 0;
    assert_false(working_set_plan(&desk->set, &command, &stage));
    assert_true(desk->set.wants);
    working_set_put_booking(&desk->set, &held);
    assert_true(working_set_booking(&desk->set, 4)->found);
    while (!working_set_plan(&desk->set, &command, &stage))
        continue;
    const struct type_entry *type = working_set_event(&desk->set, EVENT)->types[0];
    /* One that comes free, one that may have left, one that is looked at and does not fit. */
    assert_int_equal(type->line_needed, 3);
}

static void numbers_come_lowest_first(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct numbers numbers = {0};
    uint32_t seed = 1;
    for (uint32_t i = 0; i < 1000; i++) {
        seed = seed * 1664525 + 1013904223;
        numbers_push(&numbers, &arena, seed >> 8);
    }
    uint32_t last = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t number = numbers_pop(&numbers);
        assert_true(number >= last);
        last = number;
    }
    assert_int_equal(numbers.count, 0);
    arena_free(&arena);
}

static void only_what_touches_much_is_alone(void **state)
{
    (void)state;
    for (int kind = 0; kind < COMMAND_KINDS; kind++) {
        struct command command = {.kind = (enum command_kind)kind};
        bool sells = kind == COMMAND_BOOK || kind == COMMAND_CANCEL ||
                     kind == COMMAND_CANCEL_NEWEST || kind == COMMAND_PAY;
        if (sells) assert_false(command_is_alone(&command));
        if (kind == COMMAND_DELETE_EVENT || kind == COMMAND_ERASE_USER)
            assert_true(command_is_alone(&command));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_booking_is_a_row_numbers_and_a_line_in_the_journal,
                                        three_seats, close_desk),
        cmocka_unit_test_setup_teardown(a_refusal_changes_nothing, three_seats, close_desk),
        cmocka_unit_test_setup_teardown(commands_of_a_batch_see_one_another, three_seats,
                                        close_desk),
        cmocka_unit_test_setup_teardown(the_line_is_counted_by_its_blocks, three_seats, close_desk),
        cmocka_unit_test_setup_teardown(who_joins_a_line_that_is_not_loaded_is_not_put_behind_a_gap,
                                        sold_out_with_a_line, close_desk),
        cmocka_unit_test_setup_teardown(a_plan_asks_for_as_much_of_the_line_as_may_come_free,
                                        sold_out_with_a_line, close_desk),
        cmocka_unit_test(numbers_come_lowest_first),
        cmocka_unit_test(only_what_touches_much_is_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
