/* SPDX-License-Identifier: Apache-2.0 */
/* What store.h promises a writer, kept by every store. What it promises readers stands in
 * test_contract_read.c. */
#include <pthread.h>
#include <sched.h>

#include "testing.h"

/* ---- opening ---- */

static void nobody_writes_beside_the_writer_of_a_store_that_is_not_shared(void **state)
{
    struct box_office *box = *state;
    const char *error = NULL;
    struct store *second = store_open(box->url, STORE_WRITE, true, &box->arena, &error);
    assert_int_equal(second != NULL, tested.is_shared);
    assert_int_equal(store_is_shared(box->writer), tested.is_shared);
    if (!second) assert_true(strlen(error) > 20);
    store_close(second);

    store_close(box->writer);
    box->writer = open_or_fail(box, STORE_WRITE);
}

static void a_reader_needs_a_store_that_exists(void **state)
{
    struct box_office *box = *state;
    struct str url = arena_printf(&box->arena, "%s-not", box->url);
    const char *error = NULL;
    assert_null(store_open(url.data, STORE_READ, false, &box->arena, &error));
    assert_true(strlen(error) > 20);
}

static void stores_of_different_names_are_different(void **state)
{
    struct box_office *box = *state, other;
    char url[URL_SIZE];
    database_make(url, "other");
    box_open(&other, url);
    uint64_t event_id = NEW_EVENT(box, 1)->id;
    assert_non_null(find_event(box, event_id));
    assert_null(find_event(&other, event_id));
    box_close(&other);
}

static void an_unknown_kind_of_store_is_named(void **state)
{
    struct box_office *box = *state;
    const char *error = NULL;
    assert_null(store_open("abacus:beads", STORE_WRITE, true, &box->arena, &error));
    assert_non_null(strstr(error, tested.name));
}

static void closing_no_store_is_fine(void **state)
{
    (void)state;
    store_close(NULL);
}

static void every_status_has_a_text(void **state)
{
    (void)state;
    for (int i = STORE_OK; i <= STORE_UNKNOWN; i++)
        assert_true(strlen(store_status_text((enum store_status)i)) > 3);
}

/* ---- loading ---- */

static void what_is_not_there_is_loaded_as_not_found(void **state)
{
    struct box_office *box = *state;
    struct command commands[] = {
        booking_command(7, 99, 0, 1),
        cancel_command(99, 0),
        {.kind = COMMAND_CANCEL_NEWEST, .actor = actor(7)},
        {.kind = COMMAND_SET_ROLE},
        {.kind = COMMAND_REGISTER},
    };
    commands[2].cancel.event_id = 98;
    commands[3].user.user.id = 97;
    commands[4].user.fields = FIELD_EMAIL | FIELD_USERNAME;
    commands[4].user.user.email = STR("Nobody@example.org");
    commands[4].user.user.username = STR("nobody");
    OK(prepare(box, commands, 5));

    struct working_set *set = &box->set;
    assert_true(working_set_event(set, 99)->loaded);
    assert_false(working_set_event(set, 99)->found);
    assert_false(working_set_event(set, 98)->found);
    assert_true(working_set_booking(set, 99)->loaded);
    assert_false(working_set_booking(set, 99)->found);
    assert_true(working_set_newest(set, 98, 7)->loaded);
    assert_int_equal(working_set_newest(set, 98, 7)->booking_id, 0);
    assert_true(working_set_user(set, 97)->loaded);
    assert_false(working_set_user(set, 97)->found);
    for (int is_email = 0; is_email < 2; is_email++) {
        struct str login = is_email ? STR("nobody@example.org") : STR("nobody");
        assert_true(working_set_login(set, is_email, login)->loaded);
        assert_int_equal(working_set_login(set, is_email, login)->user_id, 0);
    }
    store_abandon(box->writer);
}

static void expect_same_type(const struct ticket_type *is, const struct ticket_type *was)
{
    assert_int_equal(is->id, was->id);
    assert_int_equal(is->event_id, was->event_id);
    assert_true(str_equal(is->name, was->name));
    assert_int_equal(is->capacity, was->capacity);
    assert_int_equal(is->booked, was->booked);
    assert_int_equal(is->held, was->held);
    assert_int_equal(is->waiting, was->waiting);
    assert_int_equal(is->wanted, was->wanted);
    assert_int_equal(is->price, was->price);
    assert_int_equal(is->max_per_booking, was->max_per_booking);
    assert_int_equal(is->sales_start, was->sales_start);
    assert_int_equal(is->sales_end, was->sales_end);
}

static void expect_same_event(const struct event *is, const struct event *was)
{
    assert_int_equal(is->id, was->id);
    assert_int_equal(is->organizer_id, was->organizer_id);
    assert_true(str_equal(is->name, was->name));
    assert_true(str_equal(is->description, was->description));
    assert_true(str_equal(is->venue, was->venue));
    assert_true(str_equal(is->timezone, was->timezone));
    assert_string_equal(is->currency, was->currency);
    assert_int_equal(is->starts_at, was->starts_at);
    assert_int_equal(is->ends_at, was->ends_at);
    assert_int_equal(is->status, was->status);
    assert_int_equal(is->max_per_user, was->max_per_user);
    assert_int_equal(is->version, was->version);
    assert_int_equal(is->created_at, was->created_at);
    assert_int_equal(is->updated_at, was->updated_at);
    assert_int_equal(is->next_number, was->next_number);
    assert_int_equal(is->ever_booked, was->ever_booked);
}

static struct event *detailed_event(struct box_office *box)
{
    static struct ticket_type types[] = {
        {.name = STR("Zuschauer"), .capacity = 10000000, .price = 1250, .max_per_booking = 4},
        {.name = STR("Ä la carte"),
         .capacity = 1,
         .price = PRICE_MAX,
         .sales_start = NOW - DAY,
         .sales_end = NOW + DAY},
        {.name = STR("'; --"), .capacity = 3},
    };
    return NEW_EVENT(box, 0, .organizer_id = 4, .name = STR("Пётр и волк"),
                     .description = STR("Two\nlines, and \xf0\x9f\x90\xba."),
                     .venue = STR("O'Hara's"), .timezone = STR("Europe/Berlin"), .currency = "CHF",
                     .starts_at = NOW + 10 * DAY, .ends_at = NOW + 10 * DAY + 2 * HOUR,
                     .max_per_user = 5, .types = types, .type_count = 3);
}

static void an_event_comes_back_as_it_was_written(void **state)
{
    struct box_office *box = *state;
    const struct event *event = detailed_event(box);
    const struct event *found = find_event(box, event->id);
    expect_same_event(found, event);
    assert_int_equal(found->type_count, 3);
    for (size_t i = 0; i < 3; i++)
        expect_same_type(&found->types[i], &event->types[i]);

    struct command command = event_command(COMMAND_UPDATE_EVENT, event->id);
    OK(prepare(box, &command, 1));
    const struct event_entry *entry = working_set_event(&box->set, event->id);
    assert_true(entry->loaded && entry->found);
    expect_same_event(&entry->row, event);
    assert_int_equal(entry->row.type_count, 3);
    for (size_t i = 0; i < 3; i++)
        expect_same_type(&entry->types[i]->row, &event->types[i]);
    store_abandon(box->writer);
}

