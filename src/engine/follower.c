/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/follower.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"

struct follower {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stopping;
    unsigned period_ms;
    struct store *reader;
    struct directory *directory;
    struct arena arena;
    bool has_seen; /* 'seen' is the store's version that the directory holds */
    uint64_t seen;
    bool failing;
};

/* The order matters: what is committed after its question is in a later version, and what a lane
 * of ours publishes after 'since' is kept. */
static enum store_status follow(struct follower *follower)
{
    uint64_t version;
    enum store_status status = store_directory_version(follower->reader, &version);
    if (status != STORE_OK || (follower->has_seen && version == follower->seen)) return status;

    uint64_t since = directory_version(follower->directory);
    struct directory_rows rows = {0};
    arena_reset(&follower->arena);
    status = store_load_directory(follower->reader, &follower->arena, &rows);
    if (status != STORE_OK) return status;
    follower->has_seen = directory_replace(follower->directory, &rows, since);
    follower->seen = version;
    return STORE_OK;
}

/* Said once, not twice a second. */
static void follow_and_tell(struct follower *follower)
{
    enum store_status status = follow(follower);
    bool failing = status != STORE_OK;
    if (failing && !follower->failing)
        log_warn("roles and revocations cannot be followed",
                 LOG_STR("status", str_of(store_status_text(status))),
                 LOG_STR("error", str_of(store_error(follower->reader))));
    if (!failing && follower->failing) log_info("roles and revocations are followed again");
    follower->failing = failing;
}

static struct timespec time_in(unsigned ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) until.tv_sec++, until.tv_nsec -= 1000000000L;
    return until;
}

static void *follower_run(void *data)
{
    struct follower *follower = data;
    pthread_setname_np(pthread_self(), "follower");
    pthread_mutex_lock(&follower->mutex);
    while (!follower->stopping) {
        pthread_mutex_unlock(&follower->mutex);
        follow_and_tell(follower);
        struct timespec until = time_in(follower->period_ms);
        pthread_mutex_lock(&follower->mutex);
        int woken = 0;
        while (!follower->stopping && woken != ETIMEDOUT)
            woken = pthread_cond_timedwait(&follower->changed, &follower->mutex, &until);
    }
    pthread_mutex_unlock(&follower->mutex);
    return NULL;
}

struct follower *follower_start(struct store *reader, struct directory *directory,
                                unsigned period_ms)
{
    struct follower *follower = calloc(1, sizeof(*follower));
    if (!follower) abort();
    follower->reader = reader;
    follower->directory = directory;
    follower->period_ms = period_ms;
    pthread_mutex_init(&follower->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&follower->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&follower->thread, NULL, follower_run, follower) != 0) abort();
    return follower;
}

void follower_stop(struct follower *follower)
{
    if (!follower) return;
    pthread_mutex_lock(&follower->mutex);
    follower->stopping = true;
    pthread_cond_broadcast(&follower->changed);
    pthread_mutex_unlock(&follower->mutex);
    pthread_join(follower->thread, NULL);
    pthread_cond_destroy(&follower->changed);
    pthread_mutex_destroy(&follower->mutex);
    store_close(follower->reader);
    arena_free(&follower->arena);
    free(follower);
}
