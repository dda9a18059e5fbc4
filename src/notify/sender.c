/* SPDX-License-Identifier: Apache-2.0 */
/* Claims messages that are due, has the courier carry them, and writes down what came of it.
 *
 * A claim is longer than the longest try, and a parcel that could not begin in time is not begun:
 * so nobody else sends a message while it is under way here. What became of a message is written
 * when it came back; should this process die between the two, it is sent again, with the same key.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include <sodium.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "notify/signature.h"
#include "notify/workers.h"

enum {
    LOOK_EVERY_MS = 1000,
    CLAIM_TRIES = 3, /* a claim is as long as so many tries */
    WAYS_MOST = 64,  /* in one claim */
    EACH_MOST = 8,   /* messages of one way in one claim */
    STOP_MS = 2000,  /* for what is under way when we stop */
    AGAIN_MS = 1000, /* what could not be handed on */
    FAILURES = 20,   /* among so many messages one is looked for that failed */
};

/* A message on its way, and what came of it. */
struct delivery {
    struct link link;
    struct arena arena;
    struct parcel parcel;
    struct sender *sender;
    struct message message;
    const struct webhook *webhook; /* NULL: by mail */
};

struct sender {
    const struct notify_settings *settings;
    struct store *reader;
    struct courier *courier;
    struct notify_counts *counts;
    pthread_t thread;
    struct bell bell;
    struct trouble trouble;
    pthread_mutex_t mutex;
    struct list finished;  /* from the courier's threads; under the mutex */
    struct list unsettled; /* reports that could not be written yet */
};

static void delivery_free(struct delivery *delivery)
{
    arena_free(&delivery->arena);
    free(delivery);
}

static void delivery_finish(struct delivery *delivery)
{
    struct sender *sender = delivery->sender;
    pthread_mutex_lock(&sender->mutex);
    list_push(&sender->finished, &delivery->link);
    pthread_mutex_unlock(&sender->mutex);
    bell_ring(&sender->bell);
}

/* On a thread of the courier's. */
static void parcel_done(struct parcel *parcel)
{
    delivery_finish(parcel->data);
}

/* It never comes to the courier. */
static void delivery_end(struct delivery *delivery, enum parcel_fate fate, const char *error)
{
    delivery->parcel.fate = fate;
    snprintf(delivery->parcel.error, sizeof(delivery->parcel.error), "%s", error);
    delivery_finish(delivery);
}

/* ---- what is sent ---- */

static struct str payload(struct delivery *delivery)
{
    const struct message *message = &delivery->message;
    struct buf out = {0};
    emit_open(&out, '{');
    emit_key_str(&out, "type", str_of(topic_names[message->topic]));
    emit_key_time(&out, "timestamp", message->created_at);
    emit_key(&out, "data");
    buf_add_str(&out, message->body);
    emit_close(&out, '}');
    struct str text = arena_str(&delivery->arena, buf_str(&out));
    buf_free(&out);
    return text;
}

/* False: it is not to be sent, and why stands in the parcel. */
static bool address_post(struct delivery *delivery)
{
    struct sender *sender = delivery->sender;
    struct parcel *parcel = &delivery->parcel;
    struct webhook *webhook;
    enum store_status status = store_find_webhook(sender->reader, delivery->message.webhook_id,
                                                  &delivery->arena, &webhook);
    bool may = status == STORE_OK && webhook && webhook_may_hear(sender->settings, webhook);
    if (status != STORE_OK)
        delivery_end(delivery, PARCEL_UNTRIED, "the webhook could not be read");
    else if (!webhook)
        delivery_end(delivery, PARCEL_REFUSED, "the webhook was removed");
    else if (!may)
        delivery_end(delivery, PARCEL_REFUSED, "its owner may not hear of this any more");
    if (!may) return false;
    delivery->webhook = webhook;
    struct str *headers = ARENA_ARRAY(&delivery->arena, struct str, WEBHOOK_HEADERS);
    parcel->kind = PARCEL_POST;
    parcel->receiver = webhook->id;
    parcel->url = webhook->url;
    parcel->body = payload(delivery);
    webhook_headers(webhook, delivery->message.key, clock_now_ms(), parcel->body, &delivery->arena,
                    headers);
    parcel->headers = headers;
    parcel->header_count = WEBHOOK_HEADERS;
    return true;
}

