/* SPDX-License-Identifier: Apache-2.0 */
/* In libFuzzer's place: runs a target on every file of the folders that are its arguments, in the
 * order of their names, and reports each as a test (TAP). An input that is no good ends the
 * process, and its name is the last that was written. */
#include "lib/fuzz.h"

#include <dirent.h>
#include <errno.h>

static int is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void replay(const char *folder, const char *name, int number)
{
    char path[600];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    printf("# %s\n", path);
    fflush(stdout);
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(size ? size : 1); /* of this size, so that a byte too many is noticed */
    if (!data || fread(data, 1, size, file) != size) abort();
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    printf("ok %d %s\n", number, name);
}

int main(int argc, char **argv)
{
    int number = 0;
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        struct dirent **entries;
        int count = scandir(argv[i], &entries, is_file, alphasort);
        if (count < 0 && errno == ENOENT) continue; /* nothing was found by this target yet */
        for (int j = 0; j < count; j++) {
            replay(argv[i], entries[j]->d_name, ++number);
            free(entries[j]);
        }
        free(entries);
    }
    printf("1..%d\n", number);
    return number ? 0 : 1;
}
