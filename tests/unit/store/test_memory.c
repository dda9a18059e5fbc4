/* SPDX-License-Identifier: Apache-2.0 */
/* What the memory store has beside the contract: several writers on one shared database. */
#include "testing.h"

static int set_up_shared(void **state)
{
    struct box_office *boxes = calloc(2, sizeof(*boxes));
    if (!boxes) return -1;
    for (size_t i = 0; i < 2; i++) {
        box_open(&boxes[i], "memory:several?shared");
        assert_true(store_is_shared(boxes[i].writer));
    }
    struct command command = {.kind = COMMAND_REGISTER};
    struct result result;
    OK(run(&boxes[0], &command, 1, &result));
    *state = boxes;
    return 0;
}

static int tear_down_shared(void **state)
{
    struct box_office *boxes = *state;
    for (size_t i = 0; i < 2; i++)
        box_close(&boxes[i]);
    free(boxes);
    return 0;
}

static struct command role_command(enum role role)
{
    return (struct command){.kind = COMMAND_SET_ROLE, .user.user = {.id = 1, .role = role}};
}

static enum store_status load(struct box_office *box, struct working_set *set)
{
    struct command command = role_command(ROLE_ADMIN);
    unsigned stage = 0;
    working_set_init(set, &box->arena, box->now);
    working_set_plan(set, &command, &stage);
    return store_load(box->writer, set);
}

static void who_comes_during_a_batch_is_told_to_come_back(void **state)
{
    struct box_office *boxes = *state;
    struct working_set one, two;
    OK(load(&boxes[0], &one));
    assert_int_equal(load(&boxes[1], &two), STORE_BUSY);
    store_abandon(boxes[1].writer); /* nothing of the other one's */
    assert_int_equal(load(&boxes[1], &two), STORE_BUSY);
    OK(load(&boxes[0], &one)); /* a second turn of the same batch */
    store_abandon(boxes[0].writer);
    OK(load(&boxes[1], &two));
    OK(store_commit(boxes[1].writer, &two));
    OK(load(&boxes[0], &one));
}

static void a_writer_that_goes_leaves_no_batch_behind(void **state)
{
    struct box_office *boxes = *state;
    struct working_set set;
    OK(load(&boxes[0], &set));
    store_close(boxes[0].writer);
    OK(load(&boxes[1], &set));
    store_abandon(boxes[1].writer);
    boxes[0].writer = open_or_fail(&boxes[0], STORE_WRITE);
}

static void its_directory_has_a_version(void **state)
{
    struct box_office *boxes = *state;
    uint64_t before, after;
    struct result result;
    OK(store_directory_version(boxes[1].reader, &before));
    struct command command = {.kind = COMMAND_REGISTER};
    OK(run(&boxes[0], &command, 1, &result));
    OK(store_directory_version(boxes[1].reader, &after));
    assert_int_equal(after, before); /* a user is nothing new */
    command = role_command(ROLE_ORGANIZER);
    OK(run(&boxes[0], &command, 1, &result));
    OK(store_directory_version(boxes[1].reader, &after));
    assert_int_not_equal(after, before);
}

static void without_the_word_there_is_one_writer(void **state)
{
    (void)state;
    struct box_office box;
    const char *error = NULL;
    box_open(&box, "memory:alone");
    assert_false(store_is_shared(box.writer));
    assert_null(store_open("memory:alone", STORE_WRITE, true, &box.arena, &error));
    assert_non_null(strstr(error, "has a writer already"));
    box_close(&box);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_shared, tear_down_shared)
    const struct CMUnitTest tests[] = {
        TEST(who_comes_during_a_batch_is_told_to_come_back),
        TEST(a_writer_that_goes_leaves_no_batch_behind),
        TEST(its_directory_has_a_version),
        cmocka_unit_test(without_the_word_there_is_one_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
