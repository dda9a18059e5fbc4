/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts: registering, signing in and out, the profile, roles. Whatever costs an Argon2 run goes
 * through the sign-in limits first and then to the hashers, never on a loop or the lane. */
#include "api/accounts.h"

#include <sodium.h>
#include <stdio.h>

#include "api/compose.h"
#include "api/fields.h"
#include "api/reply.h"
#include "api/resources.h"
#include "auth/password.h"
#include "base/clock.h"
#include "base/text.h"

static void forget_secret(struct call *call)
{
    /* The arena owns these bytes, so writing over them is ours to do. */
    sodium_memzero((char *)call->secret.data, call->secret.len);
    call->secret = (struct str){0};
}

/* ---- registering ---- */

bool account_hash_secret(struct call *call, struct str *ret_hash)
{
    *ret_hash = password_hash(call->arena, call->secret);
    forget_secret(call);
    if (ret_hash->len) return true;
    reply_problem(call, OVERLOADED, (struct str){0});
    return false;
}

static void hash_and_register(struct call *call)
{
    if (account_hash_secret(call, &call->task.command.user.user.password_hash))
        call_decide(call, call->compose);
}

void account_register(struct call *call, const struct user *user,
                      void (*compose)(struct call *call, const struct result *result))
{
    struct str account = text_fold(call->arena, user->email.len ? user->email : user->username);
    if (!call_sign_in_allowed(call, account)) return;
    struct command *command = call_command(call, COMMAND_REGISTER);
    command->user.user = *user;
    command->user.fields =
        (user->email.len ? FIELD_EMAIL : 0) | (user->username.len ? FIELD_USERNAME : 0);
    call->compose = compose;
    call_hash(call, hash_and_register);
}

static void compose_registered(struct call *call, const struct result *result)
{
    struct buf *out = call_scratch();
    compose_user(out, result->user);
    reply_set_json(call, 201, buf_str(out));
}

void users_create(struct call *call)
{
    struct user user = {.role = ROLE_USER};
    struct fields fields = fields_of(call, call->body, "");
    field_email(&fields, "email", REQUIRED, &user.email);
    field_username(&fields, "username", NULLABLE, &user.username);
    field_text(&fields, "name", REQUIRED, 1, NAME_MAX_CHARACTERS, &user.name);
    field_secret(&fields, "password", REQUIRED, PASSWORD_MIN_BYTES, PASSWORD_MAX_BYTES,
                 &call->secret);
    fields_end(&fields);
    if (reply_errors(call)) return;
    account_register(call, &user, compose_registered);
}

/* ---- signing in and out ---- */

struct sign_in {
    struct str email, username; /* folded; one of them is empty */
    void (*answer)(struct call *call, struct str token);
};

static void verify_and_answer(struct call *call)
{
    const struct sign_in *sign_in = call->state;
    /* Nobody with that login: an empty hash, which takes as long as a wrong password. */
    bool good =
        password_verify(call->user ? call->user->password_hash : (struct str){0}, call->secret);
    forget_secret(call);
    if (!good || !call->user) {
        reply_problem(call, BAD_CREDENTIALS, (struct str){0});
        return;
    }
    int64_t issued_at =
        directory_issue_time(call->api->engine->directory, call->user->id, clock_now_ms());
    struct token token = {
        .user_id = call->user->id,
        .issued_at = issued_at,
        .expires_at = issued_at + call->api->settings.token_ttl_s * 1000,
    };
    sign_in->answer(call, token_issue(call->arena, call->api->settings.jwt_secret, &token));
}

static void find_who_signs_in(struct call *call, struct store *store)
{
    const struct sign_in *sign_in = call->state;
    enum store_status status =
        store_find_user(store, 0, sign_in->email, sign_in->username, call->arena, &call->user);
    if (status != STORE_OK)
        reply_fault(call, store, status);
    else
        call_hash(call, verify_and_answer);
}

