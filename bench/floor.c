/* SPDX-License-Identifier: Apache-2.0 */
/* floor -- what this disk can do, and what SQLite makes of it.
 *
 *     floor raw FILE SECONDS        4 KiB written after one another into a file that has its space
 *                                   already, and fdatasync after each
 *     floor commit DATABASE SECONDS one booking a transaction into a store of admit, by SQLite
 * alone: what one connection could reach if all the rest cost nothing
 *
 * Prints JSON. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, BLOCKS = 4096, EVENT = 1, PARAMETERS_MOST = 4 };

static __attribute__((noreturn)) void die(const char *what, const char *why)
{
    fprintf(stderr, "floor: %s: %s\n", what, why);
    exit(1);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void print_rate(long count, double seconds)
{
    printf("{\"count\": %ld, \"per_second\": %.1f}\n", count, (double)count / seconds);
}

static void measure_raw(const char *path, double seconds)
{
    static char block[BLOCK];
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) die(path, "cannot be made");
    /* Written once before: then no run has to give space to the file, only to fill it. */
    for (int i = 0; i < BLOCKS; i++)
        if (write(fd, block, BLOCK) != BLOCK) die(path, "cannot be written");
    if (fsync(fd)) die(path, "fsync");
    double begin = now();
    long count = 0;
    for (; now() < begin + seconds; count++) {
        memcpy(block, &count, sizeof(count));
        if (pwrite(fd, block, BLOCK, count % BLOCKS * (off_t)BLOCK) != BLOCK || fdatasync(fd))
            die(path, "write or fdatasync");
    }
    print_rate(count, now() - begin);
    close(fd);
    unlink(path);
}

/* The same rows that the server writes for one booking, in one transaction. */
static const char *const statements[] = {
    "BEGIN IMMEDIATE",
    "INSERT INTO bookings (id, user_id, event_id, ticket_type_id, quantity, status, unit_price, "
    "paid, "
    "created_at, updated_at, expires_at) VALUES (?1, ?2, 1, 1, 1, 3, 0, 0, ?3, ?3, 0)",
    "INSERT INTO tickets (event_id, number, booking_id, is_booked) VALUES (1, ?4, ?1, 1)",
    "INSERT INTO journal (booking_id, id, event_id, ticket_type_id, from_status, to_status, "
    "quantity, "
    "actor_id, at, reason) VALUES (?1, ?1, 1, 1, 0, 3, 1, ?2, ?3, 'booked')",
    "UPDATE ticket_types SET booked = booked + 1 WHERE id = 1",
    "UPDATE event_counters SET next_number = next_number + 1, ever_booked = 1 WHERE event_id = 1",
    "INSERT INTO sequences (sequence, next) VALUES (2, ?1 + 1) ON CONFLICT (sequence) DO UPDATE "
    "SET next = "
    "excluded.next",
    "INSERT INTO sequences (sequence, next) VALUES (100, ?1 + 1) ON CONFLICT (sequence) DO UPDATE "
    "SET next "
    "= excluded.next",
    "COMMIT",
};
enum { STATEMENTS = sizeof(statements) / sizeof(statements[0]) };

static sqlite3_int64 ask(sqlite3 *database, const char *sql)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        die(sql, sqlite3_errmsg(database));
    sqlite3_int64 value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static void book(sqlite3 *database, sqlite3_stmt **prepared, const sqlite3_int64 *values)
{
    for (int i = 0; i < STATEMENTS; i++) {
        int wanted = sqlite3_bind_parameter_count(prepared[i]);
        for (int k = 0; k < wanted; k++)
            sqlite3_bind_int64(prepared[i], k + 1, values[k]);
        if (sqlite3_step(prepared[i]) != SQLITE_DONE) die(statements[i], sqlite3_errmsg(database));
        sqlite3_reset(prepared[i]);
    }
}

static void measure_commit(const char *path, double seconds)
{
    sqlite3 *database;
    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        die(path, "cannot be opened");
    if (sqlite3_exec(database,
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
                     "PRAGMA foreign_keys = ON; PRAGMA cache_size = -65536",
                     NULL, NULL, NULL) != SQLITE_OK)
        die(path, sqlite3_errmsg(database));
    sqlite3_stmt *prepared[STATEMENTS];
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(database, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &prepared[i],
                               NULL) != SQLITE_OK)
            die(statements[i], sqlite3_errmsg(database));
    sqlite3_int64 id = ask(database, "SELECT coalesce(max(id), 0) FROM bookings");
    sqlite3_int64 number =
        ask(database, "SELECT next_number FROM event_counters WHERE event_id = 1");
    sqlite3_int64 people = ask(database, "SELECT count(*) FROM users");
    double begin = now();
    long count = 0;
    for (; now() < begin + seconds; count++) {
        struct timespec wall;
        clock_gettime(CLOCK_REALTIME, &wall);
        const sqlite3_int64 values[PARAMETERS_MOST] = {
            ++id, count % people + 1, wall.tv_sec * 1000 + wall.tv_nsec / 1000000, number++};
        book(database, prepared, values);
    }
    print_rate(count, now() - begin);
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(prepared[i]);
    sqlite3_close(database);
}

int main(int argc, char **argv)
{
    if (argc != 4) die("floor", "raw|commit FILE SECONDS are wanted");
    double seconds = strtod(argv[3], NULL);
    if (strcmp(argv[1], "raw") == 0)
        measure_raw(argv[2], seconds);
    else if (strcmp(argv[1], "commit") == 0)
        measure_commit(argv[2], seconds);
    else
        die(argv[1], "is neither raw nor commit");
    return 0;
}
