/* SPDX-License-Identifier: Apache-2.0 */
/* References of bookings: what is read is written back the same, but for its spelling. */
#include "lib/fuzz.h"

#include <sodium.h>

#include "core/reference.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return sodium_init() < 0;
}

/* The one spelling that we write. */
static size_t plain(struct str text, char out[16])
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
        if (c == 'O') c = '0';
        if (c == 'I' || c == 'L') c = '1';
        if (c == '-') continue;
        assert(len < 12);
        out[len++] = c;
    }
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct reference_key key = {{'k', 'e', 'y'}};
    struct str text = fuzz_text(data, size);
    char written[REFERENCE_TEXT_SIZE], one[16], other[16];
    uint64_t id = 0, again = 0;
    if (size == sizeof(id)) { /* a number: there and back */
        memcpy(&id, data, sizeof(id));
        id &= (UINT64_C(1) << 60) - 1;
        if (!id) return 0;
        reference_write(&key, id, written);
        assert(reference_read(&key, str_of(written), &again) && again == id);
    }
    if (!reference_read(&key, text, &id)) return 0;
    assert(id >= 1 && id < UINT64_C(1) << 60);
    reference_write(&key, id, written);
    assert(reference_read(&key, str_of(written), &again) && again == id);
    size_t len = plain(text, one);
    assert(len == 12 && plain(str_of(written), other) == len && memcmp(one, other, len) == 0);
    return 0;
}
