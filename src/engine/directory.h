/* SPDX-License-Identifier: Apache-2.0 */
/* directory.h -- what must be known of users on every request, in memory: who is more than a
 * user, and whose tokens are dead since when.
 *
 * Both are short lists: few are organizers, and a revocation is forgotten when the longest token
 * has run out. The lanes keep them up to date as they commit; what other processes commit to a
 * shared store is brought in by engine/follower.h. A version number moves with every change, so
 * that who remembers an answer need not ask again while it stands still. */
#ifndef ENGINE_DIRECTORY_H
#define ENGINE_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>
#include "core/model.h"
#include "store/store.h"

struct directory;

/* A 'last_user_id' of UINT64_MAX: users come from elsewhere too, and none is unknown. */
struct directory *directory_new(const struct directory_rows *rows);
void directory_free(struct directory *directory);

/* Moves when a role or a revocation does; a new user does not move it. */
uint64_t directory_version(const struct directory *directory);

/* Is a token of that user, issued at that time (milliseconds), still good? Not for users that do
 * not exist. The role comes with it. */
bool directory_check(struct directory *directory, uint64_t user_id, int64_t issued_at,
                     enum role *ret_role);

/* The earliest time of issue that is not revoked: at least 'now'. */
int64_t directory_issue_time(struct directory *directory, uint64_t user_id, int64_t now);

/* From a lane, after a commit. */
void directory_user_added(struct directory *directory, uint64_t user_id);
void directory_role_set(struct directory *directory, uint64_t user_id, enum role role);
void directory_revoked(struct directory *directory, uint64_t user_id, int64_t at);
void directory_prune(struct directory *directory, int64_t before);

/* All of it as 'rows' say, but for what lanes of this process have changed since the directory had
 * the version 'since', which is that of a moment before the rows were read. False when there was
 * such a change: then it is to be read again, as nobody knows which of the two is newer. */
bool directory_replace(struct directory *directory, const struct directory_rows *rows,
                       uint64_t since);

#endif
