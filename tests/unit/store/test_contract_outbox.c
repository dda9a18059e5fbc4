/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox (core/outbox.c) as every store keeps it. */
#include "testing.h"

/* ---- what the tests say all the time ---- */

static struct notice_list notices(struct box_office *box)
{
    struct notice_list list;
    OK(store_list_notices(box->reader, 100, &box->arena, &list));
    return list;
}

static struct outbox_position position(struct box_office *box)
{
    struct outbox_position position;
    OK(store_outbox_position(box->reader, &position));
    return position;
}

static struct message_list messages(struct box_office *box, struct message_query query)
{
    struct message_list list;
    OK(store_list_messages(box->reader, &query, &box->arena, &list));
    return list;
}

static struct message_list all_messages(struct box_office *box)
{
    return messages(box, (struct message_query){UINT64_MAX, -1, 0, 100});
}

static struct message message(uint64_t webhook_id, uint64_t subject, const char *key)
{
    return (struct message){
        .webhook_id = webhook_id,
        .subject = subject,
        .topic = TOPIC_BOOKING_CONFIRMED,
        .event_id = 7,
        .user_id = 8,
        .status = MESSAGE_WAITING,
        .created_at = NOW - 1,
        .due_at = NOW,
        .key = str_of(key),
        .error = STR(""),
        .body = STR("{\"quantity\":1,\"name\":\"Ωé\\u0000\"}"),
    };
}

static enum outcome tell(struct box_office *box, struct outbox_position from, uint64_t journal_id,
                         const struct message *list, size_t count)
{
    struct command command = {.kind = COMMAND_TELL};
    command.tell.from = from;
    command.tell.journal_id = journal_id;
    command.tell.messages = list;
    command.tell.message_count = count;
    return run_one(box, command).outcome;
}

static void put(struct box_office *box, struct message one)
{
    struct outbox_position from = position(box);
    assert_int_equal(tell(box, from, from.journal_id, &one, 1), OUTCOME_OK);
}

static struct command claim_command(const struct claim *claim)
{
    struct command command = {.kind = COMMAND_CLAIM};
    command.claim.items = claim;
    command.claim.count = 1;
    return command;
}

/* The keys of what was claimed, with a blank between them. */
static const char *keys(struct box_office *box, const struct result *result)
{
    struct str keys = STR("");
    for (size_t i = 0; i < result->message_count; i++)
        keys = arena_printf(&box->arena, "%.*s%s%.*s", STR_FMT(keys), i ? " " : "",
                            STR_FMT(result->messages[i]->key));
    return keys.data ? keys.data : "";
}

static const char *claim(struct box_office *box, uint64_t webhook_id, uint32_t most)
{
    struct result result =
        run_one(box, claim_command(&(struct claim){webhook_id, most, NOW + HOUR}));
    return keys(box, &result);
}

static void settle(struct box_office *box, struct report report)
{
    if (!report.error.data) report.error = STR("");
    struct command command = {.kind = COMMAND_SETTLE};
    command.settle.items = &report;
    command.settle.count = 1;
    assert_int_equal(run_one(box, command).outcome, OUTCOME_OK);
}

static uint64_t id_of(struct box_office *box, const char *key)
{
    struct message_list list = all_messages(box);
    for (size_t i = 0; i < list.count; i++)
        if (str_equal(list.items[i].key, str_of(key))) return list.items[i].id;
    return 0;
}

static enum outcome one_message(struct box_office *box, enum command_kind kind, uint64_t id)
{
    struct command command = {.kind = kind};
    command.message_id = id;
    return run_one(box, command).outcome;
}

/* ---- notices ---- */

static enum outcome update_name(struct box_office *box, const char *name)
{
    struct command command = event_command(COMMAND_UPDATE_EVENT, 1);
    command.update.fields = FIELD_NAME;
    command.update.event.name = str_of(name);
    struct result result;
    OK(prepare(box, &command, 1));
    box->set.tells = true;
    decide(&box->set, &command, &result);
    OK(commit(box));
    return result.outcome;
}

