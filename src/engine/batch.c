/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong with a batch, and what is done about it:
 *
 *   a command is refused         an ordinary answer; its neighbours never notice
 *   the store refuses a change   rolled back, and its commands are tried one by one: only the
 *                                culprit gets a 500
 *   busy, deadlock, conflict     the whole batch again, with backoff, a few times; then 503
 *   the store is gone            once more at once, as it may be the connection only; then 503, and
 *                                503 at once for all who come until it is back
 *   lost during COMMIT           the store is asked whether it happened, for half a minute if need
 *                                be: answered if so, else again; who comes meanwhile gets 503.
 *                                Later it is asked again before anything else is done, as what is
 *                                on disk must be published */
#include "engine/batch.h"

#include <assert.h>

#include "base/clock.h"
#include "base/log.h"

enum {
    TRIES = 6,
    BACKOFF_FIRST_MS = 2,
    ASK_EVERY_MS = 250,
    ASK_MOST_MS = 30000,
    REPLAY_KEPT_MS = 24 * 60 * 60 * 1000,
};

int64_t system_now(void *data)
{
    (void)data;
    return clock_now_ms();
}

void system_pause(unsigned ms, void *data)
{
    (void)data;
    sleep_ms(ms);
}

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
static void publish_events(struct snapshots *snapshots, const struct working_set *set,
                           struct mark mark)
{
    const struct event_entry *entry;
    for (size_t i = 0; (entry = map_each(&set->events, &i));) {
        if (!entry->found) continue;
        if (entry->gone)
            snapshots_remove(snapshots, entry->id, mark);
        else
            snapshots_publish(snapshots, working_set_event_copy(set, entry), mark);
    }
    for (size_t i = 0; i < set->changes.count; i++)
        if (set->changes.items[i].kind == CHANGE_EVENT_INSERT)
            snapshots_publish(snapshots, set->changes.items[i].event, mark);
}

