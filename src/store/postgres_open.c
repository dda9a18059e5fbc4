/* SPDX-License-Identifier: Apache-2.0 */
/* Opening: connecting, whose database it is, bringing it up to date, and a sentence for whatever is
 * in the way. What stands in DATABASE_URL behind the scheme is libpq's: hosts, TLS, and so on. */
#include <ctype.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"
#include "store/postgres_internal.h"
#include "store/schema.h"

enum { SERVER_OLDEST = 130000 };

/* Everything is found by an index: a table that was empty when a statement was planned may have a
 * million rows a minute later, and is not to be read whole then. Locks are waited for a while,
 * and a process that stands still does not keep its own. */
#define SESSION_SETTINGS                                                                           \
    "SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; "          \
    "SET enable_sort = off; SET enable_hashjoin = off; SET enable_mergejoin = off; "               \
    "SET lock_timeout = '5s'; SET statement_timeout = '15min'; SET "                               \
    "idle_in_transaction_session_timeout = '10s'; "                                                \
    "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 3; SET tcp_keepalives_count = 3"

/* Of all admit processes on a database. */
#define MIGRATION_LOCK "SELECT pg_advisory_xact_lock(7017854419042332523)" /* "admitlok" */

struct opening {
    struct postgres_store *store;
    struct arena *arena;
    const char **ret_error;
};

__attribute__((format(printf, 2, 3))) static bool refuse(const struct opening *opening,
                                                         const char *format, ...)
{
    char sentence[600];
    va_list values;
    va_start(values, format);
    vsnprintf(sentence, sizeof(sentence), format, values);
    va_end(values);
    *opening->ret_error = arena_str(opening->arena, str_of(sentence)).data;
    return false;
}

/* ---- the connection ---- */

PGconn *postgres_connect(const struct postgres_store *store)
{
    /* What stands before the URL are defaults, which it may set as it likes. Of several hosts the
     * one that can be written is taken, for readers too: who has booked sees his booking. */
    const char *const names[] = {"connect_timeout",
                                 "tcp_user_timeout",
                                 "keepalives_idle",
                                 "keepalives_interval",
                                 "keepalives_count",
                                 "fallback_application_name",
                                 "target_session_attrs",
                                 "gssencmode",
                                 "dbname",
                                 "client_encoding",
                                 NULL};
    const char *const values[] = {"2",          "10000",   "10",       "3",    "3", "admit",
                                  "read-write", "disable", store->url, "UTF8", NULL};
    return PQconnectdbParams(names, values, 1);
}

/* Notices of the server are no errors, and stderr belongs to the log. */
static void ignore_notice(void *data, const PGresult *result)
{
    (void)data, (void)result;
}

/* A server that let somebody in may be silent from then on, for which PQexec() would wait. */
static bool settings_are_taken(const struct postgres_store *store)
{
    bool good = true;
    for (;;) {
        while (PQisBusy(store->connection))
            if (!postgres_await(store, POLLIN)) return false;
        PGresult *result = PQgetResult(store->connection);
        if (!result) return good;
        good = good && PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
}

bool postgres_set_up(struct postgres_store *store)
{
    PGconn *connection = store->connection;
    PQsetNoticeReceiver(connection, ignore_notice, NULL);
    bool done = PQsendQuery(connection, SESSION_SETTINGS) && settings_are_taken(store) &&
                PQsetnonblocking(connection, 1) == 0 && PQenterPipelineMode(connection);
    const char *message = PQerrorMessage(connection);
    if (!*message) message = "the server is silent";
    if (!done)
        snprintf(store->error, sizeof(store->error), "%.*s", (int)strcspn(message, "\n"), message);
    return done;
}

/* "host:port", never more of the URL. */
static const char *place(const struct opening *opening)
{
    const PGconn *connection = opening->store->connection;
    const char *host = PQhost(connection), *port = PQport(connection);
    return arena_printf(opening->arena, "%s:%s", host && *host ? host : "?", port ? port : "").data;
}

/* Server messages come in the server's language; their codes do not. libpq tells the code only in
 * verbose messages, and how verbose they are can be said only once there is a connection. */
static bool failure_code(const struct opening *opening, char code[6])
{
    PGconn *connection = opening->store->connection;
    PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);
    PQreset(connection);
    for (const char *at = PQerrorMessage(connection); (at = strchr(at, ':')); at++) {
        const char *from = at + 1 + strspn(at + 1, " ");
        size_t len = 0;
        while (isdigit((unsigned char)from[len]) || isupper((unsigned char)from[len]))
            len++;
        if (len == 5 && from[5] == ':' && isdigit((unsigned char)from[0])) {
            snprintf(code, 6, "%.5s", from);
            return true;
        }
    }
    return false;
}

