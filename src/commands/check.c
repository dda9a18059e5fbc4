/* SPDX-License-Identifier: Apache-2.0 */
#include "commands/commands.h"

#include <stdio.h>

static const char usage[] = "admit check [settings]";

static void breach(const char *sentence, void *data)
{
    (void)data;
    printf("BREACH: %s\n", sentence);
}

static void print_figures(const struct check_figures *figures)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"events", figures->events},
        {"ticket types", figures->ticket_types},
        {"users", figures->users},
        {"bookings", figures->bookings},
        {"  confirmed", figures->confirmed},
        {"  waiting", figures->waiting},
        {"  cancelled", figures->cancelled},
        {"tickets", figures->tickets},
        {"journal rows", figures->journal},
        {"capacity", figures->capacity},
        {"  booked", figures->booked},
        {"  held", figures->held},
        {"  available", figures->capacity - figures->booked - figures->held},
        {"breaches", figures->breaches},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        printf("%-14s %12llu\n", rows[i].name, (unsigned long long)rows[i].value);
}

int command_check(int argc, char **argv)
{
    if (command_wants_help(argc, argv)) {
        printf("usage: %s\n\n"
               "Proves for every event that booked + held + available = capacity, that the "
               "counters follow\n"
               "from the journal, and that tickets and bookings agree with them. Prints the "
               "figures; exits 1\n"
               "on a breach. Works on a consistent state, also while 'admit serve' runs.\n\n",
               usage);
        options_help(OPTIONS_STORE);
        return 0;
    }
    struct arena arena = {0};
    struct options options;
    const char *error;
    int status = 1;
    if (command_options(&options, OPTIONS_STORE, argc, argv, 0, usage, &arena)) {
        struct store *store = store_open(options.database_url, STORE_READ, false, &arena, &error);
        struct check_figures figures = {0};
        if (!store) {
            command_fail("%s", error);
        } else if (store_check(store, &figures, breach, NULL) != STORE_OK) {
            command_fail("the check could not be done: %s", store_error(store));
        } else {
            print_figures(&figures);
            puts(figures.breaches ? "The rules are broken: see above." : "All rules hold.");
            status = figures.breaches ? 1 : 0;
        }
        store_close(store);
    }
    arena_free(&arena);
    return status;
}
