/* SPDX-License-Identifier: Apache-2.0 */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/snapshot.h"

static struct event *show(uint64_t id, uint32_t booked)
{
    static struct ticket_type type;
    static struct event event;
    type = (struct ticket_type){
        .id = id, .event_id = id, .name = STR("seat"), .capacity = 9, .booked = booked};
    event = (struct event){.id = id, .name = STR("show"), .types = &type, .type_count = 1};
    return &event;
}

static void publish(struct snapshots *snapshots, struct event *event)
{
    snapshots_publish(snapshots, event, snapshots_mark(snapshots));
}

enum { UNKNOWN = UINT32_MAX, DELETED = UINT32_MAX - 1 };

/* What is shown of an event without reading it. */
static uint32_t booked(struct snapshots *snapshots, uint64_t id)
{
    struct snapshot *snapshot = NULL;
    struct link waiter;
    struct list waiters;
    enum look look = snapshots_look(snapshots, id, &waiter, &snapshot);
    assert_int_not_equal(look, LOOK_WAIT);
    if (look == LOOK_READ) {
        snapshots_not_read(snapshots, id, &waiters);
        assert_null(waiters.head);
        return UNKNOWN;
    }
    uint32_t value = snapshot ? snapshot->event.types[0].booked : DELETED;
    snapshot_release(snapshot);
    return value;
}

static void begin_reading(struct snapshots *snapshots, uint64_t id)
{
    struct snapshot *snapshot;
    struct link waiter;
    assert_int_equal(snapshots_look(snapshots, id, &waiter, &snapshot), LOOK_READ);
}

/* The number that is shown to who read, and how many waited for him. */
static uint32_t end_reading(struct snapshots *snapshots, uint64_t id, struct event *event,
                            struct mark mark, size_t expected_waiters)
{
    struct list waiters;
    struct snapshot *shown = snapshots_found(snapshots, id, event, mark, &waiters);
    assert_int_equal(waiters.count, expected_waiters);
    uint32_t value = shown ? shown->event.types[0].booked : DELETED;
    snapshot_release(shown);
    return value;
}

static void what_is_published_is_what_is_shown(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8, 0);
    struct link waiter;
    struct snapshot *held;
    assert_int_equal(booked(snapshots, 1), UNKNOWN);
    publish(snapshots, show(1, 3));
    assert_int_equal(snapshots_look(snapshots, 1, &waiter, &held), LOOK_SHOWN);
    publish(snapshots, show(1, 4));
    assert_int_equal(held->event.types[0].booked, 3); /* never changes under who holds it */
    assert_int_equal(booked(snapshots, 1), 4);
    snapshot_release(held);
    snapshots_free(snapshots);
}

static void a_late_reader_does_not_overwrite_a_commit(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8, 0);
    begin_reading(snapshots, 1);
    struct mark mark = snapshots_mark(snapshots);
    publish(snapshots, show(1, 5));
    assert_int_equal(end_reading(snapshots, 1, show(1, 2), mark, 0), 5);
    assert_int_equal(booked(snapshots, 1), 5);
    snapshots_free(snapshots);
}

static void nor_does_one_who_read_while_the_lane_committed(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8, 0);
    struct mark lane = snapshots_mark(snapshots);
    begin_reading(snapshots, 1);
    struct mark reader = snapshots_mark(snapshots); /* later than the lane's, and yet before */
    assert_int_equal(end_reading(snapshots, 1, show(1, 2), reader, 0), 2);
    snapshots_publish(snapshots, show(1, 5), lane);
    assert_int_equal(booked(snapshots, 1), 5);
    snapshots_free(snapshots);
}

static void of_two_lanes_the_later_commit_is_shown(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8, 0);
    struct mark first = snapshots_mark(snapshots), second = snapshots_mark(snapshots);
    snapshots_publish(snapshots, show(1, 6), second);
    snapshots_publish(snapshots, show(1, 5), first);
    assert_int_equal(booked(snapshots, 1), 6);
    snapshots_remove(snapshots, 1, first);
    assert_int_equal(booked(snapshots, 1), 6);
    snapshots_free(snapshots);
}

