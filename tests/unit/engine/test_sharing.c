/* SPDX-License-Identifier: Apache-2.0 */
/* Several lanes and several processes on one store: what each does shows to the others. */
#include "office.h"

#include <unistd.h>

#include "engine/follower.h"
#include "engine/lane.h"
#include "shared.h"

enum { LANES = 3, PERIOD_MS = 5 };

/* An office whose store is shared by LANES lanes with what they have in memory in common. */
struct sharing {
    struct office *office;
    struct shared_database database;
    struct homes *homes;
    struct lane *lanes[LANES];
    struct batch_counts counts[LANES];
};

static void sharing_open(struct sharing *sharing, struct office *office)
{
    *sharing = (struct sharing){.office = office,
                                .database = {.writer = office->batcher.store,
                                             .reader = office->reader,
                                             .mutex = PTHREAD_MUTEX_INITIALIZER},
                                .homes = homes_new(LANES)};
    for (size_t i = 0; i < LANES; i++) {
        struct batcher batcher = office->batcher;
        batcher.store = shared_open(&sharing->database);
        batcher.arena = (struct arena){0};
        batcher.homes = sharing->homes;
        batcher.counts = &sharing->counts[i];
        sharing->lanes[i] = lane_start(&batcher, 1000);
    }
}

static size_t sharing_put(struct sharing *sharing, struct wish *wish)
{
    size_t lane = homes_find(sharing->homes, &wish->task.command);
    assert_in_range(lane, 0, LANES - 1);
    assert_true(lane_put(sharing->lanes[lane], &wish->task));
    return lane;
}

/* Does what is queued. */
static void sharing_end(struct sharing *sharing)
{
    for (size_t i = 0; i < LANES; i++)
        lane_stop(sharing->lanes[i]);
    homes_free(sharing->homes);
}

static int hundred_tickets(void **state)
{
    return office_open(state, 100);
}

static uint32_t shown_as_booked(struct office *office)
{
    struct snapshot *snapshot = NULL;
    struct link waiter;
    assert_int_equal(
        snapshots_look(office->batcher.snapshots, office->event_id, &waiter, &snapshot),
        LOOK_SHOWN);
    uint32_t booked = snapshot->event.types[0].booked;
    snapshot_release(snapshot);
    return booked;
}

static void lanes_that_meet_at_one_event_sell_each_ticket_once(void **state)
{
    struct office *office = *state;
    struct sharing sharing;
    static struct wish wishes[240];
    sharing_open(&sharing, office);
    for (size_t i = 0; i < 240; i++) {
        wish_book(&wishes[i], office, i + 1);
        /* Past their home: as if each lane were a process of its own. */
        assert_true(lane_put(sharing.lanes[i % LANES], &wishes[i].task));
    }
    sharing_end(&sharing);
    bool numbers[101] = {false};
    size_t confirmed = 0;
    for (size_t i = 0; i < 240; i++) {
        assert_true(wishes[i].done);
        if (wishes[i].outcome != OUTCOME_CREATED) continue;
        confirmed++;
        assert_false(numbers[wishes[i].number]);
        numbers[wishes[i].number] = true;
    }
    assert_int_equal(confirmed, 100);
    assert_int_equal(office_check(office).waiting, 140);
    /* However they raced to publish, what was committed last is shown. */
    assert_int_equal(shown_as_booked(office), 100);
}

static void commands_of_an_event_meet_in_one_lane(void **state)
{
    struct office *office = *state;
    struct sharing sharing;
    static struct wish wishes[10], cancels[10];
    sharing_open(&sharing, office);
    size_t home = 0;
    for (size_t i = 0; i < 10; i++) {
        wish_book(&wishes[i], office, i + 1);
        size_t lane = sharing_put(&sharing, &wishes[i]);
        if (i == 0) home = lane;
        assert_int_equal(lane, home);
    }
    lane_stop(sharing.lanes[home]);
    sharing.lanes[home] = NULL;
    for (size_t i = 0; i < 10; i++) {
        wish_init(&cancels[i], COMMAND_CANCEL, i + 1);
        cancels[i].task.command.cancel.booking_id = wishes[i].booking_id;
        assert_int_equal(homes_find(sharing.homes, &cancels[i].task.command), home);
    }
    sharing_end(&sharing);
}

static void every_command_has_a_lane_and_all_lanes_have_work(void **state)
{
    (void)state;
    struct homes *homes = homes_new(LANES);
    size_t found[LANES] = {0};
    for (int kind = 0; kind < COMMAND_KINDS; kind++) {
        struct command command = {.kind = (enum command_kind)kind};
        assert_in_range(homes_find(homes, &command), 0, LANES - 1);
    }
    for (uint64_t id = 1; id <= 300; id++) {
        struct command command = {.kind = COMMAND_BOOK, .book = {.event_id = id}};
        found[homes_find(homes, &command)]++;
    }
    for (size_t i = 0; i < LANES; i++)
        assert_in_range(found[i], 50, 150);
    homes_free(homes);
}

/* ---- the directory of another process ---- */

/* Comes back when the other process knows, and fails by the time limit of the test when never. */
static void until_role(struct directory *directory, uint64_t user_id, enum role wanted)
{
    enum role role = ROLE_USER;
    while (!directory_check(directory, user_id, 1, &role) || role != wanted)
        usleep(1000);
}

static void set_role(struct sharing *sharing, struct wish *wish, uint64_t user_id, enum role role)
{
    wish_init(wish, COMMAND_SET_ROLE, 0);
    wish->task.command.actor.role = ROLE_ADMIN;
    wish->task.command.user.user = (struct user){.id = user_id, .role = role};
    sharing_put(sharing, wish);
}

