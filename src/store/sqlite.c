/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite: one file, one writer, any number of readers beside it (write-ahead log). Opening,
 * migrating, transactions, statements, settings, tidying. What is loaded, written, found and
 * checked is in sqlite_load.c, sqlite_commit.c, sqlite_read.c, sqlite_journal.c, sqlite_search.c
 * and sqlite_check.c. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/schema.h"
#include "store/sqlite_internal.h"

enum {
    APPLICATION_ID = 0x61646d74, /* "admt", as in 001_initial.sql */
    BUSY_TIMEOUT_MS = 200,       /* another program may look into the file; the lane tries again */
    WAL_TIDY_FRAMES = 1000, /* from here on what is in the log is moved, as far as readers allow */
    WAL_FINISH_FRAMES = 4000, /* from here on readers are waited for, so that it begins anew */
    WAL_FINISH_MS = 20,
};

#define PRAGMAS_OF_BOTH                                                                            \
    "PRAGMA foreign_keys = ON;"                                                                    \
    "PRAGMA trusted_schema = OFF;"
/* FULL: a commit is on disk before its batch is answered. The log is moved by tidy(), between
 * batches, instead of within whichever commit makes it too long. */
#define PRAGMAS_OF_WRITER                                                                          \
    "PRAGMA synchronous = FULL;"                                                                   \
    "PRAGMA wal_autocheckpoint = 0;"                                                               \
    "PRAGMA journal_size_limit = 67108864;"                                                        \
    "PRAGMA cache_size = -65536;"
#define PRAGMAS_OF_READER                                                                          \
    "PRAGMA query_only = ON;"                                                                      \
    "PRAGMA cache_size = -16384;"

static const char *const statement_texts[STATEMENT_COUNT] = {
#define X(name, text) text,
    SQLITE_STATEMENTS(X)
#undef X
};

static const char *const statement_names[STATEMENT_COUNT] = {
#define X(name, text) #name,
    SQLITE_STATEMENTS(X)
#undef X
};

/* ---- failures ---- */

static enum store_status status_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return STORE_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return STORE_BUSY;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_RANGE: return STORE_REFUSED;
    default: return STORE_DOWN;
    }
}

/* SQLite's messages name tables, columns and constraints, but no values. */
void sqlite_fail(struct sqlite_store *store, int code, const char *what)
{
    if (store->status != STORE_OK) return;
    store->status = status_of(code);
    assert(store->status != STORE_OK);
    snprintf(store->error, sizeof(store->error), "%s: %s (SQLite %d)", what,
             sqlite3_errmsg(store->db), sqlite3_extended_errcode(store->db));
}

void sqlite_refuse(struct sqlite_store *store, const char *text)
{
    if (store->status != STORE_OK) return;
    store->status = STORE_REFUSED;
    snprintf(store->error, sizeof(store->error), "%s", text);
}

static const char *sqlite_error(const struct store *base)
{
    return ((const struct sqlite_store *)base)->error;
}

/* ---- statements ---- */

int sqlite_bind(sqlite3_stmt *statement, int at, const struct sqlite_value *value)
{
    const char *data = value->text.data ? value->text.data : ""; /* NULL would be bound as NULL */
    switch (value->kind) {
    case SQLITE_VALUE_NUMBER: return sqlite3_bind_int64(statement, at, value->number);
    case SQLITE_VALUE_TEXT:
        return sqlite3_bind_text64(statement, at, data, value->text.len, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case SQLITE_VALUE_BLOB:
        return sqlite3_bind_blob64(statement, at, data, value->text.len, SQLITE_STATIC);
    case SQLITE_VALUE_NULL: break;
    }
    return sqlite3_bind_null(statement, at);
}

sqlite3_stmt *sqlite_query(struct sqlite_store *store, enum sqlite_statement which,
                           const struct sqlite_value *values, size_t count)
{
    if (store->status != STORE_OK) return NULL;
    sqlite3_stmt **statement = &store->statements[which];
    int code = SQLITE_OK;
    if (!*statement)
        code = sqlite3_prepare_v3(store->db, statement_texts[which], -1, SQLITE_PREPARE_PERSISTENT,
                                  statement, NULL);
    for (size_t i = 0; i < count && code == SQLITE_OK; i++)
        code = sqlite_bind(*statement, (int)i + 1, &values[i]);
    if (code == SQLITE_OK) return *statement;
    sqlite_fail(store, code, statement_names[which]);
    return NULL;
}

bool sqlite_next(struct sqlite_store *store, sqlite3_stmt *rows)
{
    if (!rows) return false;
    if (store->status != STORE_OK) {
        sqlite3_reset(rows);
        return false;
    }
    int code = sqlite3_step(rows);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) {
        size_t which = 0;
        while (which < STATEMENT_COUNT - 1 && store->statements[which] != rows)
            which++;
        sqlite_fail(store, code, statement_names[which]);
    }
    sqlite3_reset(rows);
    return false;
}

