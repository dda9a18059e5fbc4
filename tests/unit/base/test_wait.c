/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/wait.h"

enum { LONG_MS = 600000 }; /* longer than any test may take */

static void a_ring_is_kept_until_somebody_waits(void **state)
{
    (void)state;
    struct bell bell;
    bell_init(&bell);
    bell_ring(&bell);
    bell_ring(&bell);
    assert_true(bell_wait(&bell, LONG_MS));
    assert_true(bell_wait(&bell, 1)); /* two rings were one */
    bell_destroy(&bell);
}

static void a_wait_lasts_as_long_as_it_should(void **state)
{
    (void)state;
    struct bell bell;
    bell_init(&bell);
    int64_t before = clock_monotonic_us();
    assert_true(bell_wait(&bell, 30));
    assert_true(clock_monotonic_us() - before >= 30000);
    struct timespec now = deadline_in(0), later = deadline_in(1999);
    int64_t ms = (later.tv_sec - now.tv_sec) * 1000 + (later.tv_nsec - now.tv_nsec) / 1000000;
    assert_in_range(ms, 1999, 1999 + LONG_MS);
    assert_in_range(later.tv_nsec, 0, 999999999);
    bell_destroy(&bell);
}

static void *ring(void *data)
{
    bell_ring(data);
    return NULL;
}

static void *close_bell(void *data)
{
    bell_close(data);
    return NULL;
}

static void who_waits_is_woken(void **state)
{
    (void)state;
    struct bell bell;
    pthread_t thread;
    bell_init(&bell);
    assert_int_equal(pthread_create(&thread, NULL, ring, &bell), 0);
    assert_true(bell_wait(&bell, LONG_MS));
    pthread_join(thread, NULL);
    assert_int_equal(pthread_create(&thread, NULL, close_bell, &bell), 0);
    assert_false(bell_wait(&bell, LONG_MS));
    pthread_join(thread, NULL);
    assert_false(bell_wait(&bell, LONG_MS)); /* and stays closed */
    bell_destroy(&bell);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_is_kept_until_somebody_waits),
        cmocka_unit_test(a_wait_lasts_as_long_as_it_should),
        cmocka_unit_test(who_waits_is_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
