/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts in the notation of tests/rules, on a memory store: a script may be wrong, and is told so;
 * it may break neither the runner nor, by whatever it makes up, the box office. */
#include "lib/fuzz.h"

#include "rules/script.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[SCRIPT_ERROR_SIZE] = "";
    if (size == 0) return 0;
    FILE *in = fmemopen((void *)data, size, "r");
    if (!in) abort();
    if (script_run(in, "input", "memory:", error) == SCRIPT_BREACH) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
    fclose(in);
    return 0;
}