void sqlite_end(sqlite3_stmt *rows)
{
    if (rows) sqlite3_reset(rows);
}

int sqlite_run(struct sqlite_store *store, enum sqlite_statement which,
               const struct sqlite_value *values, size_t count)
{
    sqlite3_stmt *statement = sqlite_query(store, which, values, count);
    while (sqlite_next(store, statement)) {
    }
    return store->status == STORE_OK ? sqlite3_changes(store->db) : 0;
}

int64_t sqlite_number(struct sqlite_store *store, sqlite3_stmt *rows, int64_t fallback)
{
    int64_t number = fallback;
    if (sqlite_next(store, rows) && sqlite3_column_type(rows, 0) != SQLITE_NULL)
        number = sqlite3_column_int64(rows, 0);
    sqlite_end(rows);
    return number;
}

struct str sqlite_text(sqlite3_stmt *rows, int column, struct arena *arena)
{
    const char *data = sqlite3_column_blob(rows, column); /* of a text: its UTF-8 */
    int len = sqlite3_column_bytes(rows, column);
    return arena_str(arena, (struct str){data ? data : "", (size_t)len});
}

void sqlite_currency(sqlite3_stmt *rows, int column, char currency[4])
{
    const char *text = (const char *)sqlite3_column_text(rows, column);
    snprintf(currency, 4, "%s", text ? text : "");
}

/* ---- transactions ---- */

struct sqlite_store *sqlite_begin_write(struct store *base)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    assert(store->mode == STORE_WRITE);
    store->status = STORE_OK;
    store->committed = false;
    if (sqlite3_get_autocommit(store->db)) RUN(store, BEGIN_WRITE);
    return store;
}

enum store_status sqlite_roll_back(struct sqlite_store *store)
{
    enum store_status status = store->status;
    char error[sizeof(store->error)];
    memcpy(error, store->error, sizeof(error));
    store->status = STORE_OK;
    if (!sqlite3_get_autocommit(store->db)) RUN(store, ROLLBACK);
    store->status = status;
    memcpy(store->error, error, sizeof(error));
    return status;
}

static void sqlite_abandon(struct store *base)
{
    sqlite_roll_back((struct sqlite_store *)base);
}

/* COMMIT is a call within this process and says what became of it: STORE_UNKNOWN does not happen.
 */
static enum store_status sqlite_was_committed(struct store *base, bool *ret_committed)
{
    *ret_committed = ((const struct sqlite_store *)base)->committed;
    return STORE_OK;
}

struct sqlite_store *sqlite_begin_read(struct store *base)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    store->status = STORE_OK;
    store->reads_alone = sqlite3_get_autocommit(store->db);
    if (store->reads_alone) RUN(store, BEGIN_READ);
    return store;
}

enum store_status sqlite_end_read(struct sqlite_store *store)
{
    if (store->reads_alone) RUN(store, COMMIT);
    return store->status == STORE_OK || !store->reads_alone ? store->status
                                                            : sqlite_roll_back(store);
}

