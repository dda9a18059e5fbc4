/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/errand.h"

#include <pthread.h>

struct errand {
    struct task task;
    struct errand_take take;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool done;
};

static struct replay_answer compose(struct task *task)
{
    struct errand *errand = task->owner;
    if (errand->take.take) errand->take.take(&task->result, errand->take.data);
    return (struct replay_answer){0};
}

static void done(struct task *task)
{
    struct errand *errand = task->owner;
    pthread_mutex_lock(&errand->mutex);
    errand->done = true;
    pthread_cond_signal(&errand->changed);
    pthread_mutex_unlock(&errand->mutex);
}

static void errand_init(struct errand *errand, const struct command *command,
                        struct errand_take take)
{
    *errand = (struct errand){.take = take};
    errand->task =
        (struct task){.command = *command, .compose = compose, .done = done, .owner = errand};
    pthread_mutex_init(&errand->mutex, NULL);
    pthread_cond_init(&errand->changed, NULL);
}

static enum outcome errand_end(struct errand *errand)
{
    pthread_mutex_lock(&errand->mutex);
    while (!errand->done)
        pthread_cond_wait(&errand->changed, &errand->mutex);
    pthread_mutex_unlock(&errand->mutex);
    pthread_cond_destroy(&errand->changed);
    pthread_mutex_destroy(&errand->mutex);
    return errand->task.result.outcome;
}

enum outcome errand_run(struct lane *lane, const struct command *command, struct errand_take take)
{
    struct errand errand;
    errand_init(&errand, command, take);
    if (!lane_put(lane, &errand.task)) task_refuse(&errand.task, OVERLOADED);
    return errand_end(&errand);
}

enum outcome errand_run_alone(struct store *writer, const struct command *command,
                              struct errand_take take)
{
    struct batch_counts counts = {0};
    struct batcher batcher = {
        .store = writer,
        .now = system_now,
        .pause = system_pause,
        .counts = &counts,
        .keep_cancelled_ms = 1,
    };
    struct errand errand;
    errand_init(&errand, command, take);
    struct task *tasks[] = {&errand.task};
    struct list again = {0};
    batch_run(&batcher, tasks, 1, &again);
    batcher_free(&batcher);
    return errand_end(&errand);
}
