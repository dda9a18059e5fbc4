/* SPDX-License-Identifier: Apache-2.0 */
#include "commands/commands.h"

#include <stdio.h>

static const char usage[] = "admit backup FILE [settings]";

int command_backup(int argc, char **argv)
{
    if (command_wants_help(argc, argv)) {
        printf("usage: %s\n\n"
               "Copies the embedded store into a new file: consistent, also while 'admit serve' "
               "runs on it. The\n"
               "file must not exist yet.\n\n",
               usage);
        options_help(OPTIONS_STORE);
        return 0;
    }
    struct arena arena = {0};
    struct options options;
    const char *error;
    int status = 1;
    if (command_options(&options, OPTIONS_STORE, argc, argv, 1, usage, &arena)) {
        struct store *store = store_open(options.database_url, STORE_READ, false, &arena, &error);
        if (store && store_backup(store, argv[0], &arena, &error) == STORE_OK) {
            printf("Copied to %s.\n", argv[0]);
            status = 0;
        } else {
            command_fail("%s", error);
        }
        store_close(store);
    }
    arena_free(&arena);
    return status;
}