/* ---- what the writer keeps in memory ---- */

static void load_replays(struct sqlite_store *store)
{
    replay_index_init(&store->replays);
    sqlite3_stmt *rows = QUERY(store, REPLAY_KEYS, NUM(0));
    while (sqlite_next(store, rows)) {
        struct replay_key key = {.user_id = sqlite_u64(rows, 2)};
        if (sqlite3_column_bytes(rows, 3) != sizeof(key.key)) {
            sqlite_refuse(store, "the key of a stored answer is damaged");
            break;
        }
        memcpy(key.key, sqlite3_column_blob(rows, 3), sizeof(key.key));
        replay_index_add(&store->replays, &key, sqlite_u64(rows, 0), sqlite3_column_int64(rows, 1));
    }
    sqlite_end(rows);
}

static void load_sequences(struct sqlite_store *store)
{
    for (int i = 0; i < SQLITE_SEQUENCES; i++)
        store->next[i] = 1;
    sqlite3_stmt *rows = QUERY(store, SEQUENCES);
    while (sqlite_next(store, rows)) {
        int64_t sequence = sqlite3_column_int64(rows, 0);
        if (sequence == SEQUENCE_JOURNAL_KEY) sequence = SEQUENCE_JOURNAL;
        if (sequence >= 0 && sequence < SQLITE_SEQUENCES)
            store->next[sequence] = sqlite_u64(rows, 1);
    }
}

/* ---- settings ---- */

static bool find_setting(struct sqlite_store *store, struct str name, struct arena *arena,
                         struct str *ret_value)
{
    sqlite3_stmt *rows = QUERY(store, SETTING, TEXT(name));
    bool found = sqlite_next(store, rows);
    if (found) *ret_value = sqlite_text(rows, 0, arena);
    sqlite_end(rows);
    return found;
}

static enum store_status sqlite_setting(struct store *base, const char *name, struct str fallback,
                                        struct arena *arena, struct str *ret_value)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    assert(sqlite3_get_autocommit(store->db)); /* it is a transaction of its own */
    struct str value = arena_str(arena, fallback);
    store->status = STORE_OK;
    if (store->mode == STORE_READ) {
        if (!find_setting(store, str_of(name), arena, &value))
            sqlite_refuse(store, "a setting is not there, and a reader cannot make it");
    } else {
        RUN(store, BEGIN_WRITE);
        if (!find_setting(store, str_of(name), arena, &value))
            RUN(store, SETTING_INSERT, TEXT(str_of(name)), BLOB(value));
        RUN(store, COMMIT);
    }
    if (store->status != STORE_OK) return sqlite_roll_back(store);
    *ret_value = value;
    return STORE_OK;
}

/* ---- the write-ahead log ---- */

/* Called by SQLite after each commit, with the frames in the log. Fewer than before: it began anew.
 */
static int wal_grew(void *data, sqlite3 *db, const char *schema, int frames)
{
    (void)db;
    (void)schema;
    struct sqlite_store *store = data;
    if (frames < store->wal_frames) store->wal_tidy_at = WAL_TIDY_FRAMES;
    store->wal_frames = frames;
    return SQLITE_OK;
}

/* What no reader needs any more is moved; once all of it is, the next commit begins the log anew,
 * provided that no reader is in it just then. Where readers are always in it, it would
 * grow without end: so a long one is finished by waiting for them, briefly, now and then.
 * A failure is not one of a batch: the next commit will meet it. */
static void sqlite_tidy(struct store *base)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    if (store->wal_frames < store->wal_tidy_at) return;
    bool finish = store->wal_frames >= WAL_FINISH_FRAMES;
    if (finish) sqlite3_busy_timeout(store->db, WAL_FINISH_MS);
    sqlite3_wal_checkpoint_v2(store->db, NULL,
                              finish ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE, NULL,
                              NULL);
    if (finish) sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    store->wal_tidy_at = store->wal_frames + WAL_TIDY_FRAMES;
}

/* ---- opening: what can be wrong with a file ---- */

