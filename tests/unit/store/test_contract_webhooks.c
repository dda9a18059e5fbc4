/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks (core/webhook.c) as every store keeps them. */
#include "testing.h"

static struct command webhook_command(enum command_kind kind, uint64_t actor_id, uint64_t id)
{
    struct command command = {.kind = kind, .actor = actor(actor_id), .organizing_allowed = true};
    command.webhook.webhook.id = id;
    return command;
}

static struct command create_command(uint64_t user_id)
{
    struct command command = webhook_command(COMMAND_CREATE_WEBHOOK, user_id, 0);
    command.webhook.webhook = (struct webhook){
        .topics = 1u << TOPIC_BOOKING_CONFIRMED | 1u << TOPIC_EVENT_CHANGED,
        .status = WEBHOOK_ON,
        .secret = {"\0\1\2secret\xff", 10},
        .old_secret = STR(""),
        .url = STR("https://example.org/hook?a=1"),
        .description = STR("Für die Küche"),
    };
    return command;
}

static uint64_t create(struct box_office *box, uint64_t user_id)
{
    struct result result = run_one(box, create_command(user_id));
    assert_int_equal(result.outcome, OUTCOME_CREATED);
    return result.webhook->id;
}

static struct webhook *find(struct box_office *box, uint64_t id)
{
    struct webhook *webhook;
    OK(store_find_webhook(box->reader, id, &box->arena, &webhook));
    return webhook;
}

static struct webhook_list list(struct box_office *box, uint64_t user_id)
{
    struct webhook_list list;
    OK(store_list_webhooks(box->reader, user_id, &box->arena, &list));
    return list;
}

static void put_message(struct box_office *box, uint64_t webhook_id, uint64_t user_id,
                        const char *key)
{
    struct message message = {
        .webhook_id = webhook_id,
        .topic = TOPIC_BOOKING_CONFIRMED,
        .user_id = user_id,
        .status = MESSAGE_WAITING,
        .created_at = NOW,
        .due_at = NOW,
        .key = str_of(key),
        .error = STR(""),
        .body = STR("{}"),
    };
    struct command command = {.kind = COMMAND_TELL};
    OK(store_outbox_position(box->reader, &command.tell.from));
    command.tell.messages = &message;
    command.tell.message_count = 1;
    assert_int_equal(run_one(box, command).outcome, OUTCOME_OK);
}

static size_t messages_left(struct box_office *box)
{
    struct message_query query = {UINT64_MAX, -1, 0, 100};
    struct message_list messages;
    OK(store_list_messages(box->reader, &query, &box->arena, &messages));
    return messages.count;
}

static void a_webhook_is_kept_as_it_was_made(void **state)
{
    struct box_office *box = *state;
    uint64_t id = create(box, 7);
    assert_true(id > 0);
    struct webhook *webhook = find(box, id);
    assert_non_null(webhook);
    assert_int_equal(webhook->id, id);
    assert_int_equal(webhook->user_id, 7);
    assert_false(webhook->everything);
    assert_int_equal(webhook->topics, 1u << TOPIC_BOOKING_CONFIRMED | 1u << TOPIC_EVENT_CHANGED);
    assert_int_equal(webhook->status, WEBHOOK_ON);
    assert_int_equal(webhook->failing_since, 0);
    assert_int_equal(webhook->created_at, NOW);
    assert_int_equal(webhook->updated_at, NOW);
    assert_int_equal(webhook->secret.len, 10);
    assert_memory_equal(webhook->secret.data, "\0\1\2secret\xff", 10);
    assert_int_equal(webhook->old_secret.len, 0);
    expect_str(webhook->url, "https://example.org/hook?a=1");
    expect_str(webhook->description, "Für die Küche");
    assert_null(find(box, id + 1));
}

