/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox: who is to be told what, until it was sent or given up.
 *
 *   the journal,
 *   notices --decide_tell--> [waiting] --decide_claim--> [claimed] --decide_settle: sent--> [sent]
 *                              ^   ^                      |     |
 *                              |   +-- it failed: later --+     +-- it failed too often
 *                              |                                              |
 *                              +-- decide_retry, also of what was sent --- [parked]
 *
 * A claim is a time until which nobody else claims the message, which waits all the same; who dies
 * with it loses nothing but that time. So a message may be sent twice, and never not at all; it
 * carries a key by which its receiver knows it again. */
#include <assert.h>

#include "core/parts.h"

void notice_add(struct working_set *set, struct notice notice)
{
    if (!set->tells) return;
    notice.at = set->now;
    if (!notice.address.data) notice.address = STR("");
    working_set_change(set, CHANGE_NOTICE)->notice = notice;
}

void decide_tell(struct working_set *set, const struct command *command, struct result *result)
{
    struct outbox_position *at = &set->position.row;
    assert(set->position.loaded);
    if (at->turn != command->tell.from.turn || at->journal_id != command->tell.from.journal_id) {
        result->outcome = STALE;
        return;
    }
    for (size_t i = 0; i < command->tell.message_count; i++)
        working_set_change(set, CHANGE_MESSAGE_INSERT)->message = &command->tell.messages[i];
    for (size_t i = 0; i < command->tell.notice_count; i++) {
        const struct notice_progress *notice = &command->tell.notices[i];
        struct change *change = working_set_change(set, CHANGE_NOTICE_TOLD);
        change->notice_told.id = notice->notice_id;
        change->notice_told.told = notice->told;
    }
    /* Who tells in the same batch finds it moved. */
    *at = (struct outbox_position){command->tell.journal_id, at->turn + 1};
    working_set_change(set, CHANGE_POSITION)->position = *at;
    result->outcome = OUTCOME_OK;
}

static void update_message(struct working_set *set, const struct message_entry *entry)
{
    working_set_change(set, CHANGE_MESSAGE_UPDATE)->message = &entry->row;
}

void decide_claim(struct working_set *set, struct result *result)
{
    struct message **messages = NULL;
    size_t count = 0;
    for (size_t i = 0; i < set->claims.count; i++)
        count += set->claims.items[i].count;
    messages = ARENA_ARRAY(set->arena, struct message *, count);
    for (size_t i = 0; i < set->claims.count; i++) {
        const struct claim_entry *claim = &set->claims.items[i];
        for (size_t j = 0; j < claim->count; j++) {
            struct message_entry *entry = claim->items[j];
            entry->row.tries++;
            entry->row.due_at = claim->wanted.until;
            update_message(set, entry);
            messages[result->message_count++] = &entry->row;
        }
    }
    result->messages = messages;
    result->outcome = OUTCOME_OK;
}

/* Of a mail nothing is kept once it was sent: there is a person in it. */
static void settle(struct working_set *set, struct message_entry *entry,
                   const struct report *report)
{
    if (report->status == MESSAGE_SENT && entry->row.webhook_id == 0) {
        entry->found = false;
        working_set_change(set, CHANGE_MESSAGE_DELETE)->message = &entry->row;
        return;
    }
    entry->row.status = report->status;
    entry->row.due_at = report->due_at;
    entry->row.settled_at = report->status == MESSAGE_WAITING ? 0 : set->now;
    entry->row.answer = report->answer;
    entry->row.error = report->error;
    update_message(set, entry);
}

/* What was dropped meanwhile, or was settled by who claimed it later, stays as it is. */
void decide_settle(struct working_set *set, const struct command *command, struct result *result)
{
    for (size_t i = 0; i < command->settle.count; i++) {
        const struct report *report = &command->settle.items[i];
        struct message_entry *entry = working_set_message(set, report->message_id);
        if (entry->found && entry->row.status == MESSAGE_WAITING) settle(set, entry, report);
    }
    result->outcome = OUTCOME_OK;
}

void decide_retry(struct working_set *set, const struct command *command, struct result *result)
{
    struct message_entry *entry = working_set_message(set, command->message_id);
    if (!entry->found) {
        result->outcome = NOT_FOUND;
        return;
    }
    entry->row.status = MESSAGE_WAITING;
    entry->row.tries = 0;
    entry->row.due_at = set->now;
    entry->row.settled_at = 0;
    update_message(set, entry);
    result->outcome = OUTCOME_OK;
}

void decide_drop(struct working_set *set, const struct command *command, struct result *result)
{
    struct message_entry *entry = working_set_message(set, command->message_id);
    if (!entry->found) {
        result->outcome = NOT_FOUND;
        return;
    }
    entry->found = false;
    working_set_change(set, CHANGE_MESSAGE_DELETE)->message = &entry->row;
    result->outcome = OUTCOME_OK;
}
