/* SPDX-License-Identifier: Apache-2.0 */
/* What store.h promises readers, kept by every store; and that after the same commands the same
 * is found in each. */
#include "base/array.h"
#include "base/clock.h"
#include "testing.h"

/* ---- searching for events ---- */

static struct event_query any_event(void)
{
    return (struct event_query){.status = -1, .now = NOW, .limit = 100};
}

static struct words words(struct box_office *box, const char *text)
{
    return text_words(&box->arena, str_of(text), EVENT_QUERY_WORDS_MAX);
}

/* The ids that are found, with a blank between them; and page by page they are the same. */
static const char *found_ids(struct box_office *box, struct event_query query)
{
    struct event_list all, page;
    OK(store_search_events(box->reader, &query, &box->arena, &all));
    struct str ids = STR("");
    for (size_t i = 0; i < all.count; i++)
        ids = arena_printf(&box->arena, "%.*s%s%d", STR_FMT(ids), i ? " " : "",
                           (int)all.items[i]->id);

    size_t seen = 0;
    query.limit = 3;
    do {
        OK(store_search_events(box->reader, &query, &box->arena, &page));
        for (size_t i = 0; i < page.count; i++, seen++) {
            const struct event *event = page.items[i];
            assert_true(seen < all.count);
            assert_int_equal(event->id, all.items[seen]->id);
            query.after = (struct page_after){true, event->id, event->starts_at,
                                              text_fold(&box->arena, event->name)};
        }
    } while (page.count == 3);
    assert_int_equal(seen, all.count);
    return ids.data;
}

static const char *found_words(struct box_office *box, const char *q, const char *name,
                               const char *venue)
{
    struct event_query query = any_event();
    query.q = words(box, q);
    query.name = words(box, name);
    query.venue = words(box, venue);
    return found_ids(box, query);
}

static void events_are_found_by_the_beginnings_of_words(void **state)
{
    struct box_office *box = *state;
    NEW_EVENT(box, 1, .name = STR("Élan Vital"), .venue = STR("Café Zürich"),
              .description = STR("Jazz, and a bear's dance."));
    NEW_EVENT(box, 1, .name = STR("The Jazz Élite"), .venue = STR("Town hall"));
    NEW_EVENT(box, 1, .name = STR("Пётр и волк"), .venue = STR("Elan"));
    NEW_EVENT(box, 1, .name = STR("100% \"quoted\" _ [x] *"), .venue = STR("O'Hara's"));

    assert_string_equal(found_words(box, "", "", ""), "1 2 3 4");
    assert_string_equal(found_words(box, "jazz", "", ""), "1 2");
    assert_string_equal(found_words(box, "JAZ", "", ""), "1 2");
    assert_string_equal(found_words(box, "azz", "", ""), "");
    assert_string_equal(found_words(box, "elan", "", ""), "1 3");
    assert_string_equal(found_words(box, "ÉLAN", "", ""), "1 3");
    assert_string_equal(found_words(box, "el", "", ""), "1 2 3");
    assert_string_equal(found_words(box, "el jazz", "", ""), "1 2");
    assert_string_equal(found_words(box, "zurich bear", "", ""), "1");
    assert_string_equal(found_words(box, "zurich bear tuba", "", ""), "");
    assert_string_equal(found_words(box, "ПЁТР", "", ""), "3");
    assert_string_equal(found_words(box, "вол", "", ""), "3");
    assert_string_equal(found_words(box, "100", "", ""), "4");
    assert_string_equal(found_words(box, "quoted hara", "", ""), "4");
    assert_string_equal(found_words(box, "", "el", ""), "1 2");
    assert_string_equal(found_words(box, "", "", "el"), "3");
    assert_string_equal(found_words(box, "", "jazz", ""), "2");
    assert_string_equal(found_words(box, "dance", "elan", "caf"), "1");
    assert_string_equal(found_words(box, "dance", "elan", "town"), "");

    struct command command = event_command(COMMAND_UPDATE_EVENT, 2);
    command.update.fields = FIELD_NAME;
    command.update.event.name = STR("Rock");
    run_one(box, command);
    assert_string_equal(found_words(box, "jazz", "", ""), "1");
    assert_string_equal(found_words(box, "rock", "", ""), "2");
}

static void events_are_found_by_the_day_where_they_are(void **state)
{
    struct box_office *box = *state;
    int64_t midnight = NOW - NOW % DAY + DAY; /* in UTC */
    NEW_EVENT(box, 1, .starts_at = midnight);
    NEW_EVENT(box, 1, .starts_at = midnight + DAY - 1);
    NEW_EVENT(box, 1, .starts_at = midnight + DAY);
    NEW_EVENT(box, 1, .starts_at = midnight - 1);
    NEW_EVENT(box, 1, .starts_at = midnight - 1, .timezone = STR("Asia/Tokyo"));
    NEW_EVENT(box, 1, .starts_at = midnight + HOUR, .timezone = STR("America/New_York"));
    NEW_EVENT(box, 1); /* has no day */

    struct event_query query = any_event();
    query.has_day = true;
    query.day = (int32_t)(midnight / DAY);
    if (zone_known(STR("Asia/Tokyo"))) assert_string_equal(found_ids(box, query), "5 1 2");
    query.day++;
    assert_string_equal(found_ids(box, query), "3");
    query.day = 0;
    assert_string_equal(found_ids(box, query), "");
}

static void events_are_found_by_their_time(void **state)
{
    struct box_office *box = *state;
    for (int i = 1; i <= 3; i++)
        NEW_EVENT(box, 1, .starts_at = NOW + i * HOUR);
    NEW_EVENT(box, 1);
    struct event_query query = any_event();
    query.from = NOW + 2 * HOUR;
    assert_string_equal(found_ids(box, query), "2 3");
    query.to = NOW + 3 * HOUR;
    assert_string_equal(found_ids(box, query), "2");
    query.from = 0;
    assert_string_equal(found_ids(box, query), "1 2"); /* one without a time is not before it */
}

