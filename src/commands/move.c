/* SPDX-License-Identifier: Apache-2.0 */
#include "commands/commands.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/move.h"

static const char usage[] = "admit move --from URL --to URL";

enum { TELL_EVERY_US = 1000000 };

/* What was said last, and when. */
struct telling {
    int64_t told_us;
};

static void began(bool is_resumed, void *data)
{
    (void)data;
    if (is_resumed) puts("Going on where it was stopped.");
}

static void copied(const char *table, uint64_t rows, bool is_end, void *data)
{
    struct telling *telling = data;
    int64_t now = clock_monotonic_us();
    if (!is_end && now - telling->told_us < TELL_EVERY_US) return;
    telling->told_us = now;
    printf("%-16s %12llu rows%s\n", table, (unsigned long long)rows, is_end ? "" : " ...");
    fflush(stdout);
}

static void checking(const char *which, void *data)
{
    (void)data;
    printf("checking the %s ...\n", which);
    fflush(stdout);
}

static void breach(const char *sentence, void *data)
{
    (void)data;
    printf("BREACH: %s\n", sentence);
}

static int move(struct store *source, struct store *target, struct arena *arena)
{
    struct telling telling = {.told_us = clock_monotonic_us()};
    struct move_listener listener = {began, copied, checking, breach, &telling};
    struct check_figures figures;
    const char *error;
    if (!store_move(source, target, &listener, arena, &figures, &error))
        return command_fail("%s", error);
    printf("Moved: %llu users, %llu events, %llu bookings, %llu tickets. All rules hold at both "
           "ends.\n",
           (unsigned long long)figures.users, (unsigned long long)figures.events,
           (unsigned long long)figures.bookings, (unsigned long long)figures.tickets);
    return 0;
}

static int open_and_move(const struct options *options, struct arena *arena)
{
    const char *error;
    if (!options->move_from || !options->move_to)
        return command_fail("MOVE_%s is not given: --from URL and --to URL are needed together",
                            options->move_from ? "TO" : "FROM");
    /* Writers, both: where a store can have only one, a server that uses it shows. */
    struct store *source = store_open(options->move_from, STORE_WRITE, false, arena, &error);
    if (!source) return command_fail("the source: %s", error);
    struct store *target = store_open(options->move_to, STORE_WRITE, true, arena, &error);
    int status = target ? move(source, target, arena) : command_fail("the target: %s", error);
    store_close(target);
    store_close(source);
    return status;
}

int command_move(int argc, char **argv)
{
    if (command_wants_help(argc, argv)) {
        printf("usage: %s\n\n"
               "Copies everything from one store into another, empty one: references, ticket "
               "numbers and tokens stay\n"
               "valid. Stop all servers first. Stopped half-way, the same command goes on where it "
               "was. At the end\n"
               "both are checked as 'admit check' does, and have the same figures.\n\n",
               usage);
        options_help(OPTIONS_MOVE);
        return 0;
    }
    struct arena arena = {0};
    struct options options;
    int status = command_options(&options, OPTIONS_MOVE, argc, argv, 0, usage, &arena)
                     ? open_and_move(&options, &arena)
                     : 1;
    arena_free(&arena);
    return status;
}