static void an_event_is_updated_without_its_counters(void **state)
{
    struct box_office *box = *state;
    uint64_t id = detailed_event(box)->id;
    struct booking *booking =
        run_one(box, booking_command(3, id, find_event(box, id)->types[0].id, 4)).booking;

    struct command command = event_command(COMMAND_UPDATE_EVENT, id);
    struct event *to = &command.update.event;
    command.update.fields = FIELD_NAME | FIELD_DESCRIPTION | FIELD_VENUE | FIELD_STARTS_AT |
                            FIELD_ENDS_AT | FIELD_TIMEZONE | FIELD_STATUS | FIELD_MAX_PER_USER;
    *to = (struct event){.id = id,
                         .name = STR("Another"),
                         .description = STR(""),
                         .venue = STR("Elsewhere"),
                         .timezone = STR("UTC"),
                         .starts_at = NOW + DAY,
                         .status = EVENT_CLOSED,
                         .max_per_user = 9};
    struct ticket_type_update types[] = {
        {.fields = FIELD_NAME | FIELD_PRICE | FIELD_MAX_PER_BOOKING | FIELD_SALES_START |
                   FIELD_SALES_END | FIELD_CAPACITY,
         .type = {.id = booking->ticket_type_id,
                  .name = STR("Renamed"),
                  .price = 1,
                  .max_per_booking = 2,
                  .sales_start = NOW,
                  .sales_end = NOW + 1,
                  .capacity = 50}},
        {.fields = FIELD_NAME | FIELD_CAPACITY, .type = {.name = STR("New"), .capacity = 60}},
    };
    command.update.types = types;
    command.update.type_count = 2;
    struct result result = run_one(box, command);
    assert_int_equal(result.outcome, OUTCOME_OK);

    const struct event *found = find_event(box, id);
    expect_same_event(found, result.event);
    expect_str(found->name, "Another");
    assert_int_equal(found->next_number, 5);
    assert_true(found->ever_booked);
    assert_int_equal(found->type_count, 4);
    for (size_t i = 0; i < 4; i++)
        expect_same_type(&found->types[i], &result.event->types[i]);
    assert_int_equal(found->types[0].booked, 4);
    assert_int_equal(found->types[0].capacity, 50);
    expect_sound(box);
}

static void a_user_comes_back_as_it_was_written(void **state)
{
    struct box_office *box = *state;
    struct user *user = new_user(box, "Ána Ðurić", "Ana@Example.org", "Ana.D");
    new_user(box, "Nameless", NULL, "nameless");
    struct command command = {.kind = COMMAND_SET_ROLE};
    command.user.user.id = user->id;
    command.user.user.role = ROLE_ORGANIZER;
    run_one(box, command);
    struct user changed = *find_user(box, user->id);
    assert_true(changed.mail && !changed.verified_at);
    changed.verified_at = NOW + 7;
    changed.mail = false;
    begin(box);
    OK(store_load(box->writer, &box->set));
    working_set_change(&box->set, CHANGE_USER_UPDATE)->user = &changed;
    OK(commit(box));

    const struct user *found = find_user(box, user->id);
    assert_int_equal(found->verified_at, NOW + 7);
    assert_false(found->mail);
    expect_str(found->name, "Ána Ðurić");
    expect_str(found->email, "Ana@Example.org");
    expect_str(found->username, "Ana.D");
    expect_str(found->password_hash, "hash");
    assert_int_equal(found->role, ROLE_ORGANIZER);
    assert_int_equal(found->created_at, NOW);
    assert_int_equal(found->erased_at, 0);
    assert_int_equal(find_user(box, user->id + 1)->email.len, 0);

    OK(prepare(box, &command, 1));
    const struct user *loaded = &working_set_user(&box->set, user->id)->row;
    expect_str(loaded->name, "Ána Ðurić");
    expect_str(loaded->password_hash, "hash");
    assert_int_equal(loaded->role, ROLE_ORGANIZER);
    assert_int_equal(loaded->verified_at, NOW + 7);
    assert_false(loaded->mail);
    store_abandon(box->writer);
}

static void a_booking_is_loaded_with_its_numbers_ascending(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 100)->id;
    uint64_t first = book(box, 1, event_id, 3)->id;
    book(box, 2, event_id, 3);
    cancel(box, first);
    uint64_t mixed = book(box, 3, event_id, 5)->id; /* 1, 2, 3 again and 7, 8 */

    struct command command = cancel_command(mixed, 0);
    OK(prepare(box, &command, 1));
    const struct booking_entry *entry = working_set_booking(&box->set, mixed);
    assert_true(entry->found);
    assert_int_equal(entry->row.user_id, 3);
    assert_int_equal(entry->row.event_id, event_id);
    assert_int_equal(entry->row.quantity, 5);
    assert_int_equal(entry->row.status, BOOKING_CONFIRMED);
    assert_int_equal(entry->row.created_at, NOW);
    assert_int_equal(entry->row.number_count, 5);
    static const uint32_t expected[] = {1, 2, 3, 7, 8};
    assert_memory_equal(entry->row.numbers, expected, sizeof(expected));
    store_abandon(box->writer);
    expect_sound(box);
}

/* A type with two tickets, both booked, and six bookings in line, of 1, 2, ... 6 tickets. */
static struct booking *with_a_line(struct box_office *box, uint64_t *ret_first_waiting)
{
    struct event *event = NEW_EVENT(box, 6);
    struct booking *booking = book(box, 1, event->id, 6);
    for (uint32_t i = 1; i <= 6; i++) {
        struct booking *waiting = book(box, 10 + i, event->id, i);
        if (i == 1) *ret_first_waiting = waiting->id;
        assert_int_equal(waiting->status, BOOKING_WAITING);
    }
    return booking;
}

static void a_line_is_loaded_in_order_and_as_deep_as_needed(void **state)
{
    struct box_office *box = *state;
    uint64_t first;
    struct booking *booking = with_a_line(box, &first);
    struct command command = event_command(COMMAND_UPDATE_EVENT, booking->event_id);
    OK(prepare(box, &command, 1)); /* the event, and nothing of the line yet */
    struct working_set *set = &box->set;
    struct type_entry *type = working_set_event(set, booking->event_id)->types[0];
    for (uint32_t depth = 1; depth < 9; depth += 2) {
        type->line_needed = depth;
        set->wants = true;
        OK(store_load(box->writer, set));
        uint32_t expected = type->line_needed < 6 ? type->line_needed : 6;
        assert_int_equal(type->line_loaded, type->line_needed);
        assert_int_equal(type->line_count, expected);
        assert_int_equal(type->line_live, expected);
        for (uint32_t i = 0; i < expected; i++) {
            assert_int_equal(type->line[i]->id, first + i);
            assert_int_equal(type->line[i]->row.quantity, i + 1);
            assert_true(type->line[i]->in_line);
            assert_ptr_equal(type->line[i], working_set_booking(set, first + i));
        }
    }
    store_abandon(box->writer);
}