static void events_are_sorted_with_those_without_a_time_last(void **state)
{
    struct box_office *box = *state;
    static const char *const names[] = {"b", "Ä", "a", "B", "c", "Ç", "a", "z"};
    static const int64_t hours[] = {3, 0, 1, 2, 0, 3, 2, 0};
    for (int i = 0; i < 8; i++)
        NEW_EVENT(box, 1, .name = str_of(names[i]),
                  .starts_at = hours[i] ? NOW + hours[i] * HOUR : 0);
    struct event_query query = any_event();
    assert_string_equal(found_ids(box, query), "3 4 7 1 6 2 5 8");
    query.sort = SORT_STARTS_AT_DESCENDING;
    assert_string_equal(found_ids(box, query), "1 6 4 7 3 2 5 8");
    query.sort = SORT_NAME; /* in the order of folded code points */
    assert_string_equal(found_ids(box, query), "3 7 1 4 5 8 2 6");
    query.limit = 2;
    struct event_list list;
    OK(store_search_events(box->reader, &query, &box->arena, &list));
    assert_int_equal(list.count, 2);
    assert_int_equal(list.items[0]->type_count, 1);
    expect_str(list.items[0]->types[0].name, "General admission");
}

static void a_page_is_filtered_and_sorted_too(void **state)
{
    struct box_office *box = *state;
    for (int i = 0; i < 24; i++)
        NEW_EVENT(box, 1,
                  .name = arena_printf(&box->arena, "%s %c", i % 3 ? "jazz" : "rock", 'a' + i % 5),
                  .organizer_id = 1 + (uint64_t)(i % 2),
                  .starts_at = i % 4 ? NOW + (1 + i % 6) * HOUR : 0);
    for (int sort = 0; sort < 3; sort++)
        for (int filter = 0; filter < 6; filter++) {
            struct event_query query = any_event();
            query.sort = (enum event_sort)sort;
            if (filter == 1) query.q = words(box, "jazz");
            if (filter == 2) query.organizer = 2;
            if (filter == 3) query.from = NOW + 3 * HOUR;
            if (filter == 4) query.has_day = true, query.day = (int32_t)((NOW + 2 * HOUR) / DAY);
            if (filter == 5) query.name = words(box, "ro"), query.organizer = 1;
            assert_true(strlen(found_ids(box, query)) > 4);
        }
}

/* Knows the event of the second id, as version 2. */
static struct event *know_one(uint64_t id, uint64_t version, void *data)
{
    struct event *known = data;
    known->type_count++; /* how often it was asked for */
    return id == known->id && version == known->version ? known : NULL;
}

static void what_the_caller_has_is_not_read_again(void **state)
{
    struct box_office *box = *state;
    for (int i = 0; i < 3; i++)
        NEW_EVENT(box, 1, .name = STR("jazz"));
    struct command command = event_command(COMMAND_UPDATE_EVENT, 2);
    command.update.fields = FIELD_VENUE;
    command.update.event.venue = STR("Town hall");
    run_one(box, command);

    for (uint64_t version = 1; version <= 2; version++) {
        struct event known = {.id = 2, .version = version};
        struct event_query query = any_event();
        struct event_list list;
        query.q = words(box, "jazz");
        query.known = know_one;
        query.known_data = &known;
        OK(store_search_events(box->reader, &query, &box->arena, &list));
        assert_int_equal(list.count, 3);
        for (uint64_t i = 0; i < 3; i++)
            assert_int_equal(list.items[i]->id, i + 1);
        /* A store is free not to ask. */
        assert_true(known.type_count == 0 || known.type_count == 3);
        bool is_taken = known.type_count && version == 2;
        assert_true((list.items[1] == &known) == is_taken);
        if (!is_taken) expect_str(list.items[1]->venue, "Town hall");
    }
}

static void events_are_found_by_status_and_organizer(void **state)
{
    struct box_office *box = *state;
    for (int status = EVENT_DRAFT; status <= EVENT_CLOSED; status++)
        for (uint64_t organizer = 1; organizer <= 2; organizer++)
            new_event(
                box, (struct event){.status = (enum event_status)status, .organizer_id = organizer},
                1);
    new_event(box, (struct event){.status = EVENT_DRAFT}, 1); /* of the operator */
    struct event_query query = any_event();
    assert_string_equal(found_ids(box, query), "3 4 5 6"); /* drafts are nobody's business */
    query.drafts_of = 2;
    assert_string_equal(found_ids(box, query), "2 3 4 5 6");
    query.drafts_of = UINT64_MAX;
    assert_string_equal(found_ids(box, query), "1 2 3 4 5 6 7");
    query.status = EVENT_DRAFT;
    assert_string_equal(found_ids(box, query), "1 2 7");
    query.drafts_of = 1;
    assert_string_equal(found_ids(box, query), "1");
    query.drafts_of = 0;
    assert_string_equal(found_ids(box, query), "");
    query.status = EVENT_CLOSED;
    query.organizer = 1;
    assert_string_equal(found_ids(box, query), "5");

    book(box, 1, 4, 1);
    run_one(box, event_command(COMMAND_DELETE_EVENT, 4));
    query = any_event();
    query.status = EVENT_IS_CANCELLED;
    assert_string_equal(found_ids(box, query), "4");
}

