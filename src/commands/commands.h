/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h -- the commands of the program: each gets the arguments behind its name, prints
 * its results to standard output and what is wrong to standard error, and returns the exit status.
 */
#ifndef COMMANDS_COMMANDS_H
#define COMMANDS_COMMANDS_H

#include "options.h"
#include "store/store.h"

int command_serve(int argc, char **argv);
int command_migrate(int argc, char **argv);
int command_user(int argc, char **argv);
int command_backup(int argc, char **argv);
int command_check(int argc, char **argv);
int command_outbox(int argc, char **argv);
int command_move(int argc, char **argv);

/* "admit: " and the sentence, on standard error; returns 1. */
int command_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Was --help (or -h) among the arguments? */
bool command_wants_help(int argc, char **argv);

/* Reads the settings of 'groups' and expects 'words' more arguments, which it leaves in
 * argv[0..words). False: said on standard error. */
bool command_options(struct options *options, unsigned groups, int argc, char **argv, int words,
                     const char *usage, struct arena *arena);

#endif
