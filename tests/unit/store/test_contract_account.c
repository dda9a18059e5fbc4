/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords, addresses and what links in mail bring about (core/account.c), on every store. */
#include "testing.h"

/* run_one() where somebody wants to know. */
static struct result run_told(struct box_office *box, struct command command)
{
    struct result result;
    OK(prepare(box, &command, 1));
    box->set.tells = true;
    decide(&box->set, &command, &result);
    OK(commit(box));
    return result;
}

static struct command about(enum command_kind kind, uint64_t user_id, const char *email)
{
    struct command command = {.kind = kind};
    command.user.user.id = user_id;
    command.user.user.email = email ? str_of(email) : STR("");
    return command;
}

/* "topic:user" or "topic:user:address" of each notice, oldest first; they are told, and gone. */
static const char *noted(struct box_office *box)
{
    struct notice_list list;
    OK(store_list_notices(box->reader, 100, &box->arena, &list));
    struct str all = STR("");
    for (size_t i = 0; i < list.count; i++)
        all = arena_printf(&box->arena, "%s%s%s:%llu%s%.*s", all.data, i ? " " : "",
                           topic_names[list.items[i].topic],
                           (unsigned long long)list.items[i].user_id,
                           list.items[i].address.len ? ":" : "", STR_FMT(list.items[i].address));
    begin(box);
    OK(store_load(box->writer, &box->set));
    for (size_t i = 0; i < list.count; i++) {
        struct change *change = working_set_change(&box->set, CHANGE_NOTICE_TOLD);
        change->notice_told.id = list.items[i].id;
        change->notice_told.told = UINT64_MAX;
    }
    OK(commit(box));
    return all.data;
}

static const char *note_of(struct box_office *box, enum topic topic, uint64_t user_id)
{
    return arena_printf(&box->arena, "%s:%llu", topic_names[topic], (unsigned long long)user_id)
        .data;
}

static uint64_t register_one(struct box_office *box, const char *email, const char *username)
{
    struct command command = {.kind = COMMAND_REGISTER};
    command.user.fields = (email ? FIELD_EMAIL : 0) | (username ? FIELD_USERNAME : 0);
    command.user.user = (struct user){.name = STR("Ana"),
                                      .email = str_of(email ? email : ""),
                                      .username = str_of(username ? username : ""),
                                      .password_hash = STR("hash")};
    struct result result = run_told(box, command);
    assert_int_equal(result.outcome, OUTCOME_CREATED);
    return result.user->id;
}

static void who_registers_is_welcomed_where_there_is_an_address(void **state)
{
    struct box_office *box = *state;
    uint64_t ana = register_one(box, "Ana@example.org", NULL);
    assert_string_equal(noted(box), note_of(box, TOPIC_WELCOME, ana));
    register_one(box, NULL, "nobody");
    assert_string_equal(noted(box), "");
    new_user(box, "Bob", "bob@example.org", NULL); /* while nobody wants to know */
    assert_string_equal(noted(box), "");
}

static void an_address_is_confirmed_as_long_as_it_is_the_same(void **state)
{
    struct box_office *box = *state;
    uint64_t ana = register_one(box, "ana@example.org", NULL);
    noted(box);
    struct command ask = about(COMMAND_ASK_CONFIRMATION, ana, NULL);
    assert_int_equal(run_told(box, ask).outcome, OUTCOME_OK);
    assert_string_equal(noted(box), note_of(box, TOPIC_CONFIRM_EMAIL, ana));

    struct command confirm = about(COMMAND_CONFIRM_EMAIL, ana, "Other@example.org");
    assert_int_equal(run_told(box, confirm).outcome, INVALID_LINK);
    assert_int_equal(find_user(box, ana)->verified_at, 0);
    confirm = about(COMMAND_CONFIRM_EMAIL, ana, "ANA@example.org");
    assert_int_equal(run_told(box, confirm).outcome, OUTCOME_GONE);
    assert_int_equal(find_user(box, ana)->verified_at, NOW);
    box->now += HOUR;
    assert_int_equal(run_told(box, confirm).outcome, OUTCOME_GONE); /* twice is fine */
    assert_int_equal(find_user(box, ana)->verified_at, NOW);
    assert_int_equal(run_told(box, ask).outcome, ALREADY_CONFIRMED);
    assert_string_equal(noted(box), "");

    struct command change = about(COMMAND_UPDATE_USER, ana, "Ana@Example.org");
    change.user.fields = FIELD_EMAIL;
    run_told(box, change); /* only written in another way */
    assert_int_equal(find_user(box, ana)->verified_at, NOW);
    change.user.user.email = STR("ana@example.net");
    run_told(box, change);
    assert_int_equal(find_user(box, ana)->verified_at, 0);
    assert_string_equal(noted(box), arena_printf(&box->arena, "%s %s:Ana@Example.org",
                                                 note_of(box, TOPIC_CONFIRM_EMAIL, ana),
                                                 note_of(box, TOPIC_EMAIL_CHANGED, ana))
                                        .data);
    assert_int_equal(run_told(box, confirm).outcome, INVALID_LINK); /* the old one's */

    uint64_t nobody = register_one(box, NULL, "nobody");
    assert_int_equal(run_told(box, about(COMMAND_ASK_CONFIRMATION, nobody, NULL)).outcome,
                     NO_EMAIL);
    assert_int_equal(run_told(box, about(COMMAND_CONFIRM_EMAIL, 9999, "x@y.z")).outcome,
                     INVALID_LINK);
}