static void available_is_what_a_newcomer_can_have(void **state)
{
    struct box_office *box = *state;
    uint64_t sold_out = NEW_EVENT(box, 2)->id, line = NEW_EVENT(box, 2)->id;
    NEW_EVENT(box, 2);
    NEW_EVENT(box, 2, .starts_at = NOW + HOUR);
    new_event(box, (struct event){.status = EVENT_CLOSED}, 2);
    static struct ticket_type types[] = {{.name = STR("a"), .capacity = 1},
                                         {.name = STR("b"), .capacity = 1}};
    struct event *two = NEW_EVENT(box, 0, .types = types, .type_count = 2);
    book(box, 1, sold_out, 2);
    book(box, 1, line, 1);
    book(box, 1, line, 2); /* waits, and what is free is kept for it */
    run_one(box, booking_command(1, two->id, two->types[0].id, 1));

    struct event_query query = any_event();
    query.available = true;
    assert_string_equal(found_ids(box, query), "4 3 6");
    query.now = NOW + HOUR;
    assert_string_equal(found_ids(box, query), "3 6");
}

/* ---- bookings ---- */

static void a_booking_is_shown_with_all_around_it(void **state)
{
    struct box_office *box = *state;
    uint64_t user_id = new_user(box, "Ána", "ana@example.org", "ana")->id;
    static struct ticket_type type = {.name = STR("Ränge"), .capacity = 5, .price = 700};
    uint64_t event_id =
        NEW_EVENT(box, 0, .name = STR("Élan"), .venue = STR("Hall"),
                  .timezone = STR("Europe/Berlin"), .starts_at = NOW + DAY, .organizer_id = 9,
                  .currency = "CHF", .types = &type, .type_count = 1)
            ->id;
    uint64_t id = book(box, user_id, event_id, 2)->id;
    struct booking_view *view = find_booking(box, id);
    assert_int_equal(view->row.id, id);
    assert_int_equal(view->row.user_id, user_id);
    assert_int_equal(view->row.event_id, event_id);
    assert_int_equal(view->row.quantity, 2);
    assert_int_equal(view->row.unit_price, 700);
    assert_int_equal(view->row.status, BOOKING_CONFIRMED);
    assert_int_equal(view->row.paid, 0);
    assert_int_equal(view->row.created_at, NOW);
    assert_int_equal(view->row.updated_at, NOW);
    assert_int_equal(view->row.number_count, 2);
    assert_int_equal(view->row.numbers[1], 2);
    expect_str(view->event_name, "Élan");
    expect_str(view->event_venue, "Hall");
    expect_str(view->event_timezone, "Europe/Berlin");
    expect_str(view->type_name, "Ränge");
    assert_int_equal(view->event_starts_at, NOW + DAY);
    assert_int_equal(view->event_status, EVENT_ON_SALE);
    assert_int_equal(view->organizer_id, 9);
    assert_string_equal(view->currency, "CHF");
    assert_int_equal(view->position, 0);
    assert_int_equal(view->user.id, user_id);
    expect_str(view->user.name, "Ána");
    expect_str(view->user.email, "ana@example.org");
    expect_str(view->user.username, "ana");
    assert_null(find_booking(box, id + 1));
}

static void who_waits_sees_how_many_are_before(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 10)->id, other = NEW_EVENT(box, 1)->id, ids[3];
    uint64_t booked = book(box, 1, event_id, 10)->id;
    book(box, 1, other, 1);
    for (uint32_t i = 0; i < 3; i++) {
        ids[i] = book(box, 2, event_id, i + 2)->id;
        book(box, 2, other, 1);
    }
    assert_int_equal(find_booking(box, ids[0])->position, 1);
    assert_int_equal(find_booking(box, ids[0])->ahead, 0);
    assert_int_equal(find_booking(box, ids[2])->position, 3);
    assert_int_equal(find_booking(box, ids[2])->ahead, 5);
    cancel(box, ids[1]);
    assert_int_equal(find_booking(box, ids[2])->position, 2);
    assert_int_equal(find_booking(box, ids[2])->ahead, 2);
    cancel(box, booked);
    assert_int_equal(find_booking(box, ids[2])->position, 0);
}

/* Longer than a block of ids (LINE_BLOCK_BITS), with people leaving anywhere, some of their
 * tickets, and a head that is served. */
static void a_place_in_a_long_line_stays_exact(void **state)
{
    enum { LINE = 10000, BATCH = 250 };
    static struct command commands[BATCH];
    static struct result results[BATCH];
    static uint64_t ids[LINE];
    static uint32_t wanted[LINE];
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 10)->id, booked = book(box, 1, event_id, 10)->id;
    for (size_t i = 0; i < LINE; i += BATCH) {
        for (size_t j = 0; j < BATCH; j++)
            commands[j] = booking_command(2, event_id, 0, wanted[i + j] = 1 + (i + j) % 3);
        OK(run(box, commands, BATCH, results));
        for (size_t j = 0; j < BATCH; j++)
            ids[i + j] = results[j].booking->id;
    }
    /* Each 37th leaves, each 53rd gives one ticket up, and the first few are served. */
    for (size_t i = 5; i < LINE; i += 37) {
        cancel(box, ids[i]);
        wanted[i] = 0;
    }
    for (size_t i = 0; i < LINE; i += 53) {
        if (wanted[i] < 2) continue;
        assert_int_equal(run_one(box, cancel_command(ids[i], 1)).outcome, OUTCOME_OK);
        wanted[i]--;
    }
    struct result served = run_one(box, cancel_command(booked, 0));
    for (size_t i = 0, left = served.promoted; left; i++)
        if (wanted[i]) {
            wanted[i] = 0;
            left--;
        }
    expect_sound(box);

    uint32_t position = 0;
    uint64_t ahead = 0;
    for (size_t i = 0; i < LINE; i++) {
        if (!wanted[i]) continue;
        position++;
        if (i % 97 == 0 || i > LINE - 4 || position < 4) {
            const struct booking_view *view = find_booking(box, ids[i]);
            assert_int_equal(view->position, position);
            assert_int_equal(view->ahead, ahead);
        }
        ahead += wanted[i];
    }
    assert_int_equal(find_event(box, event_id)->types[0].waiting, position);
    assert_int_equal(run_one(box, event_command(COMMAND_DELETE_EVENT, event_id)).outcome,
                     OUTCOME_OK);
    expect_sound(box);
}

