/* SPDX-License-Identifier: Apache-2.0 */
/* A turn of a lane, and what may happen in the middle of it. Every place where the engine or the
 * store calls back is one where a fault, the death of the process or the turn of another process
 * may come. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

int64_t turn_now(void *data);
void turn_pause(unsigned ms, void *data);
enum fault turn_fault(void *data, enum fault_point point);
void turn_slow(void *data, unsigned ms);

static const char *const fault_names[] = {
    [FAULT_NONE] = "none",
    [FAULT_BUSY] = "busy",
    [FAULT_DOWN] = "down",
    [FAULT_REFUSED] = "refused",
    [FAULT_UNKNOWN_DONE] = "lost during commit, done",
    [FAULT_UNKNOWN_LOST] = "lost during commit, not done",
    [FAULT_SLOW] = "slow",
};
static const char *const point_names[] = {
    [FAULT_AT_LOAD] = "load",
    [FAULT_AT_COMMIT] = "commit",
    [FAULT_AT_WAS_COMMITTED] = "asking whether it was committed",
    [FAULT_AT_READ] = "read",
};

/* ---- what may happen at any place ---- */

static void perhaps_die(struct process *process, const char *where)
{
    if (!process->deadly || !random_percent(&process->world->random, 12)) return;
    world_say(process->world, "    process %u dies: %s", process->number, where);
    longjmp(process->death, 1);
}

static void perhaps_others(struct process *process)
{
    struct world *world = process->world;
    if (world->setting.processes < 2 || world->depth > 1 || !random_percent(&world->random, 15))
        return;
    unsigned other =
        (process->number + 1 + random_below(&world->random, world->setting.processes - 1)) %
        world->setting.processes;
    if (world->processes[other].in_turn) return;
    world_say(world, "    meanwhile:");
    world_turn(&world->processes[other], false);
}

static void something(struct process *process, const char *where)
{
    perhaps_others(process);
    perhaps_die(process, where);
}

/* ---- the model follows ---- */

/* Good as far as this process can know. */
static bool token_is_alive(const struct process *process, const struct actor *actor)
{
    const struct model *model = &process->world->model;
    for (size_t i = 0; i < model->user_count; i++)
        if (model->users[i].id == actor->id) return actor->token_at > process->view.not_before[i];
    return false;
}

static void apply_one(struct process *process, struct request *request)
{
    struct world *world = process->world;
    const struct task *task = &request->task;
    const struct answer *got = &request->answer;
    const struct m_key *known = NULL;
    if (request->key)
        known = model_key(&world->model, world->model.key_count, task->key.user_id, request->key,
                          process->now);
    const char *wrong = NULL;
    if (known && known->request != request->request) {
        if (got->outcome != IDEMPOTENCY_KEY_REUSED) wrong = "a key came with another request";
    } else if (known) {
        wrong = "rule 5: decided again, although its key has an answer";
    } else {
        bool alive = !task->directory_version || token_is_alive(process, &task->command.actor);
        /* Who is erased may be known by the row that the batch has locked, before the directory
         * knows. */
        const struct m_user *actor = model_user(&world->model, task->command.actor.id);
        if (task->directory_version && actor && actor->erased_at && got->outcome == UNAUTHORIZED)
            alive = false;
        /* Revocations are kept as long as tokens last; nobody's request stands in a queue longer.
         */
        if (task->directory_version && process->now - task->command.actor.token_at > TOKEN_LASTS_MS)
            alive = got->outcome != UNAUTHORIZED;
        wrong = model_decide(&world->model, &task->command, process->now, alive, got);
    }
    if (wrong) {
        char text[256];
        request_text(request, text, sizeof(text));
        world_fail(world, "#%u %s: %s", request->number, text, wrong);
    }
    if (request->key && !known && got->outcome != UNAUTHORIZED)
        model_key_add(&world->model, &(struct m_key){.user_id = task->key.user_id,
                                                     .key = request->key,
                                                     .request = request->request,
                                                     .at = process->now,
                                                     .answer = *got});
}

/* What the process is going to publish of the command that was judged last. */
static void note_touched(struct process *process)
{
    const struct model *model = &process->world->model;
    struct publication *publication = &process->publication;
    for (size_t i = 0; i < model->touched_count; i++)
        publication->touched[publication->touched_count++] = model->touched[i];
}

/* The batch is committed: every command of it, in order. */
static void apply(struct process *process)
{
    struct world *world = process->world;
    struct publication *publication = &process->publication;
    process->applied = true;
    publication->touched_count = 0;
    publication->is_due = true;
    memset(publication->faces, 0, sizeof(publication->faces));
    for (size_t i = 0; i < process->proposed; i++) {
        world->model.touched_count = 0;
        apply_one(process, process->proposal[i]);
        note_touched(process);
    }
    world->batches++;
    process->keys_then = world->model.key_count;
    if (!process->proposed) return;
    uint64_t before = world->face_count;
    note_faces(world);
    for (size_t i = 0; i < world->model.event_count; i++)
        if (world->last_face[i] > before) publication->faces[i] = world->last_face[i];
    check_touched(world);
}