/* What the message's body tells of the change itself. */
static void read_body(struct delivery *delivery, struct mail_facts *facts, uint64_t *ret_webhook_id)
{
    struct str body = delivery->message.body;
    json_t *root = json_loadb(body.data, body.len, 0, NULL);
    const char *reason = json_string_value(json_object_get(root, "reason"));
    const char *from = json_string_value(json_object_get(root, "from"));
    const char *address = json_string_value(json_object_get(root, "address"));
    int was = from ? NAME_INDEX(booking_status_names, str_of(from)) : BOOKING_NONE;
    json_t *booking = json_object_get(root, "booking");
    facts->quantity = (uint32_t)json_integer_value(json_object_get(root, "quantity"));
    facts->position = (uint32_t)json_integer_value(json_object_get(booking, "position"));
    facts->ahead = (uint64_t)json_integer_value(json_object_get(booking, "ahead"));
    facts->was = was < 0 ? BOOKING_NONE : (enum booking_status)was;
    facts->reason = reason ? arena_str(&delivery->arena, str_of(reason)) : STR("");
    facts->address = address ? arena_str(&delivery->arena, str_of(address)) : STR("");
    *ret_webhook_id = (uint64_t)json_integer_value(json_object_get(root, "webhook_id"));
    json_decref(root);
}

/* What one of its last messages met with; newer ones may not have been tried. */
static enum store_status read_failure(struct delivery *delivery, struct mail_facts *facts,
                                      uint64_t webhook_id)
{
    const struct message_query query = {.webhook_id = webhook_id, .status = -1, .limit = FAILURES};
    struct message_list list;
    enum store_status status =
        store_list_messages(delivery->sender->reader, &query, &delivery->arena, &list);
    for (size_t i = 0; status == STORE_OK && i < list.count && !facts->reason.len; i++)
        facts->reason = list.items[i].error;
    return status;
}

/* The rows that a mail is made of, as they are now. */
static enum store_status read_facts(struct delivery *delivery, struct mail_facts *facts)
{
    struct store *reader = delivery->sender->reader;
    const struct message *message = &delivery->message;
    struct user *user;
    struct event *event = NULL;
    struct booking_view *booking = NULL;
    struct webhook *webhook = NULL;
    uint64_t webhook_id;
    read_body(delivery, facts, &webhook_id);
    enum store_status status = store_find_user(reader, message->user_id, (struct str){0},
                                               (struct str){0}, &delivery->arena, &user);
    if (status == STORE_OK && message->event_id)
        status = store_find_event(reader, message->event_id, &delivery->arena, &event);
    if (status == STORE_OK && message->subject)
        status = store_find_booking(reader, message->subject, &delivery->arena, &booking);
    if (status == STORE_OK && webhook_id)
        status = store_find_webhook(reader, webhook_id, &delivery->arena, &webhook);
    if (status == STORE_OK && webhook) status = read_failure(delivery, facts, webhook_id);
    facts->user = user;
    facts->event = event;
    facts->booking = booking;
    facts->webhook = webhook;
    return status;
}

static bool address_mail(struct delivery *delivery)
{
    const struct message *message = &delivery->message;
    struct parcel *parcel = &delivery->parcel;
    struct mail_facts facts = {
        .topic = message->topic,
        .key = message->key,
        .created_at = message->created_at,
        .now = clock_now_ms(),
    };
    struct mail mail;
    if (read_facts(delivery, &facts) != STORE_OK) {
        delivery_end(delivery, PARCEL_UNTRIED, "what the mail tells of could not be read");
        return false;
    }
    /* He was erased meanwhile, or wants no mail any more, or what it tells of is gone. */
    if (!facts.user ||
        !mail_compose(&delivery->sender->settings->maker, &facts, &delivery->arena, &mail)) {
        delivery_end(delivery, PARCEL_DELIVERED, "");
        return false;
    }
    parcel->kind = PARCEL_MAIL;
    parcel->from = mail.from;
    parcel->to = mail.to;
    parcel->body = mail.data;
    return true;
}

/* How long one try of that way may take. */
static int64_t try_ms(const struct sender *sender, uint64_t webhook_id)
{
    const struct courier_settings *courier = &sender->settings->courier;
    return webhook_id ? courier->http_try_ms : courier->mail_try_ms;
}

/* It was claimed at 'claimed_us', monotonic. */
static void send_message(struct sender *sender, const struct message *message, int64_t claimed_us)
{
    struct delivery *delivery = calloc(1, sizeof(*delivery));
    if (!delivery) out_of_memory();
    delivery->sender = sender;
    delivery->message = *message;
    delivery->message.key = arena_str(&delivery->arena, message->key);
    delivery->message.error = STR("");
    delivery->message.body = arena_str(&delivery->arena, message->body);
    delivery->parcel.begin_by_us = claimed_us + 1000 * try_ms(sender, message->webhook_id);
    delivery->parcel.done = parcel_done;
    delivery->parcel.data = delivery;
    if (!(message->webhook_id ? address_post(delivery) : address_mail(delivery))) return;
    if (!courier_send(sender->courier, &delivery->parcel))
        delivery_end(delivery, PARCEL_UNTRIED, "too many are under way");
}