static bool refuse_code(const struct opening *opening, const char *code)
{
    const PGconn *connection = opening->store->connection;
    const char *at = place(opening), *user = PQuser(connection), *database = PQdb(connection);
    if (strcmp(code, "28P01") == 0)
        return refuse(opening,
                      "PostgreSQL at %s refuses the password of user \"%s\". Correct it in "
                      "DATABASE_URL, where characters other than letters and digits are written "
                      "as %%40 for @.",
                      at, user);
    if (strcmp(code, "28000") == 0)
        return refuse(opening,
                      "PostgreSQL at %s does not let user \"%s\" in. Look at DATABASE_URL, at its "
                      "sslmode too, and at the server's pg_hba.conf.",
                      at, user);
    if (strcmp(code, "3D000") == 0)
        return refuse(opening,
                      "PostgreSQL at %s has no database \"%s\". Make it with CREATE DATABASE %s "
                      "OWNER %s, or name another one in DATABASE_URL.",
                      at, database, database, user);
    if (strcmp(code, "42501") == 0)
        return refuse(opening,
                      "User \"%s\" may not connect to database \"%s\" at %s. GRANT CONNECT ON "
                      "DATABASE %s TO %s, or name another user in DATABASE_URL.",
                      user, database, at, database, user);
    if (strcmp(code, "53300") == 0)
        return refuse(opening,
                      "PostgreSQL at %s has no connection left. Raise its max_connections, or "
                      "lower READERS and LANES.",
                      at);
    if (strcmp(code, "57P03") == 0)
        return refuse(opening, "PostgreSQL at %s is starting or stopping. Try again in a moment.",
                      at);
    return refuse(opening, "PostgreSQL at %s refuses the connection (code %s). Look into its log.",
                  at, code);
}

static bool refuse_connection(const struct opening *opening)
{
    char code[6], message[300];
    const PGconn *connection = opening->store->connection;
    snprintf(message, sizeof(message), "%.*s", (int)strcspn(PQerrorMessage(connection), "\n"),
             PQerrorMessage(connection));
    if (strstr(message, "read-only"))
        return refuse(opening,
                      "PostgreSQL at %s is read-only: a standby, or default_transaction_read_only "
                      "is on. Name the primary in DATABASE_URL, or several hosts.",
                      place(opening));
    if (failure_code(opening, code)) return refuse_code(opening, code);
    if (PQstatus(connection) == CONNECTION_OK) return true; /* it was a matter of a moment */
    return refuse(opening,
                  "PostgreSQL at %s cannot be reached: %s. Look at host and port in DATABASE_URL, "
                  "and whether the server runs.",
                  place(opening), message);
}

/* Whether what libpq takes for host and port can be that. */
static bool is_place(const PQconninfoOption *option)
{
    if (!option->val) return true;
    if (strcmp(option->keyword, "host") == 0) return strchr(option->val, '@') == NULL;
    if (strcmp(option->keyword, "port") != 0) return true;
    return option->val[strspn(option->val, "0123456789,")] == '\0';
}

/* libpq's own messages would show a part of the URL, which may be one of the password. */
static bool url_is_sound(const struct opening *opening)
{
    PQconninfoOption *options = PQconninfoParse(opening->store->url, NULL);
    bool sound = options != NULL;
    for (const PQconninfoOption *option = options; option && option->keyword; option++)
        sound = sound && is_place(option);
    PQconninfoFree(options);
    return sound ||
           refuse(opening, "DATABASE_URL is not written as it should be. Write it as in "
                           "postgres://user:password@host:5432/database?sslmode=verify-full; in "
                           "user and password characters other than letters and digits are "
                           "written as %%40 for @.");
}

/* ---- questions before the pipeline ---- */

