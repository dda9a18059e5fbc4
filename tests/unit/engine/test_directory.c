/* SPDX-License-Identifier: Apache-2.0 */
#include <cmocka.h>

#include "engine/directory.h"

static struct directory *three_users(void)
{
    static struct user admin = {.id = 2, .role = ROLE_ADMIN};
    static struct user *privileged[] = {&admin};
    static struct revocation revoked = {.user_id = 3, .not_before = 1000};
    struct directory_rows rows = {.privileged = {privileged, 1},
                                  .revocations = &revoked,
                                  .revocation_count = 1,
                                  .last_user_id = 3};
    return directory_new(&rows);
}

static void roles_and_revocations_are_known_from_the_start(void **state)
{
    (void)state;
    struct directory *directory = three_users();
    enum role role;
    assert_true(directory_check(directory, 1, 5, &role));
    assert_int_equal(role, ROLE_USER);
    assert_true(directory_check(directory, 2, 5, &role));
    assert_int_equal(role, ROLE_ADMIN);
    assert_false(directory_check(directory, 3, 1000, &role));
    assert_true(directory_check(directory, 3, 1001, &role));
    directory_free(directory);
}

static void nobody_is_who_does_not_exist(void **state)
{
    (void)state;
    struct directory *directory = three_users();
    enum role role;
    assert_false(directory_check(directory, 0, 5, &role));
    assert_false(directory_check(directory, 4, 5, &role));
    directory_user_added(directory, 4);
    assert_true(directory_check(directory, 4, 5, &role));
    directory_free(directory);
}

static void a_change_moves_the_version_and_a_new_user_does_not(void **state)
{
    (void)state;
    struct directory *directory = three_users();
    enum role role;
    uint64_t version = directory_version(directory);
    directory_user_added(directory, 9);
    directory_role_set(directory, 9, ROLE_USER);
    assert_int_equal(directory_version(directory), version);
    directory_role_set(directory, 9, ROLE_ORGANIZER);
    assert_int_not_equal(directory_version(directory), version);
    assert_true(directory_check(directory, 9, 5, &role));
    assert_int_equal(role, ROLE_ORGANIZER);
    version = directory_version(directory);
    directory_revoked(directory, 1, 50);
    assert_int_not_equal(directory_version(directory), version);
    assert_false(directory_check(directory, 1, 50, &role));
    directory_free(directory);
}

static void a_new_token_is_newer_than_what_was_revoked(void **state)
{
    (void)state;
    struct directory *directory = three_users();
    enum role role;
    assert_int_equal(directory_issue_time(directory, 3, 1000), 1001);
    assert_int_equal(directory_issue_time(directory, 3, 2000), 2000);
    assert_true(directory_check(directory, 3, directory_issue_time(directory, 3, 900), &role));
    directory_free(directory);
}

static void old_revocations_are_forgotten_and_roles_are_not(void **state)
{
    (void)state;
    struct directory *directory = three_users();
    enum role role;
    directory_revoked(directory, 2, 10);
    directory_prune(directory, 1001);
    assert_true(directory_check(directory, 3, 5, &role));
    assert_true(directory_check(directory, 2, 5, &role));
    assert_int_equal(role, ROLE_ADMIN);
    directory_free(directory);
}

/* ---- what other processes did ---- */

static struct directory_rows one_organizer(uint64_t id)
{
    static struct user organizer;
    static struct user *privileged[] = {&organizer};
    organizer = (struct user){.id = id, .role = ROLE_ORGANIZER};
    return (struct directory_rows){.privileged = {privileged, 1}, .last_user_id = 9};
}

static void what_others_changed_takes_the_place_of_what_was_known(void **state)
{
    (void)state;
    struct directory *directory = three_users();
    struct directory_rows rows = one_organizer(9);
    enum role role;
    uint64_t version = directory_version(directory);
    assert_true(directory_replace(directory, &rows, version));
    assert_int_not_equal(directory_version(directory), version);
    assert_true(directory_check(directory, 9, 5, &role));
    assert_int_equal(role, ROLE_ORGANIZER);
    assert_true(directory_check(directory, 2, 5, &role));
    assert_int_equal(role, ROLE_USER);
    directory_free(directory);
}

static void what_a_lane_of_ours_changed_meanwhile_is_kept(void **state)
{
    (void)state;
    struct directory *directory = three_users();
    struct directory_rows rows = one_organizer(9);
    enum role role;
    uint64_t since = directory_version(directory);
    directory_role_set(directory, 9, ROLE_ADMIN);
    directory_revoked(directory, 1, 50);
    assert_false(directory_replace(directory, &rows, since));
    assert_false(directory_check(directory, 1, 50, &role));
    assert_true(directory_check(directory, 9, 5, &role));
    assert_int_equal(role, ROLE_ADMIN);
    /* Read again, with nothing in between, what was read counts. */
    assert_true(directory_replace(directory, &rows, directory_version(directory)));
    assert_true(directory_check(directory, 1, 50, &role));
    assert_true(directory_check(directory, 9, 5, &role));
    assert_int_equal(role, ROLE_ORGANIZER);
    directory_free(directory);
}

static void with_other_processes_nobody_is_unknown(void **state)
{
    (void)state;
    struct directory_rows rows = {.last_user_id = UINT64_MAX};
    struct directory *directory = directory_new(&rows);
    struct directory_rows fresh = one_organizer(9);
    enum role role;
    assert_true(directory_check(directory, 1000, 5, &role));
    assert_true(directory_replace(directory, &fresh, directory_version(directory)));
    assert_true(directory_check(directory, 1000, 5, &role));
    directory_free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_and_revocations_are_known_from_the_start),
        cmocka_unit_test(nobody_is_who_does_not_exist),
        cmocka_unit_test(a_change_moves_the_version_and_a_new_user_does_not),
        cmocka_unit_test(a_new_token_is_newer_than_what_was_revoked),
        cmocka_unit_test(old_revocations_are_forgotten_and_roles_are_not),
        cmocka_unit_test(what_others_changed_takes_the_place_of_what_was_known),
        cmocka_unit_test(what_a_lane_of_ours_changed_meanwhile_is_kept),
        cmocka_unit_test(with_other_processes_nobody_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
