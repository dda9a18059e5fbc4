/* SPDX-License-Identifier: Apache-2.0 */
/* MariaDB, and MySQL where the two are alike: the connection, transactions, settings, and what
 * became of a batch. Opening stands in mysql_open.c, statements in mysql_query.c and mysql_rows.c,
 * what is loaded, written, found and checked in mysql_load.c, mysql_commit.c, mysql_read.c,
 * mysql_journal.c, mysql_search.c and mysql_check.c.
 *
 * A connection that is lost is set up again by whoever needs it next, a few times a second at
 * most. Nothing is lost with it but the transaction that was going on.
 *
 * Where several hosts are given, the first one that serves is taken. They are nodes of one Galera
 * cluster, on which a lock holds against others on the same node only; of two transactions that
 * changed one row on two nodes, the one that is ordered later is refused (1213), be it at COMMIT or
 * when the other's changes come. So on Galera each batch takes the rows of 'sequences' first, and
 * changes them (mysql_commit.c): it is refused whenever another node committed something that it
 * may not have seen. */
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "store/mysql_internal.h"

#include <errmsg.h>
#include <mysqld_error.h>

enum {
    CONNECT_TIMEOUT_S = 2,
    WRITE_TIMEOUT_S = 10,
    CONNECT_EVERY_US = 250000,
    IDLE_US = 5000000, /* unused for so long, a connection is looked at before it is used */
    DEAD_AFTER_S = 10, /* so long without a word from the other machine */
    DEAD_AFTER_MS = 10000,
};

/* What a server's configuration might have otherwise. A transaction begins with its first
 * statement. Readers see one state from their first statement on, a writer sees the newest. Who
 * stands still, or cannot be heard any more, does not keep his locks; MySQL has no such setting. */
#define SESSION                                                                                    \
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,"                      \
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', autocommit = 0, "   \
    "foreign_key_checks = 1, innodb_lock_wait_timeout = 5"                                         \
    "/*M!100300 , idle_transaction_timeout = 10 */"
#define ISOLATION_OF_WRITER "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
#define ISOLATION_OF_READER "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

static void library_begin(void)
{
    if (mysql_library_init(0, NULL, NULL) != 0) out_of_memory();
}

/* ---- the connection ---- */

void maria_disconnect(struct maria_store *store)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        maria_rows_free(store->statements[i]);
        store->statements[i] = NULL;
    }
    for (size_t i = 0; i < INSERT_COUNT; i++)
        for (size_t width = 0; width < WIDTHS; width++) {
            maria_rows_free(store->inserts[i][width]);
            store->inserts[i][width] = NULL;
        }
    if (store->db) mysql_close(store->db);
    store->db = NULL;
    store->in_transaction = false;
}

