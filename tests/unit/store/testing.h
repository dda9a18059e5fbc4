/* SPDX-License-Identifier: Apache-2.0 */
/* testing.h -- a box office for the tests of stores: opens one, runs commands against it as the
 * engine does, and makes the things that the tests speak of.
 *
 * Everything lives in one arena until the end of the test. */
#ifndef TESTING_H
#define TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/decide.h"
#include "store/store.h"

#include "kinds.h"

#define NOW  INT64_C(1800000000000) /* in January 2027 */
#define HOUR INT64_C(3600000)
#define DAY  (24 * HOUR)

struct box_office {
    const char *url;
    struct arena arena;
    struct store *writer, *reader;
    int64_t now, keep_cancelled_ms;
    struct working_set set; /* of the last batch */
};

#define OK(status) assert_int_equal((status), STORE_OK)

static inline struct store *open_or_fail(struct box_office *box, enum store_mode mode)
{
    const char *error = NULL;
    struct store *store = store_open(box->url, mode, mode == STORE_WRITE, &box->arena, &error);
    if (!store) fail_msg("%s: %s", box->url, error);
    return store;
}

static inline void box_open(struct box_office *box, const char *url)
{
    *box = (struct box_office){.url = url, .now = NOW, .keep_cancelled_ms = 365 * DAY};
    box->writer = open_or_fail(box, STORE_WRITE);
    box->reader = open_or_fail(box, STORE_READ);
}

static inline void box_close(struct box_office *box)
{
    store_close(box->writer);
    store_close(box->reader);
    arena_free(&box->arena);
}

/* ---- batches ---- */

static inline struct working_set *begin(struct box_office *box)
{
    working_set_init(&box->set, &box->arena, box->now);
    box->set.keep_cancelled_ms = box->keep_cancelled_ms;
    return &box->set;
}

static inline enum store_status commit(struct box_office *box)
{
    return store_commit(box->writer, &box->set);
}

/* Begins a batch and loads what the commands need. */
static inline enum store_status prepare(struct box_office *box, const struct command *commands,
                                        size_t count)
{
    struct working_set *set = begin(box);
    unsigned *stages = ARENA_ARRAY(&box->arena, unsigned, count);
    bool *planned = ARENA_ARRAY(&box->arena, bool, count), all;
    do {
        all = true;
        for (size_t i = 0; i < count; i++) {
            if (!planned[i]) planned[i] = working_set_plan(set, &commands[i], &stages[i]);
            all = all && planned[i];
        }
        enum store_status status = store_load(box->writer, set);
        if (status != STORE_OK) return status;
        assert_false(set->wants);
    } while (!all);
    return STORE_OK;
}

/* The whole way of a batch. */
static inline enum store_status run(struct box_office *box, const struct command *commands,
                                    size_t count, struct result *results)
{
    enum store_status status = prepare(box, commands, count);
    if (status != STORE_OK) return status;
    for (size_t i = 0; i < count; i++)
        decide(&box->set, &commands[i], &results[i]);
    return commit(box);
}

static inline struct result run_one(struct box_office *box, struct command command)
{
    struct result result;
    OK(run(box, &command, 1, &result));
    return result;
}

/* ---- commands ---- */

static inline struct actor actor(uint64_t id)
{
    return (struct actor){.id = id, .role = ROLE_USER};
}

static inline struct command booking_command(uint64_t user_id, uint64_t event_id, uint64_t type_id,
                                             uint32_t quantity)
{
    struct command command = {.kind = COMMAND_BOOK, .actor = actor(user_id)};
    command.book.event_id = event_id;
    command.book.ticket_type_id = type_id;
    command.book.quantity = quantity;
    command.book.join_waiting_list = true;
    return command;
}

static inline struct command cancel_command(uint64_t booking_id, uint32_t quantity)
{
    struct command command = {.kind = COMMAND_CANCEL, .actor = {.role = ROLE_ADMIN}};
    command.cancel.booking_id = booking_id;
    command.cancel.quantity = quantity;
    return command;
}

static inline struct command event_command(enum command_kind kind, uint64_t event_id)
{
    struct command command = {.kind = kind, .actor = {.role = ROLE_ADMIN}};
    if (kind == COMMAND_UPDATE_EVENT)
        command.update.event.id = event_id;
    else
        command.event_id = event_id;
    return command;
}