/* Publishes three events where two have room; the one that had to make room. */
static uint64_t crowd_out(struct snapshots *snapshots)
{
    for (uint64_t id = 1; id <= 3; id++)
        publish(snapshots, show(id, 5));
    uint64_t gone = 1;
    while (booked(snapshots, gone) != UNKNOWN)
        gone++;
    return gone;
}

static void nor_when_the_later_one_had_to_make_room(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(2, 0);
    struct mark late = snapshots_mark(snapshots);
    uint64_t gone = crowd_out(snapshots);
    snapshots_publish(snapshots, show(gone, 2), late);
    assert_int_equal(booked(snapshots, gone), UNKNOWN);
    begin_reading(snapshots, gone);
    end_reading(snapshots, gone, show(gone, 5), snapshots_mark(snapshots), 0);
    assert_int_equal(booked(snapshots, gone), 5);
    snapshots_free(snapshots);
}

static void a_deleted_event_stays_deleted(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8, 1);
    begin_reading(snapshots, 1);
    struct mark mark = snapshots_mark(snapshots);
    snapshots_remove(snapshots, 1, snapshots_mark(snapshots));
    assert_int_equal(end_reading(snapshots, 1, show(1, 2), mark, 0), DELETED);
    usleep(100);
    assert_int_equal(booked(snapshots, 1), DELETED);
    snapshots_free(snapshots);
}

static void one_reads_and_the_others_wait_for_him(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8, 0);
    struct snapshot *snapshot;
    struct link waiting[3];
    struct list waiters;
    begin_reading(snapshots, 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(snapshots_look(snapshots, 1, &waiting[i], &snapshot), LOOK_WAIT);
    assert_int_equal(end_reading(snapshots, 1, show(1, 2), snapshots_mark(snapshots), 3), 2);

    begin_reading(snapshots, 2);
    assert_int_equal(snapshots_look(snapshots, 2, &waiting[0], &snapshot), LOOK_WAIT);
    snapshots_not_read(snapshots, 2, &waiters);
    assert_ptr_equal(waiters.head, &waiting[0]);
    begin_reading(snapshots, 2); /* somebody else may try */
    snapshots_not_read(snapshots, 2, &waiters);
    snapshots_free(snapshots);
}

static void what_is_being_read_does_not_make_room(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(2, 0);
    struct snapshot *snapshot;
    struct link waiter;
    for (uint64_t id = 1; id <= 3; id++)
        begin_reading(snapshots, id);
    for (uint64_t id = 4; id <= 9; id++)
        publish(snapshots, show(id, 5));
    for (uint64_t id = 1; id <= 3; id++) {
        assert_int_equal(snapshots_look(snapshots, id, &waiter, &snapshot), LOOK_WAIT);
        assert_int_equal(end_reading(snapshots, id, show(id, 1), snapshots_mark(snapshots), 1), 1);
    }
    snapshots_free(snapshots);
}

static void an_event_that_there_is_not_is_not_remembered(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8, 0);
    begin_reading(snapshots, 1);
    assert_int_equal(end_reading(snapshots, 1, NULL, snapshots_mark(snapshots), 0), DELETED);
    assert_int_equal(booked(snapshots, 1), UNKNOWN);
    snapshots_free(snapshots);
}

/* ---- a store that others write to ---- */

static void what_is_old_is_read_again(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8, 1);
    publish(snapshots, show(1, 3));
    usleep(100);
    begin_reading(snapshots, 1);
    assert_int_equal(end_reading(snapshots, 1, show(1, 7), snapshots_mark(snapshots), 0), 7);
    usleep(100);
    begin_reading(snapshots, 1); /* another process deleted it */
    assert_int_equal(end_reading(snapshots, 1, NULL, snapshots_mark(snapshots), 0), DELETED);
    assert_int_equal(booked(snapshots, 1), DELETED);
    snapshots_free(snapshots);
}

