/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h -- what every target has: the two functions that libFuzzer looks for.
 *
 * A target ends the process (assert, a sanitizer's report) when an input breaks something, and says
 * nothing otherwise. With clang and -Dfuzz=true libFuzzer makes up inputs; in every other build
 * lib/replay.c takes its place and feeds it the files of tests/fuzz/corpus and tests/fuzz/found. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

int LLVMFuzzerInitialize(int *argc, char ***argv); /* once */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline struct str fuzz_text(const uint8_t *data, size_t size)
{
    return (struct str){(const char *)data, size};
}

/* The text up to 'separator', which is taken away with it; all of it when there is none. */
static inline struct str fuzz_cut(struct str *rest, struct str separator)
{
    const char *at = rest->len ? memmem(rest->data, rest->len, separator.data, separator.len) : 0;
    struct str part = {rest->data, at ? (size_t)(at - rest->data) : rest->len};
    size_t taken = part.len + (at ? separator.len : 0);
    *rest = (struct str){rest->data + taken, rest->len - taken};
    return part;
}

#endif
