/* SPDX-License-Identifier: Apache-2.0 */
/* Which row answers to which key. */
#include <stdlib.h>
#include <cmocka.h>
#include <string.h>

#include "store/replay_index.h"

static struct replay_key key_of(uint64_t user_id, uint64_t number)
{
    struct replay_key key = {.user_id = user_id};
    memcpy(key.key, &number, sizeof(number));
    return key;
}

static size_t rows_of(const struct replay_index *index, struct replay_key key, uint64_t id)
{
    struct replay_search search = {0};
    size_t found = 0;
    for (uint64_t row; (row = replay_index_find(index, &key, &search));)
        found += row == id;
    return found;
}

static void each_of_many_is_found(void **state)
{
    struct replay_index index;
    replay_index_init(&index);
    enum { MANY = 100000 };
    (void)state;
    for (uint64_t i = 1; i <= MANY; i++) {
        struct replay_key key = key_of(i % 7, i);
        replay_index_add(&index, &key, i, (int64_t)i);
    }
    for (uint64_t i = 1; i <= MANY; i++) {
        assert_int_equal(rows_of(&index, key_of(i % 7, i), i), 1);
        assert_int_equal(rows_of(&index, key_of(i % 7 + 1, i), i), 0);
    }
    replay_index_free(&index);
}

static void all_rows_of_one_key_are_found_newest_first(void **state)
{
    struct replay_index index;
    replay_index_init(&index);
    (void)state;
    struct replay_key key = key_of(1, 1);
    for (uint64_t i = 1; i <= 2000; i++) {
        struct replay_key other = i % 1000 == 1 ? key : key_of(2, i);
        replay_index_add(&index, &other, i, (int64_t)i);
    }
    struct replay_search search = {0};
    assert_int_equal(replay_index_find(&index, &key, &search), 1001);
    assert_int_equal(replay_index_find(&index, &key, &search), 1);
    assert_int_equal(replay_index_find(&index, &key, &search), 0);
    assert_int_equal(replay_index_find(&index, &key, &search), 0);
    replay_index_free(&index);
}

static void what_is_old_goes_by_whole_tables(void **state)
{
    struct replay_index index;
    replay_index_init(&index);
    (void)state;
    for (uint64_t i = 1; i <= 10000; i++) {
        struct replay_key key = key_of(1, i);
        replay_index_add(&index, &key, i, (int64_t)i);
    }
    replay_index_prune(&index, 5000);
    assert_int_equal(rows_of(&index, key_of(1, 1), 1), 0);
    for (uint64_t i = 5000; i <= 10000; i++)
        assert_int_equal(rows_of(&index, key_of(1, i), i), 1);
    replay_index_prune(&index, 10001);
    assert_null(index.newest);
    assert_int_equal(rows_of(&index, key_of(1, 10000), 10000), 0);
    replay_index_free(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_many_is_found),
        cmocka_unit_test(all_rows_of_one_key_are_found_newest_first),
        cmocka_unit_test(what_is_old_goes_by_whole_tables),
    };
    return cmocka_run_group_tests_name("replay_index", tests, NULL, NULL);
}
