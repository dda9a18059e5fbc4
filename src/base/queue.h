/* SPDX-License-Identifier: Apache-2.0 */
/* queue.h -- a bounded queue between threads.
 *
 * Full is an answer, not a wait: queue_put() says false and the caller sheds the
 * load. Takers wait. A closed queue takes no more, and gives out what it has. */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include "base/list.h"

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t not_empty;
    struct list list;
    size_t depth;
    unsigned sleepers; /* takers that wait and whom nobody has woken yet */
    unsigned woken;    /* takers that were woken and have not come to it yet */
    bool closed;
};

void queue_init(struct queue *queue, size_t depth);
void queue_destroy(struct queue *queue); /* must be empty, and nobody waits */

/* False when the queue is full or closed. */
bool queue_put(struct queue *queue, struct link *link);

/* Moves up to 'most' links to the end of *list, waiting up to 'timeout_ms' (-1: for ever) for the
 * first; none have moved when the time is over. False when the queue is closed and nothing is
 * left. */
bool queue_take(struct queue *queue, struct list *list, size_t most, int timeout_ms);

void queue_close(struct queue *queue);
size_t queue_count(struct queue *queue);

#endif
