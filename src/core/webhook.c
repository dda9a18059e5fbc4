/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks: whose they are, and what they are told of. An organizer's is told of his own events, an
 * administrator's may be told of all. */
#include <assert.h>

#include "core/parts.h"

void decide_create_webhook(struct working_set *set, const struct command *command,
                           struct result *result)
{
    const struct webhook *wanted = &command->webhook.webhook;
    if (!command->organizing_allowed || (wanted->everything && command->actor.role != ROLE_ADMIN)) {
        result->outcome = FORBIDDEN;
        return;
    }
    assert(set->webhooks_of.loaded && set->webhooks_of.user_id == command->actor.id);
    if (set->webhooks_of.count >= WEBHOOKS_EACH) {
        result->outcome = TOO_MANY;
        result->detail =
            arena_printf(set->arena, "You have %zu webhooks, which is the most: remove one first.",
                         set->webhooks_of.count);
        return;
    }
    struct webhook *webhook = ARENA_NEW(set->arena, struct webhook);
    *webhook = *wanted;
    webhook->id = working_set_id(set, SEQUENCE_WEBHOOK);
    webhook->user_id = command->actor.id;
    webhook->created_at = webhook->updated_at = set->now;
    working_set_change(set, CHANGE_WEBHOOK_INSERT)->webhook = webhook;
    result->outcome = OUTCOME_CREATED;
    result->webhook = webhook;
}

/* Somebody else's is as if there were none. The box office itself has the id 0. */
static struct webhook_entry *webhook_of(struct working_set *set, const struct command *command,
                                        struct result *result)
{
    struct webhook_entry *entry = working_set_webhook(set, command->webhook.webhook.id);
    const struct actor *actor = &command->actor;
    assert(entry);
    if (entry->found &&
        (actor->id == 0 || actor->id == entry->row.user_id || actor->role == ROLE_ADMIN))
        return entry;
    result->outcome = NO_SUCH_WEBHOOK;
    return NULL;
}

static void note(struct working_set *set, const struct webhook *webhook, enum topic topic)
{
    notice_add(set, (struct notice){
                        .topic = topic, .user_id = webhook->user_id, .webhook_id = webhook->id});
}

static void change_status(struct working_set *set, struct webhook *webhook,
                          enum webhook_status status)
{
    if (status == WEBHOOK_ON) webhook->failing_since = 0;
    if (status == WEBHOOK_DISABLED && webhook->status != WEBHOOK_DISABLED)
        note(set, webhook, TOPIC_WEBHOOK_DISABLED);
    webhook->status = status;
}

void decide_update_webhook(struct working_set *set, const struct command *command,
                           struct result *result)
{
    unsigned fields = command->webhook.fields;
    const struct webhook *to = &command->webhook.webhook;
    struct webhook_entry *entry = webhook_of(set, command, result);
    if (!entry) return;
    struct webhook *row = &entry->row;
    if (fields & WEBHOOK_FIELD_URL) row->url = to->url;
    if (fields & WEBHOOK_FIELD_DESCRIPTION) row->description = to->description;
    if (fields & WEBHOOK_FIELD_TOPICS) row->topics = to->topics;
    if (fields & WEBHOOK_FIELD_FAILING) row->failing_since = to->failing_since;
    if (fields & WEBHOOK_FIELD_STATUS) change_status(set, row, to->status);
    if (fields & WEBHOOK_FIELD_SECRET) {
        row->old_secret = row->secret;
        row->old_secret_until = to->old_secret_until;
        row->secret = to->secret;
    }
    if (fields & ~(unsigned)WEBHOOK_FIELD_FAILING) row->updated_at = set->now;
    working_set_change(set, CHANGE_WEBHOOK_UPDATE)->webhook = row;
    result->outcome = OUTCOME_OK;
    result->webhook = row;
}

void decide_test_webhook(struct working_set *set, const struct command *command,
                         struct result *result)
{
    const struct webhook_entry *entry = webhook_of(set, command, result);
    if (!entry) return;
    if (entry->row.status != WEBHOOK_ON) {
        result->outcome = WEBHOOK_IS_OFF;
        return;
    }
    note(set, &entry->row, TOPIC_WEBHOOK_TEST);
    result->outcome = OUTCOME_OK;
}

void decide_delete_webhook(struct working_set *set, const struct command *command,
                           struct result *result)
{
    struct webhook_entry *entry = webhook_of(set, command, result);
    if (!entry) return;
    entry->found = false;
    working_set_change(set, CHANGE_WEBHOOK_DELETE)->webhook = &entry->row;
    result->outcome = OUTCOME_GONE;
}