/* "newest ... oldest", and page by page the same. */
static const char *listed(struct box_office *box, struct booking_query query)
{
    struct booking_list all, page;
    query.limit = 100;
    OK(store_list_bookings(box->reader, &query, &box->arena, &all));
    struct str ids = STR("");
    for (size_t i = 0; i < all.count; i++)
        ids = arena_printf(&box->arena, "%.*s%s%d", STR_FMT(ids), i ? " " : "",
                           (int)all.items[i]->row.id);
    size_t seen = 0;
    query.limit = 3;
    do {
        OK(store_list_bookings(box->reader, &query, &box->arena, &page));
        for (size_t i = 0; i < page.count; i++)
            assert_int_equal(page.items[i]->row.id, all.items[seen++]->row.id);
        if (page.count) query.before = page.items[page.count - 1]->row.id;
    } while (page.count == 3);
    assert_int_equal(seen, all.count);
    return ids.data;
}

static void bookings_are_listed_newest_first(void **state)
{
    struct box_office *box = *state;
    uint64_t ana = new_user(box, "Ána María", "ana@example.org", NULL)->id;
    uint64_t bob = new_user(box, "Bob", NULL, "bob.anders")->id;
    uint64_t one = NEW_EVENT(box, 3)->id, two = NEW_EVENT(box, 100)->id;
    book(box, ana, one, 1);
    book(box, bob, one, 2);
    for (int i = 0; i < 3; i++) {
        book(box, ana, one, 1);
        book(box, ana, two, 1);
        book(box, bob, two, 1);
    }
    cancel(box, 4);

    assert_string_equal(listed(box, (struct booking_query){.user_id = ana, .status = -1}),
                        "10 9 7 6 4 3 1");
    assert_string_equal(listed(box, (struct booking_query){.event_id = two, .status = -1}),
                        "11 10 8 7 5 4");
    assert_string_equal(
        listed(box, (struct booking_query){.user_id = ana, .event_id = one, .status = -1}),
        "9 6 3 1");
    assert_string_equal(
        listed(box, (struct booking_query){.user_id = ana, .status = BOOKING_WAITING}), "9 6 3");
    assert_string_equal(
        listed(box, (struct booking_query){.event_id = two, .status = BOOKING_CANCELLED}), "4");
    assert_string_equal(listed(box, (struct booking_query){.user_id = 99, .status = -1}), "");
    struct booking_query query = {.event_id = one, .status = -1, .q = words(box, "maria ANA")};
    assert_string_equal(listed(box, query), "9 6 3 1");
    query.q = words(box, "an"); /* of a name, and of a user name */
    assert_string_equal(listed(box, query), "9 6 3 2 1");
    query.q = words(box, "bob anders");
    assert_string_equal(listed(box, query), "2");
    query.user_id = ana;
    assert_string_equal(listed(box, query), "");

    struct booking_list list;
    query = (struct booking_query){.event_id = one, .status = -1, .limit = 100};
    OK(store_list_bookings(box->reader, &query, &box->arena, &list));
    assert_int_equal(list.items[3]->row.number_count, 2);
    assert_int_equal(list.items[3]->row.numbers[0], 2);
    expect_str(list.items[3]->user.username, "bob.anders");
    expect_str(list.items[0]->event_name, "Concert");
}

static void what_was_erased_is_shown_no_more(void **state)
{
    struct box_office *box = *state;
    uint64_t user_id = new_user(box, "Ana", "ana@example.org", "ana")->id;
    uint64_t event_id = NEW_EVENT(box, 3, .starts_at = NOW + HOUR)->id;
    uint64_t id = book(box, user_id, event_id, 1)->id;
    box->now += 2 * HOUR;
    struct command command = {.kind = COMMAND_ERASE_USER};
    command.user.user.id = user_id;
    run_one(box, command);

    const struct booking_view *view = find_booking(box, id);
    assert_int_equal(view->row.status, BOOKING_CONFIRMED); /* it had begun */
    assert_int_equal(view->user.id, user_id);
    assert_int_equal(view->user.name.len + view->user.email.len + view->user.username.len, 0);
    struct user *user;
    OK(store_find_user(box->reader, 0, STR("ana@example.org"), STR("ana"), &box->arena, &user));
    assert_null(user);
    struct user_list list;
    struct user_query query = {.role = -1, .limit = 10, .q = words(box, "ana")};
    OK(store_list_users(box->reader, &query, &box->arena, &list));
    assert_int_equal(list.count, 0);
    struct booking_query bookings = {.event_id = event_id, .status = -1, .q = words(box, "ana")};
    assert_string_equal(listed(box, bookings), "");
    new_user(box, "Ana", "ana@example.org", "ana"); /* the login is free again */
    expect_sound(box);
}

static void tickets_are_listed_by_number(void **state)
{
    struct box_office *box = *state;
    uint64_t user_id = new_user(box, "Ana", "ana@example.org", NULL)->id;
    uint64_t event_id = NEW_EVENT(box, 100)->id, other = NEW_EVENT(box, 100)->id;
    uint64_t first = book(box, user_id, event_id, 2)->id;
    book(box, user_id, other, 2);
    uint64_t last = book(box, user_id, event_id, 5)->id;
    cancel(box, first);

    uint32_t after = 0, seen = 0;
    for (struct ticket_list page = {.count = 3}; page.count == 3;) {
        OK(store_list_tickets(box->reader, event_id, after, 3, &box->arena, &page));
        for (size_t i = 0; i < page.count; i++) {
            const struct ticket_view *ticket = &page.items[i];
            assert_int_equal(ticket->number, ++seen);
            assert_int_equal(ticket->is_booked, seen > 2);
            assert_int_equal(ticket->booking_id, seen > 2 ? last : 0);
            if (seen > 2) {
                assert_int_equal(ticket->user.id, user_id);
                expect_str(ticket->user.name, "Ana");
                expect_str(ticket->user.email, "ana@example.org");
            }
            after = seen;
        }
    }
    assert_int_equal(seen, 7);
}