static void what_happens_to_an_event_is_noted_until_it_was_told(void **state)
{
    struct box_office *box = *state;
    NEW_EVENT(box, 2, .organizer_id = 5);
    book(box, 1, 1, 2);
    assert_int_equal(notices(box).count, 0); /* sold out, but nobody wants to know */
    assert_int_equal(update_name(box, "Opera"), OUTCOME_OK);
    assert_int_equal(update_name(box, "Opera"), OUTCOME_OK); /* changes nothing */
    assert_int_equal(update_name(box, "Ballet"), OUTCOME_OK);
    struct notice_list list = notices(box);
    assert_int_equal(list.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(list.items[i].topic, TOPIC_EVENT_CHANGED);
        assert_int_equal(list.items[i].event_id, 1);
        assert_int_equal(list.items[i].at, NOW);
        assert_int_equal(list.items[i].told, 0);
    }
    assert_true(list.items[0].id < list.items[1].id);

    const struct notice_progress progress[] = {{list.items[0].id, UINT64_MAX},
                                               {list.items[1].id, 42}};
    struct command command = {.kind = COMMAND_TELL};
    command.tell.notices = progress;
    command.tell.notice_count = 2;
    assert_int_equal(run_one(box, command).outcome, OUTCOME_OK);
    struct notice_list left = notices(box);
    assert_int_equal(left.count, 1);
    assert_int_equal(left.items[0].address.len, 0);
    assert_int_equal(left.items[0].id, list.items[1].id);
    assert_int_equal(left.items[0].told, 42);
}

static void the_last_ticket_and_the_end_of_an_event_are_noted(void **state)
{
    struct box_office *box = *state;
    NEW_EVENT(box, 3);
    struct command commands[] = {booking_command(1, 1, 0, 2), booking_command(2, 1, 0, 1),
                                 booking_command(3, 1, 0, 1)};
    struct result results[3];
    OK(prepare(box, commands, 3));
    box->set.tells = true;
    for (size_t i = 0; i < 3; i++)
        decide(&box->set, &commands[i], &results[i]);
    OK(commit(box));
    struct notice_list list = notices(box);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].topic, TOPIC_EVENT_SOLD_OUT);

    struct command end = event_command(COMMAND_DELETE_EVENT, 1);
    OK(prepare(box, &end, 1));
    box->set.tells = true;
    decide(&box->set, &end, &results[0]);
    OK(commit(box));
    list = notices(box);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.items[1].topic, TOPIC_EVENT_CANCELLED);
}

/* ---- telling ---- */

static void a_message_is_kept_as_it_was_written(void **state)
{
    struct box_office *box = *state;
    assert_int_equal(position(box).turn, 0);
    struct message one = message(3, 9, "j1-w3");
    assert_int_equal(tell(box, position(box), 17, &one, 1), OUTCOME_OK);
    assert_int_equal(position(box).journal_id, 17);
    assert_int_equal(position(box).turn, 1);
    struct message_list list = all_messages(box);
    assert_int_equal(list.count, 1);
    const struct message *kept = &list.items[0];
    assert_true(kept->id > 0);
    assert_int_equal(kept->webhook_id, 3);
    assert_int_equal(kept->subject, 9);
    assert_int_equal(kept->topic, TOPIC_BOOKING_CONFIRMED);
    assert_int_equal(kept->event_id, 7);
    assert_int_equal(kept->user_id, 8);
    assert_int_equal(kept->status, MESSAGE_WAITING);
    assert_int_equal(kept->tries, 0);
    assert_int_equal(kept->created_at, NOW - 1);
    assert_int_equal(kept->due_at, NOW);
    assert_int_equal(kept->settled_at, 0);
    assert_int_equal(kept->answer, 0);
    expect_str(kept->key, "j1-w3");
    expect_str(kept->error, "");
    assert_true(str_equal(kept->body, one.body));
}

static void of_two_who_tell_the_same_one_does(void **state)
{
    struct box_office *box = *state;
    struct outbox_position begin = position(box);
    struct message first = message(0, 1, "a"), again = message(0, 1, "a"),
                   other = message(0, 1, "b");
    assert_int_equal(tell(box, begin, 5, &first, 1), OUTCOME_OK);
    assert_int_equal(tell(box, begin, 5, &other, 1), STALE);
    assert_int_equal(all_messages(box).count, 1);
    /* Even where the same is told twice, as after a lost answer, it stands there once. */
    assert_int_equal(tell(box, position(box), 6, &again, 1), OUTCOME_OK);
    assert_int_equal(all_messages(box).count, 1);
    assert_int_equal(position(box).journal_id, 6);
    assert_int_equal(position(box).turn, 2);
}

static void of_two_who_tell_in_one_batch_one_does(void **state)
{
    struct box_office *box = *state;
    struct message first = message(0, 1, "a"), other = message(0, 1, "b");
    struct command commands[2] = {{.kind = COMMAND_TELL}, {.kind = COMMAND_TELL}};
    struct result results[2] = {0};
    commands[0].tell.messages = &first;
    commands[1].tell.messages = &other;
    commands[0].tell.message_count = commands[1].tell.message_count = 1;
    OK(run(box, commands, 2, results));
    assert_int_equal(results[0].outcome, OUTCOME_OK);
    assert_int_equal(results[1].outcome, STALE);
    assert_int_equal(all_messages(box).count, 1);
    assert_int_equal(position(box).turn, 1);
}

