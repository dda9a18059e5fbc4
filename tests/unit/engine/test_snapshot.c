/* SPDX-License-Identifier: Apache-2.0 */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

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

static uint32_t booked(struct snapshots *snapshots, uint64_t id)
{
    struct snapshot *snapshot = snapshots_get(snapshots, id);
    uint32_t value = snapshot ? snapshot->event.types[0].booked : UINT32_MAX;
    snapshot_release(snapshot);
    return value;
}

static void what_is_published_is_what_is_shown(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8);
    assert_null(snapshots_get(snapshots, 1));
    snapshots_publish(snapshots, show(1, 3));
    struct snapshot *held = snapshots_get(snapshots, 1);
    snapshots_publish(snapshots, show(1, 4));
    assert_int_equal(held->event.types[0].booked, 3); /* never changes under who holds it */
    assert_int_equal(booked(snapshots, 1), 4);
    snapshot_release(held);
    snapshots_free(snapshots);
}

static void a_late_reader_does_not_overwrite_a_commit(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8);
    uint64_t mark = snapshots_mark(snapshots);
    snapshots_publish(snapshots, show(1, 5));
    struct snapshot *shown = snapshots_offer(snapshots, show(1, 2), mark);
    assert_int_equal(shown->event.types[0].booked, 5);
    snapshot_release(shown);
    snapshots_free(snapshots);
}

static void nor_when_the_commit_had_to_make_room(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(2);
    uint64_t mark = snapshots_mark(snapshots);
    for (uint64_t id = 1; id <= 3; id++)
        snapshots_publish(snapshots, show(id, 5));
    uint64_t gone = 1;
    while (booked(snapshots, gone) != UINT32_MAX)
        gone++;
    snapshot_release(snapshots_offer(snapshots, show(gone, 2), mark));
    assert_int_equal(booked(snapshots, gone), UINT32_MAX);
    /* Who began to read afterwards may offer. */
    mark = snapshots_mark(snapshots);
    snapshot_release(snapshots_offer(snapshots, show(gone, 5), mark));
    assert_int_equal(booked(snapshots, gone), 5);
    snapshots_free(snapshots);
}

static void a_deleted_event_stays_deleted(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8);
    uint64_t mark = snapshots_mark(snapshots);
    snapshots_remove(snapshots, 1);
    assert_null(snapshots_offer(snapshots, show(1, 2), mark));
    assert_null(snapshots_get(snapshots, 1));
    snapshots_free(snapshots);
}

static void a_page_is_rendered_once(void **state)
{
    (void)state;
    struct snapshots *snapshots = snapshots_new(8);
    snapshots_publish(snapshots, show(1, 5));
    struct snapshot *snapshot = snapshots_get(snapshots, 1);
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
        cmocka_unit_test(nor_when_the_commit_had_to_make_room),
        cmocka_unit_test(a_deleted_event_stays_deleted),
        cmocka_unit_test(a_page_is_rendered_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