static void roles_and_revocations_reach_another_process(void **state)
{
    struct office *office = *state;
    struct sharing sharing;
    static struct wish promote, out;
    struct directory_rows rows = {.last_user_id = UINT64_MAX};
    struct directory *other = directory_new(&rows);
    struct snapshots *snapshots = snapshots_new(8, 1);
    sharing_open(&sharing, office);
    struct follower *follower =
        follower_start(shared_open(&sharing.database), other, snapshots, PERIOD_MS);
    set_role(&sharing, &promote, 5, ROLE_ORGANIZER);
    until_role(other, 5, ROLE_ORGANIZER);

    sharing.database.is_down = true;
    usleep(3000 * PERIOD_MS);
    until_role(other, 5, ROLE_ORGANIZER); /* what is known stays */
    sharing.database.is_down = false;

    wish_init(&out, COMMAND_SIGN_OUT, 6);
    out.task.command.user.user.id = 6;
    sharing_put(&sharing, &out);
    enum role role;
    while (directory_check(other, 6, 1, &role))
        usleep(1000);
    sharing_end(&sharing);
    assert_int_equal(promote.outcome, OUTCOME_OK);
    follower_stop(follower);
    snapshots_free(snapshots);
    directory_free(other);
}

static void a_version_that_stands_still_is_not_read_again(void **state)
{
    struct office *office = *state;
    struct sharing sharing;
    static struct wish book;
    struct directory_rows rows = {.last_user_id = UINT64_MAX};
    struct directory *other = directory_new(&rows);
    struct snapshots *snapshots = snapshots_new(8, 1);
    sharing_open(&sharing, office);
    struct follower *follower = follower_start(shared_open(&sharing.database), other, snapshots, 1);
    while (directory_version(other) == 1)
        usleep(1000);
    uint64_t version = directory_version(other);
    wish_book(&book, office, 1);
    sharing_put(&sharing, &book);
    usleep(50000);
    assert_int_equal(directory_version(other), version);
    sharing_end(&sharing);
    follower_stop(follower);
    snapshots_free(snapshots);
    directory_free(other);
}

static void note_move(struct watch *watch)
{
    (void)watch; /* it counts them itself */
}

/* What another process shows of the office's event, which it reads by itself as it is watched. */
static uint32_t watched_as_booked(struct snapshots *snapshots, struct office *office)
{
    struct snapshot *snapshot = snapshots_newest(snapshots, office->event_id);
    uint32_t booked = snapshot ? snapshot->event.types[0].booked : UINT32_MAX;
    snapshot_release(snapshot);
    return booked;
}

static void a_watched_event_is_read_when_another_process_sells_it(void **state)
{
    struct office *office = *state;
    struct sharing sharing;
    static struct wish wishes[3];
    struct directory_rows rows = {.last_user_id = UINT64_MAX};
    struct directory *other = directory_new(&rows);
    struct snapshots *snapshots = snapshots_new(8, 1);
    struct watch watch = {.event_id = office->event_id, .moved = note_move};
    sharing_open(&sharing, office);
    struct follower *follower =
        follower_start(shared_open(&sharing.database), other, snapshots, PERIOD_MS);
    assert_ptr_equal(snapshots_watch(snapshots, &watch), &watch);
    for (uint32_t sold = 0; sold < 3; sold++) {
        while (watched_as_booked(snapshots, office) != sold)
            usleep(1000);
        uint64_t moves = watch.moves;
        usleep(5000 * PERIOD_MS);
        assert_int_equal(watch.moves, moves); /* looked at, and found to be the same */
        wish_book(&wishes[sold], office, sold + 1);
        sharing_put(&sharing, &wishes[sold]);
    }
    while (watched_as_booked(snapshots, office) != 3)
        usleep(1000);
    assert_true(snapshots_unwatch(snapshots, &watch));
    sharing_end(&sharing);
    follower_stop(follower);
    snapshots_free(snapshots);
    directory_free(other);
}

/* ---- the store goes and comes ---- */

static void lanes_refuse_while_the_store_is_gone_and_serve_when_it_is_back(void **state)
{
    struct office *office = *state;
    struct sharing sharing;
    static struct wish wishes[40];
    sharing_open(&sharing, office);
    sharing.database.is_down = true;
    for (size_t i = 0; i < 20; i++) {
        wish_book(&wishes[i], office, i + 1);
        sharing_put(&sharing, &wishes[i]);
    }
    for (size_t i = 0; i < LANES; i++)
        while (lane_waiting(sharing.lanes[i]))
            usleep(1000);
    while (!__atomic_load_n(&wishes[19].done, __ATOMIC_ACQUIRE))
        usleep(1000);
    sharing.database.is_down = false;
    for (size_t i = 20; i < 40; i++) {
        wish_book(&wishes[i], office, i + 1);
        sharing_put(&sharing, &wishes[i]);
    }
    sharing_end(&sharing);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(wishes[i].outcome, i < 20 ? UNAVAILABLE : OUTCOME_CREATED);
    assert_int_equal(office_check(office).booked, 20);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, hundred_tickets, office_close)
    const struct CMUnitTest tests[] = {
        TEST(lanes_that_meet_at_one_event_sell_each_ticket_once),
        TEST(commands_of_an_event_meet_in_one_lane),
        cmocka_unit_test(every_command_has_a_lane_and_all_lanes_have_work),
        TEST(roles_and_revocations_reach_another_process),
        TEST(a_version_that_stands_still_is_not_read_again),
        TEST(a_watched_event_is_read_when_another_process_sells_it),
        TEST(lanes_refuse_while_the_store_is_gone_and_serve_when_it_is_back),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