static void what_is_new_is_not(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8, INT64_C(3600000000));
    publish(snapshots, show(1, 3));
    assert_int_equal(booked(snapshots, 1), 3);
    begin_reading(snapshots, 2);
    end_reading(snapshots, 2, show(2, 4), snapshots_mark(snapshots), 0);
    assert_int_equal(booked(snapshots, 2), 4);
    snapshots_free(snapshots);
}

static void a_commit_shows_at_once_even_while_it_is_read_again(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8, 100000);
    publish(snapshots, show(1, 3));
    while (booked(snapshots, 1) != UNKNOWN)
        usleep(10000);
    begin_reading(snapshots, 1);
    struct mark mark = snapshots_mark(snapshots);
    publish(snapshots, show(1, 8));
    assert_int_equal(booked(snapshots, 1), 8);
    assert_int_equal(end_reading(snapshots, 1, show(1, 7), mark, 0), 8);
    snapshots_free(snapshots);
}

/* ---- those that were read with others ---- */

/* The number in what is given back to who read it. */
static uint32_t kept(struct snapshots *snapshots, struct event *event, struct mark mark)
{
    struct snapshot *snapshot = snapshot_new(event);
    snapshots_keep(snapshots, snapshot, mark);
    uint32_t value = snapshot->event.types[0].booked;
    snapshot_release(snapshot);
    return value;
}

static void what_was_read_with_others_is_shown(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8, 0);
    assert_int_equal(kept(snapshots, show(1, 3), snapshots_mark(snapshots)), 3);
    assert_int_equal(booked(snapshots, 1), 3);
    struct mark mark = snapshots_mark(snapshots);
    publish(snapshots, show(1, 5));
    snapshots_remove(snapshots, 2, snapshots_mark(snapshots));
    assert_int_equal(kept(snapshots, show(1, 4), mark), 4); /* what he read, but ... */
    assert_int_equal(booked(snapshots, 1), 5);              /* ... not for others */
    assert_int_equal(kept(snapshots, show(2, 4), mark), 4);
    assert_int_equal(booked(snapshots, 2), DELETED);
    snapshots_free(snapshots);
}

static void but_not_when_something_newer_had_to_make_room(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(2, 0);
    struct mark late = snapshots_mark(snapshots);
    uint64_t gone = crowd_out(snapshots);
    assert_int_equal(kept(snapshots, show(gone, 2), late), 2);
    assert_int_equal(booked(snapshots, gone), UNKNOWN);
    assert_int_equal(kept(snapshots, show(gone, 5), snapshots_mark(snapshots)), 5);
    assert_int_equal(booked(snapshots, gone), 5);
    snapshots_free(snapshots);
}

static void of_large_events_there_are_fewer(void **state)
{
    (void)state;
    enum { CAPACITY = 32, LARGE = 4096 };
    static char text[LARGE];
    struct snapshots *snapshots = snapshots_new(CAPACITY, 0);
    size_t shown = 0;
    memset(text, 'x', LARGE);
    for (uint64_t id = 1; id <= CAPACITY; id++) {
        struct event *event = show(id, 5);
        event->description = (struct str){text, LARGE};
        publish(snapshots, event);
    }
    for (uint64_t id = 1; id <= CAPACITY; id++)
        shown += booked(snapshots, id) == 5;
    assert_in_range(shown, 1, CAPACITY / 4);
    snapshots_free(snapshots);
}

/* ---- watching ---- */

static void note_move(struct watch *watch)
{
    (void)watch; /* it counts them itself */
}

static uint32_t watched(struct snapshots *snapshots, uint64_t id)
{
    struct snapshot *snapshot = snapshots_newest(snapshots, id);
    uint32_t value = snapshot ? snapshot->event.types[0].booked : UNKNOWN;
    snapshot_release(snapshot);
    return value;
}

