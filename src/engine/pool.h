/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h -- threads that take jobs from one bounded queue: the readers, each with a store
 * connection of its own, and the hashers. */
#ifndef ENGINE_POOL_H
#define ENGINE_POOL_H

#include <stdbool.h>
#include "base/queue.h"

struct store;

struct job {
    struct link link;
    /* On a thread of the pool. 'store' is the thread's own, NULL in a pool without stores. */
    void (*run)(struct job *job, struct store *store);
};

struct pool;

/* Takes ownership of the 'threads' stores; 'stores' may be NULL. 'name' is that of the threads, a
 * constant. */
struct pool *pool_start(const char *name, size_t threads, struct store **stores, size_t depth);

/* From now on, which is before the first job, a thread pauses after a job for five times as long
 * as it took where 'is_busy' says that others need the processors. */
void pool_give_way(struct pool *pool, bool (*is_busy)(const void *data), const void *data);

/* False when the queue is full, or too long for its threads. */
bool pool_put(struct pool *pool, struct job *job);

size_t pool_waiting(struct pool *pool);

/* Does what is queued, or forgets it where nobody waits for it any more, then ends the threads and
 * closes the stores. NULL is fine. */
void pool_stop(struct pool *pool, bool forget);

#endif