void account_sign_in(struct call *call, struct str login,
                     void (*answer)(struct call *call, struct str token))
{
    struct str folded = text_fold(call->arena, login);
    if (!call_sign_in_allowed(call, folded)) return;
    struct sign_in *sign_in = ARENA_NEW(call->arena, struct sign_in);
    sign_in->answer = answer;
    /* A user name holds no '@'. */
    if (memchr(folded.data, '@', folded.len))
        sign_in->email = folded;
    else
        sign_in->username = folded;
    call->state = sign_in;
    call_read(call, find_who_signs_in);
}

static void answer_session(struct call *call, struct str token)
{
    struct buf *out = call_scratch();
    emit_open(out, '{');
    emit_key_str(out, "token", token);
    emit_key_str(out, "token_type", STR("Bearer"));
    emit_key_i64(out, "expires_in", call->api->settings.token_ttl_s);
    emit_key(out, "user");
    compose_user(out, call->user);
    emit_close(out, '}');
    reply_json(call, 200, buf_str(out));
}

void sessions_create(struct call *call)
{
    struct str login;
    struct fields fields = fields_of(call, call->body, "");
    field_text(&fields, "login", REQUIRED, 1, EMAIL_MAX_BYTES, &login);
    field_secret(&fields, "password", REQUIRED, 1, PASSWORD_MAX_BYTES, &call->secret);
    fields_end(&fields);
    if (reply_errors(call)) return;
    account_sign_in(call, login, answer_session);
}

static void compose_nothing(struct call *call, const struct result *result)
{
    (void)result;
    reply_set_empty(call, 204);
}

void sessions_delete(struct call *call)
{
    call_command(call, COMMAND_SIGN_OUT)->user.user.id = call->actor.id;
    call_decide(call, compose_nothing);
}

/* ---- the profile ---- */

static void compose_the_user(struct call *call, const struct result *result)
{
    struct buf *out = call_scratch();
    compose_user(out, result->user);
    reply_set_json(call, 200, buf_str(out));
}

/* The caller's own row in call->user; false: answered. */
static bool find_me(struct call *call, struct store *store)
{
    enum store_status status = store_find_user(store, call->actor.id, (struct str){0},
                                               (struct str){0}, call->arena, &call->user);
    if (status != STORE_OK)
        reply_fault(call, store, status);
    else if (!call->user || call->user->erased_at)
        reply_problem(call, UNAUTHORIZED, (struct str){0});
    else
        return true;
    return false;
}

static void read_me(struct call *call, struct store *store)
{
    if (!find_me(call, store)) return;
    struct buf *out = call_scratch();
    compose_user(out, call->user);
    reply_json(call, 200, buf_str(out));
}

void me_show(struct call *call)
{
    call_read(call, read_me);
}

/* What is done when the current password was right. */
struct confirmed {
    void (*then)(struct call *call);
    struct str new_password;
};

static void verify_current(struct call *call)
{
    const struct confirmed *confirmed = call->state;
    bool good = password_verify(call->user->password_hash, call->secret);
    forget_secret(call);
    if (good)
        confirmed->then(call);
    else
        reply_problem(call, WRONG_PASSWORD, (struct str){0});
}

static void read_then_verify(struct call *call, struct store *store)
{
    if (find_me(call, store)) call_hash(call, verify_current);
}

/* 'then' runs on a hasher, if call->secret is the caller's password; guesses are limited like
 * sign-ins. */
static void confirm_password(struct call *call, struct str new_password,
                             void (*then)(struct call *call))
{
    struct str account = arena_printf(call->arena, "user:%llu", (unsigned long long)call->actor.id);
    if (!call_sign_in_allowed(call, account)) return;
    struct confirmed *confirmed = ARENA_NEW(call->arena, struct confirmed);
    *confirmed = (struct confirmed){.then = then, .new_password = new_password};
    call->state = confirmed;
    call_read(call, read_then_verify);
}

static void update_me(struct call *call)
{
    const struct confirmed *confirmed = call->state;
    struct command *command = &call->task.command;
    if (command->user.fields & FIELD_PASSWORD) {
        call->secret = confirmed->new_password;
        if (!account_hash_secret(call, &command->user.user.password_hash)) return;
    }
    call_decide(call, compose_the_user);
}