/* ---- claiming and settling ---- */

static void what_is_due_is_claimed_once(void **state)
{
    struct box_office *box = *state;
    struct message late = message(0, 0, "late"), soon = message(0, 0, "soon"),
                   hook = message(2, 0, "hook");
    late.due_at = NOW + 1;
    soon.due_at = NOW - 5;
    put(box, late);
    put(box, message(0, 0, "now"));
    put(box, soon);
    put(box, hook);
    assert_string_equal(claim(box, 0, 1), "soon");
    assert_string_equal(claim(box, 0, 10), "now");
    assert_string_equal(claim(box, 0, 10), "");
    assert_string_equal(claim(box, 2, 10), "hook");
    box->now = NOW + 1;
    assert_string_equal(claim(box, 0, 10), "late");
    /* Who claimed them has died. */
    box->now = NOW + HOUR;
    assert_string_equal(claim(box, 0, 10), "late now soon");
    assert_int_equal(all_messages(box).items[1].tries, 2);
}

static void messages_about_a_booking_keep_their_order(void **state)
{
    struct box_office *box = *state;
    put(box, message(0, 1, "1a"));
    put(box, message(0, 1, "1b"));
    put(box, message(0, 2, "2a"));
    put(box, message(5, 1, "hook"));
    assert_string_equal(claim(box, 0, 10), "1a 2a");
    assert_string_equal(claim(box, 0, 10), "");
    assert_string_equal(claim(box, 5, 10), "hook");
    /* It failed, and the second waits for it although it is due. */
    settle(box, (struct report){id_of(box, "1a"), MESSAGE_WAITING, NOW + DAY, 421, STR("busy")});
    box->now = NOW + HOUR / 2;
    assert_string_equal(claim(box, 0, 10), "");
    box->now = NOW + DAY;
    settle(box, (struct report){id_of(box, "2a"), MESSAGE_SENT, 0, 250, STR("")});
    assert_string_equal(claim(box, 0, 10), "1a");
    settle(box, (struct report){id_of(box, "1a"), MESSAGE_PARKED, 0, 550, STR("no such user")});
    assert_string_equal(claim(box, 0, 10), "1b");
}

static void what_was_sent_is_kept_for_webhooks_only(void **state)
{
    struct box_office *box = *state;
    put(box, message(0, 1, "mail"));
    put(box, message(4, 1, "hook"));
    claim(box, 0, 1);
    claim(box, 4, 1);
    settle(box, (struct report){id_of(box, "mail"), MESSAGE_SENT, 0, 250, STR("")});
    settle(box, (struct report){id_of(box, "hook"), MESSAGE_SENT, 0, 204, STR("")});
    struct message_list list = all_messages(box);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].status, MESSAGE_SENT);
    assert_int_equal(list.items[0].answer, 204);
    assert_int_equal(list.items[0].settled_at, NOW);
    assert_int_equal(list.items[0].tries, 1);
    /* A late report of who had claimed it before changes nothing. */
    settle(box, (struct report){list.items[0].id, MESSAGE_PARKED, 0, 500, STR("late")});
    assert_int_equal(all_messages(box).items[0].status, MESSAGE_SENT);
    settle(box, (struct report){12345, MESSAGE_SENT, 0, 200, STR("")});
}

static void a_parked_message_is_tried_again_or_dropped(void **state)
{
    struct box_office *box = *state;
    put(box, message(4, 1, "a"));
    put(box, message(4, 2, "b"));
    claim(box, 4, 2);
    uint64_t a = id_of(box, "a"), b = id_of(box, "b");
    settle(box, (struct report){a, MESSAGE_PARKED, 0, 500, STR("Internal\nServer Error")});
    settle(box, (struct report){b, MESSAGE_PARKED, 0, 0, STR("no answer")});
    struct message_query parked = {UINT64_MAX, MESSAGE_PARKED, 0, 10};
    assert_int_equal(messages(box, parked).count, 2);
    expect_str(messages(box, parked).items[1].error, "Internal\nServer Error");
    assert_string_equal(claim(box, 4, 10), "");

    assert_int_equal(one_message(box, COMMAND_RETRY, a), OUTCOME_OK);
    assert_string_equal(claim(box, 4, 10), "a");
    assert_int_equal(one_message(box, COMMAND_DROP, b), OUTCOME_OK);
    assert_int_equal(id_of(box, "b"), 0);
    assert_int_equal(one_message(box, COMMAND_DROP, b), NOT_FOUND);
    assert_int_equal(one_message(box, COMMAND_RETRY, b), NOT_FOUND);
}

/* ---- lists ---- */