static void the_line_of_one_type_is_not_that_of_another(void **state)
{
    struct box_office *box = *state;
    uint64_t first, other;
    with_a_line(box, &first);
    struct booking *booking = with_a_line(box, &other);
    struct result result = run_one(box, cancel_command(booking->id, 0));
    assert_int_equal(result.promoted, 3); /* 1 + 2 + 3 */
    assert_int_equal(find_booking(box, first)->row.status, BOOKING_WAITING);
    assert_int_equal(find_booking(box, other + 2)->row.status, BOOKING_CONFIRMED);
    assert_int_equal(find_booking(box, other + 3)->row.status, BOOKING_WAITING);
    expect_sound(box);
}

static void returned_numbers_are_loaded_lowest_first(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 100)->id, ids[12];
    for (int i = 0; i < 12; i++)
        ids[i] = book(box, 1, event_id, 1)->id;
    static const int order[] = {8, 3, 10, 1, 5};
    for (int i = 0; i < 5; i++)
        cancel(box, ids[order[i]]);

    struct command command = booking_command(2, event_id, 0, 3);
    OK(prepare(box, &command, 1));
    struct event_entry *event = working_set_event(&box->set, event_id);
    assert_int_equal(event_returned_total(event), 5);
    assert_true(event->returned.count >= 3);
    assert_int_equal(event->numbers_loaded, event->numbers_needed);
    assert_int_equal(numbers_pop(&event->returned), 2);
    assert_int_equal(numbers_pop(&event->returned), 4);
    assert_int_equal(numbers_pop(&event->returned), 6);
    store_abandon(box->writer);

    uint64_t next = book(box, 2, event_id, 6)->id;
    static const uint32_t expected[] = {2, 4, 6, 9, 11, 13};
    assert_memory_equal(find_booking(box, next)->row.numbers, expected, sizeof(expected));
    expect_sound(box);
}

static void the_newest_booking_is_a_confirmed_one_before_a_waiting_one(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 3)->id, other_id = NEW_EVENT(box, 3)->id;
    book(box, 1, event_id, 1);
    uint64_t second = book(box, 1, event_id, 1)->id;
    book(box, 2, event_id, 1);
    book(box, 1, event_id, 1);
    uint64_t last = book(box, 1, event_id, 1)->id; /* waits, as the one before */
    book(box, 1, other_id, 1);

    struct command command = {.kind = COMMAND_CANCEL_NEWEST, .actor = actor(1)};
    command.cancel.event_id = event_id;
    OK(prepare(box, &command, 1));
    assert_int_equal(working_set_newest(&box->set, event_id, 1)->booking_id, second);
    store_abandon(box->writer);

    run_one(box, command); /* the second; its ticket goes to the first that waits */
    OK(prepare(box, &command, 1));
    assert_int_equal(working_set_newest(&box->set, event_id, 1)->booking_id, last - 1);
    store_abandon(box->writer);
    for (int i = 0; i < 2; i++) /* that one, whose ticket the last one gets, and the last one */
        assert_int_equal(run_one(box, command).booking->id, last - 1 + (uint64_t)i);
    assert_int_equal(run_one(box, command).booking->id, second - 1);
    assert_int_equal(run_one(box, command).outcome, NOTHING_TO_CANCEL);
    expect_sound(box);
}

static void a_person_s_bookings_to_come_are_loaded(void **state)
{
    struct box_office *box = *state;
    uint64_t user_id = new_user(box, "One", "one@example.org", NULL)->id;
    uint64_t soon = NEW_EVENT(box, 1, .starts_at = NOW + HOUR)->id;
    uint64_t later = NEW_EVENT(box, 1, .starts_at = NOW + DAY)->id;
    uint64_t never = NEW_EVENT(box, 1)->id, off = NEW_EVENT(box, 1)->id;
    book(box, user_id, soon, 1);
    uint64_t expected[] = {book(box, user_id, later, 1)->id, book(box, user_id, never, 1)->id,
                           book(box, user_id, never, 1)->id};
    cancel(box, book(box, user_id, never, 1)->id);
    book(box, user_id + 1, never, 1);
    book(box, user_id, off, 1);
    run_one(box, event_command(COMMAND_DELETE_EVENT, off));

    box->now += HOUR; /* 'soon' begins in this instant */
    struct command command = {.kind = COMMAND_ERASE_USER};
    command.user.user.id = user_id;
    OK(prepare(box, &command, 1));
    const struct user_bookings_entry *entry = map_get(&box->set.user_bookings, user_id, 0);
    assert_true(entry->loaded);
    assert_int_equal(entry->count, 3);
    assert_memory_equal(entry->booking_ids, expected, sizeof(expected));
    store_abandon(box->writer);

    run_one(box, command);
    assert_int_equal(find_booking(box, expected[0])->row.status, BOOKING_CANCELLED);
    assert_int_equal(find_user(box, user_id)->name.len, 0);
    assert_int_equal(find_user(box, user_id)->erased_at, box->now);
    expect_sound(box);
}

/* ---- ids ---- */

static void ids_ascend_and_are_never_used_twice(void **state)
{
    struct box_office *box = *state;
    uint64_t last = NEW_EVENT(box, 1)->id;
    run_one(box, event_command(COMMAND_DELETE_EVENT, last));
    assert_null(find_event(box, last));
    uint64_t next = NEW_EVENT(box, 1)->id;
    assert_true(next > last);
    run_one(box, event_command(COMMAND_DELETE_EVENT, next));

    store_close(box->writer);
    box->writer = open_or_fail(box, STORE_WRITE);
    assert_true(NEW_EVENT(box, 1)->id > next);
}

static void as_many_ids_are_loaded_as_are_needed(void **state)
{
    struct box_office *box = *state;
    struct working_set *set = begin(box);
    for (int i = 0; i < SEQUENCE_COUNT; i++)
        set->ids[i].needed = 2;
    OK(store_load(box->writer, set));
    for (int i = 0; i < SEQUENCE_COUNT; i++)
        set->ids[i].needed = 3 + (size_t)i;
    OK(store_load(box->writer, set));
    for (int i = 0; i < SEQUENCE_COUNT; i++) {
        assert_true(set->ids[i].count >= 3 + (size_t)i);
        assert_int_equal(set->ids[i].used, 0);
        assert_true(set->ids[i].ids[0] > 0);
        for (size_t j = 1; j < set->ids[i].count; j++)
            assert_true(set->ids[i].ids[j] > set->ids[i].ids[j - 1]);
    }
    store_abandon(box->writer);
}

/* ---- committing, or not ---- */

