/* SPDX-License-Identifier: Apache-2.0 */
/* The clients: they ask for all that can be asked for, mostly for bookings, with and without keys,
 * and ask again where they had no answer, or for no reason at all. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

struct replay_answer turn_compose(struct task *task);
void turn_done(struct task *task);

enum { CAPACITY_MOST = 40, QUANTITY_MOST = 14 };

/* ---- requests ---- */

struct request *request_new(struct world *world, struct process *process, enum command_kind kind)
{
    struct request *request = ARENA_NEW(&world->arena, struct request);
    if (world->request_count == world->request_size) {
        world->request_size = world->request_size ? world->request_size * 2 : 256;
        world->requests = realloc(world->requests, world->request_size * sizeof(*world->requests));
        if (!world->requests) abort();
    }
    world->requests[world->request_count] = request;
    request->number = (unsigned)++world->request_count;
    request->process = process;
    request->state = REQUEST_FAILED;
    request->task.command.kind = kind;
    request->task.compose = turn_compose;
    request->task.done = turn_done;
    request->task.owner = request;
    return request;
}

static void request_key(struct request *request, uint32_t key, uint32_t body)
{
    request->key = key;
    request->request = body;
    request->task.has_key = true;
    request->task.key.user_id = request->task.command.actor.id;
    /* As if hashed. */
    uint64_t state = key, words[2] = {random_next(&state), random_next(&state)};
    memcpy(request->task.key.key, words, sizeof(words));
    memcpy(request->task.request, &body, sizeof(body));
}

static size_t user_index(const struct world *world, uint64_t id)
{
    size_t at = 0;
    while (at < world->model.user_count && world->model.users[at].id != id)
        at++;
    return at;
}

void client_sign_in(struct world *world, struct process *process, size_t user)
{
    const struct m_user *who = &world->model.users[user];
    if (who->erased_at) return;
    int64_t now = process_clock(process);
    int64_t at = directory_issue_time(process->directory, who->id, now);
    bool is_known = user < process->view.users;
    if (at < now || (is_known && at <= process->view.not_before[user]))
        world_fail(world, "user %" PRIu64 " gets a token that is dead", who->id);
    world->tokens[user][1] = world->tokens[user][0];
    world->tokens[user][0] = at;
    world_say(world, "    user %" PRIu64 " signs in at process %u", who->id, process->number);
}

/* As api_handle() does before a command is made. False: 401. */
static bool identify(struct request *request)
{
    struct process *process = request->process;
    struct world *world = process->world;
    struct actor *actor = &request->task.command.actor;
    size_t user = user_index(world, actor->id);
    int64_t *tokens = world->tokens[user];
    if (!tokens[0] || process_clock(process) - tokens[0] > TOKEN_LASTS_MS)
        client_sign_in(world, process, user);
    if (process_clock(process) - tokens[0] > TOKEN_LASTS_MS) return false; /* he is erased */
    bool old = tokens[1] && process_clock(process) - tokens[1] <= TOKEN_LASTS_MS &&
               random_percent(&world->random, 10);
    actor->token_at = tokens[old];
    request->task.directory_version = directory_version(process->directory);
    bool good = directory_check(process->directory, actor->id, actor->token_at, &actor->role);
    const struct view *view = &process->view;
    bool is_known = user < view->users || world->setting.processes > 1;
    bool wanted = is_known && actor->token_at > view->not_before[user];
    if (good != wanted)
        world_fail(world, "process %u takes a token of user %" PRIu64 " for %s", process->number,
                   actor->id, good ? "good" : "dead");
    if (good && actor->role != view->roles[user])
        world_fail(world, "process %u takes user %" PRIu64 " for a %s", process->number, actor->id,
                   role_names[actor->role]);
    request->task.command.organizing_allowed =
        good && (actor->role >= ROLE_ORGANIZER || world->setting.open_organizing);
    if (!good) {
        world_say(world, "    user %" PRIu64 " is sent away by process %u", actor->id,
                  process->number);
        if (!old) client_sign_in(world, process, user);
    }
    return good;
}

