/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/lane.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/queue.h"

enum {
    SETTLE_MS = 250,
    /* How long a command may wait for its batch: what would wait longer is told so at once. */
    WAIT_MOST_MS = 250,
};

struct lane {
    pthread_t thread;
    struct queue queue;
    struct list pending; /* taken from the queue, and in no batch yet */
    struct batcher batcher;
};

/* The longest run from the head of 'pending' that may be one batch. */
static size_t lane_gather(struct list *pending, struct task *tasks[BATCH_MAX])
{
    size_t count = 0;
    while (count < BATCH_MAX && pending->head) {
        struct task *task = LINK_OWNER(pending->head, struct task, link);
        bool alone = command_is_alone(&task->command);
        if (alone && count > 0) break;
        list_pop(pending);
        tasks[count++] = task;
        if (alone) break;
    }
    return count;
}

/* For struct batcher. */
static bool lane_turn_away(void *data)
{
    struct lane *lane = data;
    bool is_open = queue_take(&lane->queue, &lane->pending, SIZE_MAX, 0);
    for (struct link *link; (link = list_pop(&lane->pending));)
        task_refuse(LINK_OWNER(link, struct task, link), UNAVAILABLE);
    return is_open;
}

bool lane_turn(struct lane *lane, int timeout_ms)
{
    struct task *tasks[BATCH_MAX];
    struct list *pending = &lane->pending;
    /* Who has to be decided again comes first, and then nobody waits for more. */
    if (!pending->head && !queue_take(&lane->queue, pending, BATCH_MAX, timeout_ms)) return false;
    if (!pending->head) {
        batch_settle(&lane->batcher);
        return true;
    }
    struct list again = {0};
    size_t count = lane_gather(pending, tasks);
    int64_t before = clock_monotonic_us();
    batch_run(&lane->batcher, tasks, count, &again);
    /* A smaller batch costs nearly as much, and would say nothing of the pace under load. */
    if (count == BATCH_MAX) queue_pace(&lane->queue, count, clock_monotonic_us() - before);
    while (pending->head)
        list_push(&again, list_pop(pending));
    *pending = again;
    store_tidy(lane->batcher.store);
    return true;
}

static void *lane_run(void *data)
{
    struct lane *lane = data;
    pthread_setname_np(pthread_self(), "lane");
    while (lane_turn(lane, lane->batcher.unsettled ? SETTLE_MS : -1))
        continue;
    return NULL;
}

struct lane *lane_new(const struct batcher *batcher, size_t depth)
{
    struct lane *lane = calloc(1, sizeof(*lane));
    if (!lane) abort();
    lane->batcher = *batcher;
    lane->batcher.turn_away = lane_turn_away;
    lane->batcher.turn_away_data = lane;
    queue_init(&lane->queue, depth);
    return lane;
}

struct lane *lane_start(const struct batcher *batcher, size_t depth)
{
    struct lane *lane = lane_new(batcher, depth);
    queue_bound_wait(&lane->queue, WAIT_MOST_MS, BATCH_MAX, 1);
    if (pthread_create(&lane->thread, NULL, lane_run, lane) != 0) abort();
    return lane;
}

bool lane_put(struct lane *lane, struct task *task)
{
    return queue_put(&lane->queue, &task->link);
}

bool lane_is_full(struct lane *lane)
{
    return queue_is_full(&lane->queue);
}

size_t lane_waiting(struct lane *lane)
{
    return queue_count(&lane->queue);
}

void lane_stop(struct lane *lane)
{
    if (!lane) return;
    queue_close(&lane->queue);
    pthread_join(lane->thread, NULL);
    lane_free(lane);
}

void lane_free(struct lane *lane)
{
    queue_take(&lane->queue, &lane->pending, SIZE_MAX, 0);
    queue_destroy(&lane->queue);
    store_close(lane->batcher.store);
    batcher_free(&lane->batcher);
    free(lane);
}
