/* SPDX-License-Identifier: Apache-2.0 */
/* kind_mysql.h -- databases of the tests on a MariaDB. */
#ifndef TESTS_KIND_MYSQL_H
#define TESTS_KIND_MYSQL_H

#include <cmocka.h>
#include <stdio.h>

#include "store/mysql_internal.h"

/* One statement on the MariaDB of the URL. */
static inline void mysql_statement(const char *server, const char *text)
{
    struct arena arena = {0};
    struct maria_url url;
    const char *error = NULL;
    if (!maria_url_parse(strchr(server, ':') + 1, &arena, &url, &error)) fail_msg("%s", error);
    MYSQL *db = mysql_init(NULL);
    if (!mysql_real_connect(db, url.hosts[0].name, url.user, url.password, url.database,
                            url.hosts[0].port, NULL, CLIENT_MULTI_STATEMENTS) ||
        mysql_query(db, text) != 0)
        fail_msg("%s: %s", text, mysql_error(db));
    while (mysql_next_result(db) == 0) {
    }
    if (mysql_errno(db)) fail_msg("%s: %s", text, mysql_error(db));
    mysql_close(db);
    arena_free(&arena);
}

static inline void mysql_make(const char *server, const char *name)
{
    char text[200];
    snprintf(text, sizeof(text), "CREATE DATABASE %s CHARACTER SET utf8mb4", name);
    mysql_statement(server, text);
}

static inline void mysql_drop(const char *server, const char *name)
{
    char text[200];
    snprintf(text, sizeof(text), "DROP DATABASE %s", name);
    mysql_statement(server, text);
}

#endif