static void webhooks_are_listed_by_whose_they_are(void **state)
{
    struct box_office *box = *state;
    assert_int_equal(list(box, 0).count, 0);
    uint64_t first = create(box, 7), other = create(box, 8), second = create(box, 7);
    assert_int_equal(list(box, 0).count, 3);
    assert_int_equal(list(box, 0).items[1]->id, other);
    struct webhook_list mine = list(box, 7);
    assert_int_equal(mine.count, 2);
    assert_int_equal(mine.items[0]->id, first);
    assert_int_equal(mine.items[1]->id, second);
    assert_int_equal(list(box, 9).count, 0);
}

static void only_its_owner_and_administrators_change_a_webhook(void **state)
{
    struct box_office *box = *state;
    uint64_t id = create(box, 7);
    struct command stranger = webhook_command(COMMAND_UPDATE_WEBHOOK, 8, id);
    stranger.webhook.fields = WEBHOOK_FIELD_URL;
    stranger.webhook.webhook.url = STR("https://example.org/stolen");
    assert_int_equal(run_one(box, stranger).outcome, NO_SUCH_WEBHOOK);
    stranger.kind = COMMAND_DELETE_WEBHOOK;
    assert_int_equal(run_one(box, stranger).outcome, NO_SUCH_WEBHOOK);
    expect_str(find(box, id)->url, "https://example.org/hook?a=1");

    struct command admin = webhook_command(COMMAND_UPDATE_WEBHOOK, 9, id);
    admin.actor.role = ROLE_ADMIN;
    admin.webhook.fields = WEBHOOK_FIELD_TOPICS;
    admin.webhook.webhook.topics = 1u << TOPIC_EVENT_SOLD_OUT;
    assert_int_equal(run_one(box, admin).outcome, OUTCOME_OK);
    assert_int_equal(find(box, id)->topics, 1u << TOPIC_EVENT_SOLD_OUT);
    assert_int_equal(find(box, id)->user_id, 7);

    struct command forbidden = create_command(7);
    forbidden.webhook.webhook.everything = true;
    assert_int_equal(run_one(box, forbidden).outcome, FORBIDDEN);
    forbidden.actor.role = ROLE_ADMIN;
    assert_int_equal(run_one(box, forbidden).outcome, OUTCOME_CREATED);
    struct command no_organizer = create_command(7);
    no_organizer.organizing_allowed = false;
    assert_int_equal(run_one(box, no_organizer).outcome, FORBIDDEN);
}

static void a_new_secret_leaves_the_old_one_good_for_a_while(void **state)
{
    struct box_office *box = *state;
    uint64_t id = create(box, 7);
    struct command rotate = webhook_command(COMMAND_UPDATE_WEBHOOK, 7, id);
    rotate.webhook.fields = WEBHOOK_FIELD_SECRET;
    rotate.webhook.webhook.secret = STR("another");
    rotate.webhook.webhook.old_secret_until = NOW + DAY;
    assert_int_equal(run_one(box, rotate).outcome, OUTCOME_OK);
    struct webhook *webhook = find(box, id);
    expect_str(webhook->secret, "another");
    assert_int_equal(webhook->old_secret.len, 10);
    assert_memory_equal(webhook->old_secret.data, "\0\1\2secret\xff", 10);
    assert_int_equal(webhook->old_secret_until, NOW + DAY);
}

