/* SPDX-License-Identifier: Apache-2.0 */
/* The faulty store: after each fault everything is as store.h says it is after that status. */
#include "store/faulty.h"

#include "base/clock.h"
#include "testing.h"

static enum fault wanted[FAULT_AT_READ + 1];
static unsigned asked[FAULT_AT_READ + 1];

static enum fault next(void *data, enum fault_point point)
{
    assert_ptr_equal(data, wanted);
    asked[point]++;
    return wanted[point];
}

static struct fault_plan plan;

static int set_up_faulty(void **state)
{
    memset(wanted, 0, sizeof(wanted));
    memset(asked, 0, sizeof(asked));
    plan = (struct fault_plan){.next = next, .data = wanted};
    kind_named("memory");
    if (set_up(state) != 0) return -1;
    struct box_office *box = *state;
    NEW_EVENT(box, 10); /* event 1, before anything fails */
    box->writer = store_faulty(box->writer, &plan);
    box->reader = store_faulty(box->reader, &plan);
    return 0;
}

static enum store_status try_to_book(struct box_office *box, uint64_t user_id)
{
    struct command command = booking_command(user_id, 1, 0, 1);
    struct result result;
    return run(box, &command, 1, &result);
}

static void expect_booked(struct box_office *box, uint32_t count)
{
    enum fault kept = wanted[FAULT_AT_READ];
    wanted[FAULT_AT_READ] = FAULT_NONE;
    assert_int_equal(find_event(box, 1)->types[0].booked, count);
    expect_sound(box);
    wanted[FAULT_AT_READ] = kept;
}

static void a_plan_without_faults_is_not_noticed(void **state)
{
    struct box_office *box = *state;
    OK(try_to_book(box, 1));
    expect_booked(box, 1);
    assert_true(asked[FAULT_AT_LOAD] > 0);
    assert_int_equal(asked[FAULT_AT_COMMIT], 1);
    assert_int_equal(asked[FAULT_AT_READ], 2);
    plan.next = NULL;
    OK(try_to_book(box, 1));
    store_tidy(box->writer);
    struct str value;
    OK(store_setting(box->writer, "name", STR("value"), &box->arena, &value));
    expect_str(value, "value");
}

static void a_load_can_fail(void **state)
{
    struct box_office *box = *state;
    static const enum store_status statuses[] = {
        [FAULT_BUSY] = STORE_BUSY,         [FAULT_DOWN] = STORE_DOWN,
        [FAULT_REFUSED] = STORE_REFUSED,   [FAULT_UNKNOWN_DONE] = STORE_DOWN,
        [FAULT_UNKNOWN_LOST] = STORE_DOWN,
    };
    for (int fault = FAULT_BUSY; fault <= FAULT_UNKNOWN_LOST; fault++) {
        wanted[FAULT_AT_LOAD] = (enum fault)fault;
        assert_int_equal(try_to_book(box, 1), statuses[fault]);
        assert_non_null(strstr(store_error(box->writer), "injected"));
        expect_booked(box, 0);
    }
    wanted[FAULT_AT_LOAD] = FAULT_NONE;
    OK(try_to_book(box, 1));
    expect_booked(box, 1);
}

static void a_commit_that_fails_writes_nothing(void **state)
{
    struct box_office *box = *state;
    static const enum store_status statuses[] = {
        [FAULT_BUSY] = STORE_BUSY,
        [FAULT_DOWN] = STORE_DOWN,
        [FAULT_REFUSED] = STORE_REFUSED,
    };
    for (int fault = FAULT_BUSY; fault <= FAULT_REFUSED; fault++) {
        wanted[FAULT_AT_COMMIT] = (enum fault)fault;
        assert_int_equal(try_to_book(box, 1), statuses[fault]);
        assert_non_null(strstr(store_error(box->writer), "injected"));
        expect_booked(box, 0);
    }
    wanted[FAULT_AT_COMMIT] = FAULT_NONE;
    OK(try_to_book(box, 1));
    expect_booked(box, 1);
}

static void after_an_unknown_commit_one_can_ask(void **state)
{
    struct box_office *box = *state;
    bool committed = false;
    wanted[FAULT_AT_COMMIT] = FAULT_UNKNOWN_DONE;
    assert_int_equal(try_to_book(box, 1), STORE_UNKNOWN);
    OK(store_was_committed(box->writer, &committed));
    assert_true(committed);
    expect_booked(box, 1);

    wanted[FAULT_AT_COMMIT] = FAULT_UNKNOWN_LOST;
    assert_int_equal(try_to_book(box, 1), STORE_UNKNOWN);
    wanted[FAULT_AT_WAS_COMMITTED] = FAULT_DOWN;
    assert_int_equal(store_was_committed(box->writer, &committed), STORE_DOWN);
    wanted[FAULT_AT_WAS_COMMITTED] = FAULT_NONE;
    OK(store_was_committed(box->writer, &committed));
    assert_false(committed);
    expect_booked(box, 1);

    wanted[FAULT_AT_COMMIT] = FAULT_NONE;
    OK(try_to_book(box, 1));
    OK(store_was_committed(box->writer, &committed));
    assert_true(committed);
}

