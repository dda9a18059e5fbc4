/* SPDX-License-Identifier: Apache-2.0 */
#include "core/decide.h"

#include <assert.h>

#include "core/parts.h"

bool command_is_alone(const struct command *command)
{
    switch (command->kind) {
    case COMMAND_CREATE_EVENT: /* nobody in this batch may have guessed its id */
    case COMMAND_UPDATE_EVENT:
    case COMMAND_DELETE_EVENT:
    case COMMAND_ERASE_USER:
    case COMMAND_PRUNE:
    case COMMAND_CLAIM: /* another one of its batch would find the same messages */
    case COMMAND_RETRY:
    case COMMAND_DROP:
    case COMMAND_CREATE_WEBHOOK: /* as with events */
    case COMMAND_UPDATE_WEBHOOK:
    case COMMAND_DELETE_WEBHOOK:
    case COMMAND_TEST_WEBHOOK: return true;
    default: return false;
    }
}

/* What has been kept long enough goes; the store counts and bounds it. */
static void decide_prune(struct working_set *set, const struct command *command,
                         struct result *result)
{
    struct change *change = working_set_change(set, CHANGE_PRUNE);
    change->prune.cancelled_before = set->now - set->keep_cancelled_ms;
    change->prune.replays_before = command->prune.replays_before;
    change->prune.revocations_before = command->prune.revocations_before;
    change->prune.sent_before = command->prune.sent_before;
    change->prune.parked_before = command->prune.parked_before;
    change->prune.most = command->prune.most;
    result->outcome = OUTCOME_OK;
}

void decide(struct working_set *set, const struct command *command, struct result *result)
{
    *result = (struct result){.outcome = INTERNAL};
    size_t changes = set->changes.count;
    switch (command->kind) {
    case COMMAND_BOOK: decide_book(set, command, result); break;
    case COMMAND_CANCEL: decide_cancel(set, command, result); break;
    case COMMAND_CANCEL_NEWEST: decide_cancel_newest(set, command, result); break;
    case COMMAND_PAY: decide_pay(set, command, result); break;
    case COMMAND_CREATE_EVENT: decide_create_event(set, command, result); break;
    case COMMAND_UPDATE_EVENT: decide_update_event(set, command, result); break;
    case COMMAND_DELETE_EVENT: decide_delete_event(set, command, result); break;
    case COMMAND_REGISTER: decide_register(set, command, result); break;
    case COMMAND_UPDATE_USER: decide_update_user(set, command, result); break;
    case COMMAND_SET_ROLE: decide_set_role(set, command, result); break;
    case COMMAND_SIGN_OUT: decide_sign_out(set, command, result); break;
    case COMMAND_ERASE_USER: decide_erase_user(set, command, result); break;
    case COMMAND_ASK_RESET: decide_ask_reset(set, command, result); break;
    case COMMAND_RESET_PASSWORD: decide_reset_password(set, command, result); break;
    case COMMAND_ASK_CONFIRMATION: decide_ask_confirmation(set, command, result); break;
    case COMMAND_CONFIRM_EMAIL: decide_confirm_email(set, command, result); break;
    case COMMAND_PRUNE: decide_prune(set, command, result); break;
    case COMMAND_TELL: decide_tell(set, command, result); break;
    case COMMAND_CLAIM: decide_claim(set, result); break;
    case COMMAND_SETTLE: decide_settle(set, command, result); break;
    case COMMAND_RETRY: decide_retry(set, command, result); break;
    case COMMAND_DROP: decide_drop(set, command, result); break;
    case COMMAND_CREATE_WEBHOOK: decide_create_webhook(set, command, result); break;
    case COMMAND_UPDATE_WEBHOOK: decide_update_webhook(set, command, result); break;
    case COMMAND_TEST_WEBHOOK: decide_test_webhook(set, command, result); break;
    case COMMAND_DELETE_WEBHOOK: decide_delete_webhook(set, command, result); break;
    case COMMAND_KINDS: break;
    }
    assert(result->again || result->outcome != INTERNAL);
    /* A refusal changes nothing. */
    if (result->again || outcome_is_error(result->outcome)) assert(set->changes.count == changes);
}
