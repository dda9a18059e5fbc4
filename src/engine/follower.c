/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/follower.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/wait.h"

struct follower {
    pthread_t thread;
    struct bell bell;
    unsigned period_ms;
    struct store *reader;
    struct directory *directory;
    struct snapshots *snapshots;
    struct arena arena;
    bool has_seen; /* 'seen' is the store's version that the directory holds */
    uint64_t seen;
    struct trouble trouble;
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

/* What is read anew is as good as what was published a moment ago. An event may wait for its turn
 * where very many are watched, roles and revocations never. */
static void refresh_watched(struct follower *follower)
{
    int64_t until = clock_monotonic_us() + INT64_C(1000) * follower->period_ms;
    int64_t age_us = INT64_C(500) * follower->period_ms;
    uint64_t id;
    while (clock_monotonic_us() < until && (id = snapshots_stale(follower->snapshots, age_us))) {
        struct mark mark = snapshots_mark(follower->snapshots);
        struct event *event;
        arena_reset(&follower->arena);
        if (store_find_event(follower->reader, id, &follower->arena, &event) != STORE_OK) return;
        snapshots_refresh(follower->snapshots, id, event, mark);
    }
}

static void *follower_run(void *data)
{
    struct follower *follower = data;
    pthread_setname_np(pthread_self(), "follower");
    do {
        if (follow(follower) == STORE_OK) {
            trouble_over(&follower->trouble);
            refresh_watched(follower);
        } else {
            trouble_is(&follower->trouble, str_of(store_error(follower->reader)));
        }
    } while (bell_wait(&follower->bell, follower->period_ms));
    return NULL;
}

struct follower *follower_start(struct store *reader, struct directory *directory,
                                struct snapshots *snapshots, unsigned period_ms)
{
    struct follower *follower = calloc(1, sizeof(*follower));
    if (!follower) abort();
    follower->reader = reader;
    follower->directory = directory;
    follower->snapshots = snapshots;
    follower->period_ms = period_ms;
    follower->trouble.what = "roles and revocations cannot be followed";
    bell_init(&follower->bell);
    if (pthread_create(&follower->thread, NULL, follower_run, follower) != 0) abort();
    return follower;
}

void follower_stop(struct follower *follower)
{
    if (!follower) return;
    bell_close(&follower->bell);
    pthread_join(follower->thread, NULL);
    bell_destroy(&follower->bell);
    store_close(follower->reader);
    arena_free(&follower->arena);
    free(follower);
}
