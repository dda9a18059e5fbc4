/* SPDX-License-Identifier: Apache-2.0 */
/* admit user add|role|list: the operator's way to accounts, without a running server. */
#include "commands/commands.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "auth/password.h"
#include "base/text.h"
#include "engine/errand.h"
#include "store/move.h"

static const char usage[] = "admit user add EMAIL [--role ROLE] [--name NAME] [settings]\n"
                            "       admit user role EMAIL ROLE [settings]\n"
                            "       admit user list [settings]";

static int help(void)
{
    printf("usage: %s\n\n"
           "add   makes an account; the password is read from the terminal (unseen) or from "
           "standard input.\n"
           "role  gives an account a role: user, organizer or admin.\n"
           "list  prints id, role, e-mail address, user name and name of every account.\n\n"
           "With PostgreSQL and MariaDB, add and role work beside 'admit serve', and a role counts "
           "within a second.\n"
           "With SQLite they need the store for themselves: stop 'admit serve' first, or let an "
           "administrator use\n"
           "PATCH /v1/users/{id}.\n\n",
           usage);
    options_help(OPTIONS_STORE);
    return 0;
}

/* Takes "--NAME VALUE" or "--NAME=VALUE" out of the arguments. */
static const char *take_flag(const char *name, int *argc, char **argv)
{
    size_t length = strlen(name);
    for (int i = 0; i < *argc; i++) {
        bool separate = strcmp(argv[i], name) == 0 && i + 1 < *argc;
        bool joined = strncmp(argv[i], name, length) == 0 && argv[i][length] == '=';
        if (!separate && !joined) continue;
        const char *value = separate ? argv[i + 1] : argv[i] + length + 1;
        int taken = separate ? 2 : 1;
        memmove(&argv[i], &argv[i + taken], (size_t)(*argc - i - taken) * sizeof(*argv));
        *argc -= taken;
        return value;
    }
    return NULL;
}

/* One line, without its end; from a terminal without showing it. False when there is none, or it is
 * too long. */
static bool read_password(char *password, size_t size)
{
    struct termios shown, hidden;
    bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &shown) == 0;
    if (terminal) {
        fputs("Password: ", stderr);
        hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    }
    bool read = fgets(password, (int)size, stdin) != NULL;
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
        fputc('\n', stderr);
    }
    if (!read) return false;
    size_t length = strlen(password);
    bool whole = length > 0 && password[length - 1] == '\n';
    if (!whole && !feof(stdin)) return false;
    password[strcspn(password, "\r\n")] = '\0';
    return true;
}

static void note_user(const struct result *result, void *data)
{
    struct user *user = data;
    if (!outcome_is_error(result->outcome)) *user = *result->user;
}

static int say(enum outcome outcome, const char *email, const struct user *user)
{
    if (outcome_is_error(outcome))
        return command_fail("%s: %s", email, outcome_texts[outcome].text);
    printf("%llu %s %s\n", (unsigned long long)user->id, role_names[user->role], email);
    return 0;
}

static int user_add(struct store *store, const char *email, const char *name, enum role role,
                    struct arena *arena)
{
    char password[PASSWORD_MAX_BYTES + 2];
    struct str address = str_of(email);
    if (!memchr(address.data, '@', address.len) || address.len > EMAIL_MAX_BYTES ||
        !str_is_utf8(address))
        return command_fail("EMAIL is \"%s\": an e-mail address is needed", email);
    if (!read_password(password, sizeof(password)) || strlen(password) < PASSWORD_MIN_BYTES ||
        strlen(password) > PASSWORD_MAX_BYTES)
        return command_fail("the password must have %d to %d bytes", PASSWORD_MIN_BYTES,
                            PASSWORD_MAX_BYTES);
    struct command command = {
        .kind = COMMAND_REGISTER,
        .user = {.fields = FIELD_EMAIL,
                 .user = {.email = address,
                          .name = name ? str_of(name) : address,
                          .role = role,
                          .password_hash = password_hash(arena, str_of(password))}}};
    sodium_memzero(password, sizeof(password));
    if (!command.user.user.password_hash.len)
        return command_fail("not enough memory to hash the password");
    struct user user = {0};
    enum outcome outcome =
        errand_run_alone(store, &command, (struct errand_take){note_user, &user});
    return say(outcome, email, &user);
}

