/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h -- the numbered steps that bring a database from nothing to today's tables.
 *
 * Step N is the file schema/<store>/00N_what_it_does.sql, embedded at build time. A step that
 * has been released is never changed; whatever comes later is a new step. */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include <stddef.h>

struct migration {
    unsigned version; /* 1, 2, 3, ... without a gap */
    const char *name; /* "001_initial" */
    const char *sql;
};

extern const struct migration sqlite_migrations[];
extern const size_t sqlite_migration_count;
extern const struct migration mysql_migrations[];
extern const size_t mysql_migration_count;

extern const struct migration postgres_migrations[];
extern const size_t postgres_migration_count;

#endif