/* ---- things ---- */

static inline struct user *new_user(struct box_office *box, const char *name, const char *email,
                                    const char *username)
{
    struct command command = {.kind = COMMAND_REGISTER};
    command.user.fields = FIELD_NAME | FIELD_EMAIL | FIELD_USERNAME | FIELD_PASSWORD;
    command.user.user = (struct user){
        .name = str_of(name),
        .email = email ? str_of(email) : STR(""),
        .username = username ? str_of(username) : STR(""),
        .password_hash = STR("hash"),
    };
    struct result result = run_one(box, command);
    assert_int_equal(result.outcome, OUTCOME_CREATED);
    return result.user;
}

/* As 'event' says, with one type of 'capacity' where it brings none; what is left out gets
 * something sensible. */
static inline struct event *new_event(struct box_office *box, struct event event, uint32_t capacity)
{
    struct ticket_type type = {.name = STR("General admission"), .capacity = capacity};
    if (!event.types) {
        event.types = &type;
        event.type_count = 1;
    }
    if (!event.name.data) event.name = STR("Concert");
    if (!event.description.data) event.description = STR("");
    if (!event.venue.data) event.venue = STR("");
    if (!event.timezone.data) event.timezone = STR("UTC");
    if (!event.currency[0]) memcpy(event.currency, "EUR", 4);
    struct command command = {
        .kind = COMMAND_CREATE_EVENT,
        .actor = actor(event.organizer_id),
        .organizing_allowed = true,
    };
    command.create = event;
    struct result result = run_one(box, command);
    assert_int_equal(result.outcome, OUTCOME_CREATED);
    return result.event;
}

#define NEW_EVENT(box, capacity, ...)                                                              \
    new_event((box), (struct event){.status = EVENT_ON_SALE, __VA_ARGS__}, (capacity))

static inline struct booking *book(struct box_office *box, uint64_t user_id, uint64_t event_id,
                                   uint32_t quantity)
{
    struct result result = run_one(box, booking_command(user_id, event_id, 0, quantity));
    assert_in_range(result.outcome, OUTCOME_CREATED, OUTCOME_WAITING);
    return result.booking;
}

static inline void cancel(struct box_office *box, uint64_t booking_id)
{
    assert_int_equal(run_one(box, cancel_command(booking_id, 0)).outcome, OUTCOME_OK);
}

/* ---- looking ---- */

static inline struct event *find_event(struct box_office *box, uint64_t id)
{
    struct event *event;
    OK(store_find_event(box->reader, id, &box->arena, &event));
    return event;
}

static inline struct booking_view *find_booking(struct box_office *box, uint64_t id)
{
    struct booking_view *booking;
    OK(store_find_booking(box->reader, id, &box->arena, &booking));
    return booking;
}

static inline struct user *find_user(struct box_office *box, uint64_t id)
{
    struct user *user;
    OK(store_find_user(box->reader, id, (struct str){0}, (struct str){0}, &box->arena, &user));
    return user;
}

static inline void print_breach(const char *sentence, void *data)
{
    (void)data;
    print_message("%s\n", sentence);
}

static inline void expect_sound(struct box_office *box)
{
    struct check_figures figures;
    OK(store_check(box->reader, &figures, print_breach, NULL));
    assert_int_equal(figures.breaches, 0);
}

static inline void expect_str(struct str text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
}

/* ---- the same tests for every kind of store ---- */

static inline int set_up(void **state)
{
    static char url[URL_SIZE];
    database_make(url, "admit");
    struct box_office *box = malloc(sizeof(*box));
    box_open(box, url);
    *state = box;
    return 0;
}

static inline int tear_down(void **state)
{
    box_close(*state);
    free(*state);
    databases_remove();
    return 0;
}

#define STORE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#define RUN_ON_EVERY_STORE(tests) run_on_every_store(tests, sizeof(tests) / sizeof((tests)[0]))

static inline int run_on_every_store(const struct CMUnitTest *tests, size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < KINDS; i++)
        if (kind_choose(&all_kinds[i]))
            failed += _cmocka_run_group_tests(tested.name, tests, count, NULL, NULL);
    return failed;
}

#endif