static void nothing_is_seen_before_the_commit(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 10)->id;
    struct command command = booking_command(1, event_id, 0, 2);
    struct result result;
    OK(prepare(box, &command, 1));
    decide(&box->set, &command, &result);
    assert_null(find_booking(box, result.booking->id));
    assert_int_equal(find_event(box, event_id)->types[0].booked, 0);
    OK(commit(box));
    assert_non_null(find_booking(box, result.booking->id));
    const struct event *event = find_event(box, event_id);
    assert_int_equal(event->types[0].booked, 2);
    assert_int_equal(event->next_number, 3);
    assert_true(event->ever_booked);
}

static void what_is_abandoned_did_not_happen(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 10)->id;
    struct command command = booking_command(1, event_id, 0, 2);
    struct result result;
    for (int i = 0; i < 3; i++) {
        OK(prepare(box, &command, 1));
        decide(&box->set, &command, &result);
        store_abandon(box->writer);
    }
    assert_null(find_booking(box, result.booking->id));
    assert_int_equal(find_event(box, event_id)->types[0].booked, 0);
    assert_int_equal(book(box, 1, event_id, 1)->numbers[0], 1);
    expect_sound(box);
}

static void a_batch_that_changes_nothing_is_fine(void **state)
{
    struct box_office *box = *state;
    begin(box);
    OK(store_load(box->writer, &box->set));
    OK(commit(box));
}

/* The batch in box->set, which has something good in it too, is not written at all. */
static void expect_status(struct box_office *box, uint64_t event_id, enum store_status status)
{
    struct event *event = ARENA_NEW(&box->arena, struct event);
    *event = *find_event(box, event_id);
    event->name = STR("Never written");
    working_set_change(&box->set, CHANGE_EVENT_UPDATE)->event = event;

    assert_int_equal(commit(box), status);
    assert_true(strlen(store_error(box->writer)) > 0);
    expect_str(find_event(box, event_id)->name, "Concert");
    expect_sound(box);
    NEW_EVENT(box, 1); /* and it goes on */
}

static void expect_refused(struct box_office *box, uint64_t event_id)
{
    expect_status(box, event_id, STORE_REFUSED);
}

/* On a shared store it means that another process was faster: the next try will see what it did. */
static void expect_taken(struct box_office *box, uint64_t event_id)
{
    expect_status(box, event_id, tested.is_shared ? STORE_BUSY : STORE_REFUSED);
}

static void no_store_sells_more_than_there_is(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 2)->id;
    for (int i = 0; i < 4; i++) {
        struct command command = booking_command(1, event_id, 0, 2);
        struct result result;
        OK(prepare(box, &command, 1));
        decide(&box->set, &command, &result);
        struct ticket_type *row = &working_set_event(&box->set, event_id)->types[0]->row;
        if (i == 0) row->booked = 3;
        if (i == 1) row->held = 1;
        if (i == 2) row->capacity = 1;
        if (i == 3) row->waiting = 1; /* of no tickets */
        expect_refused(box, event_id);
        assert_null(find_booking(box, result.booking->id));
        assert_int_equal(find_event(box, event_id)->types[0].booked, 0);
        assert_int_equal(find_event(box, event_id)->next_number, 1);
        struct journal_list journal;
        OK(store_booking_history(box->reader, result.booking->id, &box->arena, &journal));
        assert_int_equal(journal.count, 0);
    }
}

/* Registers past core's own check. */
static void refuse_user(struct box_office *box, uint64_t event_id, const char *email,
                        const char *username)
{
    struct working_set *set = begin(box);
    set->ids[SEQUENCE_USER].needed = 2;
    OK(store_load(box->writer, set));
    struct user users[] = {
        {.name = STR("Good"), .email = STR("good@example.org"), .username = STR("good")},
        {.name = STR("Bad"), .email = str_of(email), .username = str_of(username)},
    };
    for (int i = 0; i < 2; i++) {
        users[i].id = working_set_id(set, SEQUENCE_USER);
        users[i].password_hash = STR("x");
        if (!users[i].email.len) users[i].email = STR("");
        if (!users[i].username.len) users[i].username = STR("");
        working_set_change(set, CHANGE_USER_INSERT)->user = &users[i];
    }
    expect_taken(box, event_id);
    assert_null(find_user(box, users[0].id));
    assert_null(find_user(box, users[1].id));
}

static void an_address_and_a_user_name_belong_to_one_person(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 2)->id;
    uint64_t id = new_user(box, "Ana", "Ana@Example.org", "ana")->id;
    refuse_user(box, event_id, "aNA@eXAMPLE.ORG", "");
    refuse_user(box, event_id, "", "ANA");
    uint64_t two = new_user(box, "Two", NULL, "two")->id,
             three = new_user(box, "3", NULL, "n3")->id;
    assert_true(two != three); /* having no address is not having the same */

    struct command command = {.kind = COMMAND_UPDATE_USER};
    command.user.user.id = id;
    begin(box);
    OK(store_load(box->writer, &box->set));
    struct user taken = *find_user(box, two);
    taken.email = STR("ana@example.org");
    working_set_change(&box->set, CHANGE_USER_UPDATE)->user = &taken;
    expect_taken(box, event_id);
    assert_int_equal(find_user(box, two)->email.len, 0);

    /* What somebody gives up another one can have. */
    command.user.fields = FIELD_EMAIL | FIELD_USERNAME;
    command.user.user.email = STR("ana@example.net");
    command.user.user.username = STR("Ana");
    assert_int_equal(run_one(box, command).outcome, OUTCOME_OK);
    new_user(box, "Other", "ana@example.ORG", NULL);
}

static void an_id_is_used_once(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 5)->id, user_id = new_user(box, "One", NULL, "one")->id;
    struct booking *booking = book(box, 1, event_id, 2);

    begin(box);
    OK(store_load(box->writer, &box->set));
    working_set_change(&box->set, CHANGE_BOOKING_INSERT)->booking = booking;
    expect_refused(box, event_id);

    begin(box); /* of one that is new, in one batch */
    box->set.ids[SEQUENCE_BOOKING].needed = 1;
    OK(store_load(box->writer, &box->set));
    struct booking twin = *booking;
    twin.id = working_set_id(&box->set, SEQUENCE_BOOKING);
    for (int i = 0; i < 2; i++)
        working_set_change(&box->set, CHANGE_BOOKING_INSERT)->booking = &twin;
    expect_refused(box, event_id);
    assert_null(find_booking(box, twin.id));

    begin(box);
    OK(store_load(box->writer, &box->set));
    struct user user = *find_user(box, user_id);
    user.username = STR("two");
    working_set_change(&box->set, CHANGE_USER_INSERT)->user = &user;
    expect_refused(box, event_id);

    begin(box);
    OK(store_load(box->writer, &box->set));
    struct event event = *find_event(box, event_id);
    event.type_count = 0;
    working_set_change(&box->set, CHANGE_EVENT_INSERT)->event = &event;
    expect_refused(box, event_id);

    begin(box);
    OK(store_load(box->writer, &box->set));
    working_set_change(&box->set, CHANGE_TYPE_INSERT)->type = &find_event(box, event_id)->types[0];
    expect_refused(box, event_id);

    begin(box); /* ticket 2 once more, behind a new one */
    OK(store_load(box->writer, &box->set));
    for (uint32_t i = 0; i < 2; i++) {
        struct change *change = working_set_change(&box->set, CHANGE_TICKETS_NEW);
        change->tickets.event_id = event_id;
        change->tickets.booking_id = booking->id;
        change->tickets.number = i ? 2 : 3;
        change->tickets.count = 1;
        change->tickets.is_booked = true;
    }
    expect_refused(box, event_id);
}

