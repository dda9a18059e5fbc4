/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "world.h"

enum step_kind {
    STEP_ASK,
    STEP_BURST,
    STEP_ASK_AGAIN,
    STEP_TURN,
    STEP_CLOCK,
    STEP_DIE,
    STEP_READ,
    STEP_READ_END,
    STEP_LOOK_AGAIN,
    STEP_SIGN_IN,
    STEP_CHECK_ALL,
    STEP_KINDS,
};
static const char *const step_names[STEP_KINDS] = {
    "ask",  "several ask", "ask again",  "turn",    "time passes", "a process dies",
    "read", "end of read", "look again", "sign in", "compare all",
};

/* ---- failing and telling ---- */

void world_fail(struct world *world, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(world->failure, sizeof(world->failure), format, arguments);
    va_end(arguments);
    longjmp(world->end, 1);
}

void world_say(const struct world *world, const char *format, ...)
{
    if (!world->verbose) return;
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

/* ---- the beginning: an administrator, an organizer, some users, two events ---- */

static void ask_first(struct world *world, enum command_kind kind, struct command command)
{
    struct process *process = &world->processes[0];
    struct request *request = request_new(world, process, kind);
    request->task.command = command;
    request->task.command.kind = kind;
    request_send(request);
}

static void people_arrive(struct world *world)
{
    static const char *const names[] = {"ada", "otto", "uma", "udo", "ulla", "urs"};
    for (size_t i = 0; i < 6; i++)
        ask_first(world, COMMAND_REGISTER,
                  (struct command){
                      .user = {.fields = FIELD_NAME | FIELD_USERNAME,
                               .user = {.name = str_of(names[i]), .username = str_of(names[i])}}});
    world_turn(&world->processes[0], true);
    for (size_t i = 0; i < 2; i++)
        ask_first(world, COMMAND_SET_ROLE,
                  (struct command){.user.user = {.id = world->model.users[i].id,
                                                 .role = i ? ROLE_ORGANIZER : ROLE_ADMIN}});
    world_turn(&world->processes[0], true);
    for (unsigned i = 1; i < world->setting.processes; i++)
        process_look_again(&world->processes[i]);
}

static void events_open(struct world *world)
{
    for (size_t i = 0; i < 2; i++) {
        struct ticket_type *types = ARENA_ARRAY(&world->arena, struct ticket_type, 2);
        for (size_t j = 0; j < 2; j++) {
            types[j].name = STR("Stalls");
            types[j].capacity = 1 + random_below(&world->random, world->setting.tight);
            types[j].price = j ? 700 : 0;
        }
        ask_first(world, COMMAND_CREATE_EVENT,
                  (struct command){.actor.id = world->model.users[1].id,
                                   .create = {.name = STR("Show"),
                                              .timezone = STR("UTC"),
                                              .currency = "EUR",
                                              .status = EVENT_ON_SALE,
                                              .max_per_user = i ? 4 : 0,
                                              .types = types,
                                              .type_count = 1 + i}});
        world_turn(&world->processes[0], true);
    }
}

static void world_setting(struct setting *setting, uint64_t *random)
{
    static const int64_t keep[] = {0, 3600000, INT64_C(365) * 24 * 3600000};
    static const uint8_t processes[] = {50, 30, 20}, faults[] = {25, 45, 30};
    *setting = (struct setting){
        .processes = random_weighted(random, processes, 3) + 1,
        .open_organizing = random_percent(random, 60),
        .keep_cancelled_ms = keep[random_below(random, 3)],
        .fault_percent = (unsigned[]){0, 20, 60}[random_weighted(random, faults, 3)],
        .tight = random_percent(random, 60) ? 4 : 12,
        .snapshots = random_percent(random, 30) ? 1 : 64,
    };
}

void world_open(struct world *world, const struct setting *setting, uint64_t seed)
{
    world->setting = *setting;
    world->random = seed;
    world->now = INT64_C(1800000000000);
    world->model.keep_cancelled_ms = setting->keep_cancelled_ms;
    for (unsigned i = 0; i < setting->processes; i++) {
        world->processes[i].number = i;
        process_start(world, &world->processes[i]);
    }
    people_arrive(world);
    events_open(world);
}

void world_close(struct world *world)
{
    for (unsigned i = 0; i < world->setting.processes; i++)
        process_free(&world->processes[i]);
    store_close(world->observer);
    arena_free(&world->arena);
    arena_free(&world->scratch);
    arena_free(&world->reading_arena);
    model_free(&world->model);
    free(world->requests);
    free(world->faces);
}

/* ---- steps ---- */

static enum step_kind draw_step(uint64_t *random)
{
    static const uint8_t weights[STEP_KINDS] = {
        [STEP_ASK] = 90,    [STEP_BURST] = 12,     [STEP_ASK_AGAIN] = 16, [STEP_TURN] = 80,
        [STEP_CLOCK] = 8,   [STEP_DIE] = 3,        [STEP_READ] = 5,       [STEP_READ_END] = 6,
        [STEP_SIGN_IN] = 3, [STEP_LOOK_AGAIN] = 4, [STEP_CHECK_ALL] = 1,
    };
    return (enum step_kind)random_weighted(random, weights, STEP_KINDS);
}

/* The very moment at which something begins or ends, by the clock of one of the processes; 0 when
 * there is none to come. */
static int64_t some_moment(struct world *world)
{
    uint64_t *random = &world->random;
    struct model *model = &world->model;
    const struct process *process =
        &world->processes[random_below(random, world->setting.processes)];
    const struct m_event *event =
        &model->events[random_below(random, (uint32_t)model->event_count)];
    const struct m_type *type = &event->types[random_below(random, event->type_count)];
    const struct m_booking *booking =
        model->booking_count
            ? &model->bookings[random_below(random, (uint32_t)model->booking_count)]
            : NULL;
    const int64_t moments[] = {
        event->starts_at,
        type->sales_start,
        type->sales_end,
        model->key_count ? model->keys[model->key_count - 1].at + 86400000 : 0,
        booking ? booking->updated_at + model->keep_cancelled_ms : 0,
    };
    int64_t at =
        moments[random_below(random, 5)] - process->skew_ms + random_between(random, -1, 1);
    return at > world->now && at < world->now + INT64_C(34560000000) ? at : 0;
}

static void time_passes(struct world *world)
{
    int64_t moment = random_percent(&world->random, 40) ? some_moment(world) : 0;
    if (moment) {
        world_say(world, "    %lld ms, to the moment", (long long)(moment - world->now));
        world->now = moment;
        return;
    }
    if (random_percent(&world->random, 15)) {
        struct process *process =
            &world->processes[random_below(&world->random, world->setting.processes)];
        process->skew_ms = random_between(&world->random, -150, 150);
        world_say(world, "    the clock of process %u is set", process->number);
        return;
    }
    static const int64_t spans[] = {1,       50,       900,      5000,      60000,
                                    3600000, 86390000, 86410000, 864000000, INT64_C(34560000000)};
    static const uint8_t weights[] = {20, 20, 20, 15, 10, 8, 4, 4, 2, 1};
    int64_t span = spans[random_weighted(&world->random, weights, 10)];
    world->now += span;
    world_say(world, "    %lld ms", (long long)span);
}

static void do_step(struct world *world, enum step_kind kind)
{
    uint64_t *random = &world->random;
    struct process *process = &world->processes[random_below(random, world->setting.processes)];
    switch (kind) {
    case STEP_ASK: client_ask(world, process); break;
    case STEP_BURST:
        for (uint32_t left = 2 + random_below(random, 6); left > 0; left--)
            client_ask(world, process);
        break;
    case STEP_ASK_AGAIN: client_ask_again(world, process); break;
    case STEP_TURN: world_turn(process, false); break;
    case STEP_CLOCK: time_passes(world); break;
    case STEP_DIE: process_die(process); break;
    case STEP_READ:
        process_read_begin(process, 1 + random_below(random, (uint32_t)world->model.event_count));
        break;
    case STEP_READ_END: process_read_end(world, random_percent(random, 20)); break;
    case STEP_LOOK_AGAIN: process_look_again(process); break;
    case STEP_SIGN_IN:
        client_sign_in(world, process, random_below(random, (uint32_t)world->model.user_count));
        break;
    case STEP_CHECK_ALL: check_all(world); break;
    case STEP_KINDS: break;
    }
    /* Whoever has others beside him looks again after a second at the latest. */
    for (unsigned i = 0; world->setting.processes > 1 && i < world->setting.processes; i++)
        if (world->now - world->processes[i].looked_at >= 1000)
            process_look_again(&world->processes[i]);
}

static void run_to_the_end(struct world *world, const struct run *run)
{
    uint64_t random = run->seed * 2 + 1;
    struct setting setting;
    world_setting(&setting, &random);
    world_open(world, &setting, random_next(&random));
    for (size_t i = 0; i < run->steps; i++) {
        enum step_kind kind = draw_step(&random);
        world->random = random_next(&random);
        if (run->left_out && run->left_out[i]) continue;
        if (run->at) *run->at = i;
        world_say(world, "%zu %s", i, step_names[kind]);
        do_step(world, kind);
    }
    if (run->at) *run->at = run->steps;
    world_say(world, "%zu the end: what is still in the queues, and everything compared",
              run->steps);
    for (unsigned i = 0; i < setting.processes; i++)
        while (world_has_work(&world->processes[i]))
            world_turn(&world->processes[i], true);
    check_all(world);
}

bool run(const struct run *run, struct run_figures *figures, char *failure, size_t size)
{
    struct world *world = calloc(1, sizeof(*world));
    if (!world) abort();
    log_threshold = LOG_ERROR + 1; /* what the lanes have to say of faults */
    world->verbose = run->verbose;
    world->deep = run->deep;
    if (setjmp(world->end) == 0) run_to_the_end(world, run);
    bool good = !*world->failure;
    if (!good) snprintf(failure, size, "%s", world->failure);
    figures->runs++;
    figures->steps += run->steps;
    figures->answered += world->answered;
    figures->batches += world->batches;
    figures->faults += world->faults;
    figures->deaths += world->deaths;
    figures->bookings += world->model.booking_count;
    world_close(world);
    free(world);
    return good;
}
