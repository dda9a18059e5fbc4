/* SPDX-License-Identifier: Apache-2.0 */
/* Replays the scripts in tests/rules (whose README tells the notation) on every store. */
#include <cmocka.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "rules/script.h"
#include "store/kinds.h"

static void run_script(const char *file, const char *url)
{
    char error[SCRIPT_ERROR_SIZE];
    FILE *in = fopen(file, "r");
    assert_non_null(in);
    enum script_end end = script_run(in, file, url, error);
    fclose(in);
    if (end != SCRIPT_GOOD) fail_msg("%s", error);
}

static void every_rule_holds(void **state)
{
    (void)state;
    glob_t files;
    assert_int_equal(glob("tests/rules/*.rules", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        char url[URL_SIZE];
        database_make(url, "rules");
        run_script(files.gl_pathv[i], url);
        databases_remove();
    }
    globfree(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_rule_holds)};
    int failed = 0;
    for (size_t i = 0; i < KINDS; i++)
        if (kind_choose(&all_kinds[i]))
            failed += _cmocka_run_group_tests(tested.name, tests, 1, NULL, NULL);
    return failed;
}