static void a_history_is_told_from_the_beginning(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 3)->id;
    uint64_t blocker = book(box, 8, event_id, 3)->id, id = book(box, 7, event_id, 3)->id;
    box->now += HOUR;
    cancel(box, blocker);
    box->now += HOUR;
    run_one(box, cancel_command(id, 1));

    struct journal_list list;
    OK(store_booking_history(box->reader, id, &box->arena, &list));
    static const struct journal_entry expected[] = {
        {.from = BOOKING_NONE,
         .to = BOOKING_WAITING,
         .quantity = 3,
         .actor_id = 7,
         .at = NOW,
         .reason = "joined"},
        {.from = BOOKING_WAITING,
         .to = BOOKING_CONFIRMED,
         .quantity = 3,
         .at = NOW + HOUR,
         .reason = "promoted"},
        {.from = BOOKING_CONFIRMED,
         .to = BOOKING_CANCELLED,
         .quantity = 1,
         .at = NOW + 2 * HOUR,
         .reason = "cancelled"},
    };
    assert_int_equal(list.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(list.items[i].booking_id, id);
        assert_int_equal(list.items[i].event_id, event_id);
        assert_int_equal(list.items[i].from, expected[i].from);
        assert_int_equal(list.items[i].to, expected[i].to);
        assert_int_equal(list.items[i].quantity, expected[i].quantity);
        assert_int_equal(list.items[i].actor_id, expected[i].actor_id);
        assert_int_equal(list.items[i].at, expected[i].at);
        assert_string_equal(list.items[i].reason, expected[i].reason);
    }
    OK(store_booking_history(box->reader, id + 1, &box->arena, &list));
    assert_int_equal(list.count, 0);
    expect_sound(box);
}

static void payments_are_listed_oldest_first(void **state)
{
    struct box_office *box = *state;
    static struct ticket_type type = {.name = STR("Seat"), .capacity = 5, .price = 100};
    uint64_t event_id = NEW_EVENT(box, 0, .currency = "CHF", .types = &type, .type_count = 1)->id;
    uint64_t id = book(box, 1, event_id, 3)->id;
    for (int i = 0; i < 2; i++) {
        struct command command = {.kind = COMMAND_PAY, .actor = {.id = 5, .role = ROLE_ADMIN}};
        command.pay.booking_id = id;
        command.pay.amount = i ? 200 : 100;
        command.pay.method = i ? PAYMENT_OTHER : PAYMENT_CASH;
        command.pay.note = i ? STR("") : STR("at the door — thanks");
        assert_int_equal(run_one(box, command).outcome, OUTCOME_CREATED);
    }
    struct payment_list list;
    OK(store_booking_payments(box->reader, id, &box->arena, &list));
    assert_int_equal(list.count, 2);
    assert_true(list.items[0].id < list.items[1].id);
    assert_int_equal(list.items[0].booking_id, id);
    assert_int_equal(list.items[0].actor_id, 5);
    assert_int_equal(list.items[0].amount, 100);
    assert_string_equal(list.items[0].currency, "CHF");
    assert_int_equal(list.items[0].method, PAYMENT_CASH);
    expect_str(list.items[0].note, "at the door — thanks");
    assert_int_equal(list.items[0].created_at, NOW);
    assert_int_equal(list.items[1].amount, 200);
    assert_int_equal(list.items[1].method, PAYMENT_OTHER);
    assert_int_equal(list.items[1].note.len, 0);
    assert_int_equal(find_booking(box, id)->row.paid, 300);
}

/* ---- people ---- */

static uint64_t found_user(struct box_office *box, const char *email, const char *username)
{
    struct user *user;
    struct str none = {0};
    OK(store_find_user(box->reader, 0, email ? str_of(email) : none,
                       username ? str_of(username) : none, &box->arena, &user));
    return user ? user->id : 0;
}

static void a_user_is_found_by_address_or_user_name(void **state)
{
    struct box_office *box = *state;
    uint64_t ana = new_user(box, "Ana", "Ána@Example.org", NULL)->id;
    uint64_t bob = new_user(box, "Bob", NULL, "Bob")->id;
    assert_int_equal(found_user(box, "ána@example.org", NULL), ana);
    assert_int_equal(found_user(box, "ána@example.org", "nobody"), ana);
    assert_int_equal(found_user(box, "nobody", "bob"), bob);
    assert_int_equal(found_user(box, NULL, "bob"), bob);
    assert_int_equal(found_user(box, NULL, "ána@example.org"), 0);
    assert_int_equal(found_user(box, "bob", NULL), 0);
    assert_int_equal(found_user(box, NULL, NULL), 0);
    assert_null(find_user(box, bob + 1));
}

static void an_erased_user_is_found_by_id_only(void **state)
{
    struct box_office *box = *state;
    struct user user = *new_user(box, "Ana", "ana@example.org", "ana");
    begin(box);
    OK(store_load(box->writer, &box->set));
    user.erased_at = NOW; /* core takes the logins away as well */
    working_set_change(&box->set, CHANGE_USER_UPDATE)->user = &user;
    OK(commit(box));
    assert_int_equal(found_user(box, "ana@example.org", NULL), 0);
    assert_int_equal(found_user(box, NULL, "ana"), 0);
    assert_int_equal(find_user(box, user.id)->erased_at, NOW);
}

