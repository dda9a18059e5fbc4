/* SPDX-License-Identifier: Apache-2.0 */
/* script.h -- runs a script in the notation of tests/rules through core and batches on a store, and
 * lets the store check itself after each batch. */
#ifndef TESTS_RULES_SCRIPT_H
#define TESTS_RULES_SCRIPT_H

#include <stdio.h>

enum { SCRIPT_ERROR_SIZE = 1000 };

enum script_end {
    SCRIPT_GOOD,
    SCRIPT_WRONG,  /* a line is none of the notation, or gave something else than it says */
    SCRIPT_BREACH, /* the store failed, or its check found the rules broken */
};

/* Anything but SCRIPT_GOOD comes with a sentence in 'error'. 'name' is for messages. */
enum script_end script_run(FILE *in, const char *name, const char *url,
                           char error[SCRIPT_ERROR_SIZE]);

#endif