static void what_is_not_there_cannot_be_changed(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 5)->id;
    struct booking booking = *book(box, 1, event_id, 2);
    booking.id += 99;
    struct event event = *find_event(box, event_id);
    struct ticket_type type = event.types[0];
    struct user user = {.id = 99, .name = STR("No"), .password_hash = STR("")};
    user.email = user.username = STR("");
    event.id += 99;
    type.id += 99;
    for (int i = 0; i < 6; i++) {
        struct working_set *set = begin(box);
        OK(store_load(box->writer, set));
        static const enum change_kind kinds[] = {CHANGE_BOOKING_UPDATE, CHANGE_EVENT_UPDATE,
                                                 CHANGE_TYPE_UPDATE,    CHANGE_USER_UPDATE,
                                                 CHANGE_TICKET_GIVE,    CHANGE_TICKET_RETURN};
        struct change *change = working_set_change(set, kinds[i]);
        if (i == 0) change->booking = &booking;
        if (i == 1) change->event = &event;
        if (i == 2) change->type = &type;
        if (i == 3) change->user = &user;
        if (i >= 4) {
            change->tickets.event_id = event_id;
            change->tickets.booking_id = booking.id - 99;
            change->tickets.number = 3;
            change->tickets.count = 1;
        }
        expect_refused(box, event_id);
    }
}

/* ---- readers beside the writer ---- */

struct onlooker {
    struct store *reader;
    uint64_t breaches, failures;
    _Atomic uint64_t looks;
    _Atomic bool enough;
};

static void do_nothing(const char *sentence, void *data)
{
    (void)sentence;
    (void)data;
}

static void *look_on(void *data)
{
    struct onlooker *onlooker = data;
    while (!onlooker->enough) {
        struct check_figures figures;
        if (store_check(onlooker->reader, &figures, do_nothing, NULL) == STORE_OK)
            onlooker->breaches += figures.breaches;
        else
            onlooker->failures++;
        onlooker->looks++;
    }
    return NULL;
}

static void readers_see_whole_commits_only(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 60, .max_per_user = 10000)->id;
    struct onlooker onlookers[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        onlookers[i] = (struct onlooker){.reader = open_or_fail(box, STORE_READ)};
        assert_int_equal(pthread_create(&threads[i], NULL, look_on, &onlookers[i]), 0);
        while (!onlookers[i].looks) /* on a busy machine the writer would be done before */
            sched_yield();
    }
    for (uint64_t turn = 0; turn < 100; turn++) {
        struct command commands[4];
        struct result results[4];
        for (uint64_t i = 0; i < 3; i++)
            commands[i] = booking_command(1 + turn % 5, event_id, 0, 1 + turn % 3);
        commands[3] = cancel_command(1 + 2 * turn, 0);
        if (run(box, commands, turn ? 4 : 3, results) != STORE_OK) break;
    }
    for (int i = 0; i < 2; i++) {
        onlookers[i].enough = true;
        pthread_join(threads[i], NULL);
        assert_int_equal(onlookers[i].breaches + onlookers[i].failures, 0);
        store_close(onlookers[i].reader);
    }
    assert_int_equal(find_booking(box, 300)->row.id, 300);
    expect_sound(box);
}

/* ---- people and what they hold ---- */

static uint32_t held_by(struct box_office *box, uint64_t event_id, uint64_t user_id)
{
    struct command command = booking_command(user_id, event_id, 0, 1);
    OK(prepare(box, &command, 1));
    const struct holder_entry *holder = working_set_holder(&box->set, event_id, user_id);
    store_abandon(box->writer);
    if (!holder) return UINT32_MAX;
    assert_true(holder->loaded);
    return holder->quantity;
}

static void what_a_person_holds_is_counted_where_there_is_a_limit(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 6, .max_per_user = 9)->id;
    uint64_t booking_id = book(box, 1, event_id, 4)->id;
    book(box, 2, event_id, 2);
    book(box, 1, event_id, 3); /* waits, and counts */
    assert_int_equal(held_by(box, event_id, 1), 7);
    assert_int_equal(held_by(box, event_id, 2), 2);
    assert_int_equal(held_by(box, event_id, 3), 0);
    run_one(box, cancel_command(booking_id, 1));
    assert_int_equal(held_by(box, event_id, 1), 6);
    cancel(box, booking_id);
    assert_int_equal(held_by(box, event_id, 1), 3);
    expect_sound(box);
}

static void a_limit_that_comes_later_counts_what_is_there(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 6)->id;
    book(box, 1, event_id, 4);
    book(box, 2, event_id, 2);
    book(box, 1, event_id, 3);
    cancel(box, book(box, 1, event_id, 1)->id);
    assert_int_equal(held_by(box, event_id, 1), UINT32_MAX);

    struct command command = event_command(COMMAND_UPDATE_EVENT, event_id);
    command.update.fields = FIELD_MAX_PER_USER;
    command.update.event.max_per_user = 8;
    run_one(box, command);
    assert_int_equal(held_by(box, event_id, 1), 7);
    assert_int_equal(held_by(box, event_id, 2), 2);
    assert_int_equal(held_by(box, event_id, 3), 0);
    expect_sound(box);

    command.update.event.max_per_user = 0; /* and one that goes leaves nothing behind */
    run_one(box, command);
    expect_sound(box);
}

/* ---- the end of events and bookings ---- */

static struct journal_entry last_of_history(struct box_office *box, uint64_t booking_id)
{
    struct journal_list list;
    OK(store_booking_history(box->reader, booking_id, &box->arena, &list));
    assert_true(list.count > 0);
    return list.items[list.count - 1];
}

