/* SPDX-License-Identifier: Apache-2.0 */
/* password.h -- Argon2id (RFC 9106) through libsodium, at its INTERACTIVE limits: about 50 ms and
 * 64 MiB by intent, so only on a hasher thread. */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"

/* The stored form, in 'arena'; data is NULL when there is no memory for it now. */
struct str password_hash(struct arena *arena, struct str password);

/* 'hash' empty (nobody has that login): takes as long as a wrong password and says false. */
bool password_verify(struct str hash, struct str password);

/* How often Argon2id was run in this process, by either. */
uint64_t password_runs(void);

#endif
