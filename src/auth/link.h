/* SPDX-License-Identifier: Apache-2.0 */
/* link.h -- what a link in a mail carries, so that who opens it may do one thing for one account.
 *
 * Nothing of it is stored. A token is the user's id, the time when it ends, and a BLAKE2b hash,
 * keyed, of these, of the purpose and of a 'proof': something of the account that using the token
 * changes (the hash of the password), or that it is about (the address). So a used token, and one
 * that was sent to an earlier address, is dead. 64 characters of A-Z, a-z, 0-9, '-' and '_'
 * (RFC 4648, section 5). */
#ifndef AUTH_LINK_H
#define AUTH_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

enum link_purpose { LINK_RESET_PASSWORD = 1, LINK_CONFIRM_EMAIL }; /* hashed: never change one */

enum { LINK_KEY_BYTES = 32, LINK_TEXT_SIZE = 65 /* with a NUL behind */ };

struct link_key {
    unsigned char bytes[LINK_KEY_BYTES];
};

/* A key of its own, made of the secret that signs tokens: whoever has one cannot make the other. */
struct link_key link_key_of(struct str jwt_secret);

struct link_claim {
    enum link_purpose purpose;
    uint64_t user_id;
    int64_t expires_at;
    struct str proof[2]; /* empty ones count, too */
};

void link_issue(const struct link_key *key, const struct link_claim *claim,
                char text[LINK_TEXT_SIZE]);

/* Whose it says it is, and until when, which proves nothing yet; false for what is no such token.
 */
bool link_read(struct str text, uint64_t *ret_user_id, int64_t *ret_expires_at);

/* Was 'text' made for this purpose, user and proof, and is it not over? 'claim' needs no
 * expires_at. Takes as long for every wrong one. */
bool link_verify(const struct link_key *key, const struct link_claim *claim, struct str text,
                 int64_t now);

#endif