/* "notify": by which ways one wants to hear of one's bookings. */
static void read_notify(struct fields *fields, struct command *command)
{
    json_t *object = field_object(fields, "notify", OPTIONAL);
    if (!object) return;
    struct fields ways = fields_of(fields->call, object, "/notify");
    if (field_boolean(&ways, "email", OPTIONAL, &command->user.user.mail))
        command->user.fields |= FIELD_MAIL;
    fields_end(&ways);
}

void me_update(struct call *call)
{
    struct command *command = call_command(call, COMMAND_UPDATE_USER);
    struct user *user = &command->user.user;
    struct str new_password;
    user->id = call->actor.id;
    struct fields fields = fields_of(call, call->body, "");
    if (field_text(&fields, "name", OPTIONAL, 1, NAME_MAX_CHARACTERS, &user->name))
        command->user.fields |= FIELD_NAME;
    if (field_email(&fields, "email", OPTIONAL, &user->email)) command->user.fields |= FIELD_EMAIL;
    if (field_username(&fields, "username", OPTIONAL, &user->username))
        command->user.fields |= FIELD_USERNAME;
    if (field_secret(&fields, "password", OPTIONAL, PASSWORD_MIN_BYTES, PASSWORD_MAX_BYTES,
                     &new_password))
        command->user.fields |= FIELD_PASSWORD;
    read_notify(&fields, command);
    bool sensitive = command->user.fields & (FIELD_EMAIL | FIELD_PASSWORD);
    field_secret(&fields, "current_password", sensitive ? REQUIRED : OPTIONAL, 1,
                 PASSWORD_MAX_BYTES, &call->secret);
    fields_end(&fields);
    if (reply_errors(call)) return;
    if (sensitive)
        confirm_password(call, new_password, update_me);
    else if (command->user.fields)
        call_decide(call, compose_the_user);
    else
        me_show(call);
}

static void erase_me(struct call *call)
{
    call_decide(call, compose_nothing);
}

void me_delete(struct call *call)
{
    struct fields fields = fields_of(call, call->body, "");
    field_secret(&fields, "password", REQUIRED, 1, PASSWORD_MAX_BYTES, &call->secret);
    fields_end(&fields);
    if (reply_errors(call)) return;
    call_command(call, COMMAND_ERASE_USER)->user.user.id = call->actor.id;
    confirm_password(call, (struct str){0}, erase_me);
}

/* ---- for administrators ---- */

static void read_users(struct call *call, struct store *store)
{
    const struct user_query *query = call->state;
    size_t limit = query->limit - 1;
    struct user_list list;
    enum store_status status = store_list_users(store, query, call->arena, &list);
    if (status != STORE_OK) {
        reply_fault(call, store, status);
        return;
    }
    struct buf *out = call_scratch();
    compose_list_open(out);
    for (size_t i = 0; i < list.count && i < limit; i++)
        compose_user(out, list.items[i]);
    uint64_t last = list.count > limit ? list.items[limit - 1]->id : 0;
    compose_list_close_id(out, call, last);
    reply_send(call);
}

void users_list(struct call *call)
{
    struct user_query *query = ARENA_NEW(call->arena, struct user_query);
    struct parameters parameters = parameters_of(call);
    query->role = -1;
    parameter_words(&parameters, "q", &query->q);
    query->limit = parameter_limit(&parameters) + 1;
    parameter_id_cursor(&parameters, &query->after);
    parameters_end(&parameters);
    if (reply_errors(call)) return;
    call->state = query;
    call_read(call, read_users);
}

void users_update(struct call *call)
{
    struct command *command = call_command(call, COMMAND_SET_ROLE);
    int role = 0;
    struct fields fields = fields_of(call, call->body, "");
    field_choice(&fields, "role", REQUIRED, role_names, 3, &role);
    fields_end(&fields);
    if (reply_errors(call)) return;
    command->user.user.role = (enum role)role;
    if (call_path_id(call, NO_SUCH_USER, &command->user.user.id))
        call_decide(call, compose_the_user);
}
