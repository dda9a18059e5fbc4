/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/retention.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

enum {
    PERIOD_S = 60,
    ROWS_MOST = 10000,
};
#define HOUR_MS INT64_C(3600000)
/* The longest TOKEN_TTL there may be: the setting could have been lowered since a token was issued.
 */
#define REVOCATION_KEPT_MS (367 * 24 * HOUR_MS)

struct retention {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stopping, under_way;
    struct lane *lane;
    struct task task;
};

static struct replay_answer compose_nothing(struct task *task)
{
    (void)task;
    return (struct replay_answer){0};
}

static void pruned(struct task *task)
{
    struct retention *retention = task->owner;
    pthread_mutex_lock(&retention->mutex);
    retention->under_way = false;
    pthread_cond_broadcast(&retention->changed);
    pthread_mutex_unlock(&retention->mutex);
}

static void prune(struct retention *retention)
{
    int64_t now = clock_now_ms();
    retention->task = (struct task){
        .command = {.kind = COMMAND_PRUNE,
                    .prune = {.replays_before = now - 25 * HOUR_MS,
                              .revocations_before = now - REVOCATION_KEPT_MS,
                              .most = ROWS_MOST}},
        .compose = compose_nothing,
        .done = pruned,
        .owner = retention,
    };
    retention->under_way = true;
    /* A full lane has better things to do; the next minute comes. */
    if (!lane_put(retention->lane, &retention->task)) retention->under_way = false;
}

static void *retention_run(void *data)
{
    struct retention *retention = data;
    pthread_setname_np(pthread_self(), "retention");
    pthread_mutex_lock(&retention->mutex);
    while (!retention->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += PERIOD_S;
        int woken = 0;
        while (!retention->stopping && woken != ETIMEDOUT)
            woken = pthread_cond_timedwait(&retention->changed, &retention->mutex, &until);
        if (!retention->stopping && !retention->under_way) prune(retention);
    }
    while (retention->under_way)
        pthread_cond_wait(&retention->changed, &retention->mutex);
    pthread_mutex_unlock(&retention->mutex);
    return NULL;
}

struct retention *retention_start(struct lane *lane)
{
    struct retention *retention = calloc(1, sizeof(*retention));
    if (!retention) abort();
    retention->lane = lane;
    pthread_mutex_init(&retention->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&retention->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&retention->thread, NULL, retention_run, retention) != 0) abort();
    return retention;
}

void retention_stop(struct retention *retention)
{
    if (!retention) return;
    pthread_mutex_lock(&retention->mutex);
    retention->stopping = true;
    pthread_cond_broadcast(&retention->changed);
    pthread_mutex_unlock(&retention->mutex);
    pthread_join(retention->thread, NULL);
    pthread_cond_destroy(&retention->changed);
    pthread_mutex_destroy(&retention->mutex);
    free(retention);
}
