/* SPDX-License-Identifier: Apache-2.0 */
/* confine.h -- which files, connections and system calls are left to a running server, by its
 * settings (SANDBOX, and what they name). See base/sandbox.h. */
#ifndef COMMANDS_CONFINE_H
#define COMMANDS_CONFINE_H

#include "base/sandbox.h"
#include "options.h"

/* Before the first thread, and before a file of the settings is opened. Sets SQLITE_TMPDIR, so that
 * SQLite's temporary files come to lie beside the database. */
void confine_files(struct sandbox *sandbox, const struct options *options);

/* When everything runs; says in the log what holds. False, and said on standard error, when it is
 * not all and SANDBOX is on. */
bool confine_calls(struct sandbox *sandbox, const struct options *options);

#endif