static void an_event_is_cancelled_with_all_its_bookings(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 3, .max_per_user = 5)->id, other = NEW_EVENT(box, 3)->id;
    uint64_t gone = book(box, 1, event_id, 1)->id, served = book(box, 1, event_id, 3)->id;
    uint64_t waiting = book(box, 2, event_id, 2)->id, elsewhere = book(box, 1, other, 2)->id;
    cancel(box, gone);

    box->now += HOUR;
    struct command command = event_command(COMMAND_DELETE_EVENT, event_id);
    command.actor = (struct actor){.id = 77, .role = ROLE_ADMIN};
    assert_int_equal(run_one(box, command).outcome, OUTCOME_OK);

    const struct event *event = find_event(box, event_id);
    assert_int_equal(event->status, EVENT_IS_CANCELLED);
    assert_int_equal(event->types[0].booked + event->types[0].waiting, 0);
    assert_int_equal(event->next_number, 4);
    for (int i = 0; i < 2; i++) {
        const struct booking *booking = &find_booking(box, i ? waiting : served)->row;
        assert_int_equal(booking->status, BOOKING_CANCELLED);
        assert_int_equal(booking->quantity, i ? 2 : 3);
        assert_int_equal(booking->number_count, 0);
        assert_int_equal(booking->updated_at, box->now);
        struct journal_entry entry = last_of_history(box, booking->id);
        assert_int_equal(entry.from, i ? BOOKING_WAITING : BOOKING_CONFIRMED);
        assert_int_equal(entry.to, BOOKING_CANCELLED);
        assert_int_equal(entry.quantity, booking->quantity);
        assert_int_equal(entry.event_id, event_id);
        assert_int_equal(entry.ticket_type_id, booking->ticket_type_id);
        assert_int_equal(entry.actor_id, 77);
        assert_int_equal(entry.at, box->now);
        assert_string_equal(entry.reason, "event_cancelled");
    }
    assert_int_equal(find_booking(box, gone)->row.updated_at, NOW);
    assert_string_equal(last_of_history(box, gone).reason, "cancelled");
    assert_int_equal(find_booking(box, elsewhere)->row.number_count, 2);
    expect_sound(box);
}

static struct payment *pay(struct box_office *box, uint64_t booking_id, int64_t amount)
{
    struct command command = {.kind = COMMAND_PAY, .actor = {.id = 5, .role = ROLE_ADMIN}};
    command.pay.booking_id = booking_id;
    command.pay.amount = amount;
    command.pay.method = PAYMENT_TRANSFER;
    command.pay.note = STR("IBAN …42");
    struct result result = run_one(box, command);
    assert_int_equal(result.outcome, OUTCOME_CREATED);
    return result.payment;
}

static void where_nothing_cancelled_is_kept_it_goes_at_once(void **state)
{
    struct box_office *box = *state;
    struct ticket_type type = {.name = STR("Seat"), .capacity = 5, .price = 100};
    uint64_t event_id = NEW_EVENT(box, 0, .types = &type, .type_count = 1)->id;
    box->keep_cancelled_ms = 0;
    uint64_t one = book(box, 1, event_id, 2)->id, two = book(box, 2, event_id, 3)->id;
    uint64_t three = book(box, 3, event_id, 4)->id;
    pay(box, two, 250);
    cancel(box, one);
    assert_null(find_booking(box, one));
    expect_sound(box);

    run_one(box, event_command(COMMAND_DELETE_EVENT, event_id));
    assert_null(find_booking(box, two));
    assert_null(find_booking(box, three));
    struct booking_list list;
    struct booking_query query = {.event_id = event_id, .status = -1, .limit = 10};
    OK(store_list_bookings(box->reader, &query, &box->arena, &list));
    assert_int_equal(list.count, 0);
    struct payment_list payments;
    OK(store_booking_payments(box->reader, two, &box->arena, &payments));
    assert_int_equal(payments.count, 1); /* money is not forgotten */
    expect_sound(box);
}

static void an_event_that_was_never_booked_goes_without_a_trace(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = detailed_event(box)->id, other = NEW_EVENT(box, 5)->id;
    assert_int_equal(run_one(box, event_command(COMMAND_DELETE_EVENT, event_id)).outcome,
                     OUTCOME_GONE);
    assert_null(find_event(box, event_id));
    struct check_figures figures;
    OK(store_check(box->reader, &figures, print_breach, NULL));
    assert_int_equal(figures.events, 1);
    assert_int_equal(figures.ticket_types, 1);
    assert_int_equal(figures.breaches, 0);
    assert_non_null(find_event(box, other));
}

static void what_moved_in_an_event_that_is_gone_is_not_written(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 5)->id;
    struct command command = event_command(COMMAND_DELETE_EVENT, event_id);
    struct result result;
    OK(prepare(box, &command, 1));
    struct event_entry *event = working_set_event(&box->set, event_id);
    event->types[0]->row.capacity = 6;
    event->types[0]->dirty = event->numbers_dirty = true;
    decide(&box->set, &command, &result);
    OK(commit(box));
    assert_null(find_event(box, event_id));
    expect_sound(box);
}

static void prune(struct box_office *box, int64_t replays_before, int64_t revocations_before,
                  uint32_t most)
{
    struct command command = {.kind = COMMAND_PRUNE};
    command.prune.replays_before = replays_before;
    command.prune.revocations_before = revocations_before;
    command.prune.most = most;
    assert_int_equal(run_one(box, command).outcome, OUTCOME_OK);
}

static void bookings_that_ended_long_ago_are_dropped(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 3)->id, ids[6];
    for (int i = 0; i < 6; i++)
        ids[i] = book(box, 1, event_id, 1)->id; /* the last three wait */
    cancel(box, ids[5]);
    box->now += HOUR;
    cancel(box, ids[4]);
    cancel(box, ids[0]);
    box->now += HOUR;

    box->keep_cancelled_ms = 2 * HOUR; /* what ended at NOW has been kept exactly as long */
    prune(box, 0, 0, 100);
    assert_non_null(find_booking(box, ids[5]));
    box->keep_cancelled_ms = 2 * HOUR - 1;
    prune(box, 0, 0, 100);
    assert_null(find_booking(box, ids[5]));
    assert_non_null(find_booking(box, ids[4]));
    box->keep_cancelled_ms = 1;
    prune(box, 0, 0, 1);
    assert_int_equal(!find_booking(box, ids[4]) + !find_booking(box, ids[0]), 1);
    prune(box, 0, 0, 1);
    for (int i = 0; i < 6; i++)
        assert_true((find_booking(box, ids[i]) != NULL) == (i >= 1 && i <= 3));
    expect_sound(box);
}

/* ---- answers that are kept ---- */

static void keep_answer(struct box_office *box, uint64_t user_id, unsigned char first_byte,
                        int64_t at, struct str body)
{
    struct working_set *set = begin(box);
    struct replay_key *key = ARENA_NEW(&box->arena, struct replay_key);
    *key = (struct replay_key){user_id, {first_byte, 0, 0xff}};
    working_set_want_replay(set, key);
    OK(store_load(box->writer, set));
    struct replay_answer *answer = ARENA_NEW(&box->arena, struct replay_answer);
    *answer = (struct replay_answer){{0, 1, 2, 0xff}, 201, at, body};
    struct change *change = working_set_change(set, CHANGE_REPLAY);
    change->replay.key = key;
    change->replay.answer = answer;
}