/* The tables of the model have bounds. */
static bool has_room(struct world *world, const struct command *command)
{
    if (command->kind == COMMAND_CREATE_EVENT) return ++world->creations < MODEL_EVENTS;
    if (command->kind == COMMAND_REGISTER) return ++world->registrations < MODEL_USERS;
    if (command->kind != COMMAND_UPDATE_EVENT) return true;
    for (size_t i = 0; i < command->update.type_count; i++)
        if (!command->update.types[i].type.id)
            for (size_t j = 0; j < world->model.event_count; j++)
                if (world->model.events[j].id == command->update.event.id &&
                    ++world->additions[j] > 3)
                    return false;
    return true;
}

bool request_send(struct request *request)
{
    struct process *process = request->process;
    struct world *world = process->world;
    struct command *command = &request->task.command;
    if (!has_room(world, command)) return false;
    if (command->actor.id && !identify(request)) return false;
    if (command->kind == COMMAND_REGISTER || command->kind == COMMAND_PRUNE)
        request->task.directory_version = 0; /* nobody's */
    if (world->verbose) {
        char text[256];
        request_text(request, text, sizeof(text));
        world_say(world, "    #%u to process %u: %s", request->number, process->number, text);
    }
    if (!lane_put(process->lane, &request->task)) {
        world_say(world, "    #%u: the queue is full", request->number);
        return false;
    }
    request->state = REQUEST_QUEUED;
    return true;
}

/* ---- what is asked for ---- */

static uint64_t pick_user(struct world *world)
{
    return world->model.users[random_below(&world->random, (uint32_t)world->model.user_count)].id;
}

static struct m_event *pick_event(struct world *world)
{
    uint32_t count = (uint32_t)world->model.event_count;
    if (!count) return NULL;
    /* Mostly the first ones, which are so sold out that it matters. */
    uint32_t at = random_below(&world->random, count);
    if (random_percent(&world->random, 60))
        at = random_below(&world->random, count < 2 ? count : 2);
    return &world->model.events[at];
}

static uint32_t pick_quantity(struct world *world)
{
    static const uint8_t weights[] = {50, 20, 10, 8, 5, 3, 2, 1, 1};
    uint32_t quantity = random_weighted(&world->random, weights, sizeof(weights)) + 1;
    return quantity == sizeof(weights) ? 50 : quantity;
}

static void ask_to_book(struct world *world, struct command *command)
{
    const struct m_event *event = pick_event(world);
    command->book.event_id = event && !random_percent(&world->random, 2) ? event->id : 9999;
    command->book.quantity = pick_quantity(world);
    command->book.join_waiting_list = !random_percent(&world->random, 15);
    if (!event) return;
    if (event->type_count > 1 || random_percent(&world->random, 50))
        command->book.ticket_type_id =
            event->types[random_below(&world->random, event->type_count)].id;
    if (random_percent(&world->random, 2)) command->book.ticket_type_id = 0;
    if (random_percent(&world->random, 2)) command->book.ticket_type_id = 1;
}

/* Mostly an active one, and mostly by its owner. */
static void ask_to_cancel(struct world *world, struct command *command)
{
    uint32_t count = (uint32_t)world->model.booking_count;
    if (!count) return;
    const struct m_booking *booking = NULL;
    for (int i = 0; i < 4; i++) {
        booking = &world->model.bookings[random_below(&world->random, count)];
        if (booking->status != BOOKING_CANCELLED) break;
    }
    command->cancel.booking_id = booking->id;
    if (random_percent(&world->random, 75)) command->actor.id = booking->user_id;
    if (random_percent(&world->random, 35))
        command->cancel.quantity = 1 + random_below(&world->random, booking->quantity + 1);
}

static void ask_to_pay(struct world *world, struct command *command)
{
    uint32_t count = (uint32_t)world->model.booking_count;
    if (!count) return;
    const struct m_booking *booking = &world->model.bookings[random_below(&world->random, count)];
    command->pay.booking_id = booking->id;
    command->pay.amount = random_between(&world->random, 1, 1500);
    command->pay.note = STR("at the door");
    if (random_percent(&world->random, 70)) command->actor.id = booking->event->organizer_id;
}

static int64_t some_time(struct world *world)
{
    static const int64_t spans[] = {-DAY_MS, 2000,        60000,       3600000,
                                    DAY_MS,  30 * DAY_MS, 900 * DAY_MS};
    return world->now + spans[random_below(&world->random, 7)];
}

static uint32_t some_capacity(struct world *world)
{
    return 1 + random_below(&world->random, world->setting.tight);
}