static const char *listed_users(struct box_office *box, struct user_query query)
{
    struct user_list all, page;
    query.limit = 100;
    OK(store_list_users(box->reader, &query, &box->arena, &all));
    struct str ids = STR("");
    for (size_t i = 0; i < all.count; i++)
        ids = arena_printf(&box->arena, "%.*s%s%d", STR_FMT(ids), i ? " " : "",
                           (int)all.items[i]->id);
    size_t seen = 0;
    query.limit = 3;
    do {
        OK(store_list_users(box->reader, &query, &box->arena, &page));
        for (size_t i = 0; i < page.count; i++)
            assert_int_equal(page.items[i]->id, all.items[seen++]->id);
        if (page.count) query.after = page.items[page.count - 1]->id;
    } while (page.count == 3);
    assert_int_equal(seen, all.count);
    return ids.data;
}

static void users_are_listed_by_id(void **state)
{
    struct box_office *box = *state;
    for (int i = 0; i < 7; i++) {
        struct str email = arena_printf(&box->arena, "u%d@example.org", i);
        new_user(box, i % 2 ? "Ána Müller" : "Bob Anders", email.data, NULL);
    }
    struct command command = {.kind = COMMAND_SET_ROLE};
    command.user.user.role = ROLE_ADMIN;
    for (uint64_t id = 4; id <= 5; id++) {
        command.user.user.id = id;
        run_one(box, command);
    }
    assert_string_equal(listed_users(box, (struct user_query){.role = -1}), "1 2 3 4 5 6 7");
    assert_string_equal(listed_users(box, (struct user_query){.role = ROLE_ADMIN}), "4 5");
    assert_string_equal(listed_users(box, (struct user_query){.role = ROLE_ORGANIZER}), "");
    assert_string_equal(listed_users(box, (struct user_query){.role = ROLE_USER}), "1 2 3 6 7");
    struct user_query query = {.role = -1, .q = words(box, "mull an")};
    assert_string_equal(listed_users(box, query), "2 4 6");
    query.role = ROLE_ADMIN;
    assert_string_equal(listed_users(box, query), "4");
    query = (struct user_query){.role = -1, .q = words(box, "u3")};
    assert_string_equal(listed_users(box, query), "4");
    query.q = words(box, "an");
    query.after = 3;
    assert_string_equal(listed_users(box, query), "4 5 6 7");

    command = (struct command){.kind = COMMAND_UPDATE_USER};
    command.user.fields = FIELD_NAME;
    command.user.user = (struct user){.id = 2, .name = STR("Carla")};
    run_one(box, command);
    query = (struct user_query){.role = -1, .q = words(box, "mull")};
    assert_string_equal(listed_users(box, query), "4 6");
    query.q = words(box, "car u1");
    assert_string_equal(listed_users(box, query), "2");
}

static void the_directory_knows_the_privileged_and_the_last(void **state)
{
    struct box_office *box = *state;
    struct directory_rows rows;
    OK(store_load_directory(box->reader, &box->arena, &rows));
    assert_int_equal(rows.last_user_id + rows.privileged.count + rows.revocation_count, 0);
    for (int i = 0; i < 4; i++)
        new_user(box, "Somebody", NULL, arena_printf(&box->arena, "user%d", i).data);
    struct command command = {.kind = COMMAND_SET_ROLE};
    for (uint64_t id = 2; id <= 3; id++) {
        command.user.user.id = id;
        command.user.user.role = id == 2 ? ROLE_ADMIN : ROLE_ORGANIZER;
        run_one(box, command);
    }
    command = (struct command){.kind = COMMAND_SIGN_OUT};
    command.user.user.id = 4;
    run_one(box, command);
    OK(store_load_directory(box->reader, &box->arena, &rows));
    assert_int_equal(rows.last_user_id, 4);
    assert_int_equal(rows.privileged.count, 2);
    assert_int_equal(rows.privileged.items[0]->id, 2);
    assert_int_equal(rows.privileged.items[0]->role, ROLE_ADMIN);
    assert_int_equal(rows.privileged.items[1]->role, ROLE_ORGANIZER);
    assert_int_equal(rows.revocation_count, 1);
    assert_int_equal(rows.revocations[0].user_id, 4);
    assert_int_equal(rows.revocations[0].not_before, NOW);
}

/* ---- the same everywhere ---- */

static uint64_t seed;

/* From 0 to 'below' - 1; splitmix64, so that it is the same on every machine. */
static uint32_t draw(uint32_t below)
{
    uint64_t x = seed += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((x ^ (x >> 31)) % below);
}

enum { PEOPLE = 9 };

/* The ids of all bookings, ascending. What a store leaves out between them is its own affair. */
static struct {
    uint64_t ids[400 * 12];
    uint32_t count;
} booked;

static void note_booking(const struct booking *booking)
{
    if (!booking || (booked.count && booking->id <= booked.ids[booked.count - 1])) return;
    assert_in_range(booked.count, 0, sizeof(booked.ids) / sizeof(booked.ids[0]) - 1);
    booked.ids[booked.count++] = booking->id;
}

/* The first, second, ... booking; 0 for 0. */
static int nth_booking(uint64_t id)
{
    uint32_t at = 0;
    while (at < booked.count && booked.ids[at] < id)
        at++;
    return id ? (int)at + 1 : 0;
}

static struct command random_selling(uint64_t events)
{
    uint64_t event_id = 1 + draw((uint32_t)events), user_id = 1 + draw(PEOPLE);
    uint64_t booking_id = booked.count ? booked.ids[draw(booked.count)] : 1000000;
    uint32_t kind_ = draw(10);
    if (kind_ < 5) {
        struct command command = booking_command(user_id, event_id, 0, 1 + draw(draw(4) ? 3 : 9));
        command.book.join_waiting_list = draw(5) > 0;
        return command;
    }
    if (kind_ < 8) return cancel_command(booking_id, draw(3));
    struct command command = {.kind = COMMAND_CANCEL_NEWEST, .actor = actor(user_id)};
    command.cancel.event_id = event_id;
    if (kind_ == 8) return command;
    command = (struct command){.kind = COMMAND_PAY, .actor = {.role = ROLE_ADMIN}};
    command.pay.booking_id = booking_id;
    command.pay.amount = 1 + draw(10);
    command.pay.note = STR("paid");
    return command;
}

