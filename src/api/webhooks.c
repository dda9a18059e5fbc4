/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks: whom to tell what happens to one's events, and what became of telling it. */
#include <sodium.h>

#include "api/compose.h"
#include "api/fields.h"
#include "api/reply.h"
#include "api/resources.h"
#include "base/clock.h"
#include "notify/courier.h"
#include "notify/signature.h"

enum {
    DESCRIPTION_MAX = 200,
    FIRST_TOPIC = TOPIC_BOOKING_CONFIRMED,
    LAST_TOPIC = TOPIC_EVENT_SOLD_OUT,
};
#define ALL_TOPICS    ((1u << (LAST_TOPIC + 1)) - (1u << FIRST_TOPIC))
#define OLD_SECRET_MS (INT64_C(24) * 60 * 60 * 1000)

/* ---- as they are shown ---- */

/* Written like a reference, as its number would tell how much is going on. No booking has such an
 * id, nor has a place in the journal. */
#define DELIVERY (UINT64_C(1) << 58)

static void compose_delivery(struct buf *out, const struct api *api, const struct message *message)
{
    char id[REFERENCE_TEXT_SIZE];
    reference_write(&api->settings.reference_key, DELIVERY | message->id, id);
    emit_open(out, '{');
    emit_key_str(out, "id", str_of(id));
    emit_key_str(out, "message_id", message->key);
    emit_key_str(out, "type", str_of(topic_names[message->topic]));
    emit_key_str(out, "status", str_of(message_status_names[message->status]));
    emit_key_u64(out, "tries", message->tries);
    emit_key(out, "answer");
    if (message->answer)
        emit_i64(out, message->answer);
    else
        emit_null(out);
    emit_key_str_or_null(out, "error", message->error);
    emit_key_time(out, "created_at", message->created_at);
    emit_key_time(out, "due_at", message->status == MESSAGE_WAITING ? message->due_at : 0);
    emit_key_time(out, "settled_at", message->settled_at);
    emit_close(out, '}');
}

/* With its secret, which is shown only when it is new. */
static void compose_with_secret(struct call *call, const struct result *result)
{
    struct buf *out = call_scratch();
    compose_webhook_open(out, result->webhook);
    emit_key_str(out, "secret", webhook_secret_text(result->webhook->secret, call->arena));
    emit_close(out, '}');
    reply_set_json(call, outcome_texts[result->outcome].status, buf_str(out));
    if (result->outcome == OUTCOME_CREATED)
        reply_header(call, "Location",
                     arena_printf(call->arena, "/v1/webhooks/%llu",
                                  (unsigned long long)result->webhook->id));
}

static void compose_changed(struct call *call, const struct result *result)
{
    struct buf *out = call_scratch();
    compose_webhook(out, result->webhook);
    reply_set_json(call, 200, buf_str(out));
}

static void compose_gone(struct call *call, const struct result *result)
{
    (void)result;
    reply_set_empty(call, 204);
}

static void compose_accepted(struct call *call, const struct result *result)
{
    (void)result;
    reply_set_empty(call, 202);
    reply_header(
        call, "Location",
        arena_printf(call->arena, "/v1/webhooks/%llu/deliveries", (unsigned long long)call->id));
}

/* ---- reading them from a body ---- */

static bool are_allowed(struct call *call)
{
    if (!call->api->settings.webhooks)
        reply_problem(call, FORBIDDEN, STR("Webhooks are turned off here."));
    else if (!call_may_organize(call))
        reply_problem(call, FORBIDDEN, STR("Only organizers and administrators may do this."));
    else
        return true;
    return false;
}

static unsigned read_types(struct fields *fields, uint32_t *ret_topics)
{
    json_t *types = field_array(fields, "types", OPTIONAL, 1, LAST_TOPIC - FIRST_TOPIC + 1);
    if (!types) return 0;
    *ret_topics = 0;
    for (size_t i = 0; i < json_array_size(types); i++) {
        const char *name = json_string_value(json_array_get(types, i));
        int topic = name ? NAME_INDEX(topic_names, str_of(name)) : -1;
        if (topic >= FIRST_TOPIC && topic <= LAST_TOPIC)
            *ret_topics |= 1u << topic;
        else
            call_add_error(fields->call, arena_printf(fields->call->arena, "/types/%zu", i),
                           STR("is not a type such as booking.confirmed or event.changed"));
    }
    return WEBHOOK_FIELD_TOPICS;
}

