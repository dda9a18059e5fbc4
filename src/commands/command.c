/* SPDX-License-Identifier: Apache-2.0 */
#include "commands/commands.h"

#include <stdio.h>

int command_fail(const char *format, ...)
{
    va_list values;
    fputs("admit: ", stderr);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    return 1;
}

bool command_wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    return false;
}

bool command_options(struct options *options, unsigned groups, int argc, char **argv, int words,
                     const char *usage, struct arena *arena)
{
    const char *error;
    int rest = 0;
    if (!options_read(options, groups, argc, argv, &rest, arena, &error)) {
        command_fail("%s", error);
        return false;
    }
    if (rest != words) {
        fprintf(stderr, "usage: %s\n", usage);
        return false;
    }
    return true;
}
