/* SPDX-License-Identifier: Apache-2.0 */
/* follower.h -- a thread that follows what other processes do to a shared store: it asks for the
 * store's directory version twice a second, and reads roles and revocations again when that moved;
 * then it reads the events that somebody watches (engine/snapshot.h), as far as it gets in that
 * half second. While the store cannot be read, what is known stays. */
#ifndef ENGINE_FOLLOWER_H
#define ENGINE_FOLLOWER_H

#include "engine/directory.h"
#include "engine/snapshot.h"

struct follower;

/* Takes ownership of 'reader'. */
struct follower *follower_start(struct store *reader, struct directory *directory,
                                struct snapshots *snapshots, unsigned period_ms);
void follower_stop(struct follower *follower); /* NULL is fine */

#endif
