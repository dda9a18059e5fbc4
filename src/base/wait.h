/* SPDX-License-Identifier: Apache-2.0 */
/* wait.h -- threads that wait for something, or for a time to be over, whatever the wall clock
 * does.
 *
 * A bell is for a thread that does something every so often, and sooner when somebody rings:
 *
 *     while (bell_wait(&bell, period_ms))
 *         do_it();
 *
 * Rings that come while nobody waits are one ring. */
#ifndef BASE_WAIT_H
#define BASE_WAIT_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* For calls of pthread that fail only when they are called wrongly. */
static inline void must(int error)
{
    assert(error == 0);
    (void)error;
}

/* A condition whose waits are timed by the monotonic clock: with what deadline_in() says. */
void wait_cond_init(pthread_cond_t *condition);
struct timespec deadline_in(long ms);
struct timespec deadline_at(int64_t monotonic_us);

/* Sleeps for all of it, whatever signals come. */
void sleep_ms(unsigned ms);

struct bell {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    atomic_bool rung;
    bool closed;
};

void bell_init(struct bell *bell);
void bell_destroy(struct bell *bell); /* nobody waits any more */

/* From any thread; next to nothing where it was rung already. */
void bell_ring(struct bell *bell);

/* Waits until it is rung, 'most_ms' at most. False once it is closed. */
bool bell_wait(struct bell *bell, long most_ms);

void bell_close(struct bell *bell);

#endif
