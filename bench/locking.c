/* SPDX-License-Identifier: Apache-2.0 */
/* locking -- what a client written by hand gets out of a database server: connections that each do
 *
 *     BEGIN; SELECT ... FOR UPDATE; UPDATE; INSERT; INSERT; COMMIT
 *
 * for one booking after the other of the same event, with prepared statements and nothing else to
 * do: no HTTP, no tokens. A thread each, so that nobody waits for anything but the server.
 *
 *     locking CONNECTIONS SECONDS postgres URL
 *     locking CONNECTIONS SECONDS mariadb SOCKET USER PASSWORD DATABASE
 *
 * The tables are those of bench/lib/floor.mjs. Prints JSON. */
#include <libpq-fe.h>
#include <mysql.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CONNECTIONS_MOST = 1000, PEOPLE = 20000, DECIMAL_MOST = 24 };

static __attribute__((noreturn)) void die(const char *what, const char *why)
{
    fprintf(stderr, "locking: %s: %s\n", what, why);
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* The statements with values; what follows a ? or $1 is bound. */
enum statement { LOCK, SELL, BOOKING, TICKET, STATEMENTS };

struct client {
    pthread_t thread;
    union {
        PGconn *postgres;
        MYSQL *mariadb;
    } connection;
    MYSQL_STMT *prepared[STATEMENTS];
    unsigned random;
    int64_t *took_us;
    size_t count, room;
};

/* How it is done on a kind of server. 'lock' gives the number of the ticket, 'booking' the id. */
struct kind {
    const char *name;
    int arguments;
    void (*open)(struct client *client, char **arguments);
    void (*plain)(struct client *client, const char *text);
    int64_t (*lock)(struct client *client);
    void (*sell)(struct client *client);
    int64_t (*booking)(struct client *client, int64_t user_id);
    void (*ticket)(struct client *client, int64_t number, int64_t booking_id);
    void (*close)(struct client *client);
};

/* ---- PostgreSQL ---- */

static const char *const postgres_texts[STATEMENTS] = {
    [LOCK] = "SELECT booked FROM events WHERE id = 1 AND booked < capacity FOR UPDATE",
    [SELL] = "UPDATE events SET booked = booked + 1 WHERE id = 1",
    [BOOKING] = "INSERT INTO bookings (user_id, event_id, quantity) VALUES ($1, 1, 1) RETURNING id",
    [TICKET] = "INSERT INTO tickets (event_id, number, booking_id) VALUES (1, $1, $2)",
};
static const char *const postgres_names[STATEMENTS] = {"lock", "sell", "booking", "ticket"};

static PGresult *postgres_well(struct client *client, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        die("PostgreSQL", PQerrorMessage(client->connection.postgres));
    return result;
}

static void postgres_open(struct client *client, char **arguments)
{
    client->connection.postgres = PQconnectdb(arguments[0]);
    if (PQstatus(client->connection.postgres) != CONNECTION_OK)
        die("PostgreSQL", PQerrorMessage(client->connection.postgres));
    for (int i = 0; i < STATEMENTS; i++)
        PQclear(postgres_well(client, PQprepare(client->connection.postgres, postgres_names[i],
                                                postgres_texts[i], 0, NULL)));
}

static void postgres_plain(struct client *client, const char *text)
{
    PQclear(postgres_well(client, PQexec(client->connection.postgres, text)));
}

static int64_t postgres_run(struct client *client, enum statement statement, int count,
                            const int64_t *values)
{
    char texts[2][DECIMAL_MOST];
    const char *parameters[2];
    for (int i = 0; i < count; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%lld", (long long)values[i]);
        parameters[i] = texts[i];
    }
    PGresult *result =
        postgres_well(client, PQexecPrepared(client->connection.postgres, postgres_names[statement],
                                             count, parameters, NULL, NULL, 0));
    bool gives = statement == LOCK || statement == BOOKING;
    if (gives && PQntuples(result) != 1) die("PostgreSQL", "there is no row");
    int64_t value = gives ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    PQclear(result);
    return value;
}

static int64_t postgres_lock(struct client *client)
{
    return postgres_run(client, LOCK, 0, NULL) + 1;
}

static void postgres_sell(struct client *client)
{
    postgres_run(client, SELL, 0, NULL);
}

static int64_t postgres_booking(struct client *client, int64_t user_id)
{
    return postgres_run(client, BOOKING, 1, &user_id);
}

static void postgres_ticket(struct client *client, int64_t number, int64_t booking_id)
{
    postgres_run(client, TICKET, 2, (const int64_t[]){number, booking_id});
}

static void postgres_close(struct client *client)
{
    PQfinish(client->connection.postgres);
}

/* ---- MariaDB ---- */

static const char *const mariadb_texts[STATEMENTS] = {
    [LOCK] = "SELECT booked FROM events WHERE id = 1 AND booked < capacity FOR UPDATE",
    [SELL] = "UPDATE events SET booked = booked + 1 WHERE id = 1",
    [BOOKING] = "INSERT INTO bookings (user_id, event_id, quantity) VALUES (?, 1, 1)",
    [TICKET] = "INSERT INTO tickets (event_id, number, booking_id) VALUES (1, ?, ?)",
};

static void mariadb_open(struct client *client, char **arguments)
{
    MYSQL *mariadb = client->connection.mariadb = mysql_init(NULL);
    if (!mariadb || !mysql_real_connect(mariadb, NULL, arguments[1], arguments[2], arguments[3], 0,
                                        arguments[0], 0))
        die("MariaDB", mariadb ? mysql_error(mariadb) : "no memory");
    for (int i = 0; i < STATEMENTS; i++) {
        client->prepared[i] = mysql_stmt_init(mariadb);
        if (!client->prepared[i] ||
            mysql_stmt_prepare(client->prepared[i], mariadb_texts[i], strlen(mariadb_texts[i])))
            die("MariaDB", mysql_error(mariadb));
    }
}

static void mariadb_plain(struct client *client, const char *text)
{
    if (mysql_real_query(client->connection.mariadb, text, strlen(text)))
        die(text, mysql_error(client->connection.mariadb));
}

static MYSQL_BIND bound(int64_t *value)
{
    return (MYSQL_BIND){.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = value};
}

static MYSQL_STMT *mariadb_run(struct client *client, enum statement statement, MYSQL_BIND *values)
{
    MYSQL_STMT *prepared = client->prepared[statement];
    if ((values && mysql_stmt_bind_param(prepared, values)) || mysql_stmt_execute(prepared))
        die("MariaDB", mysql_stmt_error(prepared));
    return prepared;
}

static int64_t mariadb_lock(struct client *client)
{
    int64_t booked = 0;
    MYSQL_BIND result = bound(&booked);
    MYSQL_STMT *lock = mariadb_run(client, LOCK, NULL);
    if (mysql_stmt_bind_result(lock, &result) || mysql_stmt_fetch(lock) != 0)
        die("MariaDB", "there is no row");
    mysql_stmt_free_result(lock);
    return booked + 1;
}

static void mariadb_sell(struct client *client)
{
    mariadb_run(client, SELL, NULL);
}

static int64_t mariadb_booking(struct client *client, int64_t user_id)
{
    MYSQL_BIND value = bound(&user_id);
    return (int64_t)mysql_stmt_insert_id(mariadb_run(client, BOOKING, &value));
}

static void mariadb_ticket(struct client *client, int64_t number, int64_t booking_id)
{
    MYSQL_BIND values[] = {bound(&number), bound(&booking_id)};
    mariadb_run(client, TICKET, values);
}

static void mariadb_close(struct client *client)
{
    for (int i = 0; i < STATEMENTS; i++)
        mysql_stmt_close(client->prepared[i]);
    mysql_close(client->connection.mariadb);
}

static const struct kind kinds[] = {
    {"postgres", 1, postgres_open, postgres_plain, postgres_lock, postgres_sell, postgres_booking,
     postgres_ticket, postgres_close},
    {"mariadb", 4, mariadb_open, mariadb_plain, mariadb_lock, mariadb_sell, mariadb_booking,
     mariadb_ticket, mariadb_close},
};

/* ---- the clients ---- */

static const struct kind *kind;
static int64_t end_us;

static void book(struct client *client)
{
    kind->plain(client, "BEGIN");
    int64_t number = kind->lock(client);
    kind->sell(client);
    int64_t id = kind->booking(client, rand_r(&client->random) % PEOPLE + 1);
    kind->ticket(client, number, id);
    kind->plain(client, "COMMIT");
}

static void *run(void *data)
{
    struct client *client = data;
    for (int64_t begin_us = now_us(); begin_us < end_us;) {
        book(client);
        int64_t done_us = now_us();
        if (client->count == client->room) {
            client->room = client->room ? client->room * 2 : 1024;
            client->took_us = reallocarray(client->took_us, client->room, sizeof(*client->took_us));
            if (!client->took_us) die("memory", "is not enough");
        }
        client->took_us[client->count++] = done_us - begin_us;
        begin_us = done_us;
    }
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print(struct client *clients, int connections, int64_t took_us)
{
    size_t count = 0, at = 0;
    for (int i = 0; i < connections; i++)
        count += clients[i].count;
    int64_t *all = calloc(count + 1, sizeof(*all));
    if (!all) die("memory", "is not enough");
    for (int i = 0; i < connections; i++) {
        if (clients[i].count) memcpy(all + at, clients[i].took_us, clients[i].count * sizeof(*all));
        at += clients[i].count;
        free(clients[i].took_us);
    }
    qsort(all, count, sizeof(*all), by_size);
    printf("{\"count\": %zu, \"per_second\": %.1f, \"p50_us\": %lld, \"p99_us\": %lld, \"max_us\": "
           "%lld}\n",
           count, (double)count * 1e6 / (double)took_us, (long long)all[count / 2],
           (long long)all[count * 99 / 100], (long long)all[count ? count - 1 : 0]);
    free(all);
}

int main(int argc, char **argv)
{
    static struct client clients[CONNECTIONS_MOST];
    for (size_t i = 0; argc > 3 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(argv[3], kinds[i].name) == 0 && argc == 4 + kinds[i].arguments) kind = &kinds[i];
    int connections = argc > 3 ? atoi(argv[1]) : 0;
    double seconds = argc > 3 ? strtod(argv[2], NULL) : 0;
    if (!kind || connections < 1 || connections > CONNECTIONS_MOST || seconds <= 0)
        die("usage", "CONNECTIONS SECONDS postgres URL | mariadb SOCKET USER PASSWORD DATABASE");
    for (int i = 0; i < connections; i++) {
        clients[i].random = (unsigned)i;
        kind->open(&clients[i], argv + 4);
    }
    int64_t begin_us = now_us();
    end_us = begin_us + (int64_t)(seconds * 1e6);
    for (int i = 0; i < connections; i++)
        if (pthread_create(&clients[i].thread, NULL, run, &clients[i])) die("a thread", "no");
    for (int i = 0; i < connections; i++)
        pthread_join(clients[i].thread, NULL);
    int64_t took_us = now_us() - begin_us;
    for (int i = 0; i < connections; i++)
        kind->close(&clients[i]);
    print(clients, connections, took_us);
    return 0;
}
