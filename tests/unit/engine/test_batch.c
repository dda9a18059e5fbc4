/* SPDX-License-Identifier: Apache-2.0 */
/* The failure table of engine/batch.c, row by row, and what Idempotency-Keys promise. */
#include "office.h"

static int five_tickets(void **state)
{
    return office_open(state, 5);
}

static void book_for(struct office *office, struct wish *wishes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        wish_book(&wishes[i], office, i + 1);
}

static void a_refused_command_does_not_touch_its_neighbours(void **state)
{
    struct office *office = *state;
    struct wish wishes[3];
    book_for(office, wishes, 3);
    wishes[1].task.command.book.event_id = 77;
    office_run(office, wishes, 3);
    assert_int_equal(wishes[0].outcome, OUTCOME_CREATED);
    assert_int_equal(wishes[1].outcome, NO_SUCH_EVENT);
    assert_int_equal(wishes[2].outcome, OUTCOME_CREATED);
    assert_int_equal(office_check(office).booked, 2);
}

static void only_the_culprit_of_a_poisoned_batch_fails(void **state)
{
    struct office *office = *state;
    struct wish wishes[4];
    book_for(office, wishes, 4);
    office->plan.poison_user_id = 2;
    office_run(office, wishes, 4);
    assert_int_equal(wishes[0].outcome, OUTCOME_CREATED);
    assert_int_equal(wishes[1].outcome, INTERNAL);
    assert_int_equal(wishes[2].outcome, OUTCOME_CREATED);
    assert_int_equal(wishes[3].outcome, OUTCOME_CREATED);
    /* Numbers without a gap: nothing of the culprit was left behind. */
    assert_int_equal(wishes[3].number, 3);
    assert_int_equal(office_check(office).booked, 3);
    assert_int_equal(office->counts.singles, 4);
}

static void run_with_fault(struct office *office, struct wish *wishes, size_t count,
                           enum fault fault, unsigned nth)
{
    struct fault_nth once = {.nth = nth, .fault = fault};
    office->plan.next = fault_nth_commit;
    office->plan.data = &once;
    office_run(office, wishes, count);
    office->plan.next = NULL;
}

static void a_busy_store_is_asked_again(void **state)
{
    struct office *office = *state;
    struct wish wishes[2];
    book_for(office, wishes, 2);
    run_with_fault(office, wishes, 2, FAULT_BUSY, 1);
    assert_int_equal(wishes[0].outcome, OUTCOME_CREATED);
    assert_int_equal(wishes[0].composed, 2);
    assert_int_equal(office->pauses, 1);
    assert_int_equal(office->counts.retries, 1);
    assert_int_equal(office_check(office).booked, 2);
}

static enum fault always_busy(void *data, enum fault_point point)
{
    (void)data;
    return point == FAULT_AT_COMMIT ? FAULT_BUSY : FAULT_NONE;
}

static void a_store_that_stays_busy_is_given_up_with_503(void **state)
{
    struct office *office = *state;
    struct wish wishes[2];
    book_for(office, wishes, 2);
    office->plan.next = always_busy;
    office_run(office, wishes, 2);
    assert_int_equal(wishes[0].outcome, UNAVAILABLE);
    assert_int_equal(wishes[1].outcome, UNAVAILABLE);
    assert_int_equal(office_check(office).booked, 0);
}

/* Faults from the first commit on, until there are none left. */
struct faults {
    const enum fault *at_commit, *at_was_committed; /* each ends with FAULT_NONE */
    unsigned loads;
};

static enum fault next_of(const enum fault **faults)
{
    return *faults && **faults != FAULT_NONE ? *(*faults)++ : FAULT_NONE;
}

static enum fault planned(void *data, enum fault_point point)
{
    struct faults *faults = data;
    if (point == FAULT_AT_COMMIT) return next_of(&faults->at_commit);
    if (point == FAULT_AT_WAS_COMMITTED) return next_of(&faults->at_was_committed);
    faults->loads += point == FAULT_AT_LOAD;
    return FAULT_NONE;
}

static void a_connection_that_was_cut_is_tried_once_more(void **state)
{
    struct office *office = *state;
    struct wish wishes[2];
    book_for(office, wishes, 2);
    run_with_fault(office, wishes, 2, FAULT_DOWN, 1);
    assert_int_equal(wishes[0].outcome, OUTCOME_CREATED);
    assert_int_equal(office->pauses, 0);
    assert_int_equal(office_check(office).booked, 2);
}

static enum fault always_down(void *data, enum fault_point point)
{
    unsigned *asked = data;
    *asked += point == FAULT_AT_LOAD;
    return point == FAULT_AT_LOAD ? FAULT_DOWN : FAULT_NONE;
}

