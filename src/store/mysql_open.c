/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a database: whether it will do, bringing it up to date, and a sentence for everything
 * that can be wrong.
 *
 * In MariaDB a change of the schema is no part of a transaction, so a migration can be interrupted
 * halfway. Each of its statements is atomic by itself; after each, the table admit_version says
 * how far it came. Whoever comes next goes on behind that, and where the statement that was
 * interrupted had been done but not noted, its "is there already" is taken for done. GET_LOCK keeps
 * others away meanwhile. */
#include <assert.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/mysql_internal.h"
#include "store/schema.h"

#include <errmsg.h>
#include <mysqld_error.h>

enum {
    MARIADB_OLDEST = 100600,
    MYSQL_OLDEST = 80019,
    MIGRATION_LOCK_S = 600, /* so long another admit may take to migrate */
    BATCHES_KEPT_MS = 24 * 3600 * 1000,
    UNKNOWN_CLIENT_PLUGIN = 2059,
};

/* One row: the version that is reached, and how many statements of the next one are done. */
#define MAKE_VERSION                                                                               \
    "CREATE TABLE IF NOT EXISTS admit_version (id TINYINT NOT NULL PRIMARY KEY, "                  \
    "version INT NOT NULL, done INT NOT NULL) ENGINE=InnoDB"
#define READ_VERSION "SELECT version, done FROM admit_version WHERE id = 1"
#define NOTE_VERSION                                                                               \
    "INSERT INTO admit_version (id, version, done) VALUES (1, ?1, ?2) "                            \
    "ON DUPLICATE KEY UPDATE version = ?1, done = ?2"
#define COUNT_TABLES                                                                               \
    "SELECT count(*), coalesce(max(table_name = 'admit_version'), 0) "                             \
    "FROM information_schema.tables WHERE table_schema = DATABASE()"
#define TAKE_LOCK "SELECT GET_LOCK(CONCAT('admit.', MD5(DATABASE())), ?1)"
#define GIVE_LOCK "SELECT RELEASE_LOCK(CONCAT('admit.', MD5(DATABASE())))"
#define VARIABLES                                                                                  \
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('innodb_flush_log_at_trx_commit', "             \
    "'sync_binlog', 'log_bin', 'innodb_doublewrite', 'binlog_format', 'read_only', "               \
    "'super_read_only')"

bool maria_refuse_opening(const struct maria_opening *opening, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    *opening->ret_error = arena_printf(opening->arena, "%s", text).data;
    return false;
}
#define REFUSE(...) maria_refuse_opening(opening, __VA_ARGS__)

/* ---- what the server says no to ---- */

static const char *place(const struct maria_opening *opening)
{
    const struct maria_url *url = &opening->store->url;
    if (url->socket) return url->socket;
    const struct maria_host *host = opening->store->host;
    return arena_printf(opening->arena, "%s:%u", host->name, host->port).data;
}

/* All that were tried. */
static const char *places(const struct maria_opening *opening)
{
    const struct maria_url *url = &opening->store->url;
    const char *text = place(opening);
    if (url->socket || url->host_count == 1) return text;
    text = "";
    for (size_t i = 0; i < url->host_count; i++)
        text = arena_printf(opening->arena, "%s%s%s:%u", text, i ? ", " : "", url->hosts[i].name,
                            url->hosts[i].port)
                   .data;
    return text;
}

