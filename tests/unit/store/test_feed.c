/* SPDX-License-Identifier: Apache-2.0 */
/* The journal as a feed, kept by every store: who follows it misses nothing and is told nothing
 * twice, whoever writes meanwhile. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "testing.h"

static struct journal_page page_of(struct box_office *box, struct journal_query query)
{
    struct journal_page page;
    OK(store_list_journal(box->reader, &query, &box->arena, &page));
    assert_true(page.next >= query.after && page.end <= page.last);
    assert_true(page.count <= query.limit);
    uint64_t before = query.after;
    for (size_t i = 0; i < page.count; i++) {
        assert_true(page.items[i].id > before);
        before = page.items[i].id;
    }
    assert_true(page.next >= before);
    return page;
}

/* Follows to the end, page by page, and tells of each entry: "booking reason". */
static const char *followed(struct box_office *box, struct journal_query query)
{
    struct buf out = {0};
    for (bool caught_up = false; !caught_up;) {
        struct journal_page page = page_of(box, query);
        for (size_t i = 0; i < page.count; i++)
            buf_printf(&out, "%s%d %s", out.len ? ", " : "", (int)page.items[i].booking_id,
                       page.items[i].reason);
        caught_up = page.next >= page.end;
        if (!caught_up) assert_true(page.next > query.after);
        query.after = page.next;
    }
    struct str text = arena_str(&box->arena, buf_str(&out));
    buf_free(&out);
    return arena_cstr(&box->arena, text);
}

static void expect_same_entry(const struct journal_entry *is, const struct journal_entry *was)
{
    assert_int_equal(is->id, was->id);
    assert_int_equal(is->booking_id, was->booking_id);
    assert_int_equal(is->event_id, was->event_id);
    assert_int_equal(is->ticket_type_id, was->ticket_type_id);
    assert_int_equal(is->from, was->from);
    assert_int_equal(is->to, was->to);
    assert_int_equal(is->quantity, was->quantity);
    assert_int_equal(is->actor_id, was->actor_id);
    assert_int_equal(is->at, was->at);
    assert_string_equal(is->reason, was->reason);
}

static void changes_are_told_in_the_order_of_writing(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 3)->id;
    uint64_t first = book(box, 8, event_id, 3)->id, second = book(box, 7, event_id, 2)->id;
    box->now += HOUR;
    cancel(box, first);
    struct journal_page page = page_of(box, (struct journal_query){.limit = 10});
    assert_int_equal(page.count, 4);
    assert_true(page.next >= page.end);
    assert_int_equal(page.items[0].booking_id, first);
    assert_int_equal(page.items[1].booking_id, second);
    assert_int_equal(page.items[3].from, BOOKING_WAITING);
    assert_int_equal(page.items[3].to, BOOKING_CONFIRMED);
    assert_int_equal(page.items[3].quantity, 2);
    assert_int_equal(page.items[3].at, NOW + HOUR);
    assert_string_equal(page.items[3].reason, "promoted");

    static const size_t of_booking[2][2] = {{0, 2}, {1, 3}};
    for (int i = 0; i < 2; i++) {
        struct journal_list history;
        OK(store_booking_history(box->reader, i ? second : first, &box->arena, &history));
        assert_int_equal(history.count, 2);
        for (int j = 0; j < 2; j++)
            expect_same_entry(&page.items[of_booking[i][j]], &history.items[j]);
    }
}

static void a_journal_without_rows_is_at_its_end(void **state)
{
    struct box_office *box = *state;
    struct journal_page page = page_of(box, (struct journal_query){.limit = 1});
    assert_int_equal(page.count, 0);
    assert_int_equal(page.next, 0);
    assert_int_equal(page.last, 0);
}

static void who_was_away_goes_on_where_he_was(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 10)->id;
    struct journal_query query = {.limit = 2};
    for (int i = 0; i < 5; i++)
        book(box, 7, event_id, 1);
    assert_string_equal(followed(box, query), "1 booked, 2 booked, 3 booked, 4 booked, 5 booked");
    query.limit = 5;
    struct journal_page page = page_of(box, query);
    assert_int_equal(page.count, 5);
    query.after = page.next;
    assert_string_equal(followed(box, query), "");
    book(box, 7, event_id, 1);
    cancel(box, 2);
    assert_string_equal(followed(box, query), "6 booked, 2 cancelled");

    /* From another database, or from this one before an older copy of it was restored. */
    query.after = 1000000;
    page = page_of(box, query);
    assert_int_equal(page.count, 0);
    assert_int_equal(page.next, 1000000);
    assert_true(page.last < 1000000);
}

/* One organizer's few events are looked for one by one, another's many among all. */
static void only_what_was_asked_for_is_told(void **state)
{
    struct box_office *box = *state;
    uint64_t one = NEW_EVENT(box, 10, .organizer_id = 5)->id, many = 0,
             other = NEW_EVENT(box, 10, .organizer_id = 5)->id;
    for (int i = 0; i < 70; i++)
        many = NEW_EVENT(box, 10, .organizer_id = 6)->id;
    book(box, 7, one, 1);
    book(box, 7, many, 1);
    book(box, 7, other, 1);
    book(box, 7, one, 1);
    book(box, 7, many - 69, 1);
    for (size_t limit = 1; limit < 4; limit += 2) {
        struct journal_query query = {.limit = limit};
        assert_string_equal(followed(box, query),
                            "1 booked, 2 booked, 3 booked, 4 booked, 5 booked");
        query.event_id = one;
        assert_string_equal(followed(box, query), "1 booked, 4 booked");
        query.event_id = 999;
        assert_string_equal(followed(box, query), "");
        query.event_id = 0;
        query.organizer_id = 5;
        assert_string_equal(followed(box, query), "1 booked, 3 booked, 4 booked");
        query.organizer_id = 6;
        assert_string_equal(followed(box, query), "2 booked, 5 booked");
        query.organizer_id = 7;
        assert_string_equal(followed(box, query), "");
        assert_int_equal(page_of(box, query).next, page_of(box, query).end);
    }
}

