/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch makes of a booking and of a ticket number, and which chains of changes are none. */
#include <stdlib.h>
#include <cmocka.h>
#include <string.h>

#include "store/fates.h"

static struct arena arena;
static struct fates fates;

static int begin(void **state)
{
    (void)state;
    fates = (struct fates){.arena = &arena};
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static void add_booking(enum change_kind kind, const struct booking *booking)
{
    struct change change = {.kind = kind, .booking = (struct booking *)(uintptr_t)booking};
    assert_true(fates_add(&fates, &change));
}

static void add_tickets(enum change_kind kind, uint32_t number, uint32_t count, uint64_t booking_id)
{
    struct change change = {.kind = kind};
    change.tickets.event_id = 7;
    change.tickets.number = number;
    change.tickets.count = count;
    change.tickets.booking_id = booking_id;
    change.tickets.is_booked = true;
    assert_true(fates_add(&fates, &change));
}

static void expect_error(const char *part)
{
    assert_non_null(fates.error);
    if (!strstr(fates.error, part)) fail_msg("%s: %s", fates.error, part);
    begin(NULL);
}

static void what_is_of_something_else_is_left_alone(void **state)
{
    (void)state;
    struct change change = {.kind = CHANGE_JOURNAL};
    assert_false(fates_add(&fates, &change));
    assert_int_equal(fates.bookings.count + fates.tickets.count, 0);
}

static void a_booking_is_as_it_was_last_changed(void **state)
{
    (void)state;
    static const struct {
        enum change_kind kinds[3];
        size_t count;
        int how;
    } chains[] = {
        {{CHANGE_BOOKING_INSERT}, 1, FATE_INSERT},
        {{CHANGE_BOOKING_INSERT, CHANGE_BOOKING_UPDATE}, 2, FATE_INSERT},
        {{CHANGE_BOOKING_INSERT, CHANGE_BOOKING_UPDATE, CHANGE_BOOKING_DELETE}, 3, FATE_NOTHING},
        {{CHANGE_BOOKING_UPDATE}, 1, FATE_UPDATE},
        {{CHANGE_BOOKING_UPDATE, CHANGE_BOOKING_UPDATE}, 2, FATE_UPDATE},
        {{CHANGE_BOOKING_UPDATE, CHANGE_BOOKING_DELETE}, 2, FATE_DELETE},
        {{CHANGE_BOOKING_DELETE}, 1, FATE_DELETE},
    };
    struct booking rows[3] = {{.id = 5}, {.id = 5}, {.id = 5}};
    for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
        begin(NULL);
        for (size_t j = 0; j < chains[i].count; j++)
            add_booking(chains[i].kinds[j], &rows[j]);
        assert_null(fates.error);
        assert_int_equal(fates.bookings.count, 1);
        assert_int_equal(fates.bookings.items[0]->how, chains[i].how);
        assert_ptr_equal(fates.bookings.items[0]->booking, &rows[chains[i].count - 1]);
    }
}

static void what_is_gone_is_not_changed_and_no_id_is_used_twice(void **state)
{
    (void)state;
    struct booking row = {.id = 5};
    static const enum change_kind gone[] = {CHANGE_BOOKING_UPDATE, CHANGE_BOOKING_DELETE};
    for (size_t i = 0; i < 2; i++) {
        add_booking(CHANGE_BOOKING_DELETE, &row);
        add_booking(gone[i], &row);
        expect_error("not there");
        add_booking(CHANGE_BOOKING_INSERT, &row);
        add_booking(CHANGE_BOOKING_DELETE, &row);
        add_booking(gone[i], &row);
        expect_error("not there");
    }
    static const enum change_kind first[] = {CHANGE_BOOKING_INSERT, CHANGE_BOOKING_UPDATE,
                                             CHANGE_BOOKING_DELETE};
    for (size_t i = 0; i < 3; i++) {
        add_booking(first[i], &row);
        add_booking(CHANGE_BOOKING_INSERT, &row);
        expect_error("used twice");
    }
}

