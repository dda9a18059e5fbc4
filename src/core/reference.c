/* SPDX-License-Identifier: Apache-2.0 */
#include "core/reference.h"

#include <assert.h>
#include <sodium.h>

enum { ROUNDS = 8, HALF_BITS = 30, SYMBOLS = 12, SYMBOL_BITS = 5, GROUP = 4 };

#define HALF_MASK ((UINT32_C(1) << HALF_BITS) - 1)
#define ID_MOST   ((UINT64_C(1) << (2 * HALF_BITS)) - 1)

_Static_assert(REFERENCE_KEY_SIZE == crypto_shorthash_KEYBYTES, "the key is SipHash's");
_Static_assert(SYMBOLS *SYMBOL_BITS == 2 * HALF_BITS, "all bits are written");

/* References are on people's tickets: what this yields may never change. So the bytes that are
 * hashed are spelt out, the same on every machine. */
static uint32_t round_function(const struct reference_key *key, unsigned round, uint32_t half)
{
    const unsigned char in[5] = {
        (unsigned char)round,        (unsigned char)half,         (unsigned char)(half >> 8),
        (unsigned char)(half >> 16), (unsigned char)(half >> 24),
    };
    unsigned char out[crypto_shorthash_BYTES];
    crypto_shorthash(out, in, sizeof(in), key->bytes);
    uint32_t word =
        (uint32_t)out[0] | (uint32_t)out[1] << 8 | (uint32_t)out[2] << 16 | (uint32_t)out[3] << 24;
    return word & HALF_MASK;
}

static uint64_t permute(const struct reference_key *key, uint64_t id)
{
    uint32_t left = (uint32_t)(id >> HALF_BITS), right = (uint32_t)id & HALF_MASK;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t next = left ^ round_function(key, round, right);
        left = right;
        right = next;
    }
    return (uint64_t)left << HALF_BITS | right;
}

static uint64_t permute_back(const struct reference_key *key, uint64_t value)
{
    uint32_t left = (uint32_t)(value >> HALF_BITS), right = (uint32_t)value & HALF_MASK;
    for (unsigned round = ROUNDS; round-- > 0;) {
        uint32_t before = right ^ round_function(key, round, left);
        right = left;
        left = before;
    }
    return (uint64_t)left << HALF_BITS | right;
}

void reference_write(const struct reference_key *key, uint64_t id, char text[REFERENCE_TEXT_SIZE])
{
    static const char symbols[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    assert(id >= 1 && id <= ID_MOST);
    uint64_t value = permute(key, id);

    char *at = text;
    for (int i = 0; i < SYMBOLS; i++) {
        if (i > 0 && i % GROUP == 0) *at++ = '-';
        *at++ = symbols[value >> (SYMBOL_BITS * (SYMBOLS - 1 - i)) & 31];
    }
    *at++ = '\0';
    assert(at == text + REFERENCE_TEXT_SIZE);
}

static int symbol_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
    if (c == 'O') return 0;
    if (c == 'I' || c == 'L') return 1;
    if (c < 'A' || c > 'Z' || c == 'U') return -1;
    /* From A = 10 on, less the letters before it that are left out. */
    return c - 'A' + 10 - (c > 'I') - (c > 'L') - (c > 'O') - (c > 'U');
}

bool reference_read(const struct reference_key *key, struct str text, uint64_t *ret_id)
{
    uint64_t value = 0;
    size_t at = 0;
    for (int i = 0; i < SYMBOLS; i++) {
        if (i > 0 && i % GROUP == 0 && at < text.len && text.data[at] == '-') at++;
        int symbol = at < text.len ? symbol_value(text.data[at++]) : -1;
        if (symbol < 0) return false;
        value = value << SYMBOL_BITS | (unsigned)symbol;
    }
    if (at != text.len) return false;

    uint64_t id = permute_back(key, value);
    if (id == 0) return false;
    *ret_id = id;
    return true;
}

/* ---- places in the journal ---- */

#define PLACE (UINT64_C(1) << (2 * HALF_BITS - 1))

void place_write(const struct reference_key *key, uint64_t id, char text[REFERENCE_TEXT_SIZE])
{
    assert(id < PLACE);
    reference_write(key, PLACE | id, text);
}

bool place_read(const struct reference_key *key, struct str text, uint64_t *ret_id)
{
    uint64_t id;
    if (!reference_read(key, text, &id) || !(id & PLACE)) return false;
    *ret_id = id & ~PLACE;
    return true;
}