static void publish(const struct batcher *batcher, const struct working_set *set, struct mark mark)
{
    if (batcher->directory) publish_users(batcher->directory, set);
    if (batcher->snapshots) publish_events(batcher->snapshots, set, mark);
    if (batcher->homes) homes_note(batcher->homes, set);
    if (batcher->news && set->changes.count) bell_ring(batcher->news);
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

void task_refuse(struct task *task, enum outcome outcome)
{
    task->result = (struct result){.outcome = outcome};
    task->composed = false;
    task->replayed = NULL;
    task->done(task);
}

static void answer_fault(struct batcher *batcher, struct task **tasks, size_t count,
                         enum store_status status)
{
    add(&batcher->counts->faults, 1);
    /* While it is gone, that was said once. */
    if (status != STORE_DOWN || !batcher->is_down)
        log_error("a batch failed", LOG_STR("status", str_of(store_status_text(status))),
                  LOG_STR("error", str_of(store_error(batcher->store))),
                  LOG_NUM("commands", count));
    for (size_t i = 0; i < count; i++)
        task_refuse(tasks[i], status == STORE_REFUSED ? INTERNAL : UNAVAILABLE);
}

/* ---- one turn ---- */

/* After a COMMIT of which nobody knows how it ended. BUSY: it did not happen. UNKNOWN: even now
 * nobody knows; who sent an Idempotency-Key can find out by sending his request again. */
static enum store_status batch_resolve(struct batcher *batcher, const struct working_set *set,
                                       struct mark mark)
{
    int64_t until = clock_monotonic_us() + INT64_C(1000) * ASK_MOST_MS;
    for (int asked = 0; asked < ASK_MOST_MS / ASK_EVERY_MS; asked++) {
        bool committed = false;
        enum store_status status = store_was_committed(batcher->store, &committed);
        if (status == STORE_OK) return committed ? STORE_OK : STORE_BUSY;
        if (batcher->turn_away && !batcher->turn_away(batcher->turn_away_data)) break;
        if (clock_monotonic_us() > until) break;
        batcher->pause(ASK_EVERY_MS, batcher->clock_data);
    }
    batcher->unsettled = true;
    batcher->lost = *set; /* the arena is kept as it is until that is settled */
    batcher->lost_mark = mark;
    return STORE_UNKNOWN;
}

bool batch_settle(struct batcher *batcher)
{
    bool committed = false;
    if (!batcher->unsettled) return true;
    if (store_was_committed(batcher->store, &committed) != STORE_OK) return false;
    batcher->unsettled = false;
    if (committed) publish(batcher, &batcher->lost, batcher->lost_mark);
    return true;
}

/* Load, decide, write. On STORE_OK everything is on disk. */
static enum store_status batch_try(struct batcher *batcher, struct working_set *set,
                                   struct task **tasks, size_t count, struct mark *ret_mark)
{
    if (!batch_settle(batcher)) return STORE_DOWN;
    arena_reset(&batcher->arena);
    working_set_init(set, &batcher->arena, batch_now(batcher));
    set->keep_cancelled_ms = batcher->keep_cancelled_ms;
    set->tells = batcher->tells;

    enum store_status status = batch_load(batcher, set, tasks, count);
    if (status != STORE_OK) return status; /* the transaction is over */
    /* Under the locks, so that marks are in the order of commits. */
    if (batcher->snapshots) *ret_mark = snapshots_mark(batcher->snapshots);
    for (size_t i = 0; i < count; i++)
        decide_task(batcher, set, tasks[i]);
    if (set->changes.count == 0) {
        store_abandon(batcher->store);
        return STORE_OK;
    }
    int64_t before = clock_monotonic_us();
    status = store_commit(batcher->store, set);
    histogram_add(&batcher->counts->commit_us, (uint64_t)(clock_monotonic_us() - before) / 16);
    return status == STORE_UNKNOWN ? batch_resolve(batcher, set, *ret_mark) : status;
}

/* Who met somebody must not meet him again at the same moment. */
static void back_off(struct batcher *batcher, unsigned tried)
{
    unsigned least = (unsigned)BACKOFF_FIRST_MS << tried;
    batcher->pause(least + (unsigned)clock_monotonic_us() % least, batcher->clock_data);
}

/* Again while that may help. */
static enum store_status batch_insist(struct batcher *batcher, struct working_set *set,
                                      struct task **tasks, size_t count, struct mark *ret_mark)
{
    enum store_status status = batch_try(batcher, set, tasks, count, ret_mark);
    if (status == STORE_DOWN && !batcher->is_down) {
        add(&batcher->counts->retries, 1);
        status = batch_try(batcher, set, tasks, count, ret_mark);
    }
    for (unsigned tried = 1; status == STORE_BUSY && tried < TRIES; tried++) {
        add(&batcher->counts->retries, 1);
        back_off(batcher, tried);
        status = batch_try(batcher, set, tasks, count, ret_mark);
    }
    return status;
}

void batch_run(struct batcher *batcher, struct task **tasks, size_t count, struct list *ret_again)
{
    assert(count > 0 && count <= BATCH_MAX);
    assert(count == 1 || !command_is_alone(&tasks[0]->command));
    struct working_set set;
    struct mark mark = {0};
    enum store_status status = batch_insist(batcher, &set, tasks, count, &mark);

    if (status == STORE_OK) {
        histogram_add(&batcher->counts->size, count);
        publish(batcher, &set, mark);
        /* Rule 4: only here, after the commit. */
        answer(batcher, tasks, count, ret_again);
    } else if (status == STORE_REFUSED && count > 1) {
        add(&batcher->counts->singles, count);
        for (size_t i = 0; i < count; i++)
            batch_run(batcher, &tasks[i], 1, ret_again);
    } else {
        answer_fault(batcher, tasks, count, status);
    }
    if (status == STORE_OK && batcher->is_down) log_info("the store is back");
    batcher->is_down = status == STORE_DOWN || status == STORE_UNKNOWN;
}
