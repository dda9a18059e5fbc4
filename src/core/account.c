/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts: an e-mail address and a user name belong to one person each, in whatever case they
 * are typed. Passwords come as hashes. */
#include <assert.h>

#include "base/text.h"
#include "core/parts.h"

static struct login_entry *login_of(struct working_set *set, bool is_email, struct str text)
{
    return text.len ? working_set_login(set, is_email, text_fold(set->arena, text)) : NULL;
}

/* True when 'user_id' may have them; a login that is not given is no obstacle. */
static bool logins_are_free(const struct login_entry *email, const struct login_entry *username,
                            uint64_t user_id, struct result *result)
{
    if (email && email->user_id && email->user_id != user_id)
        result->outcome = EMAIL_TAKEN;
    else if (username && username->user_id && username->user_id != user_id)
        result->outcome = USERNAME_TAKEN;
    else
        return true;
    return false;
}

/* What the next command of this batch finds under the old and the new logins. */
static void logins_move(struct working_set *set, const struct user *before,
                        const struct user *after)
{
    for (int is_email = 0; is_email < 2; is_email++) {
        struct login_entry *old =
            login_of(set, is_email, is_email ? before->email : before->username);
        struct login_entry *new =
            login_of(set, is_email, is_email ? after->email : after->username);
        if (old) old->user_id = 0;
        if (new) new->user_id = after->id;
    }
}

void decide_register(struct working_set *set, const struct command *command, struct result *result)
{
    const struct user *wanted = &command->user.user;
    if (!logins_are_free(login_of(set, true, wanted->email), login_of(set, false, wanted->username),
                         0, result))
        return;
    struct user_entry *entry = ARENA_NEW(set->arena, struct user_entry);
    *entry = (struct user_entry){.loaded = true, .found = true, .row = *wanted};
    entry->id = entry->row.id = working_set_id(set, SEQUENCE_USER);
    entry->row.created_at = set->now;
    entry->row.mail = true; /* until he says otherwise */
    logins_move(set, &(struct user){0}, &entry->row);
    working_set_change(set, CHANGE_USER_INSERT)->user = &entry->row;
    if (entry->row.email.len)
        notice_add(set, (struct notice){.topic = TOPIC_WELCOME, .user_id = entry->id});
    result->outcome = OUTCOME_CREATED;
    result->user = &entry->row;
}

/* The user a command is about; NULL after a refusal. */
static struct user_entry *user_of(struct working_set *set, const struct command *command,
                                  struct result *result)
{
    struct user_entry *entry = working_set_user(set, command->user.user.id);
    assert(entry);
    if (entry->found && !entry->row.erased_at) return entry;
    result->outcome = NO_SUCH_USER;
    return NULL;
}

static void revoke(struct working_set *set, const struct command *command, uint64_t user_id)
{
    /* The token that asks for it may have been issued a moment ahead of this clock. */
    int64_t at = command->actor.id == user_id && command->actor.token_at > set->now
                     ? command->actor.token_at
                     : set->now;
    struct change *change = working_set_change(set, CHANGE_REVOKE);
    change->revoke.user_id = user_id;
    change->revoke.at = at;
}

/* Another address has yet to be shown to be his, and the old one is told: it may be somebody else
 * who changes it. The same one in another case is none of that. */
static void set_email(struct working_set *set, struct user_entry *entry, struct str email)
{
    struct str old = entry->row.email;
    bool same = str_equal(text_fold(set->arena, email), text_fold(set->arena, old));
    entry->row.email = email;
    if (same) return;
    entry->row.verified_at = 0;
    notice_add(set, (struct notice){.topic = TOPIC_CONFIRM_EMAIL, .user_id = entry->id});
    if (old.len)
        notice_add(set, (struct notice){
                            .topic = TOPIC_EMAIL_CHANGED, .user_id = entry->id, .address = old});
}

/* Whoever was signed in is so no more. */
static void set_password(struct working_set *set, const struct command *command,
                         struct user_entry *entry)
{
    entry->row.password_hash = command->user.user.password_hash;
    revoke(set, command, entry->id);
    notice_add(set, (struct notice){.topic = TOPIC_PASSWORD_CHANGED, .user_id = entry->id});
}

void decide_update_user(struct working_set *set, const struct command *command,
                        struct result *result)
{
    unsigned fields = command->user.fields;
    const struct user *to = &command->user.user;
    struct user_entry *entry = user_of(set, command, result);
    if (!entry) return;
    const struct login_entry *email = fields & FIELD_EMAIL ? login_of(set, true, to->email) : NULL;
    const struct login_entry *username =
        fields & FIELD_USERNAME ? login_of(set, false, to->username) : NULL;
    if (!logins_are_free(email, username, entry->id, result)) return;

