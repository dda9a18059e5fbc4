/* SPDX-License-Identifier: Apache-2.0 */
/* batch.h -- load, decide, write, answer: many commands, one transaction.
 *
 * A task is one command on its way. Its maker fills in the first part and gets it back with 'done',
 * on the lane's thread, when what the result says is on disk, or when it could not be done. */
#ifndef ENGINE_BATCH_H
#define ENGINE_BATCH_H

#include "base/histogram.h"
#include "base/list.h"
#include "base/wait.h"
#include "core/decide.h"
#include "engine/directory.h"
#include "engine/homes.h"
#include "engine/snapshot.h"
#include "store/store.h"

struct task {
    struct link link;
    struct command command;
    /* With an Idempotency-Key: who and which, and the hash of the request it came with. */
    bool has_key;
    struct replay_key key;
    unsigned char request[16];
    /* The directory's version when the actor's token was checked; 0: no token, not to be checked.
     */
    uint64_t directory_version;

    /* Writes the answer from 'result' while the rows it points to are there. May be called again
     * when the batch has to be repeated: only the last one counts. For a task with a key it returns
     * what is to be stored with the key; otherwise the return value is not looked at. */
    struct replay_answer (*compose)(struct task *task);
    void (*done)(struct task *task);
    void *owner;

    /* What became of it. */
    struct result
        result;    /* outcome INTERNAL, UNAVAILABLE or OVERLOADED where 'composed' is false */
    bool composed; /* compose() was called for what 'result' says */
    const struct replay_answer *replayed; /* the stored answer instead; good until done() returns */
};

struct batch_counts {
    struct histogram size;      /* commands in a batch */
    struct histogram commit_us; /* in units of 16 us: one commit */
    _Atomic uint64_t retries, singles, faults, replays;
    _Atomic uint64_t outcomes[OUTCOME_COUNT]; /* of booking and cancelling */
    _Atomic uint64_t booked, waited, promoted, cancelled;
};

enum { BATCH_MAX = 256 };

/* What a lane works with. */
struct batcher {
    struct store *store;
    struct directory *directory; /* may be NULL in tests */
    struct snapshots *snapshots; /* may be NULL in tests */
    struct homes *homes;         /* NULL: one lane */
    struct bell *news;           /* rung when something was written; may be NULL */
    int64_t keep_cancelled_ms;
    bool tells;                             /* see struct working_set */
    int64_t (*now)(void *data);             /* milliseconds, wall clock */
    void (*pause)(unsigned ms, void *data); /* before a batch is tried again */
    void *clock_data;
    /* Called again and again while it is not known how the last batch ended, as the store cannot be
     * reached: tells who comes meanwhile to come back later. False: the lane is to end, and the
     * batch given up. May be NULL. */
    bool (*turn_away)(void *data);
    void *turn_away_data;
    struct batch_counts *counts;

    struct arena arena;
    int64_t last_now;
    bool is_down;   /* the store could not be reached the last time */
    bool unsettled; /* it was never said whether this batch, lost during COMMIT, is on disk: */
    struct working_set lost;
    struct mark lost_mark;
};

/* The system's own, for 'now' and 'pause' above. */
int64_t system_now(void *data);
void system_pause(unsigned ms, void *data);

void batcher_free(struct batcher *batcher); /* what it allocated; the store is its owner's */

/* Runs up to BATCH_MAX tasks as one batch, in order; a command_is_alone() only by itself. Each of
 * them is done afterwards, except those that belong into the next batch (struct result, 'again'):
 * these are put into *ret_again. */
void batch_run(struct batcher *batcher, struct task **tasks, size_t count, struct list *ret_again);

/* Asks the store once more about a batch that is unsettled; batch_run() does so before anything
 * else. False: it still is. */
bool batch_settle(struct batcher *batcher);

/* Answers a task that no batch has decided. */
void task_refuse(struct task *task, enum outcome outcome);

#endif
