/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong with a batch, and what is done about it:
 *
 *   a command is refused         an ordinary answer; its neighbours never notice
 *   the store refuses a change   rolled back, and its commands are tried one by one: only the
 *                                culprit gets a 500
 *   busy, deadlock, conflict     the whole batch again, with backoff, a few times; then 503
 *   the store is gone            503 at once
 *   lost during COMMIT           the store is asked whether it happened: answered if so, else again
 */
#include "engine/batch.h"

#include <assert.h>

#include "base/clock.h"
#include "base/log.h"

enum {
    TRIES = 6,
    BACKOFF_FIRST_MS = 2,
    REPLAY_KEPT_MS = 24 * 60 * 60 * 1000,
};

void batcher_free(struct batcher *batcher)
{
    arena_free(&batcher->arena);
}

/* Time does not go back within a lane, so that created_at follows the order of ids. */
static int64_t batch_now(struct batcher *batcher)
{
    int64_t now = batcher->now(batcher->clock_data);
    if (now < batcher->last_now) now = batcher->last_now;
    return batcher->last_now = now;
}

/* ---- load ---- */

static enum store_status batch_load(struct batcher *batcher, struct working_set *set,
                                    struct task **tasks, size_t count)
{
    unsigned stages[BATCH_MAX] = {0};
    bool planned[BATCH_MAX] = {false};
    for (size_t i = 0; i < count; i++)
        if (tasks[i]->has_key) working_set_want_replay(set, &tasks[i]->key);

    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < count; i++)
            if (!planned[i])
                more |= !(planned[i] = working_set_plan(set, &tasks[i]->command, &stages[i]));
        /* The first turn begins the transaction even where nothing is wanted. */
        enum store_status status = store_load(batcher->store, set);
        if (status != STORE_OK) return status;
    }
    return STORE_OK;
}

/* ---- decide ---- */

/* A token may have been revoked, or its owner erased, while the task stood in the queue. */
static bool actor_is_alive(const struct batcher *batcher, const struct working_set *set,
                           const struct task *task)
{
    const struct actor *actor = &task->command.actor;
    if (!task->directory_version) return true;
    const struct user_entry *user = working_set_user(set, actor->id);
    if (user && user->found && user->row.erased_at) return false;
    enum role role;
    return !batcher->directory ||
           task->directory_version == directory_version(batcher->directory) ||
           directory_check(batcher->directory, actor->id, actor->token_at, &role);
}

/* The stored answer to the task's key, or a refusal; false when there is none and it is to be
 * decided. */
static bool replay(struct batcher *batcher, struct working_set *set, struct replay_entry *entry,
                   struct task *task)
{
    if (!entry->found || entry->answer.at + REPLAY_KEPT_MS <= set->now) return false;
    if (memcmp(entry->answer.request, task->request, sizeof(task->request)) != 0) {
        task->result = (struct result){.outcome = IDEMPOTENCY_KEY_REUSED};
        task->compose(task);
        task->composed = true;
        return true;
    }
    task->replayed = &entry->answer;
    atomic_fetch_add_explicit(&batcher->counts->replays, 1, memory_order_relaxed);
    return true;
}

static void decide_task(struct batcher *batcher, struct working_set *set, struct task *task)
{
    struct replay_entry *entry = task->has_key ? working_set_want_replay(set, &task->key) : NULL;
    task->replayed = NULL;
    task->composed = false;
    if (entry && replay(batcher, set, entry, task)) return;

    if (actor_is_alive(batcher, set, task))
        decide(set, &task->command, &task->result);
    else
        task->result = (struct result){.outcome = UNAUTHORIZED};
    if (task->result.again) return;

    struct replay_answer answer = task->compose(task);
    task->composed = true;
    if (!entry || task->result.outcome == UNAUTHORIZED) return;
    /* Rule 5: the answer goes into the transaction of its effect, and what comes with the same key
     * later in this batch finds it too. */
    entry->found = true;
    entry->answer = answer;
    entry->answer.at = set->now;
    /* A copy: the first task's memory may be gone when the second one of this batch is answered. */
    entry->answer.body = arena_str(set->arena, answer.body);
    memcpy(entry->answer.request, task->request, sizeof(task->request));
    struct change *change = working_set_change(set, CHANGE_REPLAY);
    change->replay.key = &entry->key;
    change->replay.answer = &entry->answer;
}

/* ---- publish and answer ---- */

static void publish_users(struct directory *directory, const struct working_set *set)
{
    for (size_t i = 0; i < set->changes.count; i++) {
        const struct change *change = &set->changes.items[i];
        switch (change->kind) {
        case CHANGE_USER_INSERT:
            directory_user_added(directory, change->user->id); /* fall through */
        case CHANGE_USER_UPDATE:
            directory_role_set(directory, change->user->id, change->user->role);
            break;
        case CHANGE_REVOKE:
            directory_revoked(directory, change->revoke.user_id, change->revoke.at);
            break;
        case CHANGE_PRUNE: directory_prune(directory, change->prune.revocations_before); break;
        default: break;
        }
    }
}

