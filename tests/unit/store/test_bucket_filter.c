/* SPDX-License-Identifier: Apache-2.0 */
/* Where somebody may have bookings: never a bucket less, and few more. */
#include <stdlib.h>
#include <cmocka.h>
#include <pthread.h>

#include "store/bucket_filter.h"

enum { BUCKETS = 300, PEOPLE = 8192 };

/* Somebody of each bucket, and of no other. */
static uint64_t person(int64_t bucket, int which)
{
    return (uint64_t)bucket * PEOPLE + (uint64_t)which + 1;
}

static void describe(struct bucket_filter *filter, int64_t bucket)
{
    for (int i = 0; i < PEOPLE; i++)
        bucket_filter_add(filter, bucket, person(bucket, i));
    bucket_filter_complete(filter, bucket);
}

static void nobody_is_missed_and_few_are_mistaken(void **state)
{
    (void)state;
    struct bucket_filter *filter = bucket_filter_open(1, 1);
    for (int64_t bucket = 0; bucket < BUCKETS; bucket++)
        describe(filter, bucket);
    size_t mistaken = 0;
    for (int64_t bucket = 0; bucket < BUCKETS; bucket++)
        for (int i = 0; i < PEOPLE; i += 997) {
            bool found = false;
            int64_t at = BUCKETS - 1;
            for (; (at = bucket_filter_next(filter, 0, at, person(bucket, i))) >= 0; at--) {
                found = found || at == bucket;
                mistaken += at != bucket;
            }
            assert_true(found);
        }
    /* 2.4 % of 300 buckets, for nine people of each of them; half as many again is far off. */
    assert_in_range(mistaken, 1, BUCKETS * BUCKETS * 9 * 36 / 1000);
    bucket_filter_close(filter);
}

static void what_is_not_described_is_looked_into(void **state)
{
    (void)state;
    struct bucket_filter *filter = bucket_filter_open(1, 1);
    assert_int_equal(bucket_filter_unknown(filter, 0, 200), 200);
    describe(filter, 200);
    describe(filter, 199);
    describe(filter, 128);
    assert_int_equal(bucket_filter_unknown(filter, 0, 200), 198);
    assert_int_equal(bucket_filter_unknown(filter, 199, 200), 198);
    assert_int_equal(bucket_filter_next(filter, 0, 200, person(199, 1)), 199);
    assert_int_equal(bucket_filter_next(filter, 0, 198, person(199, 1)), 198);
    assert_int_equal(bucket_filter_next(filter, 128, 128, person(128, 1)), 128);
    /* Beyond what it has room for: always maybe. */
    int64_t far = INT64_MAX / 8192;
    describe(filter, far);
    assert_int_equal(bucket_filter_unknown(filter, far, far), far);
    assert_int_equal(bucket_filter_next(filter, far, far, 1), far);
    /* Nothing to walk. */
    assert_int_equal(bucket_filter_next(filter, 0, -1, 1), -1);
    assert_int_equal(bucket_filter_unknown(filter, 5, 4), 4);
    bucket_filter_close(filter);
}

static void a_file_has_one_until_the_last_lets_go(void **state)
{
    (void)state;
    struct bucket_filter *one = bucket_filter_open(1, 1), *other = bucket_filter_open(1, 2);
    assert_ptr_equal(bucket_filter_open(1, 1), one);
    assert_ptr_not_equal(one, other);
    describe(one, 3);
    assert_int_equal(bucket_filter_unknown(other, 3, 3), 3);
    bucket_filter_close(one);
    assert_int_equal(bucket_filter_unknown(one, 3, 3), 2);
    bucket_filter_close(one);
    bucket_filter_close(other);
    one = bucket_filter_open(1, 1);
    assert_int_equal(bucket_filter_unknown(one, 3, 3), 3);
    bucket_filter_close(one);
    bucket_filter_close(NULL);
}

static void *describe_all(void *data)
{
    for (int64_t bucket = 127; bucket >= 0; bucket--)
        describe(data, bucket);
    return NULL;
}

static void several_may_describe_while_others_look(void **state)
{
    (void)state;
    struct bucket_filter *filter = bucket_filter_open(1, 1);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, describe_all, filter), 0);
    int64_t unknown;
    do {
        unknown = bucket_filter_unknown(filter, 0, 127);
        for (int64_t bucket = 0; bucket < 128; bucket += 9)
            assert_int_equal(bucket_filter_next(filter, bucket, bucket, person(bucket, 5)), bucket);
    } while (unknown >= 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    bucket_filter_close(filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_missed_and_few_are_mistaken),
        cmocka_unit_test(what_is_not_described_is_looked_into),
        cmocka_unit_test(a_file_has_one_until_the_last_lets_go),
        cmocka_unit_test(several_may_describe_while_others_look),
    };
    return cmocka_run_group_tests_name("bucket_filter", tests, NULL, NULL);
}