static void fill_type(struct world *world, struct ticket_type *type)
{
    uint64_t *random = &world->random;
    type->name = random_percent(random, 50) ? STR("Stalls") : STR("Balcony");
    type->capacity = some_capacity(world);
    type->price = random_percent(random, 50) ? 0 : 500;
    if (random_percent(random, 20)) type->max_per_booking = 1 + random_below(random, 4);
    if (random_percent(random, 12)) type->sales_start = some_time(world);
    if (random_percent(random, 12)) type->sales_end = some_time(world);
}

static void ask_for_event(struct world *world, struct command *command)
{
    uint64_t *random = &world->random;
    struct event *event = &command->create;
    event->name = STR("Show");
    event->timezone = STR("UTC");
    memcpy(event->currency, "EUR", 4);
    event->status = random_percent(random, 12) ? EVENT_DRAFT : EVENT_ON_SALE;
    if (random_percent(random, 40)) event->starts_at = some_time(world);
    if (random_percent(random, 20)) event->ends_at = event->starts_at + 1000;
    if (random_percent(random, 40)) event->max_per_user = 1 + random_below(random, 6);
    event->type_count = 1 + random_below(random, 3);
    if (random_percent(random, 60)) event->type_count = 1;
    event->types = ARENA_ARRAY(&world->arena, struct ticket_type, event->type_count);
    for (size_t i = 0; i < event->type_count; i++)
        fill_type(world, &event->types[i]);
}

static void update_type(struct world *world, const struct m_event *event,
                        struct ticket_type_update *update)
{
    uint64_t *random = &world->random;
    fill_type(world, &update->type);
    if (random_percent(random, 7)) { /* a new one */
        update->fields = FIELD_NAME | FIELD_CAPACITY | FIELD_PRICE | FIELD_MAX_PER_BOOKING;
        return;
    }
    const struct m_type *type = &event->types[random_below(random, event->type_count)];
    update->type.id = random_percent(random, 3) ? 9999 : type->id;
    if (random_percent(random, 75)) {
        update->fields |= FIELD_CAPACITY;
        int64_t capacity = (int64_t)type->capacity + random_between(random, -3, 4);
        update->type.capacity = (uint32_t)(capacity < 1               ? 1
                                           : capacity > CAPACITY_MOST ? CAPACITY_MOST
                                                                      : capacity);
    }
    if (random_percent(random, 15)) update->fields |= FIELD_PRICE;
    if (random_percent(random, 15)) update->fields |= FIELD_MAX_PER_BOOKING;
    if (random_percent(random, 8)) update->fields |= FIELD_SALES_START;
    if (random_percent(random, 8)) update->fields |= FIELD_SALES_END;
}

static void ask_to_change_event(struct world *world, struct command *command)
{
    uint64_t *random = &world->random;
    const struct m_event *event = pick_event(world);
    struct event_update *update = &command->update;
    if (!event) return;
    update->event.id = event->id;
    if (random_percent(random, 70)) command->actor.id = event->organizer_id;
    if (random_percent(random, 20)) update->version = event->version - random_percent(random, 30);
    if (random_percent(random, 20)) update->fields |= FIELD_STATUS;
    static const enum event_status statuses[] = {EVENT_ON_SALE, EVENT_ON_SALE, EVENT_CLOSED,
                                                 EVENT_DRAFT};
    update->event.status = statuses[random_below(random, 4)];
    if (random_percent(random, 15)) update->fields |= FIELD_MAX_PER_USER;
    update->event.max_per_user = random_below(random, 6);
    if (random_percent(random, 8)) update->fields |= FIELD_STARTS_AT;
    update->event.starts_at = random_percent(random, 30) ? 0 : some_time(world);
    if (random_percent(random, 5)) update->fields |= FIELD_NAME;
    update->event.name = STR("Show, moved");
    if (random_percent(random, 3)) update->fields |= FIELD_CURRENCY;
    memcpy(update->event.currency, "CHF", 4);
    update->type_count = random_percent(random, 80) + random_percent(random, 15);
    update->types = ARENA_ARRAY(&world->arena, struct ticket_type_update, update->type_count);
    for (size_t i = 0; i < update->type_count; i++)
        update_type(world, event, &update->types[i]);
}

