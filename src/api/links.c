/* SPDX-License-Identifier: Apache-2.0 */
/* Links in mail: a new password for who forgot the old one, and the proof that an address is one's
 * own. What goes into the mail is made by notify/mail.c when it is sent; here is what is asked, and
 * what comes back. */
#include <assert.h>
#include <sodium.h>
#include <stdatomic.h>

#include "api/accounts.h"
#include "api/fields.h"
#include "api/reply.h"
#include "api/resources.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "notify/mail.h"

/* ---- asking for one ---- */

/* The same words whatever is there. */
static void set_accepted(struct call *call, const char *message)
{
    struct buf *out = call_scratch();
    emit_open(out, '{');
    emit_key_str(out, "message", str_of(message));
    emit_close(out, '}');
    reply_set_json(call, 202, buf_str(out));
}

static const char reset_message[] =
    "If somebody has an account with this address, a mail is on its way to it.";
static const char confirmation_message[] = "A mail is on its way to your address.";

static void compose_reset_asked(struct call *call, const struct result *result)
{
    (void)result;
    set_accepted(call, reset_message);
}

static void compose_confirmation_asked(struct call *call, const struct result *result)
{
    (void)result;
    set_accepted(call, confirmation_message);
}

/* Where no mail can be sent the operator ought to know that people ask for it. */
static bool sends_mail(struct call *call)
{
    static atomic_flag was_said = ATOMIC_FLAG_INIT;
    if (call->api->settings.sends_mail) return true;
    if (!atomic_flag_test_and_set(&was_said))
        log_warn("somebody asks for a mail, and none can be sent: SMTP_URL is not set");
    return false;
}

/* Everybody goes the same way, through the lane and to the disk, whether there is such an account
 * or not: neither the answer nor its time tells. */
void resets_create(struct call *call)
{
    struct str email = {0};
    struct fields fields = fields_of(call, call->body, "");
    field_email(&fields, "email", REQUIRED, &email);
    fields_end(&fields);
    if (reply_errors(call)) return;
    if (!call_mail_allowed(call, text_fold(call->arena, email))) return;
    if (!sends_mail(call)) {
        set_accepted(call, reset_message);
        reply_send(call);
        return;
    }
    call_command(call, COMMAND_ASK_RESET)->user.user.email = email;
    call_decide(call, compose_reset_asked);
}

void confirmations_create(struct call *call)
{
    struct str account = arena_printf(call->arena, "user:%llu", (unsigned long long)call->actor.id);
    if (!call_mail_allowed(call, account)) return;
    sends_mail(call); /* if not, the account's own state is told all the same */
    call_command(call, COMMAND_ASK_CONFIRMATION)->user.user.id = call->actor.id;
    call_decide(call, compose_confirmation_asked);
}

/* ---- coming back with one ---- */

/* Finds the user that the link of the path names, in call->user; false: answered. */
static bool find_who_has_the_link(struct call *call, struct store *store)
{
    enum store_status status = store_find_user(store, call->id, (struct str){0}, (struct str){0},
                                               call->arena, &call->user);
    if (status != STORE_OK)
        reply_fault(call, store, status);
    else if (!call->user || call->user->erased_at || !call->user->email.len)
        reply_problem(call, INVALID_LINK, (struct str){0});
    else
        return true;
    return false;
}

/* Reads the link as far as it can be read without its user; false: answered. */
static bool read_link(struct call *call)
{
    int64_t expires_at;
    call->text = arena_str(call->arena, call->match.variables[0]);
    if (link_read(call->text, &call->id, &expires_at) && expires_at > clock_now_ms()) return true;
    reply_problem(call, INVALID_LINK, (struct str){0});
    return false;
}

static void compose_done(struct call *call, const struct result *result)
{
    (void)result;
    reply_set_empty(call, 204);
}

static void hash_and_reset(struct call *call)
{
    struct command *command = call_command(call, COMMAND_RESET_PASSWORD);
    command->user.user.id = call->user->id;
    command->user.user.email = call->user->email;
    command->user.password_was = call->user->password_hash;
    if (account_hash_secret(call, &command->user.user.password_hash))
        call_decide(call, compose_done);
}

static void check_reset(struct call *call, struct store *store)
{
    if (!find_who_has_the_link(call, store)) return;
    struct link_claim claim = mail_reset_claim(call->user, call->arena);
    if (link_verify(&call->api->settings.link_key, &claim, call->text, clock_now_ms()))
        call_hash(call, hash_and_reset);
    else
        reply_problem(call, INVALID_LINK, (struct str){0});
}

void resets_use(struct call *call)
{
    struct fields fields = fields_of(call, call->body, "");
    field_secret(&fields, "password", REQUIRED, PASSWORD_MIN_BYTES, PASSWORD_MAX_BYTES,
                 &call->secret);
    fields_end(&fields);
    if (reply_errors(call)) return;
    if (read_link(call)) call_read(call, check_reset);
}

static void check_confirmation(struct call *call, struct store *store)
{
    if (!find_who_has_the_link(call, store)) return;
    struct link_claim claim = mail_confirm_claim(call->user, call->arena);
    if (!link_verify(&call->api->settings.link_key, &claim, call->text, clock_now_ms())) {
        reply_problem(call, INVALID_LINK, (struct str){0});
        return;
    }
    struct command *command = call_command(call, COMMAND_CONFIRM_EMAIL);
    command->user.user.id = call->user->id;
    command->user.user.email = call->user->email;
    call_decide(call, compose_done);
}

void confirmations_use(struct call *call)
{
    struct fields fields = fields_of(call, call->body, "");
    fields_end(&fields);
    if (reply_errors(call)) return;
    if (read_link(call)) call_read(call, check_confirmation);
}

/* ---- the pages that links lead to ---- */

/* A browser runs a script and a style in the page only when the policy has its hash. */
static void add_hash(struct buf *out, const char *directive, struct str page, const char *open,
                     const char *close)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char text[sodium_base64_ENCODED_LEN(sizeof(hash), sodium_base64_VARIANT_ORIGINAL)];
    const char *begin = memmem(page.data, page.len, open, strlen(open));
    const char *end = memmem(page.data, page.len, close, strlen(close));
    assert(begin && end);
    begin += strlen(open);
    crypto_hash_sha256(hash, (const unsigned char *)begin, (size_t)(end - begin));
    sodium_bin2base64(text, sizeof(text), hash, sizeof(hash), sodium_base64_VARIANT_ORIGINAL);
    buf_printf(out, "%s 'sha256-%s'; ", directive, text);
}

/* The same page for each kind of link; what is behind '#' never comes here. */
void links_page(struct call *call)
{
    const struct embedded_file *file = embedded_find(call->request->path);
    assert(file);
    struct str page = {(const char *)file->data, file->size};
    struct buf *policy = call_scratch();
    buf_add_str(policy, STR("default-src 'none'; connect-src 'self'; img-src data:; "));
    add_hash(policy, "script-src", page, "<script>", "</script>");
    add_hash(policy, "style-src", page, "<style>", "</style>");
    buf_add_str(policy, STR("base-uri 'none'; form-action 'none'; frame-ancestors 'none'"));
    reply_file(call, file, arena_cstr(call->arena, buf_str(policy)));
}