static void who_has_forgotten_a_password_is_not_told_apart_from_nobody(void **state)
{
    struct box_office *box = *state;
    uint64_t ana = register_one(box, "ana@example.org", NULL);
    noted(box);
    struct command ask = about(COMMAND_ASK_RESET, 0, "ANA@example.org");
    struct result known = run_told(box, ask);
    assert_string_equal(noted(box), note_of(box, TOPIC_PASSWORD_RESET, ana));
    ask = about(COMMAND_ASK_RESET, 0, "nobody@example.org");
    struct result unknown = run_told(box, ask);
    assert_string_equal(noted(box), note_of(box, TOPIC_PASSWORD_RESET, 0)); /* as much is written */
    assert_int_equal(known.outcome, unknown.outcome);
    assert_null(known.user);
}

static void a_password_is_reset_once(void **state)
{
    struct box_office *box = *state;
    uint64_t ana = register_one(box, "ana@example.org", NULL);
    noted(box);
    struct command reset = about(COMMAND_RESET_PASSWORD, ana, "ana@example.org");
    reset.user.password_was = STR("hash");
    reset.user.user.password_hash = STR("new hash");
    struct command twice[] = {reset, reset};
    struct result results[2] = {0};
    OK(run(box, twice, 2, results)); /* of two at once one wins */
    assert_int_equal(results[0].outcome, OUTCOME_GONE);
    assert_int_equal(results[1].outcome, INVALID_LINK);
    expect_str(find_user(box, ana)->password_hash, "new hash");
    assert_int_equal(find_user(box, ana)->verified_at, NOW); /* he has read a mail to it */
    struct directory_rows rows;
    OK(store_load_directory(box->reader, &box->arena, &rows));
    assert_int_equal(rows.revocation_count, 1);
    assert_int_equal(rows.revocations[0].user_id, ana);

    assert_int_equal(run_told(box, reset).outcome, INVALID_LINK);
    reset.user.password_was = STR("new hash");
    reset.user.user.email = STR("ana@example.net"); /* it was sent to an address before */
    assert_int_equal(run_told(box, reset).outcome, INVALID_LINK);
    reset.user.user.id = 9999;
    assert_int_equal(run_told(box, reset).outcome, INVALID_LINK);
    assert_string_equal(noted(box), "");
    reset = about(COMMAND_RESET_PASSWORD, ana, "ana@example.org");
    reset.user.password_was = STR("new hash");
    reset.user.user.password_hash = STR("newer hash");
    assert_int_equal(run_told(box, reset).outcome, OUTCOME_GONE);
    assert_string_equal(noted(box), note_of(box, TOPIC_PASSWORD_CHANGED, ana));
}

static void who_was_erased_has_no_links(void **state)
{
    struct box_office *box = *state;
    uint64_t ana = register_one(box, "ana@example.org", NULL);
    run_told(box, about(COMMAND_ERASE_USER, ana, NULL));
    noted(box);
    struct command reset = about(COMMAND_RESET_PASSWORD, ana, "");
    reset.user.user.password_hash = STR("new hash");
    assert_int_equal(run_told(box, reset).outcome, INVALID_LINK);
    assert_int_equal(run_told(box, about(COMMAND_CONFIRM_EMAIL, ana, "")).outcome, INVALID_LINK);
    assert_int_equal(run_told(box, about(COMMAND_ASK_CONFIRMATION, ana, NULL)).outcome,
                     NO_SUCH_USER);
    run_told(box, about(COMMAND_ASK_RESET, 0, "ana@example.org"));
    assert_string_equal(noted(box), note_of(box, TOPIC_PASSWORD_RESET, 0));
}

static void only_who_has_confirmed_books_where_that_is_asked(void **state)
{
    struct box_office *box = *state;
    uint64_t ana = register_one(box, "ana@example.org", NULL);
    uint64_t event_id = NEW_EVENT(box, 3)->id;
    struct command wish = booking_command(ana, event_id, 0, 1);
    wish.verified_only = true;
    assert_int_equal(run_one(box, wish).outcome, EMAIL_NOT_VERIFIED);
    /* Within one batch it counts from the next command on. */
    struct command both[] = {about(COMMAND_CONFIRM_EMAIL, ana, "ana@example.org"), wish};
    struct result results[2] = {0};
    OK(run(box, both, 2, results));
    assert_int_equal(results[1].outcome, OUTCOME_CREATED);
    wish.actor.id = 9999;
    assert_int_equal(run_one(box, wish).outcome, EMAIL_NOT_VERIFIED);
    wish.verified_only = false;
    assert_int_equal(run_one(box, wish).outcome, OUTCOME_CREATED);
    expect_sound(box);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        STORE_TEST(who_registers_is_welcomed_where_there_is_an_address),
        STORE_TEST(an_address_is_confirmed_as_long_as_it_is_the_same),
        STORE_TEST(who_has_forgotten_a_password_is_not_told_apart_from_nobody),
        STORE_TEST(a_password_is_reset_once),
        STORE_TEST(who_was_erased_has_no_links),
        STORE_TEST(only_who_has_confirmed_books_where_that_is_asked),
    };
    return RUN_ON_EVERY_STORE(tests);
}