static void set_options(struct maria_store *store, bool with_tls)
{
    const struct maria_url *url = &store->url;
    unsigned timeout = CONNECT_TIMEOUT_S, read = MARIA_PATIENCE_S, write = WRITE_TIMEOUT_S;
    enum mysql_protocol_type protocol = url->socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    my_bool yes = 1, verify = url->tls == TLS_VERIFY_IDENTITY;
    mysql_options(store->db, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
    mysql_options(store->db, MYSQL_OPT_READ_TIMEOUT, &read);
    mysql_options(store->db, MYSQL_OPT_WRITE_TIMEOUT, &write);
    store->patience_s = MARIA_PATIENCE_S;
    mysql_options(store->db, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_options(store->db, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options(store->db, MYSQL_REPORT_DATA_TRUNCATION, &yes);
    mysql_options4(store->db, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "admit");
    if (!with_tls) return;
    mysql_ssl_set(store->db, url->key, url->cert, url->ca, NULL, NULL);
    mysql_options(store->db, MYSQL_OPT_SSL_ENFORCE, &yes);
    mysql_options(store->db, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

/* FOUND_ROWS: an update counts what it found, though it was like that before. */
static bool reach(struct maria_store *store, bool with_tls)
{
    const struct maria_url *url = &store->url;
    const struct maria_host *host = store->host;
    if (store->db) mysql_close(store->db);
    store->db = mysql_init(NULL);
    if (!store->db) out_of_memory();
    set_options(store, with_tls);
    return mysql_real_connect(store->db, host->name, url->user, url->password, url->database,
                              host->port, url->socket, CLIENT_FOUND_ROWS) != NULL;
}

/* Where TLS is but preferred, a server without it will do; on a socket there is nothing to hide. */
static bool reach_as_wanted(struct maria_store *store)
{
    enum maria_tls tls = store->url.tls;
    bool may_be_plain = tls <= TLS_PREFERRED;
    if (tls == TLS_DISABLED || (tls == TLS_PREFERRED && store->url.socket))
        return reach(store, false);
    if (reach(store, true)) return true;
    return may_be_plain && mysql_errno(store->db) == CR_SSL_CONNECTION_ERROR && reach(store, false);
}

/* The library goes on without TLS where a server says that it has none, whatever it was told. */
static bool is_bare(struct maria_store *store)
{
    return store->url.tls >= TLS_REQUIRED && !mysql_get_ssl_cipher(store->db);
}

/* A machine that is gone says nothing, and one would wait for it for a quarter of an hour. */
static void watch_connection(MYSQL *db)
{
    int file = mysql_get_socket(db), yes = 1, idle = DEAD_AFTER_S / 2, every = 1,
        count = DEAD_AFTER_S / 2, unheard = DEAD_AFTER_MS;
    setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    setsockopt(file, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    setsockopt(file, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(file, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
    setsockopt(file, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
    setsockopt(file, IPPROTO_TCP, TCP_USER_TIMEOUT, &unheard, sizeof(unheard));
}

void maria_be_patient(struct maria_store *store, int seconds)
{
    if (store_is_hurried() && seconds > HURRIED_PATIENCE_S) seconds = HURRIED_PATIENCE_S;
    if (!store->db || store->patience_s == seconds) return;
    MARIADB_PVIO *pvio = store->db->net.pvio;
    const struct timeval most = {.tv_sec = seconds};
    store->patience_s = seconds;
    if (!pvio) return; /* it is lost, and that is not noticed yet */
    /* As mysql_options() before the connection is set up: the one is for plain ones, the other for
     * TLS. */
    pvio->timeout[PVIO_READ_TIMEOUT] = seconds * 1000;
    setsockopt(mysql_get_socket(store->db), SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
}

static bool can_arrays(MYSQL *db)
{
    unsigned long extended = 0;
    mariadb_get_infov(db, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES, &extended);
    return (extended & (MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32)) != 0;
}

/* What a query without values has in that column of its first row; "" without a row. */
static bool ask(struct maria_store *store, const char *text, unsigned column, char ret_value[32])
{
    *ret_value = '\0';
    if (!maria_exec(store, text)) return false;
    MYSQL_RES *rows = mysql_store_result(store->db);
    MYSQL_ROW row = rows ? mysql_fetch_row(rows) : NULL;
    if (row && row[column]) snprintf(ret_value, 32, "%s", row[column]);
    mysql_free_result(rows);
    return true;
}

/* A node that left the others says so instead of serving; one that waits to hear whether it did
 * answers when that is known. Each transaction waits until the node has what was committed on the
 * others before. */
static bool join_cluster(struct maria_store *store)
{
    char value[32];
    if (!ask(store, "SHOW VARIABLES LIKE 'wsrep_on'", 1, value)) return false;
    store->is_galera = strcmp(value, "ON") == 0;
    if (!store->is_galera) return true;
    if (!ask(store, "SHOW STATUS LIKE 'wsrep_ready'", 1, value)) return false;
    if (strcmp(value, "ON") != 0) {
        maria_fail(store, ER_UNKNOWN_COM_ERROR, "the node is not part of its cluster", "connect");
        return false;
    }
    return maria_exec(store, "SET SESSION wsrep_sync_wait = 1") && ask(store, "SELECT 1", 0, value);
}

static bool set_session(struct maria_store *store)
{
    bool writes = store->mode == STORE_WRITE;
    return maria_exec(store, SESSION) &&
           maria_exec(store, writes ? ISOLATION_OF_WRITER : ISOLATION_OF_READER);
}

static bool connect_host(struct maria_store *store)
{
    bool reached = reach_as_wanted(store);
    if (!reached || is_bare(store)) {
        char message[ERROR_MAX] = "the server has none";
        unsigned code = reached ? CR_SSL_CONNECTION_ERROR : mysql_errno(store->db);
        if (!reached) snprintf(message, sizeof(message), "%s", mysql_error(store->db));
        maria_fail(store, code, message, "connect");
        maria_disconnect(store);
        store->status = STORE_DOWN;
        return false;
    }
    watch_connection(store->db);
    bool joined = join_cluster(store);
    /* On a Galera node they went on in a new transaction after the old one had been ended. */
    store->has_arrays = joined && store->url.arrays && !store->is_galera && can_arrays(store->db);
    if (joined && set_session(store)) return true;
    store->status = STORE_DOWN;
    return false;
}

bool maria_connect(struct maria_store *store)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const struct maria_url *url = &store->url;
    pthread_once(&once, library_begin);
    if (store_is_hurried()) {
        store->status = STORE_DOWN;
        return false;
    }
    bool connected = false;
    for (size_t i = 0; !connected && i < url->host_count; i++) {
        maria_disconnect(store);
        store->status = STORE_OK;
        store->host = &url->hosts[i];
        connected = connect_host(store);
    }
    store->used_us = clock_monotonic_us();
    /* A connection that served is set up again at once. */
    store->retry_us = connected ? 0 : store->used_us + CONNECT_EVERY_US;
    return connected;
}

/* A server that serves answers this one at once. */
static bool is_alive(struct maria_store *store)
{
    maria_be_patient(store, CONNECT_TIMEOUT_S);
    return mysql_ping(store->db) == 0;
}

/* What a firewall or the server let go while nobody looked is no failure of the next batch. */
static void get_ready(struct maria_store *store)
{
    int64_t now = clock_monotonic_us();
    store->status = STORE_OK;
    store->is_fresh = true;
    if (store->db && now - store->used_us > IDLE_US && !is_alive(store)) maria_disconnect(store);
    maria_be_patient(store, MARIA_PATIENCE_S);
    if (store->db) return;
    if (now < store->retry_us) {
        store->status = STORE_DOWN;
        return;
    }
    if (!maria_connect(store)) maria_disconnect(store);
}

/* ---- transactions ---- */

struct maria_store *maria_begin_write(struct store *base)
{
    struct maria_store *store = (struct maria_store *)base;
    assert(store->mode == STORE_WRITE);
    store->status = STORE_OK;
    if (store->in_transaction) return store;
    get_ready(store);
    store->in_transaction = store->status == STORE_OK;
    store->last_locked = 0;
    store->locks_closed = store->has_sequences = store->drops_replays = false;
    if (store->is_galera) maria_load_sequences(store);
    return store;
}

enum store_status maria_roll_back(struct maria_store *store)
{
    enum store_status status = store->status;
    char error[sizeof(store->error)];
    memcpy(error, store->error, sizeof(error));
    store->status = STORE_OK;
    store->in_transaction = false;
    if (store->db) maria_exec(store, "ROLLBACK");
    store->status = status;
    memcpy(store->error, error, sizeof(error));
    return status;
}

static void maria_abandon(struct store *base)
{
    maria_roll_back((struct maria_store *)base);
}

struct maria_store *maria_begin_read(struct store *base)
{
    struct maria_store *store = (struct maria_store *)base;
    store->status = STORE_OK;
    store->reads_alone = !store->in_transaction;
    if (store->reads_alone) get_ready(store);
    return store;
}

enum store_status maria_end_read(struct maria_store *store)
{
    if (!store->reads_alone) return store->status;
    if (store->status == STORE_OK) maria_exec(store, "COMMIT");
    return store->status == STORE_OK ? STORE_OK : maria_roll_back(store);
}

void maria_load_sequences(struct maria_store *store)
{
    if (store->has_sequences) return;
    struct maria_rows *rows = QUERY(store, SEQUENCES);
    while (maria_next(store, rows)) {
        int64_t sequence = maria_i64(rows, 0);
        if (sequence == SEQUENCE_JOURNAL_KEY) sequence = SEQUENCE_JOURNAL;
        if (sequence >= 0 && sequence < MARIA_SEQUENCES) store->next[sequence] = maria_u64(rows, 1);
    }
    store->has_sequences = store->status == STORE_OK;
    /* Where all wait for these rows first, nobody waits for one who waits for him. */
    store->locks_closed = store->has_sequences && !store->is_galera;
}

/* A batch that is not there yet may still be on its way on another node, whose lock is not seen
 * here. It changed this row, too: once the row was changed here, that batch can only be refused. */
static void fence(struct maria_store *store, struct str writer)
{
    RUN(store, BATCH_PUT, BLOB(writer), NUM(store->batch + 1), NUM(clock_now_ms()));
    maria_exec(store, "COMMIT");
}

/* Its row is locked by the batch as long as that is not over, on whichever connection: so this
 * waits until it is. */
static enum store_status maria_was_committed(struct store *base, bool *ret_committed)
{
    struct maria_store *store = (struct maria_store *)base;
    assert(!store->in_transaction);
    store->retry_us = 0;
    get_ready(store);
    struct str writer = {(const char *)store->writer, sizeof(store->writer)};
    struct maria_rows *rows = QUERY(store, BATCH, BLOB(writer));
    uint64_t found = (uint64_t)maria_number(store, rows, 0);
    *ret_committed = found == store->batch;
    if (store->is_galera && found < store->batch) fence(store, writer);
    /* Not BUSY, as then the batch would be tried again, while nobody knows whether it is there. */
    if (store->status != STORE_OK) store->status = STORE_DOWN;
    return maria_roll_back(store);
}

/* ---- settings ---- */

static bool find_setting(struct maria_store *store, struct str name, struct arena *arena,
                         struct str *ret_value)
{
    struct maria_rows *rows = QUERY(store, SETTING, BLOB(name));
    bool found = maria_next(store, rows);
    if (found) *ret_value = maria_text(rows, 0, arena);
    return found;
}

static enum store_status maria_setting(struct store *base, const char *name, struct str fallback,
                                       struct arena *arena, struct str *ret_value)
{
    struct maria_store *store = (struct maria_store *)base;
    assert(!store->in_transaction); /* it is a transaction of its own */
    get_ready(store);
    struct str value = STR("");
    bool found = find_setting(store, str_of(name), arena, &value);
    if (!found && store->mode == STORE_READ) {
        maria_refuse(store, "a setting is not there, and a reader cannot make it");
    } else if (!found) { /* of two who make it the first one does */
        RUN(store, SETTING_INSERT, BLOB(str_of(name)), BLOB(fallback));
        find_setting(store, str_of(name), arena, &value);
    }
    maria_exec(store, "COMMIT");
    if (store->status != STORE_OK) return maria_roll_back(store);
    *ret_value = value;
    return STORE_OK;
}

/* ---- the rest ---- */

static const char *maria_error(const struct store *base)
{
    return ((const struct maria_store *)base)->error;
}

static enum store_status maria_ping(struct store *base)
{
    struct maria_store *store = maria_begin_read(base);
    maria_number(store, QUERY(store, PING), 0);
    return maria_end_read(store);
}

static enum store_status maria_backup(struct store *base, const char *path, struct arena *arena,
                                      const char **ret_error)
{
    const struct maria_url *url = &((struct maria_store *)base)->url;
    *ret_error = arena_printf(arena,
                              "A copy of this store is made by MariaDB's own program: "
                              "mariadb-dump --single-transaction %s > %s",
                              url->database, path)
                     .data;
    return STORE_REFUSED;
}

static void maria_close(struct store *base)
{
    struct maria_store *store = (struct maria_store *)base;
    maria_disconnect(store);
    arena_free(&store->arena);
    free(store);
}

static struct store *maria_open(const char *rest, enum store_mode mode, bool migrate,
                                struct arena *arena, const char **ret_error)
{
    struct maria_store *store = calloc(1, sizeof(*store));
    if (!store) out_of_memory();
    *store = (struct maria_store){.store = {&mysql_driver}, .mode = mode};
    randombytes_buf(store->writer, sizeof(store->writer));
    struct maria_opening opening = {store, arena, ret_error};
    const char *error = NULL;
    if (!maria_url_parse(rest, &store->arena, &store->url, &error))
        maria_refuse_opening(&opening, "%s", error);
    else if (maria_open_database(&opening, migrate && mode == STORE_WRITE))
        return &store->store;
    maria_close(&store->store);
    return NULL;
}

const struct store_driver mysql_driver = {
    .scheme = "mysql",
    .alias = "mariadb",
    .shared = true,
    .open = maria_open,
    .close = maria_close,
    .error = maria_error,
    .load = maria_load,
    .commit = maria_commit,
    .abandon = maria_abandon,
    .was_committed = maria_was_committed,
    .setting = maria_setting,
    .ping = maria_ping,
    .find_event = maria_find_event,
    .search_events = maria_search_events,
    .find_booking = maria_find_booking,
    .list_bookings = maria_list_bookings,
    .list_tickets = maria_list_tickets,
    .booking_history = maria_booking_history,
    .list_journal = maria_list_journal,
    .booking_payments = maria_booking_payments,
    .find_user = maria_find_user,
    .list_users = maria_list_users,
    .load_directory = maria_load_directory,
    .directory_version = maria_directory_version,
    .list_notices = maria_list_notices,
    .outbox_position = maria_outbox_position,
    .list_messages = maria_list_messages,
    .due_ways = maria_due_ways,
    .list_webhooks = maria_list_webhooks,
    .find_webhook = maria_find_webhook,
    .backup = maria_backup,
    .check = maria_check,
    .bulk_read = maria_bulk_read,
    .bulk_write = maria_bulk_write,
};
