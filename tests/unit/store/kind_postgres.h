/* SPDX-License-Identifier: Apache-2.0 */
/* kind_postgres.h -- databases on the PostgreSQL server of the tests. An empty one is a copy of a
 * template, which is made once and takes a moment. */
#ifndef TESTS_KIND_POSTGRES_H
#define TESTS_KIND_POSTGRES_H

#include <cmocka.h>
#include <libpq-fe.h>
#include <stdio.h>

#include "store/schema.h"
#include "store/store.h"

static inline void postgres_quiet(void *data, const PGresult *notice)
{
    (void)data, (void)notice;
}

/* Statements in the database of that URL; the first value of the last one, as a number. */
static inline long long postgres_do(const char *url, const char *statements)
{
    PGconn *connection = PQconnectdb(url);
    PQsetNoticeReceiver(connection, postgres_quiet, NULL);
    PGresult *result = PQexec(connection, statements);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", statements, PQerrorMessage(connection));
    long long number = PQntuples(result) ? atoll(PQgetvalue(result, 0, 0)) : 0;
    PQclear(result);
    PQfinish(connection);
    return number;
}

static inline void server_url(char url[URL_SIZE], const char *server, const char *name);

/* Named by the schema, so that a server that stays has no old one. */
static inline void postgres_template(const char *server, char name[64])
{
    unsigned long hash = 5381;
    for (size_t i = 0; i < postgres_migration_count; i++)
        for (const char *at = postgres_migrations[i].sql; *at; at++)
            hash = hash * 33 + (unsigned char)*at;
    snprintf(name, 64, "admit_template_%lx", hash);

    char text[200], url[URL_SIZE];
    snprintf(text, sizeof(text), "SELECT count(*) FROM pg_database WHERE datname = '%s'", name);
    if (postgres_do(server, text)) return;
    snprintf(text, sizeof(text), "CREATE DATABASE %s_%d", name, (int)getpid());
    postgres_do(server, text);
    snprintf(text, sizeof(text), "%s_%d", name, (int)getpid());
    server_url(url, server, text);
    struct arena arena = {0};
    const char *error = "";
    struct store *store = store_open(url, STORE_WRITE, true, &arena, &error);
    if (!store) fail_msg("%s", error);
    store_close(store);
    arena_free(&arena);
    /* Tests run at once: where another one was faster, this one is superfluous. */
    snprintf(text, sizeof(text), "ALTER DATABASE %s_%d RENAME TO %s", name, (int)getpid(), name);
    PGconn *connection = PQconnectdb(server);
    PQsetNoticeReceiver(connection, postgres_quiet, NULL);
    PQclear(PQexec(connection, text));
    snprintf(text, sizeof(text), "DROP DATABASE IF EXISTS %s_%d", name, (int)getpid());
    PQclear(PQexec(connection, text));
    PQfinish(connection);
}

static inline void postgres_make(const char *server, const char *name)
{
    static char template[64];
    char text[200];
    if (!template[0]) postgres_template(server, template);
    snprintf(text, sizeof(text), "CREATE DATABASE %s TEMPLATE %s", name, template);
    postgres_do(server, text);
}

static inline void postgres_drop(const char *server, const char *name)
{
    char text[200];
    snprintf(text, sizeof(text), "DROP DATABASE %s WITH (FORCE)", name);
    postgres_do(server, text);
}

#endif