static struct str some_login(struct world *world, bool is_email)
{
    static const char *const names[] = {"ann", "ANN", "bob", "Bob", "carl", "dora", "eve", "Fay"};
    const char *name = names[random_below(&world->random, 8)];
    return arena_printf(&world->arena, is_email ? "%s@example.org" : "%s", name);
}

static void ask_about_user(struct world *world, struct command *command)
{
    uint64_t *random = &world->random;
    struct user *user = &command->user.user;
    user->id = command->actor.id;
    switch (command->kind) {
    case COMMAND_REGISTER:
        command->actor = (struct actor){0};
        *user = (struct user){.name = STR("Somebody"), .email = some_login(world, true)};
        command->user.fields = FIELD_EMAIL | FIELD_NAME;
        if (random_percent(random, 50)) {
            user->username = some_login(world, false);
            command->user.fields |= FIELD_USERNAME;
        }
        break;
    case COMMAND_UPDATE_USER:
        user->name = STR("Somebody else");
        user->email = some_login(world, true);
        user->username = some_login(world, false);
        user->password_hash = STR("hash");
        static const unsigned fields[] = {FIELD_NAME, FIELD_EMAIL, FIELD_USERNAME, FIELD_PASSWORD};
        command->user.fields =
            fields[random_below(random, 4)] | (random_percent(random, 20) ? FIELD_EMAIL : 0);
        break;
    case COMMAND_SET_ROLE:
        user->id = random_percent(random, 5) ? 9999 : pick_user(world);
        user->role = (enum role)random_below(random, 3);
        if (random_percent(random, 60)) command->actor.id = 1; /* who begins as administrator */
        break;
    default: break;
    }
}

static void fill_command(struct world *world, struct command *command)
{
    switch (command->kind) {
    case COMMAND_BOOK: ask_to_book(world, command); break;
    case COMMAND_CANCEL: ask_to_cancel(world, command); break;
    case COMMAND_CANCEL_NEWEST: {
        const struct m_event *event = pick_event(world);
        command->cancel.event_id = event ? event->id : 9999;
        break;
    }
    case COMMAND_PAY: ask_to_pay(world, command); break;
    case COMMAND_CREATE_EVENT: ask_for_event(world, command); break;
    case COMMAND_UPDATE_EVENT: ask_to_change_event(world, command); break;
    case COMMAND_DELETE_EVENT: {
        const struct m_event *event = pick_event(world);
        command->event_id = event ? event->id : 9999;
        if (event && random_percent(&world->random, 60)) command->actor.id = event->organizer_id;
        break;
    }
    case COMMAND_PRUNE:
        command->actor = (struct actor){0};
        command->prune.replays_before = world->now - 25 * DAY_MS / 24;
        command->prune.revocations_before = world->now - 367 * DAY_MS;
        command->prune.most = 10000;
        break;
    default: ask_about_user(world, command); break;
    }
}

void client_ask(struct world *world, struct process *process)
{
    static const uint8_t weights[COMMAND_KINDS] = {
        [COMMAND_BOOK] = 100,       [COMMAND_CANCEL] = 45,      [COMMAND_CANCEL_NEWEST] = 12,
        [COMMAND_PAY] = 5,          [COMMAND_CREATE_EVENT] = 4, [COMMAND_UPDATE_EVENT] = 18,
        [COMMAND_DELETE_EVENT] = 2, [COMMAND_REGISTER] = 4,     [COMMAND_UPDATE_USER] = 3,
        [COMMAND_SET_ROLE] = 3,     [COMMAND_SIGN_OUT] = 3,     [COMMAND_ERASE_USER] = 2,
        [COMMAND_PRUNE] = 2,
    };
    enum command_kind kind =
        (enum command_kind)random_weighted(&world->random, weights, COMMAND_KINDS);
    struct request *request = request_new(world, process, kind);
    struct command *command = &request->task.command;
    command->actor.id = pick_user(world);
    fill_command(world, command);
    /* POST calls that create or change bookings and events take a key. */
    if (kind <= COMMAND_CREATE_EVENT && random_percent(&world->random, 45))
        request_key(request, ++world->last_key, ++world->last_request);
    request_send(request);
}