/* The process has told the rest of itself, as it does after a commit that it knows of. */
static void publish(struct process *process)
{
    struct publication *publication = &process->publication;
    struct view *view = &process->view;
    publication->is_due = false;
    for (size_t i = 0; i < publication->touched_count; i++) {
        const struct m_touched *touched = &publication->touched[i];
        /* Who has registered elsewhere is not known by what is done to him. */
        if (touched->is_new && view->users <= touched->user) view->users = touched->user + 1;
        if (touched->has_role) view->roles[touched->user] = touched->role;
        if (touched->is_revoked && view->not_before[touched->user] < touched->not_before)
            view->not_before[touched->user] = touched->not_before;
    }
    for (size_t i = 0; i < MODEL_EVENTS; i++)
        if (publication->faces[i]) process->own_face[i] = publication->faces[i];
}

/* ---- hooks ---- */

/* The engine asks once at the beginning of each try. */
int64_t turn_now(void *data)
{
    struct process *process = data;
    process->proposed = 0;
    process->applied = false;
    process->commit_fault = FAULT_NONE;
    if (process->publication.is_due)
        world_fail(process->world, "process %u goes on without knowing whether it has committed",
                   process->number);
    int64_t now = process_clock(process);
    if (now < process->last_now) now = process->last_now;
    process->now = process->last_now = now;
    return process_clock(process); /* it must not go back by itself */
}

void turn_pause(unsigned ms, void *data)
{
    struct process *process = data;
    /* How long is by chance, and not by ours: the longest power of two within. */
    while (ms & (ms - 1))
        ms &= ms - 1;
    process->world->now += ms;
    something(process, "waiting to try again");
}

void turn_slow(void *data, unsigned ms)
{
    struct process *process = data;
    process->world->now += ms;
}

static enum fault draw_fault(struct process *process, enum fault_point point)
{
    uint64_t *random = &process->world->random;
    if (process->silent && point == FAULT_AT_WAS_COMMITTED) return FAULT_DOWN;
    if (!process->faulty || !random_percent(random, 35)) return FAULT_NONE;
    switch (point) {
    case FAULT_AT_COMMIT:
        return (enum fault)(FAULT_BUSY + random_below(random, FAULT_SLOW - FAULT_BUSY + 1));
    case FAULT_AT_LOAD: {
        static const enum fault faults[] = {FAULT_BUSY, FAULT_BUSY, FAULT_DOWN, FAULT_REFUSED,
                                            FAULT_SLOW};
        return faults[random_below(random, 5)];
    }
    case FAULT_AT_WAS_COMMITTED:
    case FAULT_AT_READ: {
        static const enum fault faults[] = {FAULT_BUSY, FAULT_DOWN, FAULT_SLOW};
        return faults[random_below(random, 3)];
    }
    }
    return FAULT_NONE;
}

enum fault turn_fault(void *data, enum fault_point point)
{
    struct process *process = data;
    struct world *world = process->world;
    if (point == FAULT_AT_WAS_COMMITTED && process->commit_fault == FAULT_UNKNOWN_DONE &&
        !process->applied)
        apply(process);
    something(process, point_names[point]);
    enum fault fault = draw_fault(process, point);
    if (fault != FAULT_NONE) {
        world->faults++;
        world_say(world, "    process %u, %s: %s", process->number, point_names[point],
                  fault_names[fault]);
        process->disturbed = true;
        if (fault == FAULT_REFUSED) process->refused = true;
    }
    if (point == FAULT_AT_COMMIT) process->commit_fault = fault;
    if (point == FAULT_AT_WAS_COMMITTED && (fault == FAULT_NONE || fault == FAULT_SLOW) &&
        process->publication.is_due)
        publish(process);
    return fault;
}

struct replay_answer turn_compose(struct task *task);
void turn_done(struct task *task);

static void answer_of(const struct result *result, struct answer *answer)
{
    memset(answer, 0, sizeof(*answer));
    answer->outcome = result->outcome;
    if (outcome_is_error(result->outcome)) return;
    answer->position = result->position;
    answer->ahead = result->ahead;
    answer->promoted = result->promoted;
    answer->cancelled = result->cancelled;
    answer->payment_id = result->payment ? result->payment->id : 0;
    answer->user_id = result->user ? result->user->id : 0;
    const struct booking *booking = result->booking;
    const struct event *event = result->event;
    if (booking) {
        answer->event_id = booking->event_id;
        answer->booking_id = booking->id;
        answer->quantity = booking->quantity;
        answer->status = booking->status;
        answer->paid = booking->paid;
        answer->total = booking_total(booking);
        answer->number_count = (uint32_t)booking->number_count;
        for (size_t i = 0; i < booking->number_count && i < ANSWER_NUMBERS; i++)
            answer->numbers[i] = booking->numbers[i];
    } else if (event) {
        answer->event_id = event->id;
        answer->version = event->version;
        answer->type_count = (uint32_t)event->type_count;
        for (size_t i = 0; i < event->type_count && i < MODEL_TYPES; i++)
            answer->types[i] = (struct answer_type){
                .id = event->types[i].id,
                .wanted = event->types[i].wanted,
                .capacity = event->types[i].capacity,
                .booked = event->types[i].booked,
                .held = event->types[i].held,
                .waiting = event->types[i].waiting,
            };
    }
}

