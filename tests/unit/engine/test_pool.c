/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that take jobs, and give way to who is busier. */
#include <stdlib.h>
#include <cmocka.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/wait.h"
#include "engine/pool.h"

enum { JOBS = 4, TOOK_MS = 5 };

struct timed {
    struct job job;
    int64_t begun_us, ended_us;
};

static void run(struct job *job, struct store *store)
{
    struct timed *timed = LINK_OWNER(job, struct timed, job);
    assert_null(store);
    timed->begun_us = clock_monotonic_us();
    sleep_ms(TOOK_MS);
    timed->ended_us = clock_monotonic_us();
}

static bool says(const void *is_busy)
{
    return *(const bool *)is_busy;
}

/* One thread does them all, one after the other. */
static void do_jobs(bool *is_busy, struct timed jobs[JOBS])
{
    struct pool *pool = pool_start("test", 1, NULL, JOBS);
    if (is_busy) pool_give_way(pool, says, is_busy);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct timed){.job = {.run = run}};
        assert_true(pool_put(pool, &jobs[i].job));
    }
    pool_stop(pool, false);
    for (int i = 0; i < JOBS; i++)
        assert_true(jobs[i].ended_us >= jobs[i].begun_us + TOOK_MS * 1000);
}

static void what_was_put_is_done_in_order(void **state)
{
    struct timed jobs[JOBS];
    (void)state;
    do_jobs(NULL, jobs);
    do_jobs(&(bool){false}, jobs);
    for (int i = 1; i < JOBS; i++)
        assert_true(jobs[i].begun_us >= jobs[i - 1].ended_us);
}

static void a_pause_is_five_times_what_the_job_took_where_others_are_busy(void **state)
{
    struct timed jobs[JOBS];
    bool is_busy = true;
    (void)state;
    do_jobs(&is_busy, jobs);
    for (int i = 1; i < JOBS; i++) {
        int64_t took = jobs[i - 1].ended_us - jobs[i - 1].begun_us;
        assert_true(jobs[i].begun_us - jobs[i - 1].ended_us >= 5 * took / 1000 * 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_done_in_order),
        cmocka_unit_test(a_pause_is_five_times_what_the_job_took_where_others_are_busy),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