/* What opening goes through; the sentence is for the operator. */
struct opening {
    struct sqlite_store *store;
    const char *path;
    struct arena *arena;
    const char **ret_error;
};

__attribute__((format(printf, 2, 3))) static bool refuse(const struct opening *opening,
                                                         const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    *opening->ret_error = arena_printf(opening->arena, "%s", text).data;
    return false;
}

static bool refuse_code(const struct opening *opening, int code)
{
    const char *path = opening->path;
    int cause = sqlite3_system_errno(opening->store->db);
    switch (code & 0xff) {
    case SQLITE_NOTADB:
        return refuse(opening, "%s is not an SQLite database. Name another file in DATABASE_URL.",
                      path);
    case SQLITE_CORRUPT: return refuse(opening, "%s is damaged. Restore a backup of it.", path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return refuse(opening,
                      "%s cannot be written. It and its directory must belong to the user that "
                      "runs admit.",
                      path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return refuse(opening, "%s is locked by another program. Close that one first.", path);
    case SQLITE_CANTOPEN:
        return refuse(opening,
                      "%s cannot be opened: %s. It and its directory must belong to the user that "
                      "runs admit.",
                      path, cause ? strerror(cause) : sqlite3_errstr(code));
    case SQLITE_FULL:
        return refuse(opening, "There is no room on the disk of %s. Make some.", path);
    default:
        return refuse(opening, "%s cannot be used: %s (SQLite %d). Look after its disk.", path,
                      sqlite3_errmsg(opening->store->db),
                      sqlite3_extended_errcode(opening->store->db));
    }
}

static bool run_text(const struct opening *opening, const char *text)
{
    int code = sqlite3_exec(opening->store->db, text, NULL, NULL, NULL);
    return code == SQLITE_OK || refuse_code(opening, code);
}

/* Reads the one number that 'text' yields. */
static bool read_number(const struct opening *opening, const char *text, int64_t *ret_number)
{
    sqlite3_stmt *rows = NULL;
    int code = sqlite3_prepare_v2(opening->store->db, text, -1, &rows, NULL);
    if (code == SQLITE_OK) code = sqlite3_step(rows);
    if (code == SQLITE_ROW) *ret_number = sqlite3_column_int64(rows, 0);
    sqlite3_finalize(rows);
    return code == SQLITE_ROW || refuse_code(opening, code);
}

static bool path_is_sound(const struct opening *opening, bool may_create)
{
    const char *path = opening->path;
    struct stat status;
    if (!*path)
        return refuse(opening, "DATABASE_URL names no file. Write it as in sqlite:admit.db");
    if (strcmp(path, ":memory:") == 0)
        return refuse(opening, "sqlite::memory: is not for admit. For a database in memory, gone "
                               "with the process, write memory:");
    if (path[0] == '/' && path[1] == '/' && path[2] != '/')
        return refuse(opening,
                      "sqlite:%s is not a path. Write sqlite:%s for a file in the working "
                      "directory, or sqlite:/%s",
                      path, path + 2, path + 2);
    if (stat(path, &status) == 0)
        return !S_ISDIR(status.st_mode) ||
               refuse(opening, "%s is a directory. Name a file in it in DATABASE_URL.", path);
    if (errno != ENOENT)
        return refuse(opening, "%s cannot be reached: %s. Look at its directories.", path,
                      strerror(errno));
    return may_create || refuse(opening,
                                "There is no %s yet. Start `admit serve` or run `admit migrate` "
                                "with this DATABASE_URL.",
                                path);
}

/* One writer at a time, whichever way a path leads to the file. SQLite's own locks come and go with
 * each transaction, and the file itself must not be opened behind its back, so this is a file
 * beside it; it stays, because removing it would let two in. */
static bool lock_file(const struct opening *opening)
{
    char real[PATH_MAX];
    const char *path = realpath(opening->path, real) ? real : opening->path;
    const char *name = arena_printf(opening->arena, "%s.lock", path).data;
    int file = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        return refuse(opening,
                      "%s cannot be opened: %s. The directory must belong to the user that runs "
                      "admit.",
                      name, strerror(errno));
    opening->store->lock = file;
    char pid[32] = "";
    if (flock(file, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return refuse(opening, "%s cannot be locked: %s. Put the database onto a local disk.",
                          name, strerror(errno));
        ssize_t len = pread(file, pid, sizeof(pid) - 1, 0);
        unsigned long number = len > 0 ? strtoul(pid, NULL, 10) : 0;
        return refuse(opening,
                      "%s is in use by another admit, process %lu. Stop that one first, or give "
                      "this one another file in DATABASE_URL.",
                      opening->path, number);
    }
    int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(file, 0) < 0 || pwrite(file, pid, (size_t)len, 0) != len)
        return refuse(opening, "%s cannot be written: %s. Is there room on the disk?", name,
                      strerror(errno));
    return true;
}

/* The file holds secrets, and is nobody else's to read. SQLite gives those beside it the same mode.
 */
static bool create_file(const struct opening *opening)
{
    int file = open(opening->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return errno == EEXIST ||
               refuse(opening,
                      "%s cannot be created: %s. Name a file in a directory that is there and "
                      "belongs to the user that runs admit.",
                      opening->path, strerror(errno));
    close(file);
    return true;
}

/* SQLite counts what it allocates under a lock that all connections share; nobody asks. */
static void stop_counting_memory(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static bool open_file(const struct opening *opening)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, stop_counting_memory);
    struct sqlite_store *store = opening->store;
    /* "./" keeps SQLite from taking a name for something else ("file:x"). */
    const char *name = opening->path[0] == '/'
                           ? opening->path
                           : arena_printf(opening->arena, "./%s", opening->path).data;
    int code =
        sqlite3_open_v2(name, &store->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK) return refuse_code(opening, code);
    sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    return true;
}

/* ---- opening: whose file it is, and bringing it up to date ---- */

static bool read_version(const struct opening *opening, int64_t *ret_version)
{
    int64_t application = 0, tables = 0;
    if (!read_number(opening, "PRAGMA application_id", &application) ||
        !read_number(opening, "PRAGMA user_version", ret_version) ||
        !read_number(opening, "SELECT count(*) FROM sqlite_schema", &tables))
        return false;
    bool is_new = application == 0 && *ret_version == 0 && tables == 0;
    if (application != APPLICATION_ID && !is_new)
        return refuse(opening,
                      "%s is a database of another program. Name another file in "
                      "DATABASE_URL.",
                      opening->path);
    int64_t known = sqlite_migrations[sqlite_migration_count - 1].version;
    if (*ret_version > known)
        return refuse(opening,
                      "%s was written by a newer admit: it has version %lld, and this one knows "
                      "%lld. Run that newer admit, or restore an older backup.",
                      opening->path, (long long)*ret_version, (long long)known);
    return true;
}

static bool migrate_once(const struct opening *opening, const struct migration *migration)
{
    int64_t version = 0;
    bool done = run_text(opening, "BEGIN IMMEDIATE") && run_text(opening, migration->sql) &&
                read_number(opening, "PRAGMA user_version", &version) &&
                (version == migration->version ||
                 refuse(opening, "Migration %s does not set its version.", migration->name)) &&
                run_text(opening, "COMMIT");
    if (!done && !sqlite3_get_autocommit(opening->store->db))
        sqlite3_exec(opening->store->db, "ROLLBACK", NULL, NULL, NULL);
    return done;
}

/* The mode is kept in the file. Changing it is no part of a transaction. */
static bool use_log(const struct opening *opening)
{
    sqlite3_stmt *rows = NULL;
    int code = sqlite3_prepare_v2(opening->store->db, "PRAGMA journal_mode = WAL", -1, &rows, NULL);
    if (code == SQLITE_OK) code = sqlite3_step(rows);
    bool is_on =
        code == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(rows, 0), "wal") == 0;
    sqlite3_finalize(rows);
    if (code != SQLITE_ROW) return refuse_code(opening, code);
    return is_on ||
           refuse(opening,
                  "%s cannot have a write-ahead log where it is. Put it onto a local disk.",
                  opening->path);
}

static bool bring_up_to_date(const struct opening *opening, bool migrate)
{
    int64_t version = 0;
    if (!read_version(opening, &version)) return false;
    if (opening->store->mode == STORE_WRITE && !use_log(opening)) return false;
    for (size_t i = 0; i < sqlite_migration_count; i++) {
        const struct migration *migration = &sqlite_migrations[i];
        if (migration->version <= version) continue;
        if (!migrate)
            return refuse(
                opening,
                "%s has version %lld of the schema, and this admit needs %u. Start `admit "
                "serve` or run `admit migrate`.",
                opening->path, (long long)version,
                sqlite_migrations[sqlite_migration_count - 1].version);
        if (!migrate_once(opening, migration)) return false;
    }
    return true;
}

/* With the other connections to this file. */
static bool share_filter(const struct opening *opening)
{
    struct stat status;
    if (stat(opening->path, &status) < 0)
        return refuse(opening, "%s cannot be found: %s.", opening->path, strerror(errno));
    opening->store->filter = bucket_filter_open(status.st_dev, status.st_ino);
    return true;
}

static bool open_store(const struct opening *opening, bool migrate)
{
    struct sqlite_store *store = opening->store;
    bool writes = store->mode == STORE_WRITE;
    if (!path_is_sound(opening, writes && migrate)) return false;
    if (writes && (!create_file(opening) || !lock_file(opening))) return false;
    if (!open_file(opening) || !run_text(opening, PRAGMAS_OF_BOTH) ||
        !run_text(opening, writes ? PRAGMAS_OF_WRITER : PRAGMAS_OF_READER) ||
        !bring_up_to_date(opening, writes && migrate))
        return false;
    if (!share_filter(opening)) return false;
    if (!writes) return true;
    sqlite3_wal_hook(store->db, wal_grew, store);
    load_sequences(store);
    load_replays(store);
    return store->status == STORE_OK ||
           refuse(opening, "%s cannot be read: %s. Restore a backup of it.", opening->path,
                  store->error);
}

static void sqlite_close(struct store *base)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(store->statements[i]);
    int code = sqlite3_close(store->db); /* the last one moves the log into the file */
    assert(code == SQLITE_OK);
    (void)code;
    if (store->lock >= 0) close(store->lock);
    bucket_filter_close(store->filter);
    replay_index_free(&store->replays);
    free(store);
}