struct replay_answer turn_compose(struct task *task)
{
    struct request *request = task->owner;
    struct process *process = request->process;
    answer_of(&task->result, &request->answer);
    if (process->proposed == CROWD) world_fail(process->world, "a batch of too many");
    process->proposal[process->proposed++] = request;
    return (struct replay_answer){
        .status = outcome_texts[request->answer.outcome].status,
        .body = {(const char *)&request->answer, sizeof(request->answer)},
    };
}

static void answered(struct process *process, struct request *request, const struct answer *answer)
{
    struct world *world = process->world;
    char text[256], said[256];
    if (world->verbose) {
        request_text(request, text, sizeof(text));
        answer_text(answer, said, sizeof(said));
        world_say(world, "    #%u %s -> %s%s", request->number, text, said,
                  request->task.replayed ? " (replayed)" : "");
    }
    request->answer = *answer;
    request->has_answer = true;
    request->state = REQUEST_ANSWERED;
    world->answered++;
}

static void check_replay(struct process *process, const struct request *request)
{
    struct world *world = process->world;
    const struct replay_answer *replayed = request->task.replayed;
    const struct m_key *known = NULL;
    /* As it was when the batch was committed: others may have come since. */
    if (request->key)
        known = model_key(&world->model, process->keys_then, request->task.key.user_id,
                          request->key, process->now);
    if (!known || known->request != request->request)
        world_fail(world, "#%u: replayed what was never answered", request->number);
    struct str first = {(const char *)&known->answer, sizeof(known->answer)};
    if (!str_equal(replayed->body, first))
        world_fail(world, "#%u: replayed another answer than the first one", request->number);
}

static void failed(struct process *process, struct request *request)
{
    struct world *world = process->world;
    enum outcome outcome = request->task.result.outcome;
    request->state = REQUEST_FAILED;
    world_say(world, "    #%u -> %s", request->number, outcome_texts[outcome].word);
    if (outcome == INTERNAL ? !process->refused : !process->disturbed)
        world_fail(world, "#%u: %s without a cause", request->number, outcome_texts[outcome].word);
    if (outcome != INTERNAL && outcome != UNAVAILABLE)
        world_fail(world, "#%u: %s, and no answer", request->number, outcome_texts[outcome].word);
    /* What was said to have failed for good has not happened. */
    if (outcome == INTERNAL && process->applied)
        world_fail(world, "#%u: internal, but it was done", request->number);
}

void turn_done(struct task *task)
{
    struct request *request = task->owner;
    struct process *process = request->process;
    struct world *world = process->world;
    if (request->state != REQUEST_QUEUED)
        world_fail(world, "#%u is answered twice", request->number);
    if (!task->composed && !task->replayed) {
        failed(process, request);
        return;
    }
    if (!process->applied) apply(process);
    if (process->publication.is_due) publish(process);
    if (task->replayed) check_replay(process, request);
    something(process, "after the commit, before an answer");
    struct answer answer = request->answer;
    if (task->replayed) memcpy(&answer, task->replayed->body.data, sizeof(answer));
    answered(process, request, &answer);
}

/* ---- the turn ---- */

bool world_has_work(const struct process *process)
{
    for (size_t i = 0; i < process->world->request_count; i++) {
        const struct request *request = process->world->requests[i];
        if (request->process == process && request->state == REQUEST_QUEUED) return true;
    }
    return false;
}

void world_turn(struct process *process, bool calm)
{
    struct world *world = process->world;
    if (!world_has_work(process)) return;
    world->depth++;
    process->in_turn = true;
    process->disturbed = world->depth > 1; /* the other one may hold the lock */
    process->refused = false;
    process->faulty = !calm && random_percent(&world->random, world->setting.fault_percent);
    process->silent = process->faulty && random_percent(&world->random, 10);
    process->deadly = !calm && random_percent(&world->random, world->setting.fault_percent / 3);
    unsigned depth = world->depth;
    if (setjmp(process->death) == 0) {
        lane_turn(process->lane, 0);
        process->in_turn = false;
        process_check_snapshots(process);
    } else {
        world->depth = depth;
        process_die(process);
    }
    world->depth--;
}