static unsigned read_webhook(struct fields *fields, bool is_new, struct webhook *webhook)
{
    struct call *call = fields->call;
    unsigned given = 0;
    if (field_text(fields, "url", is_new ? REQUIRED : OPTIONAL, 1, WEBHOOK_URL_MAX_BYTES,
                   &webhook->url)) {
        const char *error = courier_post_url_error(
            webhook->url, call->api->settings.webhook_allow_private, call->arena);
        if (error) field_error(fields, "url", error);
        given |= WEBHOOK_FIELD_URL;
    }
    if (field_text(fields, "description", OPTIONAL, 0, DESCRIPTION_MAX, &webhook->description))
        given |= WEBHOOK_FIELD_DESCRIPTION;
    return given | read_types(fields, &webhook->topics);
}

static struct str new_secret(struct arena *arena)
{
    char *octets = arena_alloc(arena, WEBHOOK_SECRET_SIZE);
    randombytes_buf(octets, WEBHOOK_SECRET_SIZE);
    return (struct str){octets, WEBHOOK_SECRET_SIZE};
}

/* ---- making one ---- */

void webhooks_create(struct call *call)
{
    if (!are_allowed(call)) return;
    struct webhook *webhook = &call_command(call, COMMAND_CREATE_WEBHOOK)->webhook.webhook;
    *webhook = (struct webhook){
        .topics = ALL_TOPICS,
        .status = WEBHOOK_ON,
        .secret = new_secret(call->arena),
        .old_secret = STR(""),
        .description = STR(""),
    };
    struct fields fields = fields_of(call, call->body, "");
    read_webhook(&fields, true, webhook);
    field_boolean(&fields, "everything", OPTIONAL, &webhook->everything);
    fields_end(&fields);
    if (reply_errors(call)) return;
    if (webhook->everything && call->actor.role != ROLE_ADMIN)
        reply_problem(call, FORBIDDEN,
                      STR("Only administrators may be told of everybody's events."));
    else
        call_decide(call, compose_with_secret);
}

/* ---- looking ---- */

/* The one that the path names, if the caller may see it; NULL: answered. */
static struct webhook *find(struct call *call, struct store *store)
{
    struct webhook *webhook;
    enum store_status status = store_find_webhook(store, call->id, call->arena, &webhook);
    if (status != STORE_OK) {
        reply_fault(call, store, status);
        return NULL;
    }
    if (webhook && (webhook->user_id == call->actor.id || call->actor.role == ROLE_ADMIN))
        return webhook;
    reply_problem(call, NO_SUCH_WEBHOOK, (struct str){0});
    return NULL;
}

static void answer_one(struct call *call, struct store *store)
{
    struct webhook *webhook = find(call, store);
    if (!webhook) return;
    struct buf *out = call_scratch();
    compose_webhook(out, webhook);
    reply_json(call, 200, buf_str(out));
}

void webhooks_show(struct call *call)
{
    if (call_path_id(call, NO_SUCH_WEBHOOK, &call->id)) call_read(call, answer_one);
}

struct list_query {
    uint64_t after;
    size_t limit;
};

static void answer_list(struct call *call, struct store *store)
{
    const struct list_query *page = call->state;
    uint64_t user_id = call->actor.role == ROLE_ADMIN ? 0 : call->actor.id, last = 0;
    struct webhook_list list;
    enum store_status status = store_list_webhooks(store, user_id, call->arena, &list);
    if (status != STORE_OK) {
        reply_fault(call, store, status);
        return;
    }
    struct buf *out = call_scratch();
    compose_list_open(out);
    size_t shown = 0;
    bool more = false;
    for (size_t i = 0; i < list.count && !more; i++) {
        if (list.items[i]->id <= page->after) continue;
        more = shown == page->limit;
        if (more) continue;
        compose_webhook(out, list.items[i]);
        last = list.items[i]->id;
        shown++;
    }
    compose_list_close_id(out, call, more ? last : 0);
    reply_send(call);
}

void webhooks_list(struct call *call)
{
    struct list_query *page = ARENA_NEW(call->arena, struct list_query);
    struct parameters parameters = parameters_of(call);
    page->limit = parameter_limit(&parameters);
    page->after = 0;
    parameter_id_cursor(&parameters, &page->after);
    parameters_end(&parameters);
    if (reply_errors(call)) return;
    call->state = page;
    call_read(call, answer_list);
}

/* ---- changing one ---- */