static void a_store_that_is_down_is_503_at_once_and_works_again_later(void **state)
{
    struct office *office = *state;
    struct wish wishes[2];
    unsigned asked = 0;
    office->plan.next = always_down;
    office->plan.data = &asked;
    for (unsigned i = 0; i < 3; i++) {
        book_for(office, wishes, 2);
        office_run(office, wishes, 2);
        assert_int_equal(wishes[0].outcome, UNAVAILABLE);
        assert_int_equal(wishes[1].outcome, UNAVAILABLE);
        assert_int_equal(asked, i + 2); /* twice the first time, once afterwards */
    }
    assert_int_equal(office->pauses, 0);
    office->plan.next = NULL;
    book_for(office, wishes, 2);
    office_run(office, wishes, 2);
    assert_int_equal(wishes[0].outcome, OUTCOME_CREATED);
    assert_int_equal(office_check(office).booked, 2);
}

static void lost_during_commit_but_done_is_answered_once(void **state)
{
    struct office *office = *state;
    struct wish wishes[2];
    book_for(office, wishes, 2);
    run_with_fault(office, wishes, 2, FAULT_UNKNOWN_DONE, 1);
    assert_int_equal(wishes[0].outcome, OUTCOME_CREATED);
    assert_int_equal(wishes[0].composed, 1);
    assert_int_equal(office_check(office).booked, 2);
}

static void lost_during_commit_and_not_done_is_done_again(void **state)
{
    struct office *office = *state;
    struct wish wishes[2];
    book_for(office, wishes, 2);
    run_with_fault(office, wishes, 2, FAULT_UNKNOWN_LOST, 1);
    assert_int_equal(wishes[0].outcome, OUTCOME_CREATED);
    assert_int_equal(wishes[0].composed, 2);
    assert_int_equal(office_check(office).booked, 2);
}

static bool count_turn(void *data)
{
    ++*(unsigned *)data;
    return true;
}

static void how_a_commit_ended_is_asked_until_the_store_can_be_reached(void **state)
{
    static const enum fault lost[] = {FAULT_UNKNOWN_DONE, FAULT_NONE};
    static const enum fault away[] = {FAULT_DOWN, FAULT_DOWN, FAULT_DOWN, FAULT_NONE};
    struct office *office = *state;
    struct wish wishes[2];
    struct faults faults = {.at_commit = lost, .at_was_committed = away};
    unsigned turns = 0;
    office->batcher.turn_away = count_turn;
    office->batcher.turn_away_data = &turns;
    office->plan.next = planned;
    office->plan.data = &faults;
    book_for(office, wishes, 2);
    office_run(office, wishes, 2);
    assert_int_equal(wishes[0].outcome, OUTCOME_CREATED);
    assert_int_equal(wishes[0].composed, 1);
    assert_int_equal(office->pauses, 3);
    assert_int_equal(turns, 3);
    assert_int_equal(office_check(office).booked, 2);
}

static enum fault lost_for_good(void *data, enum fault_point point)
{
    (void)data;
    if (point == FAULT_AT_COMMIT) return FAULT_UNKNOWN_DONE;
    return point == FAULT_AT_WAS_COMMITTED ? FAULT_DOWN : FAULT_NONE;
}

static void a_commit_of_which_nothing_is_ever_heard_is_503_and_its_key_tells_later(void **state)
{
    struct office *office = *state;
    struct wish wish;
    wish_book(&wish, office, 7);
    wish_key(&wish, "key", "request");
    office->plan.next = lost_for_good;
    office_run(office, &wish, 1);
    assert_int_equal(wish.outcome, UNAVAILABLE);
    office->plan.next = NULL;
    wish_book(&wish, office, 7);
    wish_key(&wish, "key", "request");
    office_run(office, &wish, 1);
    assert_true(wish.replayed);
    assert_int_equal(office_check(office).booked, 1);
}

static void what_turns_out_to_be_on_disk_is_published_before_the_next_batch(void **state)
{
    struct office *office = *state;
    struct wish wishes[2], late;
    wish_book(&wishes[0], office, 7);
    wish_init(&wishes[1], COMMAND_SIGN_OUT, 9);
    wishes[1].task.command.user.user.id = 9;
    uint64_t version = directory_version(office->batcher.directory);
    office->plan.next = lost_for_good;
    office_run(office, wishes, 2);
    assert_true(office->batcher.unsettled);
    assert_false(batch_settle(&office->batcher));
    wish_book(&late, office, 8);
    office_run(office, &late, 1); /* nothing is done while it is not settled */
    assert_int_equal(late.outcome, UNAVAILABLE);
    assert_int_equal(office_check(office).booked, 1);

    office->plan.next = NULL;
    wish_book(&late, office, 9);
    late.task.directory_version = version;
    office_run(office, &late, 1);
    assert_int_equal(late.outcome, UNAUTHORIZED);
    assert_false(office->batcher.unsettled);
    struct snapshot *snapshot;
    struct link waiter;
    assert_int_equal(
        snapshots_look(office->batcher.snapshots, office->event_id, &waiter, &snapshot),
        LOOK_SHOWN);
    assert_int_equal(snapshot->event.types[0].booked, 1);
    snapshot_release(snapshot);
}

/* ---- Idempotency-Key ---- */