/* NULL and a sentence where it fails. */
static PGresult *ask(const struct opening *opening, const char *text)
{
    PGconn *connection = opening->store->connection;
    PGresult *result = PQexec(connection, text);
    if (PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK)
        return result;
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (code && strcmp(code, "42501") == 0)
        refuse(opening,
               "User \"%s\" has not the rights that admit needs in database \"%s\" (%s). ALTER "
               "DATABASE %s OWNER TO %s, or name its owner in DATABASE_URL.",
               PQuser(connection), PQdb(connection), message ? message : code, PQdb(connection),
               PQuser(connection));
    else if (code && strcmp(code, "25006") == 0)
        refuse(opening,
               "PostgreSQL at %s is read-only. Name the primary in DATABASE_URL, or several "
               "hosts.",
               place(opening));
    else
        refuse(opening, "PostgreSQL at %s: %s (%s). Look into its log.", place(opening),
               message ? message : PQerrorMessage(connection), code ? code : "connection");
    PQclear(result);
    return NULL;
}

static bool run_text(const struct opening *opening, const char *text)
{
    PGresult *result = ask(opening, text);
    PQclear(result);
    return result != NULL;
}

/* The single whole number that 'text' yields. */
static bool ask_number(const struct opening *opening, const char *text, int64_t *ret_number)
{
    PGresult *rows = ask(opening, text);
    if (!rows) return false;
    *ret_number = PQntuples(rows) ? strtoll(PQgetvalue(rows, 0, 0), NULL, 10) : 0;
    PQclear(rows);
    return true;
}

static bool server_will_do(const struct opening *opening)
{
    const PGconn *connection = opening->store->connection;
    int version = PQserverVersion(connection);
    const char *encoding = PQparameterStatus(connection, "server_encoding");
    if (version < SERVER_OLDEST)
        return refuse(opening,
                      "PostgreSQL at %s is version %d, and admit needs %d or later. Upgrade it.",
                      place(opening), version / 10000, SERVER_OLDEST / 10000);
    if (!encoding || strcmp(encoding, "UTF8") != 0)
        return refuse(opening,
                      "Database \"%s\" is encoded in %s, and admit needs UTF8. Make one with "
                      "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0.",
                      PQdb(connection), encoding ? encoding : "something unknown");
    return true;
}

/* What is off does not keep anybody from trying things out; on a box office it loses bookings that
 * were confirmed. Said once for a process. */
static bool warn_of_loss(const struct opening *opening)
{
    static atomic_flag warned = ATOMIC_FLAG_INIT;
    PGresult *rows = ask(opening, "SELECT name FROM pg_settings WHERE setting = 'off' AND name IN "
                                  "('fsync', 'full_page_writes', 'synchronous_commit')");
    if (!rows) return false;
    if (PQntuples(rows) && !atomic_flag_test_and_set(&warned))
        for (int i = 0; i < PQntuples(rows); i++)
            log_warn("the database may lose confirmed bookings in a crash: switch this on",
                     LOG_STR("setting", str_of(PQgetvalue(rows, i, 0))));
    PQclear(rows);
    return true;
}

/* ---- whose database it is, and bringing it up to date ---- */

static bool read_version(const struct opening *opening, int64_t *ret_version)
{
    int64_t is_there = 0, tables = 0;
    *ret_version = 0;
    /* One snapshot: another process may be making them. */
    PGresult *rows = ask(opening, "SELECT (count(*) FILTER (WHERE relname = 'admit_schema'))::int, "
                                  "count(*)::int FROM pg_class JOIN pg_namespace AS n "
                                  "ON n.oid = relnamespace WHERE n.nspname = current_schema() "
                                  "AND relkind IN ('r', 'p', 'v', 'm', 'S')");
    if (!rows) return false;
    is_there = strtoll(PQgetvalue(rows, 0, 0), NULL, 10);
    tables = strtoll(PQgetvalue(rows, 0, 1), NULL, 10);
    PQclear(rows);
    if (is_there && !ask_number(opening, "SELECT version FROM admit_schema", ret_version))
        return false;
    if (tables && !is_there)
        return refuse(opening,
                      "Database \"%s\" has tables of another program. Make one for admit, and name "
                      "it in DATABASE_URL.",
                      PQdb(opening->store->connection));
    int64_t known = postgres_migrations[postgres_migration_count - 1].version;
    if (*ret_version > known)
        return refuse(opening,
                      "Database \"%s\" was written by a newer admit: it has version %lld, and this "
                      "one knows %lld. Run that newer admit, or restore an older backup.",
                      PQdb(opening->store->connection), (long long)*ret_version, (long long)known);
    return true;
}