/* One of those that need a batch of their own. */
static void random_managing(struct box_office *box, uint64_t events)
{
    struct command command = event_command(COMMAND_UPDATE_EVENT, 1 + draw((uint32_t)events));
    const struct event *event = find_event(box, command.update.event.id);
    struct ticket_type_update type = {.fields = FIELD_CAPACITY};
    switch (draw(12)) {
    case 0: command = event_command(COMMAND_DELETE_EVENT, command.update.event.id); break;
    case 1:
        command = (struct command){.kind = COMMAND_PRUNE};
        command.prune.most = 3;
        box->keep_cancelled_ms = draw(3) * HOUR;
        break;
    case 2:
        command = (struct command){.kind = COMMAND_ERASE_USER};
        command.user.user.id = 1 + draw(PEOPLE);
        break;
    case 3:
    case 4:
        command.update.fields = FIELD_MAX_PER_USER;
        command.update.event.max_per_user = draw(2) ? 12 : 0;
        break;
    default:
        if (!event) return;
        type.type.id = event->types[0].id;
        type.type.capacity = draw(30);
        command.update.types = &type;
        command.update.type_count = 1;
    }
    run_one(box, command);
}

static void random_life(struct box_office *box)
{
    static struct ticket_type type = {.name = STR("Seat"), .capacity = 12, .price = 2};
    uint64_t events = 0;
    booked.count = 0;
    for (uint64_t i = 1; i <= PEOPLE; i++)
        new_user(box, i % 2 ? "Ana" : "Bob", NULL,
                 arena_printf(&box->arena, "user%d", (int)i).data);
    for (int turn = 0; turn < 400; turn++) {
        box->now += HOUR / 4;
        if (turn % 50 == 0)
            events = NEW_EVENT(box, 0, .types = &type, .type_count = 1,
                               .name = arena_printf(&box->arena, "Event %d", turn),
                               .max_per_user = draw(3) ? 0 : 12,
                               .starts_at = draw(2) ? 0 : box->now + 20 * HOUR)
                         ->id;
        if (turn % 7 == 0) random_managing(box, events);
        struct command commands[12];
        struct result results[12];
        size_t count = 1 + draw(12);
        for (size_t i = 0; i < count; i++)
            commands[i] = random_selling(events);
        OK(run(box, commands, count, results));
        for (size_t i = 0; i < count; i++)
            note_booking(results[i].booking);
        if (turn % 20 == 0) expect_sound(box);
    }
    expect_sound(box);
}

static void tell_bookings(struct box_office *box, uint64_t event_id, struct buf *out)
{
    struct booking_list list;
    struct booking_query query = {.event_id = event_id, .status = -1, .limit = 10000};
    OK(store_list_bookings(box->reader, &query, &box->arena, &list));
    for (size_t i = 0; i < list.count; i++) {
        const struct booking_view *view = find_booking(box, list.items[i]->row.id);
        const struct booking *row = &view->row;
        buf_printf(
            out, " %d: %s by %d (%.*s), %u, paid %d, %d %d, %u. after %d:", nth_booking(row->id),
            booking_status_names[row->status], (int)row->user_id, STR_FMT(view->user.username),
            row->quantity, (int)row->paid, (int)(row->created_at - NOW),
            (int)(row->updated_at - NOW), view->position, (int)view->ahead);
        for (size_t j = 0; j < row->number_count; j++)
            buf_printf(out, " %u", row->numbers[j]);
        struct journal_list journal;
        OK(store_booking_history(box->reader, row->id, &box->arena, &journal));
        for (size_t j = 0; j < journal.count; j++)
            buf_printf(out, "; %s %u by %d", journal.items[j].reason, journal.items[j].quantity,
                       (int)journal.items[j].actor_id);
        buf_printf(out, "\n");
    }
}

/* All that a reader can see. */
static struct buf tell(struct box_office *box)
{
    struct buf out = {0};
    struct event_list events;
    struct event_query query = any_event();
    OK(store_search_events(box->reader, &query, &box->arena, &events));
    for (size_t i = 0; i < events.count; i++) {
        const struct event *event = events.items[i];
        const struct ticket_type *type = &event->types[0];
        buf_printf(&out, "event %d, %s, version %d, next %u: %u of %u, %u waiting for %d\n",
                   (int)event->id, event_status_names[event->status], (int)event->version,
                   event->next_number, type->booked, type->capacity, type->waiting,
                   (int)type->wanted);
        tell_bookings(box, event->id, &out);
        struct ticket_list tickets;
        OK(store_list_tickets(box->reader, event->id, 0, 10000, &box->arena, &tickets));
        for (size_t j = 0; j < tickets.count; j++)
            buf_printf(&out, " %u %d %d", tickets.items[j].number, tickets.items[j].is_booked,
                       nth_booking(tickets.items[j].booking_id));
        buf_printf(&out, "\n");
    }
    struct check_figures figures;
    OK(store_check(box->reader, &figures, print_breach, NULL));
    buf_printf(&out, "%d %d %d %d %d %d %d\n", (int)figures.users, (int)figures.bookings,
               (int)figures.confirmed, (int)figures.waiting, (int)figures.cancelled,
               (int)figures.tickets, (int)figures.journal);
    return out;
}

