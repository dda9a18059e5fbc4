/* SPDX-License-Identifier: Apache-2.0 */
#include "office.h"

#include <pthread.h>
#include <unistd.h>

#include "engine/lane.h"

static int hundred_tickets(void **state)
{
    return office_open(state, 100);
}

/* The lane takes the store over; what is left of the office is closed here. */
static struct lane *start(struct office *office, size_t depth)
{
    struct lane *lane = lane_start(&office->batcher, depth);
    office->batcher.store = NULL;
    office->batcher.arena = (struct arena){0};
    return lane;
}

struct crowd {
    struct lane *lane;
    struct wish *wishes;
    size_t count, full;
};

static void *push(void *data)
{
    struct crowd *crowd = data;
    for (size_t i = 0; i < crowd->count; i++)
        while (!lane_put(crowd->lane, &crowd->wishes[i].task)) {
            crowd->full++;
            usleep(100);
        }
    return NULL;
}

static void two_hundred_from_four_threads_get_one_hundred_tickets(void **state)
{
    struct office *office = *state;
    static struct wish wishes[200];
    struct lane *lane = start(office, 1000);
    struct crowd crowds[4];
    pthread_t threads[4];
    for (size_t i = 0; i < 200; i++)
        wish_book(&wishes[i], office, i + 1);
    for (size_t i = 0; i < 4; i++) {
        crowds[i] = (struct crowd){.lane = lane, .wishes = &wishes[i * 50], .count = 50};
        assert_int_equal(pthread_create(&threads[i], NULL, push, &crowds[i]), 0);
    }
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    lane_stop(lane); /* does what is queued */

    unsigned confirmed = 0, waiting = 0;
    bool numbers[101] = {false}, positions[101] = {false};
    for (size_t i = 0; i < 200; i++) {
        assert_true(wishes[i].done);
        if (wishes[i].outcome == OUTCOME_CREATED) {
            confirmed++;
            assert_in_range(wishes[i].number, 1, 100);
            assert_false(numbers[wishes[i].number]);
            numbers[wishes[i].number] = true;
        } else {
            assert_int_equal(wishes[i].outcome, OUTCOME_WAITING);
            waiting++;
            assert_in_range(wishes[i].position, 1, 100);
            assert_false(positions[wishes[i].position]);
            positions[wishes[i].position] = true;
        }
    }
    assert_int_equal(confirmed, 100);
    assert_int_equal(waiting, 100);
    struct check_figures figures = office_check(office);
    assert_int_equal(figures.booked, 100);
    assert_int_equal(figures.waiting, 100);
}

static enum fault slow(void *data, enum fault_point point)
{
    (void)data;
    return point == FAULT_AT_COMMIT ? FAULT_SLOW : FAULT_NONE;
}

static void a_full_queue_says_so_at_once(void **state)
{
    struct office *office = *state;
    static struct wish wishes[300];
    office->plan.next = slow;
    office->plan.slow_ms = 200;
    struct lane *lane = start(office, 4);
    size_t accepted = 0;
    for (size_t i = 0; i < 300; i++) {
        wish_book(&wishes[i], office, i % 200 + 1);
        accepted += lane_put(lane, &wishes[i].task);
    }
    lane_stop(lane);
    size_t done = 0;
    for (size_t i = 0; i < 300; i++)
        done += wishes[i].done;
    assert_in_range(accepted, 4, 299);
    assert_int_equal(done, accepted);
    assert_int_equal(office_check(office).bookings, accepted);
}

static void commands_that_must_be_alone_keep_their_place(void **state)
{
    struct office *office = *state;
    static struct wish wishes[21];
    struct lane *lane = start(office, 100);
    for (size_t i = 0; i < 21; i++) {
        if (i == 10) {
            wish_init(&wishes[i], COMMAND_DELETE_EVENT, 1);
            wishes[i].task.command.event_id = office->event_id;
        } else {
            wish_book(&wishes[i], office, i + 1);
        }
    }
    for (size_t i = 0; i < 21; i++)
        assert_true(lane_put(lane, &wishes[i].task));
    lane_stop(lane);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(wishes[i].outcome, OUTCOME_CREATED);
    assert_int_equal(wishes[10].outcome, OUTCOME_OK);
    for (size_t i = 11; i < 21; i++)
        assert_int_equal(wishes[i].outcome, NOT_ON_SALE);
    assert_int_equal(office_check(office).cancelled, 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, hundred_tickets, office_close)
    const struct CMUnitTest tests[] = {
        TEST(two_hundred_from_four_threads_get_one_hundred_tickets),
        TEST(a_full_queue_says_so_at_once),
        TEST(commands_that_must_be_alone_keep_their_place),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