static void the_same_key_in_one_batch_books_once(void **state)
{
    struct office *office = *state;
    struct wish wishes[5];
    for (size_t i = 0; i < 5; i++) {
        wish_book(&wishes[i], office, 7);
        wish_key(&wishes[i], "key", "request");
    }
    office_run(office, wishes, 5);
    assert_false(wishes[0].replayed);
    for (size_t i = 1; i < 5; i++) {
        assert_true(wishes[i].replayed);
        assert_string_equal(wishes[i].body, wishes[0].body);
    }
    assert_int_equal(office_check(office).booked, 1);
    assert_int_equal(office->counts.replays, 4);
}

static void the_same_key_later_is_answered_from_the_store(void **state)
{
    struct office *office = *state;
    struct wish first, second, other, stranger;
    wish_book(&first, office, 7);
    wish_key(&first, "key", "request");
    office_run(office, &first, 1);
    wish_book(&second, office, 7);
    wish_key(&second, "key", "request");
    office_run(office, &second, 1);
    assert_true(second.replayed);
    assert_string_equal(second.body, first.body);
    wish_book(&other, office, 7);
    wish_key(&other, "key", "something else");
    office_run(office, &other, 1);
    assert_int_equal(other.outcome, IDEMPOTENCY_KEY_REUSED);
    wish_book(&stranger, office, 8);
    wish_key(&stranger, "key", "request");
    office_run(office, &stranger, 1);
    assert_int_equal(stranger.outcome, OUTCOME_CREATED);
    assert_int_equal(office_check(office).booked, 2);
}

static void a_refusal_is_stored_with_its_key_and_a_fault_is_not(void **state)
{
    struct office *office = *state;
    struct wish wish;
    wish_book(&wish, office, 7);
    wish_key(&wish, "faulty", "request");
    office->plan.next = always_busy;
    office_run(office, &wish, 1);
    office->plan.next = NULL;
    assert_int_equal(wish.outcome, UNAVAILABLE);
    wish_book(&wish, office, 7);
    wish_key(&wish, "faulty", "request");
    office_run(office, &wish, 1);
    assert_false(wish.replayed);
    assert_int_equal(wish.outcome, OUTCOME_CREATED);

    wish_book(&wish, office, 7);
    wish.task.command.book.quantity = 6;
    wish_key(&wish, "refused", "request");
    office_run(office, &wish, 1);
    assert_int_equal(wish.outcome, TOO_MANY);
    wish_book(&wish, office, 7);
    wish.task.command.book.quantity = 6;
    wish_key(&wish, "refused", "request");
    office_run(office, &wish, 1);
    assert_true(wish.replayed);
    assert_string_equal(wish.body, "too_many 0");
}

/* ---- who was revoked while he stood in the queue ---- */

static void a_token_that_died_in_the_queue_books_nothing(void **state)
{
    struct office *office = *state;
    struct wish out, late;
    uint64_t version = directory_version(office->batcher.directory);
    wish_book(&late, office, 9);
    late.task.directory_version = version;
    wish_init(&out, COMMAND_SIGN_OUT, 9);
    out.task.command.user.user.id = 9;
    office_run(office, &out, 1);
    office_run(office, &late, 1);
    assert_int_equal(late.outcome, UNAUTHORIZED);
    assert_int_equal(office_check(office).booked, 0);
}

/* ---- snapshots follow each commit ---- */

static void the_snapshot_is_that_of_the_last_commit(void **state)
{
    struct office *office = *state;
    struct wish wishes[2];
    book_for(office, wishes, 2);
    office_run(office, wishes, 2);
    struct snapshot *snapshot = NULL;
    struct link waiter;
    assert_int_equal(
        snapshots_look(office->batcher.snapshots, office->event_id, &waiter, &snapshot),
        LOOK_SHOWN);
    assert_int_equal(snapshot->event.types[0].booked, 2);
    assert_true(str_equal(snapshot->event.types[0].name, STR("seat")));
    snapshot_release(snapshot);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, five_tickets, office_close)
    const struct CMUnitTest tests[] = {
        TEST(a_refused_command_does_not_touch_its_neighbours),
        TEST(only_the_culprit_of_a_poisoned_batch_fails),
        TEST(a_busy_store_is_asked_again),
        TEST(a_store_that_stays_busy_is_given_up_with_503),
        TEST(a_connection_that_was_cut_is_tried_once_more),
        TEST(a_store_that_is_down_is_503_at_once_and_works_again_later),
        TEST(lost_during_commit_but_done_is_answered_once),
        TEST(lost_during_commit_and_not_done_is_done_again),
        TEST(how_a_commit_ended_is_asked_until_the_store_can_be_reached),
        TEST(a_commit_of_which_nothing_is_ever_heard_is_503_and_its_key_tells_later),
        TEST(what_turns_out_to_be_on_disk_is_published_before_the_next_batch),
        TEST(the_same_key_in_one_batch_books_once),
        TEST(the_same_key_later_is_answered_from_the_store),
        TEST(a_refusal_is_stored_with_its_key_and_a_fault_is_not),
        TEST(a_token_that_died_in_the_queue_books_nothing),
        TEST(the_snapshot_is_that_of_the_last_commit),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