/* ---- claiming ---- */

struct claimed {
    struct arena arena;
    struct message *items;
    size_t count;
};

/* On the lane's thread. */
static void take_claimed(const struct result *result, void *data)
{
    struct claimed *claimed = data;
    arena_reset(&claimed->arena);
    claimed->count = result->message_count;
    claimed->items = ARENA_ARRAY(&claimed->arena, struct message, claimed->count);
    for (size_t i = 0; i < claimed->count; i++) {
        struct message *message = &claimed->items[i];
        *message = *result->messages[i];
        message->key = arena_str(&claimed->arena, message->key);
        message->body = arena_str(&claimed->arena, message->body);
    }
}

static bool is_among(uint64_t id, const uint64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] == id) return true;
    return false;
}

/* Which ways have something, and how much of each the courier can take. */
static size_t plan_claims(struct sender *sender, struct arena *arena,
                          struct claim claims[WAYS_MOST])
{
    int64_t now = clock_now_ms();
    struct way_list ways;
    uint64_t busy[WAYS_MOST];
    if (store_due_ways(sender->reader, now, arena, &ways) != STORE_OK) {
        trouble_is(&sender->trouble, str_of(store_error(sender->reader)));
        return 0;
    }
    size_t busy_count = courier_busy(sender->courier, busy, WAYS_MOST);
    size_t posts = courier_room(sender->courier, PARCEL_POST), count = 0;
    for (size_t i = 0; i < ways.count && count < WAYS_MOST; i++) {
        uint64_t id = ways.webhook_ids[i];
        size_t most = id                       ? posts
                      : sender->settings->mail ? courier_room(sender->courier, PARCEL_MAIL)
                                               : 0;
        if (id && is_among(id, busy, busy_count)) continue;
        if (most > EACH_MOST) most = EACH_MOST;
        if (most == 0) continue;
        claims[count++] =
            (struct claim){id, (uint32_t)most, now + CLAIM_TRIES * try_ms(sender, id)};
        if (id) posts -= most;
    }
    return count;
}

/* True when there may be more. */
static bool claim_and_send(struct sender *sender)
{
    struct claim claims[WAYS_MOST];
    struct claimed claimed = {0};
    struct command command = {.kind = COMMAND_CLAIM};
    command.claim.items = claims;
    command.claim.count = plan_claims(sender, &claimed.arena, claims);
    if (command.claim.count) {
        int64_t claimed_us = clock_monotonic_us();
        enum outcome outcome = engine_errand(sender->settings->engine, &command,
                                             (struct errand_take){take_claimed, &claimed});
        if (outcome != OUTCOME_OK) {
            trouble_is(&sender->trouble, str_of(outcome_texts[outcome].text));
            claimed.count = 0;
        } else {
            trouble_over(&sender->trouble);
        }
        for (size_t i = 0; i < claimed.count; i++)
            send_message(sender, &claimed.items[i], claimed_us);
    }
    bool more = claimed.count > 0;
    arena_free(&claimed.arena);
    return more;
}

/* ---- settling ---- */

static struct report report_of(const struct delivery *delivery, int64_t now)
{
    const struct notify_settings *settings = delivery->sender->settings;
    const struct parcel *parcel = &delivery->parcel;
    const struct message *message = &delivery->message;
    struct report report = {
        .message_id = message->id,
        .status = MESSAGE_WAITING,
        .answer = parcel->answer,
        .error = str_of(parcel->error),
    };
    int64_t pause = notify_pause_ms(settings->retry_first_ms, message->tries, randombytes_random());
    if (parcel->retry_after_s * 1000 > pause) pause = parcel->retry_after_s * 1000;
    report.due_at = now + pause;
    switch (parcel->fate) {
    case PARCEL_UNTRIED: report.due_at = now + AGAIN_MS; break;
    case PARCEL_DELIVERED: report.status = MESSAGE_SENT; break;
    case PARCEL_REFUSED: report.status = MESSAGE_PARKED; break;
    case PARCEL_FAILED:
        if (report.due_at - message->created_at > settings->retry_for_ms || parcel->answer == 410)
            report.status = MESSAGE_PARKED;
    }
    return report;
}

static void count(struct sender *sender, const struct delivery *delivery,
                  const struct report *report)
{
    bool is_post = delivery->message.webhook_id != 0;
    if (report->status == MESSAGE_SENT)
        atomic_fetch_add(&sender->counts->sent[is_post], 1);
    else if (report->status == MESSAGE_PARKED)
        atomic_fetch_add(&sender->counts->parked[is_post], 1);
    else if (delivery->parcel.fate == PARCEL_FAILED)
        atomic_fetch_add(&sender->counts->failed[is_post], 1);
}

