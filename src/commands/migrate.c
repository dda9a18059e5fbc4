/* SPDX-License-Identifier: Apache-2.0 */
#include "commands/commands.h"

#include <stdio.h>

static const char usage[] = "admit migrate [settings]";

int command_migrate(int argc, char **argv)
{
    if (command_wants_help(argc, argv)) {
        printf("usage: %s\n\nMakes the store, or brings its schema up to date. 'serve' does the "
               "same at start.\n\n",
               usage);
        options_help(OPTIONS_STORE);
        return 0;
    }
    struct arena arena = {0};
    struct options options;
    const char *error;
    int status = 1;
    if (command_options(&options, OPTIONS_STORE, argc, argv, 0, usage, &arena)) {
        struct store *store = store_open(options.database_url, STORE_WRITE, true, &arena, &error);
        if (store) {
            puts("The store is up to date.");
            status = 0;
        } else {
            command_fail("%s", error);
        }
        store_close(store);
    }
    arena_free(&arena);
    return status;
}