    struct user before = entry->row;
    if (fields & FIELD_NAME) entry->row.name = to->name;
    if (fields & FIELD_EMAIL) set_email(set, entry, to->email);
    if (fields & FIELD_USERNAME) entry->row.username = to->username;
    if (fields & FIELD_MAIL) entry->row.mail = to->mail;
    if (fields & FIELD_PASSWORD) set_password(set, command, entry);
    logins_move(set, &before, &entry->row);
    working_set_change(set, CHANGE_USER_UPDATE)->user = &entry->row;
    result->outcome = OUTCOME_OK;
    result->user = &entry->row;
}

void decide_set_role(struct working_set *set, const struct command *command, struct result *result)
{
    if (command->actor.id != 0 && command->actor.role != ROLE_ADMIN) {
        result->outcome = FORBIDDEN;
        return;
    }
    struct user_entry *entry = user_of(set, command, result);
    if (!entry) return;
    entry->row.role = command->user.user.role;
    working_set_change(set, CHANGE_USER_UPDATE)->user = &entry->row;
    result->outcome = OUTCOME_OK;
    result->user = &entry->row;
}

void decide_sign_out(struct working_set *set, const struct command *command, struct result *result)
{
    revoke(set, command, command->user.user.id);
    result->outcome = OUTCOME_GONE;
}

/* ---- what a link in a mail brings about ---- */

/* Whether somebody has the address shows neither in the answer nor in what is written. */
void decide_ask_reset(struct working_set *set, const struct command *command, struct result *result)
{
    const struct login_entry *login = login_of(set, true, command->user.user.email);
    notice_add(
        set, (struct notice){.topic = TOPIC_PASSWORD_RESET, .user_id = login ? login->user_id : 0});
    result->outcome = OUTCOME_OK;
}

/* The user whose address still is what a link was made for; NULL after a refusal. */
static struct user_entry *user_of_link(struct working_set *set, const struct command *command,
                                       struct result *result)
{
    const struct user *told = &command->user.user;
    struct user_entry *entry = working_set_user(set, told->id);
    if (entry->found && !entry->row.erased_at &&
        str_equal(text_fold(set->arena, entry->row.email), text_fold(set->arena, told->email)))
        return entry;
    result->outcome = INVALID_LINK;
    return NULL;
}

/* Who has read the mail has the address, too. */
static void verify_email(struct working_set *set, struct user_entry *entry, struct result *result)
{
    if (!entry->row.verified_at) entry->row.verified_at = set->now;
    working_set_change(set, CHANGE_USER_UPDATE)->user = &entry->row;
    result->outcome = OUTCOME_GONE;
    result->user = &entry->row;
}

void decide_reset_password(struct working_set *set, const struct command *command,
                           struct result *result)
{
    struct user_entry *entry = user_of_link(set, command, result);
    if (!entry) return;
    /* Of two who use the same link at once, one comes second. */
    if (!str_equal(entry->row.password_hash, command->user.password_was)) {
        result->outcome = INVALID_LINK;
        return;
    }
    set_password(set, command, entry);
    verify_email(set, entry, result);
}

void decide_ask_confirmation(struct working_set *set, const struct command *command,
                             struct result *result)
{
    const struct user_entry *entry = user_of(set, command, result);
    if (!entry) return;
    if (entry->row.verified_at)
        result->outcome = ALREADY_CONFIRMED;
    else if (!entry->row.email.len)
        result->outcome = NO_EMAIL;
    else
        result->outcome = OUTCOME_OK;
    if (result->outcome == OUTCOME_OK)
        notice_add(set, (struct notice){.topic = TOPIC_CONFIRM_EMAIL, .user_id = entry->id});
}

void decide_confirm_email(struct working_set *set, const struct command *command,
                          struct result *result)
{
    struct user_entry *entry = user_of_link(set, command, result);
    if (entry) verify_email(set, entry, result);
}

/* ---- the end ---- */

void decide_erase_user(struct working_set *set, const struct command *command,
                       struct result *result)
{
    struct user_entry *entry = user_of(set, command, result);
    if (!entry) return;
    const struct user_bookings_entry *all = map_get(&set->user_bookings, entry->id, 0);
    for (size_t i = 0; i < all->count; i++) {
        struct booking_entry *booking = working_set_booking(set, all->booking_ids[i]);
        if (!booking_is_active(booking->row.status)) continue;
        struct type_entry *type = working_set_type(set, booking->row.ticket_type_id);
        booking_end(set, type, booking, entry->id, "user_erased");
        result->promoted += waiting_serve(set, type);
    }
    struct user before = entry->row;
    entry->row = (struct user){
        .id = before.id,
        .role = ROLE_USER,
        .created_at = before.created_at,
        .erased_at = set->now,
    };
    logins_move(set, &before, &entry->row);
    working_set_change(set, CHANGE_USER_UPDATE)->user = &entry->row;
    working_set_change(set, CHANGE_FORGET_USER)->user_id = entry->id;
    revoke(set, command, entry->id);
    result->outcome = OUTCOME_GONE;
    result->user = &entry->row;
}
