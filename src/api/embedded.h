/* SPDX-License-Identifier: Apache-2.0 */
/* embedded.h -- the files that live inside the program: the documentation page and the
 * specification. tools/embed.py makes the table, meson.build says which file has which path. */
#ifndef API_EMBEDDED_H
#define API_EMBEDDED_H

#include <stddef.h>
#include "base/str.h"

struct embedded_file {
    const char *path; /* as requested: "/docs/docs.js", "/openapi.json" */
    const char *content_type;
    const char *etag; /* quoted, of the plain data; a gzip answer needs Vary beside it */
    const unsigned char *data;
    size_t size;
    const unsigned char *gzip_data; /* NULL where the file is too small to gain */
    size_t gzip_size;
};

extern const struct embedded_file embedded_files[];
extern const size_t embedded_file_count;

/* The file with exactly this path, or NULL. */
const struct embedded_file *embedded_find(struct str path);

#endif