/* What was drawn and not written leaves a gap, which nobody waits for. */
static void what_was_not_committed_is_not_told(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 1)->id;
    struct command command = booking_command(7, event_id, 0, 1);
    struct result result;
    OK(prepare(box, &command, 1));
    decide(&box->set, &command, &result);
    working_set_event(&box->set, event_id)->types[0]->row.booked = 2;
    assert_int_equal(commit(box), STORE_REFUSED);
    assert_string_equal(followed(box, (struct journal_query){.limit = 10}), "");
    uint64_t id = book(box, 7, event_id, 1)->id;
    const char *told = arena_printf(&box->arena, "%d booked", (int)id).data;
    assert_string_equal(followed(box, (struct journal_query){.limit = 10}), told);
}

static void an_event_s_end_is_told_of_each_booking(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 2, .organizer_id = 5)->id;
    for (int i = 0; i < 3; i++)
        book(box, 7, event_id, 1);
    struct journal_query query = {.limit = 10, .organizer_id = 5};
    query.after = page_of(box, query).next;
    run_one(box, event_command(COMMAND_DELETE_EVENT, event_id));
    assert_string_equal(followed(box, query),
                        "1 event_cancelled, 2 event_cancelled, 3 event_cancelled");
    expect_sound(box);
}

/* Three bookings, of events of their own, among twenty thousand of another. */
static void few_rows_are_found_among_many(void **state)
{
    struct box_office *box = *state;
    uint64_t crowded = NEW_EVENT(box, 100000)->id, quiet[3];
    struct command commands[1000];
    struct result results[1000];
    for (int turn = 0; turn < 3; turn++) {
        quiet[turn] = NEW_EVENT(box, 1, .organizer_id = 5)->id;
        book(box, 7, quiet[turn], 1);
        for (int i = 0; i < 10000 && turn < 2; i += 1000) {
            for (int j = 0; j < 1000; j++)
                commands[j] = booking_command(1000 + (uint64_t)j, crowded, 0, 1);
            OK(run(box, commands, 1000, results));
        }
    }
    struct journal_query query = {.limit = 2, .organizer_id = 5};
    assert_string_equal(followed(box, query), "1 booked, 10002 booked, 20003 booked");
    query = (struct journal_query){.limit = 2, .event_id = quiet[2]};
    assert_string_equal(followed(box, query), "20003 booked");

    query = (struct journal_query){.limit = 1000};
    size_t count = 0;
    for (struct journal_page page = {.end = 1}; page.next < page.end; query.after = page.next) {
        page = page_of(box, query);
        count += page.count;
    }
    assert_int_equal(count, 20003);
}

/* ---- while others write ---- */

enum { WRITERS = 3, TURNS = 40, AT_ONCE = 5 };

struct seller {
    struct box_office box;
    uint64_t event_id;
    atomic_int *left; /* sellers that are still at it */
};

static void *sell(void *data)
{
    struct seller *seller = data;
    for (int turn = 0; turn < TURNS; turn++) {
        struct command commands[AT_ONCE];
        struct result results[AT_ONCE];
        for (uint32_t i = 0; i < AT_ONCE; i++)
            commands[i] = booking_command(1 + i, seller->event_id, 0, 1);
        enum store_status status;
        while ((status = run(&seller->box, commands, AT_ONCE, results)) == STORE_BUSY) {
        }
        OK(status);
    }
    (*seller->left)--;
    return NULL;
}

/* Each has an event of its own: nothing but the journal makes them meet. */
static void nothing_is_missed_while_others_write(void **state)
{
    struct box_office *box = *state;
    struct seller sellers[WRITERS];
    pthread_t threads[WRITERS];
    int writers = tested.is_shared ? WRITERS : 1;
    atomic_int left = writers;
    for (int i = 0; i < writers; i++)
        sellers[i] = (struct seller){.event_id = NEW_EVENT(box, 1000)->id, .left = &left};
    if (!tested.is_shared) {
        store_close(box->writer);
        box->writer = NULL;
    }
    for (int i = 0; i < writers; i++) {
        box_open(&sellers[i].box, box->url);
        assert_int_equal(pthread_create(&threads[i], NULL, sell, &sellers[i]), 0);
    }
    struct journal_query query = {.limit = 7};
    size_t told = 0;
    for (bool was_over = false, caught_up = false; !was_over || !caught_up;) {
        was_over = left == 0;
        struct journal_page page = page_of(box, query);
        told += page.count;
        query.after = page.next;
        caught_up = page.next >= page.end;
        if (caught_up) sched_yield();
    }
    for (int i = 0; i < writers; i++) {
        pthread_join(threads[i], NULL);
        box_close(&sellers[i].box);
    }
    assert_int_equal(told, writers * TURNS * AT_ONCE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        STORE_TEST(changes_are_told_in_the_order_of_writing),
        STORE_TEST(a_journal_without_rows_is_at_its_end),
        STORE_TEST(who_was_away_goes_on_where_he_was),
        STORE_TEST(only_what_was_asked_for_is_told),
        STORE_TEST(what_was_not_committed_is_not_told),
        STORE_TEST(an_event_s_end_is_told_of_each_booking),
        STORE_TEST(few_rows_are_found_among_many),
        STORE_TEST(nothing_is_missed_while_others_write),
    };
    return RUN_ON_EVERY_STORE(tests);
}
