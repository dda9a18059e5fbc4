/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: finds the command and hands over. */
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "commands/commands.h"

static int command_version(int argc, char **argv)
{
    if (command_wants_help(argc, argv))
        puts("usage: admit version\n\nPrints the version of the program.");
    else
        puts("admit " ADMIT_VERSION);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"serve", command_serve, "serve the box office over HTTP"},
    {"migrate", command_migrate, "make the store, or bring its schema up to date"},
    {"user", command_user, "add accounts, give roles, list accounts"},
    {"backup", command_backup, "copy the store while it is in use"},
    {"check", command_check, "prove that the rules of the box office hold in a store"},
    {"outbox", command_outbox, "see what is to be told, try it again, drop it"},
    {"move", command_move, "copy everything into another store"},
    {"version", command_version, "print the version"},
};

static void print_usage(FILE *out)
{
    fputs("usage: admit COMMAND [arguments]\n\n", out);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].help);
    fputs("\n'admit COMMAND --help' tells more.\n", out);
}

int main(int argc, char **argv)
{
    /* A limit on the size of files is an error of the write that meets it, as a full disk is. */
    signal(SIGXFSZ, SIG_IGN);
    if (sodium_init() < 0) return command_fail("the cryptography library does not start");
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, name) == 0) return commands[i].run(argc - 2, argv + 2);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (*name) fprintf(stderr, "admit: there is no command \"%s\"\n\n", name);
    print_usage(stderr);
    return 2;
}
