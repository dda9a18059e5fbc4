/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pool.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/wait.h"
#include "store/store.h"

/* How long a job may wait, and how many may wait at any pace: some are long, most are short. */
enum { WAIT_MOST_MS = 600, WAITING_LEAST = 16 };

enum { GIVES_WAY = 5, PAUSE_MOST_US = 500000 };

struct worker {
    pthread_t thread;
    struct pool *pool;
    struct store *store;
};

struct pool {
    const char *name;
    struct queue queue;
    _Atomic bool forget;
    bool (*is_busy)(const void *data); /* NULL: it gives way to nobody */
    const void *data;
    size_t count;
    struct worker workers[];
};

static void give_way(const struct pool *pool, int64_t took_us)
{
    if (!pool->is_busy || pool->forget || !pool->is_busy(pool->data)) return;
    int64_t pause_us = took_us * GIVES_WAY;
    sleep_ms((unsigned)((pause_us < PAUSE_MOST_US ? pause_us : PAUSE_MOST_US) / 1000));
}

static void *worker_run(void *data)
{
    struct worker *worker = data;
    struct list list = {0};
    pthread_setname_np(pthread_self(), worker->pool->name);
    /* One at a time: a job is long against the cost of taking it, and others wait. */
    while (queue_take(&worker->pool->queue, &list, 1, -1)) {
        struct link *link = list_pop(&list);
        if (!link || worker->pool->forget) continue;
        struct job *job = LINK_OWNER(link, struct job, link);
        int64_t before = clock_monotonic_us();
        job->run(job, worker->store);
        give_way(worker->pool, clock_monotonic_us() - before);
        queue_pace(&worker->pool->queue, 1, clock_monotonic_us() - before);
    }
    return NULL;
}

struct pool *pool_start(const char *name, size_t threads, struct store **stores, size_t depth)
{
    struct pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->workers[0]));
    if (!pool) abort();
    pool->name = name;
    queue_init(&pool->queue, depth);
    queue_bound_wait(&pool->queue, WAIT_MOST_MS, WAITING_LEAST, (unsigned)threads);
    pool->count = threads;
    for (size_t i = 0; i < threads; i++) {
        struct worker *worker = &pool->workers[i];
        *worker = (struct worker){.pool = pool, .store = stores ? stores[i] : NULL};
        if (pthread_create(&worker->thread, NULL, worker_run, worker) != 0) abort();
    }
    return pool;
}

void pool_give_way(struct pool *pool, bool (*is_busy)(const void *data), const void *data)
{
    pool->data = data;
    pool->is_busy = is_busy;
}

bool pool_put(struct pool *pool, struct job *job)
{
    return queue_put(&pool->queue, &job->link);
}

size_t pool_waiting(struct pool *pool)
{
    return queue_count(&pool->queue);
}

void pool_stop(struct pool *pool, bool forget)
{
    if (!pool) return;
    pool->forget = forget;
    queue_close(&pool->queue);
    for (size_t i = 0; i < pool->count; i++) {
        pthread_join(pool->workers[i].thread, NULL);
        store_close(pool->workers[i].store);
    }
    queue_destroy(&pool->queue);
    free(pool);
}