static void who_watches_hears_of_each_commit(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8, 0);
    struct watch first = {.event_id = 1, .moved = note_move}, second = first;
    publish(snapshots, show(1, 3));
    assert_ptr_equal(snapshots_watch(snapshots, &first), &first);
    assert_ptr_equal(snapshots_watch(snapshots, &second), &first); /* one for all */
    publish(snapshots, show(1, 4));
    publish(snapshots, show(2, 4));
    publish(snapshots, show(1, 4)); /* a booking may have changed all the same */
    assert_int_equal(first.moves, 2);
    assert_int_equal(watched(snapshots, 1), 4);
    snapshots_remove(snapshots, 1, snapshots_mark(snapshots));
    assert_int_equal(first.moves, 3);
    assert_int_equal(watched(snapshots, 1), UNKNOWN);
    assert_false(snapshots_unwatch(snapshots, &first));
    assert_true(snapshots_unwatch(snapshots, &first));
    publish(snapshots, show(1, 5));
    assert_int_equal(first.moves, 3);
    snapshots_free(snapshots);
}

static void what_is_late_moves_nothing(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8, 0);
    struct watch watch = {.event_id = 1, .moved = note_move};
    struct mark early = snapshots_mark(snapshots);
    publish(snapshots, show(1, 5));
    snapshots_watch(snapshots, &watch);
    snapshots_publish(snapshots, show(1, 4), early);
    snapshots_refresh(snapshots, 1, show(1, 4), early);
    assert_int_equal(watch.moves, 0);
    assert_int_equal(watched(snapshots, 1), 5);
    snapshots_unwatch(snapshots, &watch);
    snapshots_free(snapshots);
}

static void what_is_watched_does_not_make_room(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(2, 0);
    struct watch watches[2] = {{.event_id = 1, .moved = note_move},
                               {.event_id = 2, .moved = note_move}};
    publish(snapshots, show(1, 3));
    snapshots_watch(snapshots, &watches[0]);
    snapshots_watch(snapshots, &watches[1]); /* of which nothing is known yet */
    for (uint64_t id = 3; id <= 9; id++)
        publish(snapshots, show(id, 5));
    assert_int_equal(watched(snapshots, 1), 3);
    publish(snapshots, show(2, 7));
    assert_int_equal(watches[1].moves, 1);
    snapshots_unwatch(snapshots, &watches[0]);
    snapshots_unwatch(snapshots, &watches[1]);
    publish(snapshots, show(10, 5));
    publish(snapshots, show(11, 5));
    publish(snapshots, show(12, 5));
    assert_true(booked(snapshots, 1) == UNKNOWN || booked(snapshots, 2) == UNKNOWN);
    snapshots_free(snapshots);
}

static void watching_what_there_is_not_leaves_nothing(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8, 0);
    struct watch watch = {.event_id = 1, .moved = note_move};
    snapshots_watch(snapshots, &watch);
    begin_reading(snapshots, 1);
    assert_int_equal(end_reading(snapshots, 1, NULL, snapshots_mark(snapshots), 0), DELETED);
    snapshots_refresh(snapshots, 1, NULL, snapshots_mark(snapshots));
    assert_int_equal(watch.moves, 0);
    snapshots_unwatch(snapshots, &watch);
    assert_int_equal(booked(snapshots, 1), UNKNOWN); /* there may be one by that id some day */
    snapshots_free(snapshots);
}