static struct replay_entry *kept_answer(struct box_office *box, uint64_t user_id,
                                        unsigned char first_byte)
{
    struct working_set *set = begin(box);
    struct replay_entry *entry =
        working_set_want_replay(set, &(struct replay_key){user_id, {first_byte, 0, 0xff}});
    OK(store_load(box->writer, set));
    store_abandon(box->writer);
    assert_true(entry->loaded);
    return entry;
}

static void an_answer_is_kept_under_its_key(void **state)
{
    struct box_office *box = *state;
    keep_answer(box, 1, 7, NOW, STR("HTTP\0{}"));
    OK(commit(box));
    const struct replay_entry *entry = kept_answer(box, 1, 7);
    assert_true(entry->found);
    assert_int_equal(entry->answer.status, 201);
    assert_int_equal(entry->answer.at, NOW);
    assert_true(str_equal(entry->answer.body, STR("HTTP\0{}")));
    assert_memory_equal(entry->answer.request, ((unsigned char[16]){0, 1, 2, 0xff}), 16);
    assert_false(kept_answer(box, 2, 7)->found);
    assert_false(kept_answer(box, 1, 8)->found);

    uint64_t event_id = NEW_EVENT(box, 1)->id;
    keep_answer(box, 1, 7, NOW + 1, STR("another"));
    expect_taken(box, event_id);
    assert_true(str_equal(kept_answer(box, 1, 7)->answer.body, STR("HTTP\0{}")));
    keep_answer(box, 2, 7, NOW, STR(""));
    OK(commit(box));
    assert_int_equal(kept_answer(box, 2, 7)->answer.body.len, 0);
}

static void an_answer_is_found_for_a_day(void **state)
{
    struct box_office *box = *state;
    keep_answer(box, 1, 7, NOW, STR("old"));
    OK(commit(box));
    box->now = NOW + DAY;
    assert_true(kept_answer(box, 1, 7)->found);
    box->now = NOW + DAY + 2 * HOUR;
    assert_false(kept_answer(box, 1, 7)->found);
    keep_answer(box, 1, 7, box->now, STR("new")); /* dropped or not, it is in nobody's way */
    OK(commit(box));
    assert_true(str_equal(kept_answer(box, 1, 7)->answer.body, STR("new")));
}

static void answers_are_dropped_by_the_hour(void **state)
{
    struct box_office *box = *state;
    keep_answer(box, 1, 1, NOW, STR("a"));
    OK(commit(box));
    keep_answer(box, 1, 2, NOW + 2 * HOUR, STR("b"));
    OK(commit(box));
    box->now = NOW + 3 * HOUR;
    prune(box, NOW, 0, 10);
    assert_true(kept_answer(box, 1, 1)->found);
    prune(box, NOW + 2 * HOUR, 0, 10);
    assert_false(kept_answer(box, 1, 1)->found);
    assert_true(kept_answer(box, 1, 2)->found);
}

/* ---- tokens that are dead ---- */

static int64_t dead_before(struct box_office *box, uint64_t user_id)
{
    struct directory_rows rows;
    OK(store_load_directory(box->reader, &box->arena, &rows));
    int64_t found = 0;
    for (size_t i = 0; i < rows.revocation_count; i++)
        if (rows.revocations[i].user_id == user_id) {
            assert_int_equal(found, 0);
            found = rows.revocations[i].not_before;
        }
    return found;
}

static void the_latest_revocation_counts_until_it_is_dropped(void **state)
{
    struct box_office *box = *state;
    uint64_t user_id = new_user(box, "One", NULL, "one")->id;
    static const int64_t times[] = {NOW, NOW + HOUR, NOW + 1};
    for (int i = 0; i < 3; i++) {
        struct working_set *set = begin(box);
        OK(store_load(box->writer, set));
        struct change *change = working_set_change(set, CHANGE_REVOKE);
        change->revoke.user_id = user_id;
        change->revoke.at = times[i];
        OK(commit(box));
        assert_int_equal(dead_before(box, user_id), times[i < 1 ? 0 : 1]);
    }
    prune(box, 0, NOW + HOUR, 10);
    assert_int_equal(dead_before(box, user_id), NOW + HOUR);
    prune(box, 0, NOW + HOUR + 1, 10);
    assert_int_equal(dead_before(box, user_id), 0);
}

/* ---- settings ---- */

static void a_setting_is_made_once_and_kept(void **state)
{
    struct box_office *box = *state;
    struct str value;
    OK(store_setting(box->writer, "key", STR("a\0b\xff"), &box->arena, &value));
    assert_true(str_equal(value, STR("a\0b\xff")));
    OK(store_setting(box->writer, "key", STR("other"), &box->arena, &value));
    assert_true(str_equal(value, STR("a\0b\xff")));
    OK(store_setting(box->writer, "another", STR("other"), &box->arena, &value));
    expect_str(value, "other");
    store_close(box->writer);
    box->writer = open_or_fail(box, STORE_WRITE);
    OK(store_setting(box->writer, "key", STR("third"), &box->arena, &value));
    assert_true(str_equal(value, STR("a\0b\xff")));
}

/* ---- the check ---- */

static void count_breach(const char *sentence, void *data)
{
    assert_true(strlen(sentence) > 10);
    ++*(unsigned *)data;
}

static uint64_t breaches(struct box_office *box)
{
    struct check_figures figures;
    unsigned heard = 0;
    OK(store_check(box->reader, &figures, count_breach, &heard));
    assert_int_equal(heard, figures.breaches);
    return figures.breaches;
}

static void the_check_counts(void **state)
{
    struct box_office *box = *state;
    uint64_t first;
    struct booking *booking = with_a_line(box, &first);
    new_user(box, "One", NULL, "one");
    cancel(box, booking->id);
    struct check_figures figures;
    OK(store_check(box->reader, &figures, print_breach, NULL));
    assert_int_equal(figures.breaches, 0);
    assert_int_equal(figures.events, 1);
    assert_int_equal(figures.ticket_types, 1);
    assert_int_equal(figures.users, 1);
    assert_int_equal(figures.bookings, 7);
    assert_int_equal(figures.confirmed, 3);
    assert_int_equal(figures.waiting, 3);
    assert_int_equal(figures.cancelled, 1);
    assert_int_equal(figures.tickets, 6);
    assert_int_equal(figures.journal, 11);
    assert_int_equal(figures.capacity, 6);
    assert_int_equal(figures.booked, 6);
    assert_int_equal(figures.held, 0);
}