static struct store *sqlite_open(const char *rest, enum store_mode mode, bool migrate,
                                 struct arena *arena, const char **ret_error)
{
    struct sqlite_store *store = calloc(1, sizeof(*store));
    if (!store) out_of_memory();
    *store = (struct sqlite_store){
        .store = {&sqlite_driver}, .mode = mode, .lock = -1, .wal_tidy_at = WAL_TIDY_FRAMES};
    struct opening opening = {store, rest, arena, ret_error};
    if (open_store(&opening, migrate)) return &store->store;
    sqlite_close(&store->store);
    return NULL;
}

/* ---- backup ---- */

/* All of it in one go: one state, and those who write go on beside it. */
static bool copy_database(const struct opening *opening, const char *name)
{
    sqlite3 *copy = NULL;
    int code = sqlite3_open_v2(name, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    /* The file is thrown away when this fails, and synced as a whole when it does not. */
    if (code == SQLITE_OK)
        code = sqlite3_exec(copy, "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF", NULL, NULL,
                            NULL);
    sqlite3_backup *backup =
        code == SQLITE_OK ? sqlite3_backup_init(copy, "main", opening->store->db, "main") : NULL;
    if (backup) {
        while ((code = sqlite3_backup_step(backup, -1)) == SQLITE_BUSY || code == SQLITE_LOCKED)
            sqlite3_sleep(10);
        code = sqlite3_backup_finish(backup);
    } else if (code == SQLITE_OK) {
        code = sqlite3_errcode(copy);
    }
    bool done = code == SQLITE_OK || refuse(opening, "The backup to %s failed: %s.", opening->path,
                                            sqlite3_errstr(code));
    sqlite3_close(copy);
    return done;
}

static bool sync_path(const struct opening *opening, const char *path, int flags)
{
    int file = open(path, flags | O_RDONLY | O_CLOEXEC);
    bool done = file >= 0 && fsync(file) == 0;
    if (!done) refuse(opening, "The backup to %s failed: %s.", opening->path, strerror(errno));
    if (file >= 0) close(file);
    return done;
}

static bool name_backup(const struct opening *opening, const char *part, const char *path)
{
    /* A link, unlike a rename, never replaces what has appeared there meanwhile. */
    if (link(part, path) == 0) return true;
    if (errno != EEXIST && rename(part, path) == 0) return true; /* no links on this disk */
    return refuse(opening, "%s cannot be created: %s.", path, strerror(errno));
}

static bool backup_to(const struct opening *opening, const char *path)
{
    const char *part = arena_printf(opening->arena, "%s.part", path).data;
    const char *directory =
        arena_cstr(opening->arena, (struct str){path, (size_t)(strrchr(path, '/') - path) + 1});
    int file = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return refuse(opening, "%s cannot be created: %s.", opening->path, strerror(errno));
    close(file);
    bool done = copy_database(opening, part) && sync_path(opening, part, 0) &&
                name_backup(opening, part, path);
    unlink(part);
    if (done && !sync_path(opening, directory, O_DIRECTORY)) {
        unlink(path);
        done = false;
    }
    return done;
}

/* Under its own name stands only what is whole: until then it has another one. */
static enum store_status sqlite_backup(struct store *base, const char *path, struct arena *arena,
                                       const char **ret_error)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    assert(sqlite3_get_autocommit(store->db));
    struct opening opening = {store, path, arena, ret_error};
    /* A directory, and a name that SQLite takes for nothing else. */
    const char *whole = path[0] == '/' ? path : arena_printf(arena, "./%s", path).data;
    struct stat status;
    if (lstat(whole, &status) == 0) {
        refuse(&opening, "%s is there already. Name a new file for the backup.", path);
        return STORE_REFUSED;
    }
    return backup_to(&opening, whole) ? STORE_OK : STORE_DOWN;
}