/* Several processes may start at once: the first one does it, the others find it done. */
static bool migrate_all(const struct opening *opening)
{
    int64_t version = 0;
    bool done = run_text(opening, "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE") &&
                run_text(opening, MIGRATION_LOCK) && read_version(opening, &version);
    for (size_t i = 0; done && i < postgres_migration_count; i++) {
        int64_t reached = 0;
        const struct migration *migration = &postgres_migrations[i];
        if (migration->version <= version) continue;
        done = run_text(opening, migration->sql) &&
               ask_number(opening, "SELECT version FROM admit_schema", &reached) &&
               (reached == migration->version ||
                refuse(opening, "Migration %s does not set its version.", migration->name));
    }
    return done && run_text(opening, "COMMIT");
}

static bool bring_up_to_date(const struct opening *opening, bool migrate)
{
    int64_t version = 0, known = postgres_migrations[postgres_migration_count - 1].version;
    if (!read_version(opening, &version)) return false;
    if (version == known) return true;
    if (migrate) return migrate_all(opening);
    if (version == 0)
        return refuse(opening,
                      "Database \"%s\" has no tables of admit yet. Start `admit serve` or run "
                      "`admit migrate` with this DATABASE_URL.",
                      PQdb(opening->store->connection));
    return refuse(opening,
                  "Database \"%s\" has version %lld of the schema, and this admit needs %lld. "
                  "Start `admit serve` or run `admit migrate`.",
                  PQdb(opening->store->connection), (long long)version, (long long)known);
}

static bool may_write(const struct opening *opening)
{
    int64_t may = 0;
    const PGconn *connection = opening->store->connection;
    if (!ask_number(opening,
                    "SELECT bool_and(has_table_privilege(t, 'SELECT') AND "
                    "has_table_privilege(t, 'INSERT') AND has_table_privilege(t, 'UPDATE') AND "
                    "has_table_privilege(t, 'DELETE'))::int FROM unnest(ARRAY['users', 'events', "
                    "'event_counters', 'bookings', 'tickets', 'journal', 'batches']) AS t",
                    &may))
        return false;
    return may ||
           refuse(opening,
                  "User \"%s\" may not write the tables in database \"%s\". ALTER DATABASE "
                  "%s OWNER TO %s and the tables too, or name their owner in DATABASE_URL.",
                  PQuser(connection), PQdb(connection), PQdb(connection), PQuser(connection));
}

static bool open_store(const struct opening *opening, bool migrate)
{
    struct postgres_store *store = opening->store;
    bool writes = store->mode == STORE_WRITE;
    if (!url_is_sound(opening)) return false;
    store->connection = postgres_connect(store);
    PQsetNoticeReceiver(store->connection, ignore_notice, NULL);
    if (PQstatus(store->connection) != CONNECTION_OK && !refuse_connection(opening)) return false;
    return server_will_do(opening) && bring_up_to_date(opening, writes && migrate) &&
           (!writes || (may_write(opening) && warn_of_loss(opening))) &&
           (postgres_set_up(store) || refuse(opening, "PostgreSQL at %s: %s. Look into its log.",
                                             place(opening), store->error));
}

struct store *postgres_open(const char *rest, enum store_mode mode, bool migrate,
                            struct arena *arena, const char **ret_error)
{
    struct postgres_store *store = calloc(1, sizeof(*store));
    size_t size = strlen("postgresql:") + strlen(rest) + 1;
    if (!store || !(store->url = malloc(size))) out_of_memory();
    snprintf(store->url, size, "postgresql:%s", rest);
    store->store.driver = &postgres_driver;
    store->mode = mode;
    store->patience_ms = POSTGRES_PATIENCE_MS;
    if (getrandom(&store->batch_id, sizeof(store->batch_id), 0) < 0) abort();
    store->batch_id >>= 2; /* room to count on, and a bigint still */
    struct opening opening = {store, arena, ret_error};
    if (open_store(&opening, migrate)) return &store->store;
    postgres_free(store);
    return NULL;
}
