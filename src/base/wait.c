/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wait.h"

#include <errno.h>

#include "base/clock.h"

void wait_cond_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    must(pthread_condattr_init(&attributes));
    /* A wait must not grow or shrink when somebody sets the clock. */
    must(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
    must(pthread_cond_init(condition, &attributes));
    must(pthread_condattr_destroy(&attributes));
}

struct timespec deadline_at(int64_t monotonic_us)
{
    return (struct timespec){monotonic_us / 1000000, monotonic_us % 1000000 * 1000};
}

struct timespec deadline_in(long ms)
{
    return deadline_at(clock_monotonic_us() + (int64_t)ms * 1000);
}

void sleep_ms(unsigned ms)
{
    struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0)
        ;
}

void bell_init(struct bell *bell)
{
    must(pthread_mutex_init(&bell->mutex, NULL));
    wait_cond_init(&bell->condition);
    atomic_init(&bell->rung, false);
    bell->closed = false;
}

void bell_destroy(struct bell *bell)
{
    must(pthread_cond_destroy(&bell->condition));
    must(pthread_mutex_destroy(&bell->mutex));
}

void bell_ring(struct bell *bell)
{
    if (atomic_exchange(&bell->rung, true)) return;
    must(pthread_mutex_lock(&bell->mutex));
    must(pthread_cond_signal(&bell->condition));
    must(pthread_mutex_unlock(&bell->mutex));
}

bool bell_wait(struct bell *bell, long most_ms)
{
    struct timespec deadline = deadline_in(most_ms);
    int error = 0;
    must(pthread_mutex_lock(&bell->mutex));
    while (!bell->closed && !atomic_load(&bell->rung) && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&bell->condition, &bell->mutex, &deadline);
    atomic_store(&bell->rung, false);
    bool open = !bell->closed;
    must(pthread_mutex_unlock(&bell->mutex));
    return open;
}

void bell_close(struct bell *bell)
{
    must(pthread_mutex_lock(&bell->mutex));
    bell->closed = true;
    must(pthread_cond_signal(&bell->condition));
    must(pthread_mutex_unlock(&bell->mutex));
}