static void a_disabled_webhook_is_told_of_and_passed_over(void **state)
{
    struct box_office *box = *state;
    uint64_t id = create(box, 7);
    put_message(box, id, 7, "one");
    struct way_list ways;
    OK(store_due_ways(box->reader, NOW, &box->arena, &ways));
    assert_int_equal(ways.count, 1);
    assert_int_equal(ways.webhook_ids[0], id);

    struct command fail = webhook_command(COMMAND_UPDATE_WEBHOOK, 0, id);
    fail.webhook.fields = WEBHOOK_FIELD_FAILING | WEBHOOK_FIELD_STATUS;
    fail.webhook.webhook.failing_since = NOW - DAY;
    fail.webhook.webhook.status = WEBHOOK_DISABLED;
    struct result result;
    OK(prepare(box, &fail, 1));
    box->set.tells = true;
    decide(&box->set, &fail, &result);
    OK(commit(box));
    assert_int_equal(find(box, id)->failing_since, NOW - DAY);
    OK(store_due_ways(box->reader, NOW, &box->arena, &ways));
    assert_int_equal(ways.count, 0);
    struct notice_list notices;
    OK(store_list_notices(box->reader, 10, &box->arena, &notices));
    assert_int_equal(notices.count, 1);
    assert_int_equal(notices.items[0].topic, TOPIC_WEBHOOK_DISABLED);
    assert_int_equal(notices.items[0].user_id, 7);
    assert_int_equal(notices.items[0].webhook_id, id);

    struct command on = webhook_command(COMMAND_UPDATE_WEBHOOK, 7, id);
    on.webhook.fields = WEBHOOK_FIELD_STATUS;
    on.webhook.webhook.status = WEBHOOK_ON;
    assert_int_equal(run_one(box, on).outcome, OUTCOME_OK);
    assert_int_equal(find(box, id)->failing_since, 0);
    OK(store_due_ways(box->reader, NOW, &box->arena, &ways));
    assert_int_equal(ways.count, 1);
}

static void with_a_webhook_go_its_messages(void **state)
{
    struct box_office *box = *state;
    uint64_t id = create(box, 7), other = create(box, 7);
    put_message(box, id, 7, "one");
    put_message(box, id, 7, "two");
    put_message(box, other, 7, "three");
    put_message(box, 0, 8, "mail");
    assert_int_equal(run_one(box, webhook_command(COMMAND_DELETE_WEBHOOK, 7, id)).outcome,
                     OUTCOME_GONE);
    assert_null(find(box, id));
    assert_int_equal(messages_left(box), 2);
    assert_int_equal(run_one(box, webhook_command(COMMAND_DELETE_WEBHOOK, 7, id)).outcome,
                     NO_SUCH_WEBHOOK);
}

static void with_a_user_go_his_webhooks_and_what_he_was_to_be_told(void **state)
{
    struct box_office *box = *state;
    struct user *user = new_user(box, "Mia", "mia@example.org", NULL);
    struct user *other = new_user(box, "Ben", "ben@example.org", NULL);
    uint64_t id = create(box, user->id), stays = create(box, other->id);
    put_message(box, id, user->id, "hook");
    put_message(box, 0, user->id, "mail");
    put_message(box, stays, other->id, "hook of another");
    put_message(box, 0, other->id, "mail to another");
    struct command erase = {.kind = COMMAND_ERASE_USER, .actor = actor(user->id)};
    erase.user.user.id = user->id;
    assert_int_equal(run_one(box, erase).outcome, OUTCOME_GONE);
    assert_null(find(box, id));
    assert_non_null(find(box, stays));
    assert_int_equal(messages_left(box), 2);
}

static void nobody_has_more_than_so_many(void **state)
{
    struct box_office *box = *state;
    uint64_t id = create(box, 7);
    for (int i = 1; i < WEBHOOKS_EACH; i++)
        create(box, 7);
    struct result result = run_one(box, create_command(7));
    assert_int_equal(result.outcome, TOO_MANY);
    assert_true(result.detail.len > 0);
    assert_int_equal(list(box, 7).count, WEBHOOKS_EACH);
    create(box, 8);
    run_one(box, webhook_command(COMMAND_DELETE_WEBHOOK, 7, id));
    create(box, 7);
    assert_int_equal(run_one(box, create_command(7)).outcome, TOO_MANY);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        STORE_TEST(a_webhook_is_kept_as_it_was_made),
        STORE_TEST(webhooks_are_listed_by_whose_they_are),
        STORE_TEST(only_its_owner_and_administrators_change_a_webhook),
        STORE_TEST(nobody_has_more_than_so_many),
        STORE_TEST(a_new_secret_leaves_the_old_one_good_for_a_while),
        STORE_TEST(a_disabled_webhook_is_told_of_and_passed_over),
        STORE_TEST(with_a_webhook_go_its_messages),
        STORE_TEST(with_a_user_go_his_webhooks_and_what_he_was_to_be_told),
    };
    return RUN_ON_EVERY_STORE(tests);
}
