/* SPDX-License-Identifier: Apache-2.0 */
/* office.h -- a box office on the memory store for the tests of the engine: some users, an
 * event, tasks that remember what became of them. */
#ifndef TESTS_OFFICE_H
#define TESTS_OFFICE_H

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "engine/batch.h"
#include "store/faulty.h"

enum { OFFICE_USERS = 300 };

struct office {
    struct arena arena;
    struct fault_plan plan;
    struct batch_counts counts;
    struct batcher batcher;
    struct store *reader;
    uint64_t event_id;
    unsigned pauses;
};

struct wish {
    struct task task;
    enum outcome outcome;
    bool done, replayed;
    uint64_t booking_id;
    uint32_t number, position;
    char body[64];
    unsigned composed;
};

static struct replay_answer wish_compose(struct task *task)
{
    struct wish *wish = task->owner;
    const struct result *result = &task->result;
    wish->composed++;
    if (result->booking) {
        wish->booking_id = result->booking->id;
        wish->number = result->booking->number_count ? result->booking->numbers[0] : 0;
        wish->position = result->position;
    }
    snprintf(wish->body, sizeof(wish->body), "%s %llu", outcome_texts[result->outcome].word,
             (unsigned long long)wish->booking_id);
    return (struct replay_answer){.status = outcome_texts[result->outcome].status,
                                  .body = str_of(wish->body)};
}

static void wish_done(struct task *task)
{
    struct wish *wish = task->owner;
    assert_false(wish->done);
    wish->done = true;
    wish->outcome = task->result.outcome;
    wish->replayed = task->replayed != NULL;
    if (task->replayed)
        snprintf(wish->body, sizeof(wish->body), "%.*s", STR_FMT(task->replayed->body));
}

static inline void wish_init(struct wish *wish, enum command_kind kind, uint64_t user_id)
{
    *wish = (struct wish){.task = {.command = {.kind = kind,
                                               .actor = {.id = user_id, .token_at = 1},
                                               .organizing_allowed = true},
                                   .compose = wish_compose,
                                   .done = wish_done}};
    wish->task.owner = wish;
}

static inline void wish_book(struct wish *wish, const struct office *office, uint64_t user_id)
{
    wish_init(wish, COMMAND_BOOK, user_id);
    wish->task.command.book.event_id = office->event_id;
    wish->task.command.book.quantity = 1;
    wish->task.command.book.join_waiting_list = true;
}

static inline void wish_key(struct wish *wish, const char *key, const char *request)
{
    wish->task.has_key = true;
    wish->task.key.user_id = wish->task.command.actor.id;
    snprintf((char *)wish->task.key.key, sizeof(wish->task.key.key), "%s", key);
    snprintf((char *)wish->task.request, sizeof(wish->task.request), "%s", request);
}

static inline void office_run(struct office *office, struct wish *wishes, size_t count)
{
    struct task *tasks[BATCH_MAX];
    struct list again = {0};
    for (size_t i = 0; i < count; i++)
        tasks[i] = &wishes[i].task;
    batch_run(&office->batcher, tasks, count, &again);
    assert_null(again.head);
    for (size_t i = 0; i < count; i++)
        assert_true(wishes[i].done);
}

static int64_t office_now(void *data)
{
    (void)data;
    return INT64_C(1800000000000);
}

static void office_pause(unsigned ms, void *data)
{
    (void)ms;
    ((struct office *)data)->pauses++;
}

static void office_breach(const char *sentence, void *data)
{
    (void)data;
    fail_msg("%s", sentence);
}

static inline struct check_figures office_check(struct office *office)
{
    struct check_figures figures = {0};
    assert_int_equal(store_check(office->reader, &figures, office_breach, NULL), STORE_OK);
    return figures;
}

/* An event with 'capacity' tickets, made by user 1. */
static inline int office_open(void **state, uint32_t capacity)
{
    struct office *office = calloc(1, sizeof(*office));
    const char *error = "";
    struct store *writer = store_open("memory:office", STORE_WRITE, true, &office->arena, &error);
    assert_non_null(writer);
    office->reader = store_open("memory:office", STORE_READ, false, &office->arena, &error);
    assert_non_null(office->reader);
    struct directory_rows rows = {0};
    office->batcher = (struct batcher){
        .store = store_faulty(writer, &office->plan),
        .directory = directory_new(&rows),
        .snapshots = snapshots_new(16, 0),
        .keep_cancelled_ms = 1000,
        .now = office_now,
        .pause = office_pause,
        .clock_data = office,
        .counts = &office->counts,
    };
    static struct wish wishes[BATCH_MAX];
    char name[32];
    for (uint64_t made = 0; made < OFFICE_USERS; made += 100) {
        struct str names[100];
        for (size_t i = 0; i < 100; i++) {
            snprintf(name, sizeof(name), "user%llu", (unsigned long long)(made + i));
            names[i] = arena_str(&office->arena, str_of(name));
            wish_init(&wishes[i], COMMAND_REGISTER, 0);
            wishes[i].task.command.user.fields = FIELD_USERNAME;
            wishes[i].task.command.user.user =
                (struct user){.username = names[i], .name = names[i]};
        }
        office_run(office, wishes, 100);
    }
    struct ticket_type type = {.name = STR("seat"), .capacity = capacity};
    struct wish create;
    wish_init(&create, COMMAND_CREATE_EVENT, 1);
    create.task.command.create = (struct event){.name = STR("show"),
                                                .timezone = STR("UTC"),
                                                .currency = "EUR",
                                                .status = EVENT_ON_SALE,
                                                .types = &type,
                                                .type_count = 1};
    office_run(office, &create, 1);
    assert_int_equal(create.outcome, OUTCOME_CREATED);
    office->event_id = 1;
    *state = office;
    return 0;
}

static inline int office_close(void **state)
{
    struct office *office = *state;
    store_close(office->batcher.store);
    store_close(office->reader);
    directory_free(office->batcher.directory);
    snapshots_free(office->batcher.snapshots);
    batcher_free(&office->batcher);
    arena_free(&office->arena);
    free(office);
    return 0;
}

#endif