static void every_read_can_fail(void **state)
{
    struct box_office *box = *state;
    struct arena *arena = &box->arena;
    struct store *reader = box->reader;
    wanted[FAULT_AT_READ] = FAULT_DOWN;
    struct event *event;
    struct event_list events;
    struct booking_view *booking;
    struct booking_list bookings;
    struct ticket_list tickets;
    struct journal_list journal;
    struct payment_list payments;
    struct user *user;
    struct user_list users;
    struct directory_rows rows;
    struct check_figures figures;
    const char *error = NULL;
    const struct str none = {0};
    const struct event_query event_query = {.limit = 1};
    const struct booking_query booking_query = {.user_id = 1, .limit = 1};
    const struct user_query user_query = {.limit = 1};
    const enum store_status statuses[] = {
        store_ping(reader),
        store_find_event(reader, 1, arena, &event),
        store_search_events(reader, &event_query, arena, &events),
        store_find_booking(reader, 1, arena, &booking),
        store_list_bookings(reader, &booking_query, arena, &bookings),
        store_list_tickets(reader, 1, 0, 1, arena, &tickets),
        store_booking_history(reader, 1, arena, &journal),
        store_booking_payments(reader, 1, arena, &payments),
        store_find_user(reader, 1, none, none, arena, &user),
        store_list_users(reader, &user_query, arena, &users),
        store_load_directory(reader, arena, &rows),
        store_backup(reader, "not-written.db", arena, &error),
        store_check(reader, &figures, print_breach, NULL),
    };
    size_t count = sizeof(statuses) / sizeof(statuses[0]);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(statuses[i], STORE_DOWN);
    assert_int_equal(asked[FAULT_AT_READ], count);
    assert_non_null(strstr(error, "injected"));
    assert_non_null(strstr(store_error(reader), "injected"));
    wanted[FAULT_AT_READ] = FAULT_NONE;
    OK(store_ping(reader));
    assert_null(strstr(store_error(reader), "injected"));
}

static void being_slow_is_no_failure(void **state)
{
    struct box_office *box = *state;
    plan.slow_ms = 20;
    wanted[FAULT_AT_COMMIT] = FAULT_SLOW;
    int64_t before = clock_monotonic_us();
    OK(try_to_book(box, 1));
    assert_true(clock_monotonic_us() - before >= 20000);
    expect_booked(box, 1);
}

static void the_nth_commit_fails(void **state)
{
    struct box_office *box = *state;
    struct fault_nth third = {.nth = 3, .fault = FAULT_BUSY};
    plan = (struct fault_plan){.next = fault_nth_commit, .data = &third};
    for (unsigned i = 1; i <= 5; i++)
        assert_int_equal(try_to_book(box, 1), i == 3 ? STORE_BUSY : STORE_OK);
    assert_int_equal(find_event(box, 1)->types[0].booked, 4);
}

static void a_poisoned_booking_takes_its_batch_down(void **state)
{
    struct box_office *box = *state;
    plan.poison_user_id = 13;
    struct command commands[] = {booking_command(1, 1, 0, 1), booking_command(13, 1, 0, 1)};
    struct result results[2];
    assert_int_equal(run(box, commands, 2, results), STORE_REFUSED);
    expect_booked(box, 0);
    assert_int_equal(try_to_book(box, 13), STORE_REFUSED);
    OK(try_to_book(box, 1));
    expect_booked(box, 1);

    plan.poison_event_id = 2; /* both must be met */
    OK(try_to_book(box, 13));
    plan.poison_user_id = 0;
    OK(try_to_book(box, 13));
    plan.poison_event_id = 1;
    assert_int_equal(try_to_book(box, 1), STORE_REFUSED);
    expect_booked(box, 3);
}

static void what_the_inner_store_refuses_is_passed_on(void **state)
{
    struct box_office *box = *state;
    for (int i = 0; i < 2; i++) {
        wanted[FAULT_AT_COMMIT] = i ? FAULT_UNKNOWN_DONE : FAULT_NONE;
        struct command command = booking_command(1, 1, 0, 1);
        struct result result;
        OK(prepare(box, &command, 1));
        decide(&box->set, &command, &result);
        working_set_event(&box->set, 1)->types[0]->row.booked = 11;
        assert_int_equal(commit(box), STORE_REFUSED);
        assert_true(strlen(store_error(box->writer)) > 0);
        assert_null(strstr(store_error(box->writer), "injected"));
        expect_booked(box, 0);
    }
    struct command command = booking_command(1, 1, 0, 1);
    OK(prepare(box, &command, 1));
    store_abandon(box->writer);
    store_abandon(box->writer); /* nothing to abandon: fine */
    expect_booked(box, 0);
}

#define FAULTY_TEST(function) cmocka_unit_test_setup_teardown(function, set_up_faulty, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        FAULTY_TEST(a_plan_without_faults_is_not_noticed),
        FAULTY_TEST(a_load_can_fail),
        FAULTY_TEST(a_commit_that_fails_writes_nothing),
        FAULTY_TEST(after_an_unknown_commit_one_can_ask),
        FAULTY_TEST(every_read_can_fail),
        FAULTY_TEST(being_slow_is_no_failure),
        FAULTY_TEST(the_nth_commit_fails),
        FAULTY_TEST(a_poisoned_booking_takes_its_batch_down),
        FAULTY_TEST(what_the_inner_store_refuses_is_passed_on),
    };
    return cmocka_run_group_tests_name("faulty", tests, NULL, NULL);
}