void client_ask_again(struct world *world, struct process *process)
{
    const struct request *first = NULL;
    uint32_t count = (uint32_t)world->request_count, near = count < 30 ? count : 30;
    for (int i = 0; i < 10; i++) {
        bool is_near = random_percent(&world->random, 80);
        first = world->requests[count - 1 - random_below(&world->random, is_near ? near : count)];
        if (first->key) break;
    }
    if (!first->key) return;
    struct request *request = request_new(world, process, first->task.command.kind);
    request->task.command = first->task.command;
    uint32_t body = first->request;
    if (random_percent(&world->random, 7)) {
        body = ++world->last_request;
        if (request->task.command.kind == COMMAND_BOOK) request->task.command.book.quantity = 2;
    }
    request_key(request, first->key, body);
    request_send(request);
}

/* ---- for people ---- */

void request_text(const struct request *request, char *text, size_t size)
{
    const struct command *command = &request->task.command;
    size_t used = (size_t)snprintf(text, size, "user %" PRIu64 " ", command->actor.id);
    char *at = text + used;
    size -= used;
    switch (command->kind) {
    case COMMAND_BOOK:
        snprintf(at, size, "book event %" PRIu64 " type %" PRIu64 " quantity %u%s",
                 command->book.event_id, command->book.ticket_type_id, command->book.quantity,
                 command->book.join_waiting_list ? "" : " nowait");
        break;
    case COMMAND_CANCEL:
        snprintf(at, size, "cancel booking %" PRIu64 " quantity %u", command->cancel.booking_id,
                 command->cancel.quantity);
        break;
    case COMMAND_CANCEL_NEWEST:
        snprintf(at, size, "cancel newest of event %" PRIu64, command->cancel.event_id);
        break;
    case COMMAND_PAY:
        snprintf(at, size, "pay booking %" PRIu64 " %" PRId64, command->pay.booking_id,
                 command->pay.amount);
        break;
    case COMMAND_CREATE_EVENT:
        snprintf(at, size, "create event with %zu types, the first of %u",
                 command->create.type_count, command->create.types[0].capacity);
        break;
    case COMMAND_UPDATE_EVENT:
        used = (size_t)snprintf(at, size, "update event %" PRIu64 " fields %x",
                                command->update.event.id, command->update.fields);
        for (size_t i = 0; i < command->update.type_count && used < size; i++)
            used +=
                (size_t)snprintf(at + used, size - used, ", type %" PRIu64 " fields %x capacity %u",
                                 command->update.types[i].type.id, command->update.types[i].fields,
                                 command->update.types[i].type.capacity);
        break;
    case COMMAND_DELETE_EVENT:
        snprintf(at, size, "delete event %" PRIu64, command->event_id);
        break;
    case COMMAND_REGISTER:
        snprintf(at, size, "register %.*s", STR_FMT(command->user.user.email));
        break;
    case COMMAND_UPDATE_USER:
        snprintf(at, size, "update himself, fields %x", command->user.fields);
        break;
    case COMMAND_SET_ROLE:
        snprintf(at, size, "make user %" PRIu64 " a %s", command->user.user.id,
                 role_names[command->user.user.role]);
        break;
    case COMMAND_SIGN_OUT: snprintf(at, size, "sign out"); break;
    case COMMAND_ERASE_USER: snprintf(at, size, "erase himself"); break;
    case COMMAND_PRUNE: snprintf(at, size, "prune"); break;
    default: break; /* what the outbox does is not simulated */
    }
    used = strlen(text);
    if (request->key)
        snprintf(text + used, size + (size_t)(at - text) - used, " key %u", request->key);
}

void answer_text(const struct answer *answer, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s", outcome_texts[answer->outcome].word);
    if (answer->booking_id)
        used += (size_t)snprintf(text + used, size - used, " booking %" PRIu64, answer->booking_id);
    else if (answer->event_id)
        used += (size_t)snprintf(text + used, size - used, " event %" PRIu64, answer->event_id);
    else if (answer->user_id)
        used += (size_t)snprintf(text + used, size - used, " user %" PRIu64, answer->user_id);
    if (answer->position)
        used += (size_t)snprintf(text + used, size - used, " position %u", answer->position);
    if (answer->promoted)
        used += (size_t)snprintf(text + used, size - used, " promoted %u", answer->promoted);
    for (uint32_t i = 0; i < answer->number_count && i < ANSWER_NUMBERS && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%u", i ? "," : " numbers ",
                                 answer->numbers[i]);
}