/* The first store that is tested says what the others must say. */
static void the_same_commands_leave_the_same_in_every_store(void **state)
{
    enum { LIVES = 3 };
    static struct str told[LIVES];
    static struct arena kept;
    static unsigned stores;
    struct box_office *box = *state;
    uint64_t life = 0;
    for (; life < LIVES; life++) {
        if (life > 0) {
            tear_down(state);
            if (set_up(state) != 0) abort();
            box = *state;
        }
        seed = life;
        random_life(box);
        struct buf out = tell(box);
        assert_true(out.len > 1000);
        if (!told[life].data) told[life] = arena_str(&kept, buf_str(&out));
        if (!str_equal(told[life], buf_str(&out))) {
            size_t at = 0;
            while (at < out.len && out.data[at] == told[life].data[at])
                at++;
            size_t from = at > 200 ? at - 200 : 0;
            fail_msg("seed %d: the first store said\n%.*s\nand %s says\n%.*s", (int)life,
                     (int)(at - from + 60), told[life].data + from, tested.name,
                     (int)(at - from + 60), out.data + from);
        }
        buf_free(&out);
    }
    if (++stores == KINDS) arena_free(&kept);
}

/* A history, and a search among an event's bookings, go through all buckets of the index. */
static void bookings_are_found_across_buckets(void **state)
{
    struct box_office *box = *state;
    struct user *user = new_user(box, "Grace", "grace@example.org", NULL);
    uint64_t event_id = NEW_EVENT(box, 100000)->id, ids[3];
    struct command commands[1000];
    struct result results[1000];
    for (int turn = 0; turn < 3; turn++) {
        ids[turn] = book(box, user->id, event_id, 1)->id;
        for (int i = 0; i < 10000 && turn < 2; i += 1000) {
            for (int j = 0; j < 1000; j++)
                commands[j] = booking_command(1000 + (uint64_t)j, event_id, 0, 1);
            OK(run(box, commands, 1000, results));
        }
    }
    struct str word = STR("gra");
    const struct booking_query queries[] = {
        {.user_id = user->id, .status = -1, .limit = 2},
        {.user_id = user->id, .event_id = event_id, .status = -1, .limit = 2},
        {.event_id = event_id, .q = {&word, 1}, .status = -1, .limit = 2},
        {.user_id = user->id, .q = {&word, 1}, .status = BOOKING_CONFIRMED, .limit = 2},
    };
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        struct booking_query query = queries[i];
        struct booking_list list;
        OK(store_list_bookings(box->reader, &query, &box->arena, &list));
        assert_int_equal(list.count, 2);
        assert_int_equal(list.items[0]->row.id, ids[2]);
        assert_int_equal(list.items[1]->row.id, ids[1]);
        query.before = ids[1];
        OK(store_list_bookings(box->reader, &query, &box->arena, &list));
        assert_int_equal(list.count, 1);
        assert_int_equal(list.items[0]->row.id, ids[0]);
    }
    struct command newest = {.kind = COMMAND_CANCEL_NEWEST, .actor = actor(user->id)};
    newest.cancel.event_id = event_id;
    for (int turn = 3; turn-- > 0;)
        assert_int_equal(run_one(box, newest).booking->id, ids[turn]);
    assert_int_equal(run_one(box, newest).outcome, NOTHING_TO_CANCEL);
}

/* Of memory, 100,000 bookings in the time of a test; a durable store has its own benchmarks. */
static void a_large_sale_takes_no_longer_for_each(void **state)
{
    enum { BATCH = 500 };
    struct box_office *box = *state;
    uint32_t turns = tested.is_durable ? 10 : 200;
    uint64_t event_id = NEW_EVENT(box, turns * BATCH / 2)->id; /* half of them wait */
    for (uint32_t turn = 0; turn < turns; turn++) {
        struct command commands[BATCH];
        struct result results[BATCH];
        for (uint32_t i = 0; i < BATCH; i++)
            commands[i] = booking_command(1 + i, event_id, 0, 1);
        OK(run(box, commands, BATCH, results));
        arena_reset(&box->arena);
    }
    for (uint64_t id = 1; id < turns * BATCH / 2; id += 50)
        cancel(box, id);
    struct check_figures figures;
    OK(store_check(box->reader, &figures, print_breach, NULL));
    assert_int_equal(figures.breaches, 0);
    assert_int_equal(figures.bookings, turns * BATCH);
    assert_int_equal(figures.booked, turns * BATCH / 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        STORE_TEST(events_are_found_by_the_beginnings_of_words),
        STORE_TEST(events_are_found_by_the_day_where_they_are),
        STORE_TEST(events_are_found_by_their_time),
        STORE_TEST(events_are_sorted_with_those_without_a_time_last),
        STORE_TEST(a_page_is_filtered_and_sorted_too),
        STORE_TEST(what_the_caller_has_is_not_read_again),
        STORE_TEST(events_are_found_by_status_and_organizer),
        STORE_TEST(available_is_what_a_newcomer_can_have),
        STORE_TEST(a_booking_is_shown_with_all_around_it),
        STORE_TEST(who_waits_sees_how_many_are_before),
        STORE_TEST(a_place_in_a_long_line_stays_exact),
        STORE_TEST(bookings_are_listed_newest_first),
        STORE_TEST(what_was_erased_is_shown_no_more),
        STORE_TEST(tickets_are_listed_by_number),
        STORE_TEST(a_history_is_told_from_the_beginning),
        STORE_TEST(payments_are_listed_oldest_first),
        STORE_TEST(a_user_is_found_by_address_or_user_name),
        STORE_TEST(an_erased_user_is_found_by_id_only),
        STORE_TEST(users_are_listed_by_id),
        STORE_TEST(the_directory_knows_the_privileged_and_the_last),
        STORE_TEST(the_same_commands_leave_the_same_in_every_store),
        STORE_TEST(a_large_sale_takes_no_longer_for_each),
        STORE_TEST(bookings_are_found_across_buckets),
    };
    return RUN_ON_EVERY_STORE(tests);
}