static void messages_are_listed_newest_first(void **state)
{
    struct box_office *box = *state;
    for (int i = 0; i < 6; i++)
        put(box, message(i % 2 ? 4 : 0, 0, arena_printf(&box->arena, "m%d", i).data));
    struct message_list list = messages(box, (struct message_query){UINT64_MAX, -1, 0, 4});
    assert_int_equal(list.count, 4);
    expect_str(list.items[0].key, "m5");
    expect_str(list.items[3].key, "m2");
    list = messages(box, (struct message_query){UINT64_MAX, -1, list.items[3].id, 4});
    assert_int_equal(list.count, 2);
    expect_str(list.items[0].key, "m1");
    list = messages(box, (struct message_query){4, MESSAGE_WAITING, 0, 2});
    assert_int_equal(list.count, 2);
    expect_str(list.items[1].key, "m3");
    list = messages(box, (struct message_query){4, MESSAGE_WAITING, list.items[1].id, 2});
    assert_int_equal(list.count, 1);
    expect_str(list.items[0].key, "m1");
    assert_int_equal(messages(box, (struct message_query){4, MESSAGE_SENT, 0, 2}).count, 0);
}

static void the_ways_on_which_something_is_due_are_known(void **state)
{
    struct box_office *box = *state;
    struct way_list ways;
    struct message later = message(0, 1, "later");
    later.due_at = NOW + 10;
    put(box, later);
    OK(store_due_ways(box->reader, NOW, &box->arena, &ways));
    assert_int_equal(ways.count, 0);
    OK(store_due_ways(box->reader, NOW + 10, &box->arena, &ways));
    assert_int_equal(ways.count, 1);
    assert_int_equal(ways.webhook_ids[0], 0);
}

static void what_was_settled_long_ago_goes(void **state)
{
    struct box_office *box = *state;
    static const char *const names[] = {"sent", "parked", "waiting"};
    for (size_t i = 0; i < 3; i++)
        put(box, message(4, i + 1, names[i]));
    claim(box, 4, 10);
    settle(box, (struct report){id_of(box, "sent"), MESSAGE_SENT, 0, 200, STR("")});
    settle(box, (struct report){id_of(box, "parked"), MESSAGE_PARKED, 0, 500, STR("no")});
    struct command prune = {.kind = COMMAND_PRUNE};
    prune.prune.most = 10;
    prune.prune.sent_before = NOW;
    run_one(box, prune);
    assert_int_equal(all_messages(box).count, 3);
    prune.prune.sent_before = NOW + 1;
    run_one(box, prune);
    assert_int_equal(id_of(box, "sent"), 0);
    assert_int_equal(all_messages(box).count, 2);
    prune.prune.parked_before = NOW + 1;
    run_one(box, prune);
    assert_int_equal(all_messages(box).count, 1);
    assert_true(id_of(box, "waiting") > 0);
}

/* ---- several processes ---- */

static void what_another_process_is_claiming_is_passed_over(void **state)
{
    struct box_office *box = *state, other = {.url = box->url, .now = NOW};
    if (!tested.is_shared) return; /* one writer at a time */
    other.writer = open_or_fail(&other, STORE_WRITE);
    put(box, message(0, 1, "a"));
    put(box, message(0, 2, "b"));
    struct claim first = {0, 1, NOW + HOUR}, rest = {0, 10, NOW + HOUR};
    struct command mine = claim_command(&first), its = claim_command(&rest);
    struct result result = {0};
    OK(prepare(box, &mine, 1)); /* and holds it */
    OK(run(&other, &its, 1, &result));
    assert_string_equal(keys(&other, &result), "b");
    decide(&box->set, &mine, &result);
    assert_string_equal(keys(box, &result), "a");
    OK(commit(box));
    store_close(other.writer);
    arena_free(&other.arena);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        STORE_TEST(what_happens_to_an_event_is_noted_until_it_was_told),
        STORE_TEST(the_last_ticket_and_the_end_of_an_event_are_noted),
        STORE_TEST(a_message_is_kept_as_it_was_written),
        STORE_TEST(of_two_who_tell_the_same_one_does),
        STORE_TEST(of_two_who_tell_in_one_batch_one_does),
        STORE_TEST(what_is_due_is_claimed_once),
        STORE_TEST(messages_about_a_booking_keep_their_order),
        STORE_TEST(what_was_sent_is_kept_for_webhooks_only),
        STORE_TEST(a_parked_message_is_tried_again_or_dropped),
        STORE_TEST(messages_are_listed_newest_first),
        STORE_TEST(the_ways_on_which_something_is_due_are_known),
        STORE_TEST(what_was_settled_long_ago_goes),
        STORE_TEST(what_another_process_is_claiming_is_passed_over),
    };
    return RUN_ON_EVERY_STORE(tests);
}