static bool refuse_code(const struct maria_opening *opening, unsigned code, const char *message)
{
    const struct maria_url *url = &opening->store->url;
    switch (code) {
    case ER_ACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
        return REFUSE("%s does not let the user %s in. Check the user name and the password in "
                      "DATABASE_URL (or DB_USER and DB_PASS).",
                      place(opening), url->user);
    case ER_BAD_DB_ERROR:
        return REFUSE("There is no database %s on %s. Make it (CREATE DATABASE %s CHARACTER SET "
                      "utf8mb4), or name another one in DATABASE_URL (or DB_NAME).",
                      url->database, place(opening), url->database);
    case ER_DBACCESS_DENIED_ERROR:
    case ER_TABLEACCESS_DENIED_ERROR:
    case ER_COLUMNACCESS_DENIED_ERROR:
    case ER_SPECIFIC_ACCESS_DENIED_ERROR:
        return REFUSE("The user %s lacks rights in the database %s: %s. Give them: GRANT ALL ON "
                      "%s.* TO that user.",
                      url->user, url->database, message, url->database);
    case ER_OPTION_PREVENTS_STATEMENT:
    case ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION:
    case ER_READ_ONLY_MODE:
    case ER_OPEN_AS_READONLY:
        return REFUSE("The server %s is read-only. Name the one that can be written in "
                      "DATABASE_URL, or set its read_only to OFF.",
                      place(opening));
    case ER_UNKNOWN_COM_ERROR:
        return REFUSE("%s is a node of a Galera cluster and has no majority of it. Start the other "
                      "nodes, or name them too in DATABASE_URL.",
                      place(opening));
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
    case CR_UNKNOWN_HOST:
    case CR_SERVER_LOST:
    case CR_SERVER_LOST_EXTENDED:
    case CR_SERVER_GONE_ERROR:
        return REFUSE("%s cannot be reached: %s. Check host and port in DATABASE_URL (or DB_HOST), "
                      "and that the server runs.",
                      places(opening), message);
    case CR_SSL_CONNECTION_ERROR:
        return REFUSE("%s: TLS fails: %s. Check ssl-mode and ssl-ca in DATABASE_URL.",
                      place(opening), message);
    case ER_CON_COUNT_ERROR:
    case ER_TOO_MANY_USER_CONNECTIONS:
        return REFUSE("%s has too many connections. Raise its max_connections, or give admit "
                      "fewer readers (READERS).",
                      place(opening));
    default:
        return REFUSE("The database %s on %s cannot be used: %s (MariaDB %u).", url->database,
                      place(opening), message, code);
    }
}

static bool refuse_now(const struct maria_opening *opening)
{
    MYSQL *db = opening->store->db;
    return refuse_code(opening, mysql_errno(db), mysql_error(db));
}

static bool run_text(const struct maria_opening *opening, const char *text)
{
    return mysql_real_query(opening->store->db, text, strlen(text)) == 0 || refuse_now(opening);
}

/* The numbers of the first row that a text with perhaps one value yields; 'ret_numbers' stays as it
 * is where there is none. */
static bool read_numbers(const struct maria_opening *opening, const char *text, int64_t value,
                         int64_t *ret_numbers, int count)
{
    struct maria_store *store = opening->store;
    struct maria_rows *rows = maria_prepare(store, "open", text);
    if (rows && maria_execute(store, rows, &NUM(value), 1) && maria_next(store, rows))
        for (int i = 0; i < count; i++)
            ret_numbers[i] = maria_i64(rows, i);
    maria_rows_free(rows);
    return store->status == STORE_OK || refuse_code(opening, store->code, store->error);
}

/* ---- the server ---- */

static bool check_server(const struct maria_opening *opening)
{
    MYSQL *db = opening->store->db;
    const char *text = mysql_get_server_info(db);
    bool is_maria = strstr(text, "MariaDB") != NULL;
    unsigned long version = mysql_get_server_version(db);
    if (version >= (is_maria ? MARIADB_OLDEST : MYSQL_OLDEST)) return true;
    return REFUSE("%s runs %s %s, which is too old: admit needs MariaDB 10.6 or MySQL 8.0.19, or "
                  "later.",
                  place(opening), is_maria ? "MariaDB" : "MySQL", text);
}

static bool is_on(const char *value)
{
    return strcmp(value, "ON") == 0 || strcmp(value, "1") == 0;
}

struct variables {
    char flush[16], sync_binlog[16], log_bin[16], doublewrite[32], binlog_format[16], read_only[16],
        super_read_only[16];
};

