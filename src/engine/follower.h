/* SPDX-License-Identifier: Apache-2.0 */
/* follower.h -- a thread that follows what other processes do to the directory of a shared store:
 * it asks for the store's directory version twice a second, and reads roles and revocations again
 * when that moved. While the store cannot be read, what is known stays. */
#ifndef ENGINE_FOLLOWER_H
#define ENGINE_FOLLOWER_H

#include "engine/directory.h"

struct follower;

/* Takes ownership of 'reader'. */
struct follower *follower_start(struct store *reader, struct directory *directory,
                                unsigned period_ms);
void follower_stop(struct follower *follower); /* NULL is fine */

#endif