/* Something that does not fit and that no constraint forbids, into a batch that is loaded. */
static void plant(struct box_office *box, struct booking *booking, struct booking *other, int which)
{
    struct working_set *set = &box->set;
    struct event_entry *event = working_set_event(set, booking->event_id);
    struct type_entry *type = event->types[0];
    struct change *change;
    type->dirty = event->numbers_dirty = true;
    switch (which) {
    case 0: type->row.booked++; break;
    case 1: type->row.held++; break;
    case 2: type->row.wanted = type->row.waiting = 1; break;
    case 3: event->row.next_number++; break;
    case 4:
        booking->quantity--;
        working_set_change(set, CHANGE_BOOKING_UPDATE)->booking = booking;
        break;
    case 5:
        change = working_set_change(set, CHANGE_TICKET_RETURN);
        change->tickets.event_id = booking->event_id;
        change->tickets.booking_id = booking->id;
        change->tickets.number = 2;
        change->tickets.count = 1;
        break;
    case 6:
    case 9:
        working_set_holder(set, booking->event_id, booking->user_id)->quantity = which == 6 ? 2 : 0;
        working_set_holder(set, booking->event_id, booking->user_id)->dirty = true;
        break;
    case 7:
        working_set_change(set, CHANGE_JOURNAL)->journal = (struct journal_entry){
            .booking_id = booking->id,
            .event_id = booking->event_id,
            .ticket_type_id = booking->ticket_type_id,
            .from = BOOKING_CONFIRMED,
            .to = BOOKING_CANCELLED,
            .quantity = 1,
            .at = NOW,
            .reason = "planted",
        };
        break;
    case 8: working_set_change(set, CHANGE_BOOKING_DELETE)->booking = booking; break;
    case 10: /* one booking grows by what another one loses */
        booking->quantity--;
        other->quantity++;
        working_set_change(set, CHANGE_BOOKING_UPDATE)->booking = booking;
        working_set_change(set, CHANGE_BOOKING_UPDATE)->booking = other;
        break;
    case 11: /* a ticket that is but held, of a booking that is confirmed */
        change = working_set_change(set, CHANGE_TICKET_GIVE);
        change->tickets.event_id = booking->event_id;
        change->tickets.booking_id = booking->id;
        change->tickets.number = 2;
        change->tickets.count = 1;
        break;
    }
}

static void the_check_finds_what_does_not_fit(void **state)
{
    struct box_office *box = *state;
    uint64_t found = 0;
    for (int which = 0; which <= 11; which++) {
        uint64_t event_id = NEW_EVENT(box, 10, .max_per_user = 10)->id;
        struct booking *booking = book(box, 1, event_id, 3), *other = book(box, 1, event_id, 1);
        assert_int_equal(breaches(box), found);
        struct command command = booking_command(1, event_id, 0, 1);
        OK(prepare(box, &command, 1));
        plant(box, booking, other, which);
        OK(commit(box));
        assert_true(breaches(box) > found);
        found = breaches(box);
    }
}

/* ---- copies ---- */

static void a_store_in_a_file_can_be_copied(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 3)->id;
    book(box, 1, event_id, 2);
    const char *error = NULL;
    struct str path = tested.is_file ? arena_printf(&box->arena, "%s/copy.db", tested.directory)
                                     : STR("not-written.db");
    enum store_status status = store_backup(box->reader, path.data, &box->arena, &error);
    if (!tested.is_file) {
        assert_int_equal(status, STORE_REFUSED);
        assert_true(strlen(error) > 20);
        assert_int_not_equal(access(path.data, F_OK), 0);
        return;
    }
    OK(status);
    struct box_office copy;
    box_open(&copy, arena_printf(&box->arena, "%s:%s", tested.name, path.data).data);
    assert_int_equal(find_event(&copy, event_id)->types[0].booked, 2);
    expect_sound(&copy);
    box_close(&copy);
    assert_int_not_equal(store_backup(box->reader, path.data, &box->arena, &error), STORE_OK);
    assert_true(strlen(error) > 20); /* nothing is overwritten */
}

static void what_is_durable_outlives_its_handles(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 3)->id;
    book(box, 1, event_id, 2);
    store_tidy(box->writer);
    OK(store_ping(box->reader));
    store_close(box->writer);
    store_close(box->reader);
    box->writer = open_or_fail(box, STORE_WRITE);
    box->reader = open_or_fail(box, STORE_READ);
    assert_true((find_event(box, event_id) != NULL) == tested.is_durable);
    expect_sound(box);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        STORE_TEST(nobody_writes_beside_the_writer_of_a_store_that_is_not_shared),
        STORE_TEST(a_reader_needs_a_store_that_exists),
        STORE_TEST(stores_of_different_names_are_different),
        STORE_TEST(an_unknown_kind_of_store_is_named),
        STORE_TEST(closing_no_store_is_fine),
        STORE_TEST(every_status_has_a_text),
        STORE_TEST(what_is_not_there_is_loaded_as_not_found),
        STORE_TEST(an_event_comes_back_as_it_was_written),
        STORE_TEST(an_event_is_updated_without_its_counters),
        STORE_TEST(a_user_comes_back_as_it_was_written),
        STORE_TEST(a_booking_is_loaded_with_its_numbers_ascending),
        STORE_TEST(a_line_is_loaded_in_order_and_as_deep_as_needed),
        STORE_TEST(the_line_of_one_type_is_not_that_of_another),
        STORE_TEST(returned_numbers_are_loaded_lowest_first),
        STORE_TEST(the_newest_booking_is_a_confirmed_one_before_a_waiting_one),
        STORE_TEST(a_person_s_bookings_to_come_are_loaded),
        STORE_TEST(ids_ascend_and_are_never_used_twice),
        STORE_TEST(as_many_ids_are_loaded_as_are_needed),
        STORE_TEST(nothing_is_seen_before_the_commit),
        STORE_TEST(what_is_abandoned_did_not_happen),
        STORE_TEST(a_batch_that_changes_nothing_is_fine),
        STORE_TEST(no_store_sells_more_than_there_is),
        STORE_TEST(an_address_and_a_user_name_belong_to_one_person),
        STORE_TEST(an_id_is_used_once),
        STORE_TEST(what_is_not_there_cannot_be_changed),
        STORE_TEST(readers_see_whole_commits_only),
        STORE_TEST(what_a_person_holds_is_counted_where_there_is_a_limit),
        STORE_TEST(a_limit_that_comes_later_counts_what_is_there),
        STORE_TEST(an_event_is_cancelled_with_all_its_bookings),
        STORE_TEST(where_nothing_cancelled_is_kept_it_goes_at_once),
        STORE_TEST(an_event_that_was_never_booked_goes_without_a_trace),
        STORE_TEST(what_moved_in_an_event_that_is_gone_is_not_written),
        STORE_TEST(bookings_that_ended_long_ago_are_dropped),
        STORE_TEST(an_answer_is_kept_under_its_key),
        STORE_TEST(an_answer_is_found_for_a_day),
        STORE_TEST(answers_are_dropped_by_the_hour),
        STORE_TEST(the_latest_revocation_counts_until_it_is_dropped),
        STORE_TEST(a_setting_is_made_once_and_kept),
        STORE_TEST(the_check_counts),
        STORE_TEST(the_check_finds_what_does_not_fit),
        STORE_TEST(a_store_in_a_file_can_be_copied),
        STORE_TEST(what_is_durable_outlives_its_handles),
    };
    return RUN_ON_EVERY_STORE(tests);
}