/* A webhook that has failed for as long as a message is tried is given up, and its owner is told;
 * one that says that it is gone (410) is so at once. */
static void watch_webhook(struct sender *sender, const struct delivery *delivery, int64_t now)
{
    const struct parcel *parcel = &delivery->parcel;
    if (!delivery->webhook || parcel->fate == PARCEL_UNTRIED) return;
    struct webhook webhook = *delivery->webhook;
    bool is_well = parcel->fate == PARCEL_DELIVERED;
    if (is_well && !webhook.failing_since) return;
    if (is_well)
        webhook.failing_since = 0;
    else if (!webhook.failing_since)
        webhook.failing_since = now;
    bool is_dead = !is_well && (parcel->answer == 410 ||
                                now - webhook.failing_since > sender->settings->retry_for_ms);
    if (is_dead) webhook.status = WEBHOOK_DISABLED;
    if (webhook.failing_since == delivery->webhook->failing_since && !is_dead) return;
    struct command command = {.kind = COMMAND_UPDATE_WEBHOOK};
    command.webhook.fields = WEBHOOK_FIELD_FAILING | (is_dead ? WEBHOOK_FIELD_STATUS : 0u);
    command.webhook.webhook = webhook;
    enum outcome outcome =
        engine_errand(sender->settings->engine, &command, (struct errand_take){0});
    if (is_dead && outcome == OUTCOME_OK)
        log_warn("a webhook was disabled, as it takes nothing", LOG_NUM("webhook", webhook.id),
                 LOG_STR("error", str_of(parcel->error)));
}

/* Writes what came of those that came back; what cannot be written now stays for the next time. */
static void settle_finished(struct sender *sender)
{
    pthread_mutex_lock(&sender->mutex);
    while (sender->finished.head)
        list_push(&sender->unsettled, list_pop(&sender->finished));
    pthread_mutex_unlock(&sender->mutex);
    if (!sender->unsettled.count) return;

    int64_t now = clock_now_ms();
    struct report *reports = calloc(sender->unsettled.count, sizeof(*reports));
    if (!reports) out_of_memory();
    struct command command = {.kind = COMMAND_SETTLE};
    command.settle.items = reports;
    for (struct link *link = sender->unsettled.head; link; link = link->next)
        reports[command.settle.count++] = report_of(LINK_OWNER(link, struct delivery, link), now);
    enum outcome outcome =
        engine_errand(sender->settings->engine, &command, (struct errand_take){0});
    if (outcome == OUTCOME_OK) {
        trouble_over(&sender->trouble);
        for (size_t i = 0; i < command.settle.count; i++) {
            struct delivery *delivery =
                LINK_OWNER(list_pop(&sender->unsettled), struct delivery, link);
            count(sender, delivery, &reports[i]);
            watch_webhook(sender, delivery, now);
            delivery_free(delivery);
        }
    } else {
        trouble_is(&sender->trouble, str_of(outcome_texts[outcome].text));
    }
    free(reports);
}

/* ---- the thread ---- */

static void *sender_run(void *data)
{
    struct sender *sender = data;
    pthread_setname_np(pthread_self(), "sender");
    bool more = true;
    while (bell_wait(&sender->bell, more ? 0 : LOOK_EVERY_MS)) {
        settle_finished(sender);
        more = claim_and_send(sender);
    }
    return NULL;
}

struct sender *sender_start(const struct notify_settings *settings, struct store *reader,
                            struct courier *courier, struct notify_counts *counts)
{
    struct sender *sender = calloc(1, sizeof(*sender));
    if (!sender) out_of_memory();
    *sender = (struct sender){
        .settings = settings,
        .reader = reader,
        .courier = courier,
        .counts = counts,
        .trouble = {.what = "messages cannot be claimed or settled"},
    };
    bell_init(&sender->bell);
    pthread_mutex_init(&sender->mutex, NULL);
    if (pthread_create(&sender->thread, NULL, sender_run, sender) != 0) abort();
    return sender;
}

void sender_wake(struct sender *sender)
{
    bell_ring(&sender->bell);
}

void sender_stop(struct sender *sender)
{
    bell_close(&sender->bell);
    pthread_join(sender->thread, NULL);
    courier_stop(sender->courier, STOP_MS);
    settle_finished(sender);
    /* What could not be written is sent again when its claim is over. */
    while (sender->unsettled.head)
        delivery_free(LINK_OWNER(list_pop(&sender->unsettled), struct delivery, link));
    pthread_mutex_destroy(&sender->mutex);
    bell_destroy(&sender->bell);
    store_close(sender->reader);
    free(sender);
}