static bool read_variables(const struct maria_opening *opening, struct variables *variables)
{
    struct {
        const char *name;
        char *value;
        size_t size;
    } wanted[] = {
        {"innodb_flush_log_at_trx_commit", variables->flush, sizeof(variables->flush)},
        {"sync_binlog", variables->sync_binlog, sizeof(variables->sync_binlog)},
        {"log_bin", variables->log_bin, sizeof(variables->log_bin)},
        {"innodb_doublewrite", variables->doublewrite, sizeof(variables->doublewrite)},
        {"binlog_format", variables->binlog_format, sizeof(variables->binlog_format)},
        {"read_only", variables->read_only, sizeof(variables->read_only)},
        {"super_read_only", variables->super_read_only, sizeof(variables->super_read_only)},
    };
    if (!run_text(opening, VARIABLES)) return false;
    MYSQL_RES *rows = mysql_store_result(opening->store->db);
    if (!rows) return refuse_now(opening);
    for (MYSQL_ROW row; (row = mysql_fetch_row(rows));)
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
            if (strcasecmp(row[0], wanted[i].name) == 0)
                snprintf(wanted[i].value, wanted[i].size, "%s", row[1]);
    mysql_free_result(rows);
    return true;
}

static void warn(const char *setting, const char *value, const char *cure)
{
    log_warn("the database may lose what was acknowledged", LOG_STR("setting", str_of(setting)),
             LOG_STR("value", str_of(value)), LOG_STR("cure", str_of(cure)));
}

/* What makes commits faster and less true; the operator may want it so, but should know. Once:
 * several lanes open the same server. */
static void warn_of_settings(const struct variables *variables)
{
    static atomic_bool warned;
    if (atomic_exchange(&warned, true)) return;
    if (strcmp(variables->flush, "1") != 0 && strcmp(variables->flush, "3") != 0)
        warn("innodb_flush_log_at_trx_commit", variables->flush, "set it to 1");
    if (is_on(variables->log_bin) && strcmp(variables->sync_binlog, "1") != 0)
        warn("sync_binlog", variables->sync_binlog, "set it to 1");
    if (strcasecmp(variables->doublewrite, "OFF") == 0 || strcmp(variables->doublewrite, "0") == 0)
        warn("innodb_doublewrite", variables->doublewrite, "set it to ON");
}

static bool check_variables(const struct maria_opening *opening)
{
    struct variables variables = {0};
    if (!read_variables(opening, &variables)) return false;
    if (is_on(variables.log_bin) && strcmp(variables.binlog_format, "STATEMENT") == 0)
        return REFUSE("The server %s has binlog_format=STATEMENT, with which it refuses to write "
                      "what admit writes. Set it to MIXED or ROW.",
                      place(opening));
    warn_of_settings(&variables);
    return true;
}

/* ---- the schema ---- */

struct version {
    int64_t version, done;
};

static unsigned newest(void)
{
    return mysql_migrations[mysql_migration_count - 1].version;
}

/* Version 0 for a database that is empty. */
static bool read_version(const struct maria_opening *opening, struct version *ret_version)
{
    const char *database = opening->store->url.database;
    int64_t tables[2] = {0}, numbers[2] = {0};
    if (!read_numbers(opening, COUNT_TABLES, 0, tables, 2)) return false;
    if (tables[0] && !tables[1])
        return REFUSE("The database %s holds tables of another program. Name another one in "
                      "DATABASE_URL.",
                      database);
    if (tables[1] && !read_numbers(opening, READ_VERSION, 0, numbers, 2)) return false;
    *ret_version = (struct version){numbers[0], numbers[1]};
    if (numbers[0] > newest())
        return REFUSE("The database %s was written by a newer admit: it has version %lld, and "
                      "this one knows %u. Run that newer admit, or restore an older backup.",
                      database, (long long)numbers[0], newest());
    return true;
}

static bool note_version(const struct maria_opening *opening, struct version version)
{
    struct maria_store *store = opening->store;
    struct maria_rows *rows = maria_prepare(store, "admit_version", NOTE_VERSION);
    bool done = rows &&
                maria_execute(store, rows, MARIA_VALUES(NUM(version.version), NUM(version.done))) &&
                maria_exec(store, "COMMIT");
    maria_rows_free(rows);
    return done || refuse_code(opening, store->code, store->error);
}

static bool is_there_already(unsigned code)
{
    return code == ER_TABLE_EXISTS_ERROR || code == ER_DUP_FIELDNAME || code == ER_DUP_KEYNAME ||
           code == ER_CANT_DROP_FIELD_OR_KEY || code == ER_BAD_TABLE_ERROR ||
           code == ER_BAD_FIELD_ERROR;
}