void webhooks_update(struct call *call)
{
    struct command *command = call_command(call, COMMAND_UPDATE_WEBHOOK);
    struct webhook *webhook = &command->webhook.webhook;
    int status = 0;
    struct fields fields = fields_of(call, call->body, "");
    command->webhook.fields = read_webhook(&fields, false, webhook);
    /* "disabled" is what the box office does. */
    if (field_choice(&fields, "status", OPTIONAL, &webhook_status_names[WEBHOOK_ON], 2, &status)) {
        webhook->status = (enum webhook_status)(WEBHOOK_ON + status);
        command->webhook.fields |= WEBHOOK_FIELD_STATUS;
    }
    fields_end(&fields);
    if (!reply_errors(call) && call_path_id(call, NO_SUCH_WEBHOOK, &webhook->id))
        call_decide(call, compose_changed);
}

void webhooks_delete(struct call *call)
{
    struct command *command = call_command(call, COMMAND_DELETE_WEBHOOK);
    if (call_path_id(call, NO_SUCH_WEBHOOK, &command->webhook.webhook.id))
        call_decide(call, compose_gone);
}

void webhooks_rotate(struct call *call)
{
    struct command *command = call_command(call, COMMAND_UPDATE_WEBHOOK);
    if (!call_path_id(call, NO_SUCH_WEBHOOK, &call->id)) return;
    command->webhook.fields = WEBHOOK_FIELD_SECRET;
    command->webhook.webhook = (struct webhook){
        .id = call->id,
        .secret = new_secret(call->arena),
        .old_secret_until = clock_now_ms() + OLD_SECRET_MS,
    };
    call_decide(call, compose_with_secret);
}

void webhooks_test(struct call *call)
{
    struct command *command = call_command(call, COMMAND_TEST_WEBHOOK);
    if (!call_path_id(call, NO_SUCH_WEBHOOK, &call->id)) return;
    command->webhook.webhook.id = call->id;
    call_decide(call, compose_accepted);
}

/* ---- what became of telling it ---- */

static void answer_deliveries(struct call *call, struct store *store)
{
    struct message_query *query = call->state;
    struct message_list list;
    size_t limit = query->limit - 1;
    if (!find(call, store)) return;
    enum store_status status = store_list_messages(store, query, call->arena, &list);
    if (status != STORE_OK) {
        reply_fault(call, store, status);
        return;
    }
    struct buf *out = call_scratch();
    compose_list_open(out);
    for (size_t i = 0; i < list.count && i < limit; i++)
        compose_delivery(out, call->api, &list.items[i]);
    uint64_t last = list.count > limit ? list.items[limit - 1].id : 0;
    compose_list_close_id(out, call, last);
    reply_send(call);
}

void webhooks_deliveries(struct call *call)
{
    struct message_query *query = ARENA_NEW(call->arena, struct message_query);
    *query = (struct message_query){.status = -1};
    struct parameters parameters = parameters_of(call);
    int status;
    if (parameter_choice(&parameters, "status", &message_status_names[MESSAGE_WAITING], 3, &status))
        query->status = MESSAGE_WAITING + status;
    query->limit = parameter_limit(&parameters) + 1;
    parameter_id_cursor(&parameters, &query->before);
    parameters_end(&parameters);
    if (reply_errors(call) || !call_path_id(call, NO_SUCH_WEBHOOK, &call->id)) return;
    query->webhook_id = call->id;
    call->state = query;
    call_read(call, answer_deliveries);
}

/* A message's owner never changes: so it may be looked at before the command. */
static void redeliver_own(struct call *call, struct store *store)
{
    uint64_t id = call->task.command.message_id;
    const struct message_query query = {
        .webhook_id = call->id, .status = -1, .before = id + 1, .limit = 1};
    struct message_list list;
    if (!find(call, store)) return;
    enum store_status status = store_list_messages(store, &query, call->arena, &list);
    if (status != STORE_OK)
        reply_fault(call, store, status);
    else if (list.count == 0 || list.items[0].id != id)
        reply_problem(call, NOT_FOUND, STR("The webhook has no such delivery."));
    else
        call_decide(call, compose_accepted);
}

void webhooks_redeliver(struct call *call)
{
    struct command *command = call_command(call, COMMAND_RETRY);
    if (!call_path_id(call, NO_SUCH_WEBHOOK, &call->id)) return;
    if (call_path_reference(call, 1, &command->message_id) && command->message_id >> 58 == 1) {
        command->message_id &= ~DELIVERY;
        call_read(call, redeliver_own);
    } else {
        reply_problem(call, NOT_FOUND, STR("The webhook has no such delivery."));
    }
}