/* As the follower goes through them. */
static void those_that_were_refreshed_first_are_stale_first(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8, 1);
    struct watch watches[3];
    for (uint64_t id = 1; id <= 3; id++) {
        watches[id - 1] = (struct watch){.event_id = id, .moved = note_move};
        snapshots_watch(snapshots, &watches[id - 1]);
    }
    usleep(1000);
    for (uint64_t id = 1; id <= 3; id++) {
        assert_int_equal(snapshots_stale(snapshots, 0), id);
        snapshots_refresh(snapshots, id, show(id, 1), snapshots_mark(snapshots));
        assert_int_equal(watches[id - 1].moves, 1);
    }
    assert_int_equal(snapshots_stale(snapshots, INT64_C(3600000000)), 0);
    usleep(1000);
    snapshots_refresh(snapshots, 1, show(1, 1), snapshots_mark(snapshots));
    assert_int_equal(watches[0].moves, 1); /* nothing new */
    snapshots_refresh(snapshots, 2, show(2, 2), snapshots_mark(snapshots));
    assert_int_equal(watches[1].moves, 2);
    assert_int_equal(snapshots_stale(snapshots, 0), 3);
    snapshots_refresh(snapshots, 3, NULL, snapshots_mark(snapshots)); /* it was deleted */
    assert_int_equal(watches[2].moves, 2);
    usleep(1000);
    assert_int_equal(snapshots_stale(snapshots, 0), 1);
    for (size_t i = 0; i < 3; i++)
        assert_true(snapshots_unwatch(snapshots, &watches[i]));
    assert_int_equal(snapshots_stale(snapshots, 0), 0);
    snapshots_free(snapshots);
}

static void a_reader_that_read_earlier_does_not_overwrite_one_that_read_later(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8, 1);
    struct watch watch = {.event_id = 1, .moved = note_move};
    snapshots_watch(snapshots, &watch);
    begin_reading(snapshots, 1);
    struct mark early = snapshots_mark(snapshots);
    snapshots_refresh(snapshots, 1, show(1, 6), snapshots_mark(snapshots));
    assert_int_equal(end_reading(snapshots, 1, show(1, 5), early, 0), 6);
    assert_int_equal(watched(snapshots, 1), 6);
    snapshots_unwatch(snapshots, &watch);
    snapshots_free(snapshots);
}

static void a_page_is_rendered_once(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8, 0);
    struct snapshot *snapshot = NULL;
    struct link waiter;
    publish(snapshots, show(1, 5));
    assert_int_equal(snapshots_look(snapshots, 1, &waiter, &snapshot), LOOK_SHOWN);
    assert_null(snapshot_page(snapshot, 0, NULL));
    struct page *first = calloc(1, sizeof(*first)), *second = calloc(1, sizeof(*second));
    assert_ptr_equal(snapshot_page(snapshot, 0, first), first);
    assert_ptr_equal(snapshot_page(snapshot, 0, second), first);
    assert_null(snapshot_page(snapshot, 1, NULL));
    snapshot_release(snapshot);
    snapshots_free(snapshots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_published_is_what_is_shown),
        cmocka_unit_test(a_late_reader_does_not_overwrite_a_commit),
        cmocka_unit_test(nor_does_one_who_read_while_the_lane_committed),
        cmocka_unit_test(of_two_lanes_the_later_commit_is_shown),
        cmocka_unit_test(nor_when_the_later_one_had_to_make_room),
        cmocka_unit_test(a_deleted_event_stays_deleted),
        cmocka_unit_test(one_reads_and_the_others_wait_for_him),
        cmocka_unit_test(what_is_being_read_does_not_make_room),
        cmocka_unit_test(an_event_that_there_is_not_is_not_remembered),
        cmocka_unit_test(what_is_old_is_read_again),
        cmocka_unit_test(what_is_new_is_not),
        cmocka_unit_test(a_commit_shows_at_once_even_while_it_is_read_again),
        cmocka_unit_test(what_was_read_with_others_is_shown),
        cmocka_unit_test(but_not_when_something_newer_had_to_make_room),
        cmocka_unit_test(of_large_events_there_are_fewer),
        cmocka_unit_test(a_page_is_rendered_once),
        cmocka_unit_test(who_watches_hears_of_each_commit),
        cmocka_unit_test(what_is_late_moves_nothing),
        cmocka_unit_test(what_is_watched_does_not_make_room),
        cmocka_unit_test(watching_what_there_is_not_leaves_nothing),
        cmocka_unit_test(those_that_were_refreshed_first_are_stale_first),
        cmocka_unit_test(a_reader_that_read_earlier_does_not_overwrite_one_that_read_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
