/* SPDX-License-Identifier: Apache-2.0 */
/* A process from its start to its death, and what it keeps in memory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

static const char *store_url(const struct world *world)
{
    return world->setting.processes > 1 ? "memory:sim?shared" : "memory:sim";
}

int64_t process_clock(const struct process *process)
{
    return process->world->now + process->skew_ms;
}

/* ---- hooks that live as long as the process: turn.c has the rest ---- */

int64_t turn_now(void *data);
void turn_pause(unsigned ms, void *data);
enum fault turn_fault(void *data, enum fault_point point);
void turn_slow(void *data, unsigned ms);

static void view_all(struct process *process)
{
    const struct model *model = &process->world->model;
    process->view.users = model->user_count;
    for (size_t i = 0; i < model->user_count; i++) {
        process->view.roles[i] = model->users[i].role;
        process->view.not_before[i] = model->users[i].not_before;
    }
    process->looked_at = process->world->now;
}

void process_start(struct world *world, struct process *process)
{
    unsigned number = process->number;
    *process = (struct process){.world = world, .number = number, .up = true};
    process->skew_ms = random_between(&world->random, -150, 150);
    process->plan =
        (struct fault_plan){.next = turn_fault, .data = process, .slow_ms = 700, .pass = turn_slow};
    const char *error = "";
    struct store *writer = store_open(store_url(world), STORE_WRITE, true, &world->arena, &error);
    if (!writer) world_fail(world, "a process cannot open the store: %s", error);
    if (!world->observer)
        world->observer = store_open(store_url(world), STORE_READ, false, &world->arena, &error);

    struct directory_rows rows = {0};
    arena_reset(&world->scratch);
    if (store_load_directory(writer, &world->scratch, &rows) != STORE_OK)
        world_fail(world, "the directory cannot be read");
    if (store_is_shared(writer)) rows.last_user_id = UINT64_MAX; /* as the engine does it */
    process->directory = directory_new(&rows);
    process->snapshots = snapshots_new(world->setting.snapshots, 0);
    const struct batcher batcher = {
        .store = store_faulty(writer, &process->plan),
        .directory = process->directory,
        .snapshots = process->snapshots,
        .keep_cancelled_ms = world->setting.keep_cancelled_ms,
        .now = turn_now,
        .pause = turn_pause,
        .clock_data = process,
        .counts = &process->counts,
    };
    process->lane = lane_new(&batcher, CROWD);
    view_all(process);
}

void process_free(struct process *process)
{
    if (!process->up) return;
    if (process->world->reading.process == process) process_read_end(process->world, true);
    lane_free(process->lane);
    directory_free(process->directory);
    snapshots_free(process->snapshots);
    process->up = false;
}

/* What was in memory is gone; what is committed stays, and a new one starts. */
void process_die(struct process *process)
{
    struct world *world = process->world;
    world->deaths++;
    for (size_t i = 0; i < world->request_count; i++)
        if (world->requests[i]->process == process && world->requests[i]->state == REQUEST_QUEUED)
            world->requests[i]->state = REQUEST_LOST;
    process_free(process);
    process_start(world, process);
    world->model.touched_count = 0;
}

/* ---- users ---- */

void process_look_again(struct process *process)
{
    struct world *world = process->world;
    struct directory_rows rows = {0};
    uint64_t since = directory_version(process->directory);
    arena_reset(&world->scratch);
    if (store_load_directory(world->observer, &world->scratch, &rows) != STORE_OK)
        world_fail(world, "the directory cannot be read");
    if (!directory_replace(process->directory, &rows, since))
        world_fail(world, "nobody was at the directory meanwhile");
    view_all(process);
}

/* ---- events ---- */

static void expect_face(struct process *process, const struct event *event, uint64_t since,
                        const char *where)
{
    struct world *world = process->world;
    for (size_t i = 0; i < world->model.event_count; i++) {
        if (world->model.events[i].id != event->id) continue;
        if (process->own_face[i] > since) since = process->own_face[i];
        if (!face_is_known(world, i, event_face(event), since))
            world_fail(world, "process %u shows event %" PRIu64 " as it was too long ago (%s)",
                       process->number, event->id, where);
        return;
    }
    world_fail(world, "process %u shows an event that nobody made", process->number);
}

/* What somebody who looks would be shown; NULL when he would have to read. */
static struct snapshot *peek(struct process *process, uint64_t event_id)
{
    struct snapshot *snapshot;
    struct link waiter;
    const struct reading *reading = &process->world->reading;
    /* He would wait for that one, and nobody waits here. */
    if (reading->is_open && reading->process == process && reading->event_id == event_id)
        return NULL;
    enum look look = snapshots_look(process->snapshots, event_id, &waiter, &snapshot);
    if (look == LOOK_SHOWN) return snapshot;
    struct list waiters;
    snapshots_not_read(process->snapshots, event_id, &waiters);
    return NULL;
}

void process_check_snapshots(struct process *process)
{
    struct world *world = process->world;
    for (size_t i = 0; i < world->model.event_count; i++) {
        struct snapshot *snapshot = peek(process, world->model.events[i].id);
        if (!snapshot) continue;
        /* Alone on its store a process shows what is; with others, at least what it did itself.
         * What it does not know to be committed it cannot show. */
        bool knows = world->setting.processes == 1 && !process->publication.is_due;
        uint64_t since = knows ? world->last_face[i] : 0;
        expect_face(process, &snapshot->event, since, "snapshot");
        snapshot_release(snapshot);
    }
}

void process_read_begin(struct process *process, uint64_t event_id)
{
    struct world *world = process->world;
    struct reading *reading = &world->reading;
    process_read_end(world, false);
    arena_reset(&world->reading_arena);
    *reading = (struct reading){.process = process, .event_id = event_id};
    struct snapshot *snapshot;
    struct link waiter;
    enum look look = snapshots_look(process->snapshots, event_id, &waiter, &snapshot);
    if (look == LOOK_SHOWN) snapshot_release(snapshot); /* process_check_snapshots() looks at it */
    if (look != LOOK_READ) return;
    reading->is_open = true;
    reading->mark = snapshots_mark(process->snapshots);
    if (store_find_event(world->observer, event_id, &world->reading_arena, &reading->event) !=
        STORE_OK)
        world_fail(world, "an event cannot be read");
    for (size_t i = 0; i < world->model.event_count; i++)
        if (world->model.events[i].id == event_id) reading->face = world->last_face[i];
}

void process_read_end(struct world *world, bool in_vain)
{
    struct reading *reading = &world->reading;
    if (!reading->is_open) return;
    reading->is_open = false;
    struct process *process = reading->process;
    struct list waiters;
    if (in_vain) {
        snapshots_not_read(process->snapshots, reading->event_id, &waiters);
        return;
    }
    struct snapshot *shown = snapshots_found(process->snapshots, reading->event_id, reading->event,
                                             reading->mark, &waiters);
    if (!shown) return; /* deleted, or never there */
    bool alone = world->setting.processes == 1 && !process->publication.is_due;
    for (size_t i = 0; i < world->model.event_count; i++)
        if (world->model.events[i].id == reading->event_id &&
            !face_is_known(world, i, event_face(&shown->event), alone ? reading->face : 0))
            world_fail(world, "process %u shows a reader an event from before he asked",
                       process->number);
    snapshot_release(shown);
    process_check_snapshots(process);
}