/* The next statement of the file: up to a ';' at the end of a line. */
static struct str next_statement(const char **at)
{
    const char *end = strstr(*at, ";\n");
    struct str text = end ? (struct str){*at, (size_t)(end - *at)} : STR("");
    if (end) *at = end + 2;
    return text;
}

static bool migrate_once(const struct maria_opening *opening, const struct migration *migration,
                         int64_t already)
{
    MYSQL *db = opening->store->db;
    struct version version = {migration->version - 1, 0};
    const char *at = migration->sql;
    for (struct str text; (text = next_statement(&at)).len; version.done++) {
        if (version.done < already) continue;
        bool may_be_there = version.done == already;
        if (mysql_real_query(db, text.data, text.len) != 0 &&
            !(may_be_there && is_there_already(mysql_errno(db))))
            return refuse_now(opening);
        struct version next = {version.version, version.done + 1};
        if (!note_version(opening, next)) return false;
    }
    return note_version(opening, (struct version){migration->version, 0});
}

static bool migrate_locked(const struct maria_opening *opening)
{
    struct version version = {0};
    if (!run_text(opening, MAKE_VERSION) || !read_version(opening, &version)) return false;
    for (size_t i = 0; i < mysql_migration_count; i++) {
        const struct migration *migration = &mysql_migrations[i];
        if (migration->version <= version.version) continue;
        if (!migrate_once(opening, migration, version.done)) return false;
        version.done = 0;
    }
    return true;
}

static bool migrate_database(const struct maria_opening *opening)
{
    int64_t got = 0;
    if (!read_numbers(opening, TAKE_LOCK, MIGRATION_LOCK_S, &got, 1)) return false;
    if (got != 1)
        return REFUSE("Another admit has been migrating the database %s for %d seconds. Wait for "
                      "it to end, and start again.",
                      opening->store->url.database, MIGRATION_LOCK_S);
    bool done = migrate_locked(opening);
    int64_t given = 0;
    const char *error = *opening->ret_error;
    opening->store->status = STORE_OK;
    if (opening->store->db) read_numbers(opening, GIVE_LOCK, 0, &given, 1);
    if (!done) *opening->ret_error = error;
    return done;
}

static bool bring_up_to_date(const struct maria_opening *opening, bool migrate)
{
    struct version version = {0};
    if (!read_version(opening, &version)) return false;
    if (version.version == newest()) return true;
    if (migrate) return migrate_database(opening);
    if (version.version == 0)
        return REFUSE("The database %s on %s is empty. Start `admit serve` or run `admit migrate` "
                      "with this DATABASE_URL.",
                      opening->store->url.database, place(opening));
    return REFUSE("The database %s has version %lld of the schema, and this admit needs %u. Start "
                  "`admit serve` or run `admit migrate`.",
                  opening->store->url.database, (long long)version.version, newest());
}

/* The writer's row in batches, and that of each sequence: and so it is known whether this user may
 * write. */
static bool try_to_write(const struct maria_opening *opening)
{
    struct maria_store *store = opening->store;
    int64_t now = clock_now_ms();
    for (int i = 0; i < MARIA_SEQUENCES; i++)
        RUN(store, SEQUENCE_INSERT, NUM(i == SEQUENCE_JOURNAL ? SEQUENCE_JOURNAL_KEY : i));
    RUN(store, BATCH_PUT, BLOB(((struct str){(const char *)store->writer, sizeof(store->writer)})),
        NUM(0), NUM(now));
    RUN(store, BATCHES_PRUNE, NUM(now - BATCHES_KEPT_MS));
    maria_exec(store, "COMMIT");
    return store->status == STORE_OK || refuse_code(opening, store->code, store->error);
}

bool maria_open_database(const struct maria_opening *opening, bool migrate)
{
    struct maria_store *store = opening->store;
    if (!maria_connect(store)) return refuse_code(opening, store->code, store->error);
    maria_be_patient(store, MARIA_PATIENCE_CHECK_S);
    bool writes = store->mode == STORE_WRITE;
    bool open = check_server(opening) && bring_up_to_date(opening, migrate) &&
                (!writes || (check_variables(opening) && try_to_write(opening)));
    if (open) maria_exec(store, "COMMIT");
    return open;
}
