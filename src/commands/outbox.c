/* SPDX-License-Identifier: Apache-2.0 */
/* admit outbox list|retry|drop: what is still to be told to whom, and what could not be. */
#include "commands/commands.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "engine/errand.h"
#include "store/move.h"

static const char usage[] = "admit outbox list [waiting|parked|sent] [settings]\n"
                            "       admit outbox retry ID|parked [settings]\n"
                            "       admit outbox drop ID|parked [settings]";

enum { PAGE = 200 };

static int help(void)
{
    printf("usage: %s\n\n"
           "A message is one thing that is told to one receiver, by mail or to a webhook. It waits "
           "until it is\nsent, is tried again for RETRY_FOR when that fails, and is parked then. "
           "What was sent to webhooks is\nkept for a week, what was parked for a month.\n\n"
           "list    ID, status, way, topic, tries, when it was written, when it is due, last "
           "status, last error\n"
           "retry   is due now, as if it had never been tried\n"
           "drop    is forgotten, and will not be sent\n\n"
           "With SQLite, retry and drop need the store for themselves: stop 'admit serve' "
           "first.\n\n",
           usage);
    options_help(OPTIONS_STORE);
    return 0;
}

/* Calls 'look' for each message of that status (-1: any), newest first. Returns the exit status. */
static int each_message(struct store *store, int status,
                        int (*look)(const struct message *message, void *data), void *data)
{
    struct arena arena = {0};
    struct message_query query = {.webhook_id = UINT64_MAX, .status = status, .limit = PAGE};
    int failed = 0;
    for (size_t count = PAGE; count == PAGE && !failed;) {
        struct message_list list;
        arena_reset(&arena);
        if (store_list_messages(store, &query, &arena, &list) != STORE_OK) {
            failed = command_fail("%s", store_error(store));
            break;
        }
        for (size_t i = 0; i < list.count && !failed; i++) {
            failed = look(&list.items[i], data);
            query.before = list.items[i].id;
        }
        count = list.count;
    }
    arena_free(&arena);
    return failed;
}

static int print_message(const struct message *message, void *data)
{
    (void)data;
    char created[TIME_TEXT_SIZE], due[TIME_TEXT_SIZE] = "-", way[40] = "mail";
    time_format(message->created_at, created);
    if (message->status == MESSAGE_WAITING) time_format(message->due_at, due);
    if (message->webhook_id) snprintf(way, sizeof(way), "webhook %" PRIu64, message->webhook_id);
    printf("%" PRIu64 "\t%s\t%s\t%s\t%u\t%s\t%s\t%d\t%.*s\n", message->id,
           message_status_names[message->status], way, topic_names[message->topic], message->tries,
           created, due, message->answer, STR_FMT(message->error));
    return 0;
}

struct change_all {
    struct store *store;
    enum command_kind kind;
    unsigned count;
};

static int change_message(const struct message *message, void *data)
{
    struct change_all *all = data;
    struct command command = {.kind = all->kind};
    command.message_id = message->id;
    enum outcome outcome = errand_run_alone(all->store, &command, (struct errand_take){0});
    if (outcome == OUTCOME_OK) all->count++;
    /* Somebody may have dropped it meanwhile. */
    if (outcome == OUTCOME_OK || outcome == NOT_FOUND) return 0;
    return command_fail("message %" PRIu64 ": %s", message->id, outcome_texts[outcome].text);
}

static int change(struct store *store, enum command_kind kind, const char *which)
{
    struct change_all all = {.store = store, .kind = kind};
    struct message message = {0};
    int failed;
    if (strcmp(which, "parked") == 0)
        failed = each_message(store, MESSAGE_PARKED, change_message, &all);
    else if (!str_to_u64(str_of(which), &message.id))
        return command_fail("the message is \"%s\": its number is needed, or \"parked\"", which);
    else if (!(failed = change_message(&message, &all)) && !all.count)
        return command_fail("there is no message %s", which);
    if (!failed) printf("%u\n", all.count);
    return failed;
}

static int list(struct store *store, const char *name)
{
    int status = name ? NAME_INDEX(message_status_names, str_of(name)) : -1;
    if (name && status < 1)
        return command_fail("the status is \"%s\": waiting, parked or sent is needed", name);
    return each_message(store, status, print_message, NULL);
}

static int dispatch(const struct options *options, int words, char **argv, struct arena *arena)
{
    const char *verb = words ? argv[0] : "";
    bool lists = strcmp(verb, "list") == 0 && words <= 2,
         retries = strcmp(verb, "retry") == 0 && words == 2,
         drops = strcmp(verb, "drop") == 0 && words == 2;
    if (!lists && !retries && !drops) {
        fprintf(stderr, "usage: %s\n", usage);
        return 1;
    }
    const char *error;
    struct store *store =
        store_open(options->database_url, lists ? STORE_READ : STORE_WRITE, !lists, arena, &error);
    if (!store) return command_fail("%s", error);
    int status = 0;
    if (!lists && (error = move_unfinished(store, arena)))
        status = command_fail("%s", error);
    else
        status = lists ? list(store, words == 2 ? argv[1] : NULL)
                       : change(store, retries ? COMMAND_RETRY : COMMAND_DROP, argv[1]);
    store_close(store);
    return status;
}

int command_outbox(int argc, char **argv)
{
    if (command_wants_help(argc, argv)) return help();
    struct arena arena = {0};
    struct options options;
    const char *error;
    int words = 0;
    int status = options_read(&options, OPTIONS_STORE, argc, argv, &words, &arena, &error)
                     ? dispatch(&options, words, argv, &arena)
                     : command_fail("%s", error);
    arena_free(&arena);
    return status;
}
