/* SPDX-License-Identifier: Apache-2.0 */
/* queue.h -- a bounded queue between threads.
 *
 * Full is an answer, not a wait: queue_put() says false and the caller sheds the
 * load. Full is what holds 'depth', and where the wait is bounded, too, what is too long for its
 * takers. Takers wait. A closed queue takes no more, and gives out what it has. */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/list.h"

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t not_empty;
    struct list list;
    size_t depth;
    size_t limit;    /* how many may wait at the pace of now: 'depth' at most */
    size_t least;    /* how many may wait at any pace */
    int64_t wait_ns; /* 0: as long as it takes */
    int64_t each_ns; /* the pace: between two that are done, by all takers together */
    unsigned takers;
    unsigned sleepers; /* takers that wait and whom nobody has woken yet */
    unsigned woken;    /* takers that were woken and have not come to it yet */
    bool closed;
};

void queue_init(struct queue *queue, size_t depth);
void queue_destroy(struct queue *queue); /* must be empty, and nobody waits */

/* From now on the queue is also full when what is put would wait for longer than 'wait_ms', as far
 * as the pace of its takers tells. 'least' of them may always wait. */
void queue_bound_wait(struct queue *queue, int wait_ms, size_t least, unsigned takers);

/* One of the takers was busy for 'us' with 'count' of what it took. To be told only where more
 * would have taken longer: what is done together shows its pace when it is as much as can be. */
void queue_pace(struct queue *queue, size_t count, int64_t us);

/* Would queue_put() say false, as things are? */
bool queue_is_full(struct queue *queue);

/* False when the queue is full or closed. */
bool queue_put(struct queue *queue, struct link *link);

/* Moves up to 'most' links to the end of *list, waiting up to 'timeout_ms' (-1: for ever) for the
 * first; none have moved when the time is over. False when the queue is closed and nothing is
 * left. */
bool queue_take(struct queue *queue, struct list *list, size_t most, int timeout_ms);

void queue_close(struct queue *queue);
size_t queue_count(struct queue *queue);

#endif