/* Every event of the batch: what a refused command looked at is as true as what was changed. */
static void publish_events(struct snapshots *snapshots, const struct working_set *set)
{
    const struct event_entry *entry;
    for (size_t i = 0; (entry = map_each(&set->events, &i));) {
        if (!entry->found) continue;
        if (entry->gone)
            snapshots_remove(snapshots, entry->id);
        else
            snapshots_publish(snapshots, working_set_event_copy(set, entry));
    }
    for (size_t i = 0; i < set->changes.count; i++)
        if (set->changes.items[i].kind == CHANGE_EVENT_INSERT)
            snapshots_publish(snapshots, set->changes.items[i].event);
}

static void add(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
}

static void count_result(struct batch_counts *counts, const struct task *task)
{
    enum command_kind kind = task->command.kind;
    if (task->replayed) return;
    if (kind != COMMAND_BOOK && kind != COMMAND_CANCEL && kind != COMMAND_CANCEL_NEWEST) return;
    add(&counts->outcomes[task->result.outcome], 1);
    add(&counts->promoted, task->result.promoted);
    if (kind != COMMAND_BOOK && task->result.outcome == OUTCOME_OK) add(&counts->cancelled, 1);
    if (task->result.outcome == OUTCOME_CREATED) add(&counts->booked, 1);
    if (task->result.outcome == OUTCOME_WAITING) add(&counts->waited, 1);
}

static void answer(struct batcher *batcher, struct task **tasks, size_t count,
                   struct list *ret_again)
{
    for (size_t i = 0; i < count; i++) {
        if (tasks[i]->result.again && !tasks[i]->replayed) {
            list_push(ret_again, &tasks[i]->link);
            continue;
        }
        count_result(batcher->counts, tasks[i]);
        tasks[i]->done(tasks[i]);
    }
}

static void answer_fault(struct batcher *batcher, struct task **tasks, size_t count,
                         enum outcome outcome, enum store_status status)
{
    add(&batcher->counts->faults, 1);
    log_error("a batch failed", LOG_STR("status", str_of(store_status_text(status))),
              LOG_STR("error", str_of(store_error(batcher->store))), LOG_NUM("commands", count));
    for (size_t i = 0; i < count; i++) {
        tasks[i]->result = (struct result){.outcome = outcome};
        tasks[i]->composed = false;
        tasks[i]->replayed = NULL;
        tasks[i]->done(tasks[i]);
    }
}

/* ---- one turn ---- */

/* Load, decide, write. On STORE_OK everything is on disk. */
static enum store_status batch_try(struct batcher *batcher, struct working_set *set,
                                   struct task **tasks, size_t count)
{
    arena_reset(&batcher->arena);
    working_set_init(set, &batcher->arena, batch_now(batcher));
    set->keep_cancelled_ms = batcher->keep_cancelled_ms;

    enum store_status status = batch_load(batcher, set, tasks, count);
    if (status != STORE_OK) return status; /* the transaction is over */
    for (size_t i = 0; i < count; i++)
        decide_task(batcher, set, tasks[i]);
    if (set->changes.count == 0) {
        store_abandon(batcher->store);
        return STORE_OK;
    }
    int64_t before = clock_monotonic_us();
    status = store_commit(batcher->store, set);
    histogram_add(&batcher->counts->commit_us, (uint64_t)(clock_monotonic_us() - before) / 16);
    if (status != STORE_UNKNOWN) return status;

    bool committed = false;
    status = store_was_committed(batcher->store, &committed);
    return status == STORE_OK && !committed ? STORE_BUSY : status;
}

void batch_run(struct batcher *batcher, struct task **tasks, size_t count, struct list *ret_again)
{
    assert(count > 0 && count <= BATCH_MAX);
    assert(count == 1 || !command_is_alone(&tasks[0]->command));
    struct working_set set;
    enum store_status status = STORE_BUSY;
    for (unsigned tried = 0; status == STORE_BUSY && tried < TRIES; tried++) {
        if (tried) {
            add(&batcher->counts->retries, 1);
            batcher->pause((unsigned)BACKOFF_FIRST_MS << tried, batcher->clock_data);
        }
        status = batch_try(batcher, &set, tasks, count);
    }

    if (status == STORE_OK) {
        histogram_add(&batcher->counts->size, count);
        if (batcher->directory) publish_users(batcher->directory, &set);
        if (batcher->snapshots) publish_events(batcher->snapshots, &set);
        /* Rule 4: only here, after the commit. */
        answer(batcher, tasks, count, ret_again);
    } else if (status == STORE_REFUSED && count > 1) {
        add(&batcher->counts->singles, count);
        for (size_t i = 0; i < count; i++)
            batch_run(batcher, &tasks[i], 1, ret_again);
    } else {
        answer_fault(batcher, tasks, count, status == STORE_REFUSED ? INTERNAL : UNAVAILABLE,
                     status);
    }
}
