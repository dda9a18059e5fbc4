/* SPDX-License-Identifier: Apache-2.0 */
#include "api/embedded.h"

const struct embedded_file *embedded_find(struct str path)
{
    for (size_t i = 0; i < embedded_file_count; i++)
        if (str_equal(str_of(embedded_files[i].path), path)) return &embedded_files[i];
    return NULL;
}