static int user_role(struct store *store, const char *email, enum role role, struct arena *arena)
{
    struct user *user = NULL;
    struct str folded = text_fold(arena, str_of(email));
    bool is_email = memchr(folded.data, '@', folded.len) != NULL;
    enum store_status status = store_find_user(store, 0, is_email ? folded : (struct str){0},
                                               is_email ? (struct str){0} : folded, arena, &user);
    if (status != STORE_OK) return command_fail("%s", store_error(store));
    if (!user) return command_fail("nobody has the login \"%s\"", email);
    struct command command = {.kind = COMMAND_SET_ROLE,
                              .user = {.user = {.id = user->id, .role = role}}};
    struct user changed = {0};
    enum outcome outcome =
        errand_run_alone(store, &command, (struct errand_take){note_user, &changed});
    return say(outcome, email, &changed);
}

static int user_list(struct store *store)
{
    struct arena arena = {0};
    struct user_query query = {.role = -1, .limit = 500};
    for (size_t count = query.limit; count == query.limit;) {
        struct user_list list;
        if (store_list_users(store, &query, &arena, &list) != STORE_OK)
            return command_fail("%s", store_error(store));
        for (size_t i = 0; i < list.count; i++) {
            const struct user *user = list.items[i];
            printf("%llu\t%s\t%.*s\t%.*s\t%.*s\n", (unsigned long long)user->id,
                   role_names[user->role], STR_FMT(user->email), STR_FMT(user->username),
                   STR_FMT(user->name));
            query.after = user->id;
        }
        count = list.count;
        arena_reset(&arena);
    }
    arena_free(&arena);
    return 0;
}

/* 'words' are the arguments that are no settings: the verb first. */
static int dispatch(struct options *options, int words, char **argv, const char *name,
                    const char *role_name, struct arena *arena)
{
    const char *verb = words ? argv[0] : "";
    bool add = strcmp(verb, "add") == 0 && words == 2,
         set = strcmp(verb, "role") == 0 && words == 3;
    bool list = strcmp(verb, "list") == 0 && words == 1;
    if (!add && !set && !list) {
        fprintf(stderr, "usage: %s\n", usage);
        return 1;
    }
    const char *wanted = set ? argv[2] : role_name ? role_name : "user";
    int role = NAME_INDEX(role_names, str_of(wanted));
    if (role < 0)
        return command_fail("the role is \"%s\": user, organizer or admin is needed", wanted);

    const char *error;
    struct store *store =
        store_open(options->database_url, list ? STORE_READ : STORE_WRITE, !list, arena, &error);
    if (!store) return command_fail("%s", error);
    if (!list && (error = move_unfinished(store, arena))) {
        store_close(store);
        return command_fail("%s", error);
    }
    int status = add   ? user_add(store, argv[1], name, (enum role)role, arena)
                 : set ? user_role(store, argv[1], (enum role)role, arena)
                       : user_list(store);
    store_close(store);
    return status;
}

int command_user(int argc, char **argv)
{
    if (command_wants_help(argc, argv)) return help();
    struct arena arena = {0};
    struct options options;
    const char *error;
    int words = 0;
    const char *name = take_flag("--name", &argc, argv);
    const char *role = take_flag("--role", &argc, argv);
    int status = options_read(&options, OPTIONS_STORE, argc, argv, &words, &arena, &error)
                     ? dispatch(&options, words, argv, name, role, &arena)
                     : command_fail("%s", error);
    arena_free(&arena);
    return status;
}