static void numbers_are_new_once(void **state)
{
    (void)state;
    add_tickets(CHANGE_TICKETS_NEW, 10, 3, 1);
    assert_int_equal(fates.tickets.count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        const struct ticket_fate *fate = fates.tickets.items[i];
        assert_int_equal(fate->number, 10 + i);
        assert_int_equal(fate->event_id, 7);
        assert_int_equal(fate->booking_id, 1);
        assert_true(fate->is_new && fate->is_booked);
    }
    add_tickets(CHANGE_TICKETS_NEW, 12, 1, 2);
    expect_error("given out twice");
    add_tickets(CHANGE_TICKET_RETURN, 12, 1, 1);
    add_tickets(CHANGE_TICKETS_NEW, 12, 1, 2);
    expect_error("given out twice");
}

static void a_ticket_that_is_new_may_go_from_hand_to_hand(void **state)
{
    (void)state;
    add_tickets(CHANGE_TICKETS_NEW, 10, 1, 1);
    add_tickets(CHANGE_TICKET_RETURN, 10, 1, 1);
    const struct ticket_fate *fate = fates.tickets.items[0];
    assert_true(fate->is_new && !fate->is_booked && fate->booking_id == 0);
    add_tickets(CHANGE_TICKET_GIVE, 10, 1, 2);
    assert_true(fate->is_new && fate->is_booked && fate->booking_id == 2);
    assert_int_equal(fates.tickets.count, 1);
    assert_null(fates.error);
}

static void a_ticket_that_is_there_says_whose_it_must_have_been(void **state)
{
    (void)state;
    add_tickets(CHANGE_TICKET_RETURN, 10, 1, 1);
    const struct ticket_fate *fate = fates.tickets.items[0];
    assert_true(fate->was == 1 && !fate->is_given && !fate->is_new && fate->booking_id == 0);
    add_tickets(CHANGE_TICKET_GIVE, 10, 1, 2);
    assert_true(fate->was == 1 && !fate->is_given && fate->booking_id == 2 && fate->is_booked);

    add_tickets(CHANGE_TICKET_GIVE, 11, 1, 3);
    fate = fates.tickets.items[1];
    assert_true(fate->was == 3 && fate->is_given && fate->booking_id == 3);
    add_tickets(CHANGE_TICKET_GIVE, 11, 1, 3); /* held, and now booked */
    assert_null(fates.error);
}

static void a_ticket_is_not_given_to_two_and_not_taken_from_another(void **state)
{
    (void)state;
    static const enum change_kind given[] = {CHANGE_TICKETS_NEW, CHANGE_TICKET_GIVE};
    for (size_t i = 0; i < 2; i++) {
        add_tickets(given[i], 10, 1, 1);
        add_tickets(CHANGE_TICKET_GIVE, 10, 1, 2);
        expect_error("not returned");
        add_tickets(given[i], 10, 1, 1);
        add_tickets(CHANGE_TICKET_RETURN, 10, 1, 2);
        expect_error("not the booking's");
        add_tickets(given[i], 10, 1, 1);
        add_tickets(CHANGE_TICKET_RETURN, 10, 1, 1);
        add_tickets(CHANGE_TICKET_RETURN, 10, 1, 1);
        expect_error("not the booking's");
    }
}

static void what_was_written_is_forgotten_but_not_what_was_wrong(void **state)
{
    (void)state;
    struct booking row = {.id = 5};
    add_booking(CHANGE_BOOKING_DELETE, &row);
    add_tickets(CHANGE_TICKET_GIVE, 10, 1, 1);
    fates_clear(&fates);
    assert_int_equal(fates.bookings.count + fates.tickets.count, 0);
    add_booking(CHANGE_BOOKING_INSERT, &row);
    add_tickets(CHANGE_TICKET_GIVE, 10, 1, 2);
    assert_null(fates.error);
    add_booking(CHANGE_BOOKING_INSERT, &row);
    fates_clear(&fates);
    expect_error("used twice");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_of_something_else_is_left_alone),
        TEST(a_booking_is_as_it_was_last_changed),
        TEST(what_is_gone_is_not_changed_and_no_id_is_used_twice),
        TEST(numbers_are_new_once),
        TEST(a_ticket_that_is_new_may_go_from_hand_to_hand),
        TEST(a_ticket_that_is_there_says_whose_it_must_have_been),
        TEST(a_ticket_is_not_given_to_two_and_not_taken_from_another),
        TEST(what_was_written_is_forgotten_but_not_what_was_wrong),
    };
    return cmocka_run_group_tests_name("fates", tests, NULL, NULL);
}
