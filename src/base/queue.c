/* SPDX-License-Identifier: Apache-2.0 */
#include "base/queue.h"

#include <assert.h>
#include <errno.h>

#include "base/wait.h"

void queue_init(struct queue *queue, size_t depth)
{
    assert(depth > 0);
    *queue = (struct queue){.depth = depth, .limit = depth, .takers = 1};
    must(pthread_mutex_init(&queue->mutex, NULL));
    wait_cond_init(&queue->not_empty);
}

void queue_destroy(struct queue *queue)
{
    assert(queue->list.count == 0 && queue->sleepers == 0);
    must(pthread_cond_destroy(&queue->not_empty));
    must(pthread_mutex_destroy(&queue->mutex));
}

void queue_bound_wait(struct queue *queue, int wait_ms, size_t least, unsigned takers)
{
    assert(wait_ms > 0 && least > 0 && takers > 0);
    queue->wait_ns = (int64_t)wait_ms * 1000000;
    queue->least = least;
    queue->takers = takers;
}

void queue_pace(struct queue *queue, size_t count, int64_t us)
{
    assert(count > 0);
    if (queue->wait_ns == 0) return;
    must(pthread_mutex_lock(&queue->mutex));
    /* A moving average: one that took long, because a disk paused, is soon forgotten. */
    int64_t each_ns = us * 1000 / (int64_t)count / queue->takers;
    queue->each_ns += (each_ns - queue->each_ns) / (queue->each_ns ? 8 : 1);
    int64_t limit = queue->each_ns > 0 ? queue->wait_ns / queue->each_ns : INT64_MAX;
    queue->limit = limit < (int64_t)queue->depth ? (size_t)limit : queue->depth;
    if (queue->limit < queue->least)
        queue->limit = queue->least < queue->depth ? queue->least : queue->depth;
    must(pthread_mutex_unlock(&queue->mutex));
}

static bool has_room(const struct queue *queue)
{
    return !queue->closed && queue->list.count < queue->limit;
}

bool queue_is_full(struct queue *queue)
{
    must(pthread_mutex_lock(&queue->mutex));
    bool is_full = !has_room(queue);
    must(pthread_mutex_unlock(&queue->mutex));
    return is_full;
}

bool queue_put(struct queue *queue, struct link *link)
{
    must(pthread_mutex_lock(&queue->mutex));
    bool taken = has_room(queue);
    if (taken) list_push(&queue->list, link);
    /* Under the lock: once it is open a taker may have the link and destroy the queue. */
    if (taken && queue->sleepers) {
        /* One signal for one sleeper: until it runs, more puts must not signal it again. */
        queue->sleepers--;
        queue->woken++;
        must(pthread_cond_signal(&queue->not_empty));
    }
    must(pthread_mutex_unlock(&queue->mutex));
    return taken;
}

/* With the lock held; returns when there is something, nothing will come, or time is over. */
static void queue_wait(struct queue *queue, int timeout_ms)
{
    struct timespec deadline = {0};
    if (timeout_ms > 0) deadline = deadline_in(timeout_ms);

    int error = 0;
    while (!queue->list.head && !queue->closed && error != ETIMEDOUT) {
        queue->sleepers++;
        if (timeout_ms < 0)
            error = pthread_cond_wait(&queue->not_empty, &queue->mutex);
        else
            error = pthread_cond_timedwait(&queue->not_empty, &queue->mutex, &deadline);
        assert(error == 0 || error == ETIMEDOUT);
        if (queue->woken)
            queue->woken--;
        else
            queue->sleepers--;
    }
}

static void list_move_all(struct list *to, struct list *from)
{
    if (!from->head) return;
    if (to->tail)
        to->tail->next = from->head;
    else
        to->head = from->head;
    to->tail = from->tail;
    to->count += from->count;
    *from = (struct list){0};
}

bool queue_take(struct queue *queue, struct list *list, size_t most, int timeout_ms)
{
    must(pthread_mutex_lock(&queue->mutex));
    if (!queue->list.head && !queue->closed && timeout_ms != 0) queue_wait(queue, timeout_ms);
    bool more = queue->list.head || !queue->closed;
    if (most >= queue->list.count)
        list_move_all(list, &queue->list);
    else
        while (most--)
            list_push(list, list_pop(&queue->list));
    must(pthread_mutex_unlock(&queue->mutex));
    return more;
}

void queue_close(struct queue *queue)
{
    must(pthread_mutex_lock(&queue->mutex));
    queue->closed = true;
    must(pthread_cond_broadcast(&queue->not_empty));
    must(pthread_mutex_unlock(&queue->mutex));
}

size_t queue_count(struct queue *queue)
{
    must(pthread_mutex_lock(&queue->mutex));
    size_t count = queue->list.count;
    must(pthread_mutex_unlock(&queue->mutex));
    return count;
}
