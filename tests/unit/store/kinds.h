/* SPDX-License-Identifier: Apache-2.0 */
/* kinds.h -- the kinds of stores, and an empty one of each kind for every test.
 *
 * A kind that needs a server has it from tests/servers: tools/test starts it, and says where in an
 * environment variable. Without that the kind is left out, with a word about it. */
#ifndef TESTS_KINDS_H
#define TESTS_KINDS_H

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { URL_SIZE = 300, DATABASES_MAX = 16 };

#include "kind_mysql.h"
#include "kind_postgres.h"

struct kind {
    const char *name; /* as URLs begin */
    bool is_durable;
    bool is_file;   /* embedded: one writer, backups, in a directory of its own */
    bool is_shared; /* any number of writers */
    /* Of a server: the environment variable with its URL, and what makes an empty database and
     * removes it. */
    const char *variable;
    void (*make)(const char *server, const char *name);
    void (*drop)(const char *server, const char *name);
    char directory[64]; /* made for each test, and removed with all that is in it */
};

static const struct kind all_kinds[] = {
    {.name = "memory"},
    {.name = "sqlite", .is_durable = true, .is_file = true},
    {.name = "postgres",
     .is_durable = true,
     .is_shared = true,
     .variable = "TEST_POSTGRES_URL",
     .make = postgres_make,
     .drop = postgres_drop},
    {.name = "mysql",
     .is_durable = true,
     .is_shared = true,
     .variable = "TEST_MYSQL_URL",
     .make = mysql_make,
     .drop = mysql_drop},
};
enum { KINDS = sizeof(all_kinds) / sizeof(all_kinds[0]) };

static struct kind tested; /* the one that is tested */

static struct {
    char names[DATABASES_MAX][64];
    size_t count;
} databases; /* of this test, on the server */

static inline const char *kind_server(void)
{
    const char *server = tested.variable ? getenv(tested.variable) : NULL;
    if (!server) fail_msg("%s: there is no server", tested.name);
    return server ? server : "";
}

/* Chooses a kind; false where its server is not there. */
static inline bool kind_choose(const struct kind *chosen)
{
    tested = *chosen;
    if (!tested.variable || getenv(tested.variable)) return true;
    print_message("# %s is left out: %s is not set, tools/test does that\n", tested.name,
                  tested.variable);
    return false;
}

/* Chooses by name. */
static inline bool kind_named(const char *name)
{
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(all_kinds[i].name, name) == 0) return kind_choose(&all_kinds[i]);
    fail_msg("there is no kind %s", name);
    return false;
}

/* The URL of the server with another database in it. */
static inline void server_url(char url[URL_SIZE], const char *server, const char *name)
{
    const char *path = strstr(server, "://");
    path = path ? strchr(path + 3, '/') : NULL;
    if (!path) {
        fail_msg("%s names no database of a server", tested.variable);
        return;
    }
    snprintf(url, URL_SIZE, "%.*s/%s%s", (int)(path - server), server, name,
             path + strcspn(path, "?"));
}

/* One more empty store of this test; 'name' tells those of one test apart. */
static inline void database_make(char url[URL_SIZE], const char *name)
{
    if (tested.variable) {
        static unsigned number;
        if (databases.count == DATABASES_MAX) fail_msg("too many databases");
        char *full = databases.names[databases.count++];
        snprintf(full, sizeof(databases.names[0]), "admit_%d_%u_%s", (int)getpid(), number++, name);
        tested.make(kind_server(), full);
        server_url(url, kind_server(), full);
    } else if (tested.is_file) {
        if (!tested.directory[0]) {
            strcpy(tested.directory, "/tmp/admit-store-XXXXXX");
            if (!mkdtemp(tested.directory)) fail_msg("no directory can be made");
        }
        snprintf(url, URL_SIZE, "%s:%s/%s.db", tested.name, tested.directory, name);
    } else {
        snprintf(url, URL_SIZE, "%s:%s", tested.name, name);
    }
}

static inline void remove_directory(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory) return;
    for (struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.') unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    rmdir(path);
}

/* All that this test made; its stores are closed. */
static inline void databases_remove(void)
{
    while (databases.count > 0)
        tested.drop(kind_server(), databases.names[--databases.count]);
    if (tested.directory[0]) remove_directory(tested.directory);
    tested.directory[0] = '\0';
}

#endif