static enum store_status sqlite_ping(struct store *base)
{
    struct sqlite_store *store = sqlite_begin_read(base);
    sqlite_number(store, QUERY(store, PING), 0);
    return sqlite_end_read(store);
}

const struct store_driver sqlite_driver = {
    .scheme = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .error = sqlite_error,
    .load = sqlite_load,
    .commit = sqlite_commit,
    .abandon = sqlite_abandon,
    .was_committed = sqlite_was_committed,
    .setting = sqlite_setting,
    .tidy = sqlite_tidy,
    .ping = sqlite_ping,
    .find_event = sqlite_find_event,
    .search_events = sqlite_search_events,
    .find_booking = sqlite_find_booking,
    .list_bookings = sqlite_list_bookings,
    .list_tickets = sqlite_list_tickets,
    .booking_history = sqlite_booking_history,
    .list_journal = sqlite_list_journal,
    .booking_payments = sqlite_booking_payments,
    .find_user = sqlite_find_user,
    .list_users = sqlite_list_users,
    .load_directory = sqlite_load_directory,
    .list_notices = sqlite_list_notices,
    .outbox_position = sqlite_outbox_position,
    .list_messages = sqlite_list_messages,
    .due_ways = sqlite_due_ways,
    .list_webhooks = sqlite_list_webhooks,
    .find_webhook = sqlite_find_webhook,
    .backup = sqlite_backup,
    .check = sqlite_check,
    .bulk_read = sqlite_bulk_read,
    .bulk_write = sqlite_bulk_write,
};
