/* SPDX-License-Identifier: Apache-2.0 */
/* reference.h -- the public name of a booking: its id under a keyed permutation of 60 bits, in
 * Crockford's base 32 (K7Q2-M9XD-4TZB).
 *
 * Nothing is stored and nothing indexed: the id comes back out of the reference. Who does not have
 * the key can neither guess one nor count up. The permutation is a Feistel network of eight rounds
 * over two halves of 30 bits with SipHash-2-4 (libsodium's crypto_shorthash) as round function. */
#ifndef CORE_REFERENCE_H
#define CORE_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

#define REFERENCE_KEY_SIZE  16
#define REFERENCE_TEXT_SIZE 15 /* with hyphens and NUL */

struct reference_key {
    unsigned char bytes[REFERENCE_KEY_SIZE];
};

/* 'id' is from 1 to 2^60 - 1. */
void reference_write(const struct reference_key *key, uint64_t id, char text[REFERENCE_TEXT_SIZE]);

/* Accepts either case, with or without hyphens, and Crockford's look-alikes (I and L are 1, O
 * is 0). False for anything else. */
bool reference_read(const struct reference_key *key, struct str text, uint64_t *ret_id);

/* A place in the journal (struct journal_entry), in the same form: as a number it would tell how
 * much is sold in all. It is no booking's reference, as no booking has an id that high. 'id' is
 * from 0, before the first entry, to 2^59 - 1. */
void place_write(const struct reference_key *key, uint64_t id, char text[REFERENCE_TEXT_SIZE]);
bool place_read(const struct reference_key *key, struct str text, uint64_t *ret_id);

#endif
