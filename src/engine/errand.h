/* SPDX-License-Identifier: Apache-2.0 */
/* errand.h -- a command whose maker waits for it: for threads of the program's own and for the
 * command line, which have nothing else to do meanwhile. */
#ifndef ENGINE_ERRAND_H
#define ENGINE_ERRAND_H

#include "engine/lane.h"

/* Looks at the result while the rows it points to are there. May be called again when the batch has
 * to be repeated: only the last one counts. Not called where no batch has decided. */
struct errand_take {
    void (*take)(const struct result *result, void *data); /* NULL: nobody wants to know */
    void *data;
};

/* Through a lane, on whose thread the result is taken. OVERLOADED where its queue is full. */
enum outcome errand_run(struct lane *lane, const struct command *command, struct errand_take take);

/* On this thread, as a batch of its own. */
enum outcome errand_run_alone(struct store *writer, const struct command *command,
                              struct errand_take take);

#endif
