/* SPDX-License-Identifier: Apache-2.0 */
/* What is special to SQLite: the file, its lock and its log, and a check that finds what was
 * planted behind the program's back. What every store promises is in test_contract.c. */
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "store/bucket_filter.h"
#include "store/schema.h"
#include "store/sqlite_statements.h"

/* ---- files ---- */

static const char *file_of(struct box_office *box, const char *name)
{
    return arena_printf(&box->arena, "%s/%s", tested.directory, name).data;
}

static const char *url_of(struct box_office *box, const char *name)
{
    return arena_printf(&box->arena, "sqlite:%s/%s", tested.directory, name).data;
}

static void close_both(struct box_office *box)
{
    store_close(box->writer);
    store_close(box->reader);
    box->writer = box->reader = NULL;
}

static void open_both(struct box_office *box)
{
    box->writer = open_or_fail(box, STORE_WRITE);
    box->reader = open_or_fail(box, STORE_READ);
}

/* Behind the program's back; constraints are not in the way. */
static void raw(const char *path, const char *sql)
{
    sqlite3 *db;
    char *error = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_exec(db, "PRAGMA ignore_check_constraints = ON", NULL, NULL, NULL);
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK) fail_msg("%s: %s", sql, error);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int64_t raw_number(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *rows;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &rows, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(rows), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(rows, 0);
    sqlite3_finalize(rows);
    sqlite3_close(db);
    return number;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static long file_size(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? (long)status.st_size : -1;
}

/* Opening is refused with a sentence that holds all of these words; up to the first NULL. */
static void expect_refusal(struct box_office *box, const char *url, enum store_mode mode,
                           const char *const words[3])
{
    const char *error = NULL;
    struct store *store = store_open(url, mode, mode == STORE_WRITE, &box->arena, &error);
    if (store) fail_msg("%s was opened", url);
    assert_non_null(error);
    for (int i = 0; i < 3 && words[i]; i++)
        if (!strstr(error, words[i])) fail_msg("\"%s\" lacks \"%s\"", error, words[i]);
}

#define EXPECT_REFUSAL(box, url, mode, ...)                                                        \
    expect_refusal((box), (url), (mode), (const char *const[3]){__VA_ARGS__})

/* ---- opening ---- */

static void a_newer_version_is_refused(void **state)
{
    struct box_office *box = *state;
    const char *path = file_of(box, "admit.db");
    close_both(box);
    long version = raw_number(path, "PRAGMA user_version");
    raw(path, "PRAGMA user_version = 1000");
    EXPECT_REFUSAL(box, box->url, STORE_WRITE, path, "newer admit", "1000");
    EXPECT_REFUSAL(box, box->url, STORE_READ, path, "newer admit", "1000");
    assert_int_equal(raw_number(path, "PRAGMA user_version"), 1000);
    raw(path, arena_printf(&box->arena, "PRAGMA user_version = %ld", version).data);
    open_both(box);
}

static void an_older_version_is_for_migrate_only(void **state)
{
    struct box_office *box = *state;
    const char *path = file_of(box, "empty.db"), *url = url_of(box, "empty.db");
    const char *error = NULL;
    write_file(path, "");
    EXPECT_REFUSAL(box, url, STORE_READ, path, "admit migrate");
    assert_null(store_open(url, STORE_WRITE, false, &box->arena, &error));
    assert_non_null(strstr(error, "admit migrate"));

    struct store *store = store_open(url, STORE_WRITE, true, &box->arena, &error);
    assert_non_null(store);
    store_close(store);
    store = store_open(url, STORE_READ, false, &box->arena, &error);
    assert_non_null(store);
    store_close(store);
}

/* A file of the first release: what is in it is found by the ways of today. */
static void a_file_of_the_first_version_is_brought_up_to_date(void **state)
{
    struct box_office *box = *state;
    const char *path = file_of(box, "first.db");
    static const char *const rows =
        "INSERT INTO events VALUES (1, 9, 1, 5000, 0, 0, 0, 1, 1, 1, 'EUR', 'UTC', 'Jazz night', "
        "'jazz night', 'Hall', ''), (2, 9, 1, 4000, 0, 0, 0, 1, 1, 1, 'EUR', 'UTC', 'Jazz brunch', "
        "'jazz brunch', 'Hall', '');"
        "INSERT INTO event_counters VALUES (1, 1, 0), (2, 1, 0);"
        "INSERT INTO event_words VALUES (1, 'jazz', 1), (1, 'night', 1), (2, 'jazz', 1), "
        "(2, 'brunch', 1);"
        "INSERT INTO idempotency VALUES (500000, 7, x'00112233445566778899aabbccddeeff', "
        "x'ffeeddccbbaa99887766554433221100', 201, 1800000000000, x'7b7d')";
    raw(path, sqlite_migrations[0].sql);
    raw(path, rows);
    close_both(box);
    box->url = url_of(box, "first.db");
    open_both(box);

    struct str word = STR("jazz");
    struct event_query query = {.q = {&word, 1}, .status = -1, .limit = 5};
    struct event_list list;
    OK(store_search_events(box->reader, &query, &box->arena, &list));
    assert_int_equal(list.count, 2);
    assert_int_equal(list.items[0]->id, 2);
    assert_int_equal(list.items[1]->id, 1);

    struct replay_key key = {.user_id = 7};
    for (unsigned i = 0; i < 16; i++)
        key.key[i] = (unsigned char)(i * 0x11);
    struct working_set *set = begin(box);
    const struct replay_entry *entry = working_set_want_replay(set, &key);
    OK(store_load(box->writer, set));
    assert_true(entry->found);
    assert_int_equal(entry->answer.status, 201);
    store_abandon(box->writer);
}

static void a_foreign_file_is_refused_and_left_alone(void **state)
{
    struct box_office *box = *state;
    const char *path = file_of(box, "foreign.db"), *url = url_of(box, "foreign.db");
    raw(path, "CREATE TABLE recipes (id INTEGER); INSERT INTO recipes VALUES (7)");
    long size = file_size(path);
    EXPECT_REFUSAL(box, url, STORE_WRITE, path, "another program", "DATABASE_URL");
    EXPECT_REFUSAL(box, url, STORE_READ, path, "another program", "DATABASE_URL");
    assert_int_equal(file_size(path), size);
    assert_int_equal(raw_number(path, "SELECT id FROM recipes"), 7);
    assert_int_equal(raw_number(path, "SELECT count(*) FROM sqlite_schema"), 1);

    path = file_of(box, "letter.txt");
    url = url_of(box, "letter.txt");
    write_file(path, "Dear Sir or Madam, this file is longer than the header of a database, and "
                     "it is none. Yours faithfully.\n");
    size = file_size(path);
    EXPECT_REFUSAL(box, url, STORE_WRITE, path, "not an SQLite database", "DATABASE_URL");
    assert_int_equal(file_size(path), size);
}

static void a_path_that_cannot_be_is_explained(void **state)
{
    struct box_office *box = *state;
    EXPECT_REFUSAL(box, "sqlite:", STORE_WRITE, "sqlite:admit.db");
    EXPECT_REFUSAL(box, "sqlite::memory:", STORE_WRITE, "memory:", "not for admit");
    EXPECT_REFUSAL(box, "sqlite://admit.db", STORE_WRITE, "sqlite:admit.db");
    EXPECT_REFUSAL(box, url_of(box, "."), STORE_WRITE, "is a directory");
    EXPECT_REFUSAL(box, url_of(box, "no/such/admit.db"), STORE_WRITE, tested.directory,
                   "No such file");
    EXPECT_REFUSAL(box, url_of(box, "admit.db/x"), STORE_WRITE, tested.directory,
                   "Not a directory");
    EXPECT_REFUSAL(box, url_of(box, "nothing.db"), STORE_READ, "nothing.db", "admit serve");
    assert_int_equal(file_size(file_of(box, "nothing.db")), -1);
}

static void a_relative_path_is_fine_whatever_it_looks_like(void **state)
{
    struct box_office *box = *state;
    char before[4096];
    const char *error = NULL;
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(tested.directory), 0);
    static const char *const names[] = {"plain.db", "file:odd?mode=memory", ":odd:"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *url = arena_printf(&box->arena, "sqlite:%s", names[i]).data;
        struct store *store = store_open(url, STORE_WRITE, true, &box->arena, &error);
        if (!store) fail_msg("%s: %s", url, error);
        store_close(store);
        assert_true(file_size(names[i]) > 0);
    }
    assert_int_equal(chdir(before), 0);
}

static void nobody_else_may_read_the_file(void **state)
{
    struct box_office *box = *state;
    static const char *const names[] = {"admit.db", "admit.db-wal", "admit.db.lock"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct stat status;
        assert_int_equal(stat(file_of(box, names[i]), &status), 0);
        assert_int_equal(status.st_mode & 077, 0);
    }
}

static void what_may_not_be_written_is_explained(void **state)
{
    struct box_office *box = *state;
    if (geteuid() == 0) skip(); /* nothing is forbidden to root */
    const char *path = file_of(box, "admit.db");
    close_both(box);
    assert_int_equal(chmod(path, 0), 0);
    EXPECT_REFUSAL(box, box->url, STORE_WRITE, path, "must belong to the user");
    assert_int_equal(chmod(path, 0600), 0);
    open_both(box);
}

static void the_second_writer_is_told_who_is_the_first(void **state)
{
    struct box_office *box = *state;
    char pid[32];
    snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
    EXPECT_REFUSAL(box, box->url, STORE_WRITE, "admit.db", pid);
    /* Nor by another name of the file. */
    assert_int_equal(symlink("admit.db", file_of(box, "link.db")), 0);
    EXPECT_REFUSAL(box, url_of(box, "link.db"), STORE_WRITE, "link.db", pid);

    const char *error = NULL;
    struct store *reader =
        store_open(url_of(box, "link.db"), STORE_READ, false, &box->arena, &error);
    assert_non_null(reader);
    OK(store_backup(reader, file_of(box, "copy.db"), &box->arena, &error));
    store_close(reader);

    store_close(box->writer);
    box->writer = open_or_fail(box, STORE_WRITE);
}

static void a_lock_is_gone_with_its_process(void **state)
{
    struct box_office *box = *state;
    close_both(box);
    pid_t child = fork();
    if (child == 0) {
        const char *error;
        if (!store_open(box->url, STORE_WRITE, true, &box->arena, &error)) _exit(1);
        raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    open_both(box);
}

static void migrations_are_applied_once(void **state)
{
    struct box_office *box = *state;
    const char *path = file_of(box, "admit.db");
    uint64_t event_id = NEW_EVENT(box, 10)->id;
    book(box, 1, event_id, 2);
    int64_t schema = raw_number(path, "PRAGMA schema_version");
    for (int i = 0; i < 3; i++) {
        close_both(box);
        open_both(box);
    }
    assert_int_equal(raw_number(path, "PRAGMA schema_version"), schema);
    assert_int_equal(raw_number(path, "PRAGMA user_version"),
                     sqlite_migrations[sqlite_migration_count - 1].version);
    assert_int_equal(raw_number(path, "PRAGMA application_id"), 0x61646d74);
    assert_int_equal(find_event(box, event_id)->types[0].booked, 2);
    expect_sound(box);
}

/* ---- failures ---- */

static void a_reader_writes_nothing(void **state)
{
    struct box_office *box = *state;
    struct str value;
    assert_int_equal(store_setting(box->reader, "colour", STR("red"), &box->arena, &value),
                     STORE_REFUSED);
    assert_true(strlen(store_error(box->reader)) > 10);
    OK(store_setting(box->writer, "colour", STR("red"), &box->arena, &value));
    OK(store_setting(box->reader, "colour", STR("blue"), &box->arena, &value));
    expect_str(value, "red");
}

static void settings_survive_a_kill(void **state)
{
    struct box_office *box = *state;
    struct str value;
    close_both(box);
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        if (child == 0) {
            const char *error;
            struct str secret = i ? STR("second") : ((struct str){"a\0b", 3});
            struct store *store = store_open(box->url, STORE_WRITE, true, &box->arena, &error);
            if (!store || store_setting(store, "secret", secret, &box->arena, &value) != STORE_OK)
                _exit(1);
            raise(SIGKILL);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
    }
    open_both(box);
    OK(store_setting(box->writer, "secret", STR("third"), &box->arena, &value));
    assert_int_equal(value.len, 3);
    assert_memory_equal(value.data, "a\0b", 3);
}

static void a_batch_is_whole_or_nothing_after_a_kill(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 10)->id;
    close_both(box);
    pid_t child = fork();
    if (child == 0) {
        open_both(box);
        book(box, 1, event_id, 2);
        struct command command = booking_command(2, event_id, 0, 3);
        struct result result;
        if (prepare(box, &command, 1) != STORE_OK) _exit(1);
        decide(&box->set, &command, &result);
        raise(SIGKILL); /* decided, not committed */
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    open_both(box);
    assert_int_equal(find_event(box, event_id)->types[0].booked, 2);
    expect_sound(box);
    assert_int_equal(book(box, 3, event_id, 1)->numbers[0], 3);
}

static void a_locked_database_is_busy_and_works_again(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 10)->id;
    sqlite3 *other;
    assert_int_equal(sqlite3_open(file_of(box, "admit.db"), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    struct command command = booking_command(1, event_id, 0, 1);
    struct str value;
    assert_int_equal(prepare(box, &command, 1), STORE_BUSY);
    assert_non_null(strstr(store_error(box->writer), "locked"));
    assert_int_equal(store_setting(box->writer, "x", STR("y"), &box->arena, &value), STORE_BUSY);
    OK(store_ping(box->reader));
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    book(box, 1, event_id, 1);
    expect_sound(box);
}

static void a_full_disk_is_no_success(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 20000)->id;
    book(box, 1, event_id, 1);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = (rlim_t)file_size(file_of(box, "admit.db-wal")) + 20000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct command command = booking_command(2, event_id, 0, 9000);
    struct result result;
    enum store_status status = run(box, &command, 1, &result);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, STORE_DOWN);
    assert_int_equal(find_event(box, event_id)->types[0].booked, 1);

    book(box, 3, event_id, 9000);
    assert_int_equal(find_event(box, event_id)->types[0].booked, 9001);
    expect_sound(box);
}

/* What was decided from rows that somebody else has changed meanwhile is not written. */
static void rows_that_went_missing_refuse_the_batch(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 10)->id;
    struct booking *booking = book(box, 1, event_id, 2);
    raw(file_of(box, "admit.db"), "UPDATE tickets SET booking_id = NULL, is_booked = 0 "
                                  "WHERE number = 1");
    begin(box);
    OK(store_load(box->writer, &box->set));
    struct change *change = working_set_change(&box->set, CHANGE_TICKET_RETURN);
    change->tickets.event_id = event_id;
    change->tickets.booking_id = booking->id;
    change->tickets.number = 1;
    assert_int_equal(commit(box), STORE_REFUSED);
    assert_non_null(strstr(store_error(box->writer), "ticket"));
    book(box, 2, event_id, 1);
}

/* ---- the check ---- */

struct breaches {
    const char *words[3];
    size_t count, matching;
    char first[400];
};

static void note_breach(const char *sentence, void *data)
{
    struct breaches *breaches = data;
    bool matches = true;
    for (int i = 0; i < 3 && breaches->words[i]; i++)
        matches = matches && strstr(sentence, breaches->words[i]);
    breaches->matching += matches;
    if (breaches->count++ == 0) snprintf(breaches->first, sizeof(breaches->first), "%s", sentence);
}

/* Event 1, type 1: 5 places. Bookings 1 (3 tickets) and 2 (2) are confirmed, 3 was cancelled, 4 (2)
 * and 5 (1) wait; ticket 5 was returned and sold again. Event 2 has max_per_user, booking 6 of it.
 */
static void plant_box(struct box_office *box)
{
    uint64_t event_id = NEW_EVENT(box, 6)->id;
    book(box, 1, event_id, 3);
    book(box, 2, event_id, 2);
    book(box, 3, event_id, 1);
    cancel(box, 3);
    book(box, 4, event_id, 2);
    book(box, 5, event_id, 1);
    book(box, 7, NEW_EVENT(box, 10, .max_per_user = 4)->id, 2);
    struct event *event = find_event(box, event_id);
    assert_int_equal(event->types[0].booked, 5);
    assert_int_equal(event->types[0].waiting, 2);
    expect_sound(box);
}

static const struct {
    const char *sql;
    const char *words[3];
} plants[] = {
    /* rule 1 */
    {"UPDATE ticket_types SET capacity = 4 WHERE id = 1",
     {"event 1, ticket type 1", "5 booked and 0 held", "capacity of 4"}},
    {"UPDATE ticket_types SET held = -1 WHERE id = 1", {"ticket type 1", "-1 held"}},
    {"UPDATE ticket_types SET waiting = 4 WHERE id = 1",
     {"event 1, ticket type 1", "4 bookings cannot wait for 3 tickets"}},
    /* counters against bookings and journal */
    {"UPDATE ticket_types SET booked = 6 WHERE id = 1",
     {"event 1, ticket type 1", "counter says 6 tickets booked", "the bookings 5"}},
    {"UPDATE ticket_types SET booked = 6 WHERE id = 1",
     {"event 1, ticket type 1", "counter says 6 tickets booked", "the journal 5"}},
    {"UPDATE ticket_types SET held = 1 WHERE id = 1",
     {"ticket type 1", "counter says 1 tickets held", "the journal 0"}},
    {"UPDATE ticket_types SET waiting = 1 WHERE id = 1",
     {"ticket type 1", "counter says 1 bookings waiting", "the journal 2"}},
    {"UPDATE ticket_types SET wanted = 9 WHERE id = 1",
     {"ticket type 1", "counter says 9 tickets wanted", "the bookings 3"}},
    {"DELETE FROM ticket_types WHERE id = 1", {"event 1, ticket type 1", "no such ticket type"}},
    {"PRAGMA foreign_keys = OFF; DELETE FROM events WHERE id = 1", {"event 1", "no such event"}},
    {"DELETE FROM event_counters WHERE event_id = 1", {"event 1", "no counter"}},
    /* bookings against the journal */
    {"DELETE FROM journal WHERE booking_id = 2",
     {"booking 2 is 2 tickets confirmed", "by the journal 0"}},
    {"DELETE FROM journal WHERE booking_id = 2",
     {"ticket type 1", "counter says 5 tickets booked", "the journal 3"}},
    {"DELETE FROM journal WHERE booking_id = 3", {"booking 3 is not in the journal"}},
    {"UPDATE journal SET quantity = 7 WHERE booking_id = 4",
     {"booking 4 is 2 tickets waiting", "by the journal 7"}},
    {"UPDATE journal SET ticket_type_id = 2 WHERE booking_id = 1",
     {"booking 1", "ticket types 2 to 2"}},
    {"DELETE FROM bookings WHERE id = 5", {"booking 5 is 0 tickets waiting", "by the journal 1"}},
    {"UPDATE bookings SET quantity = 4 WHERE id = 1", {"booking 1", "has 3 tickets", "gives it 4"}},
    {"UPDATE bookings SET status = 4 WHERE id = 1",
     {"booking 1", "has 3 tickets", "(cancelled) gives it 0"}},
    {"UPDATE bookings SET status = 2 WHERE id = 1",
     {"booking 1 is held", "its tickets are booked"}},
    {"UPDATE bookings SET status = 3 WHERE id = 4", {"booking 4", "has 0 tickets", "gives it 2"}},
    /* tickets */
    {"DELETE FROM tickets WHERE event_id = 1 AND number = 6",
     {"event 1", "there are 5 ticket numbers", "all the 6"}},
    {"DELETE FROM tickets WHERE event_id = 1", {"event 1", "there are 0 ticket numbers"}},
    {"UPDATE tickets SET number = 17 WHERE event_id = 1 AND number = 2",
     {"event 1", "number 17 was given out", "to be 7"}},
    {"UPDATE event_counters SET next_number = 9 WHERE event_id = 1",
     {"event 1", "there are 6 ticket numbers", "all the 8"}},
    {"UPDATE tickets SET booking_id = NULL, is_booked = 0 WHERE event_id = 1 AND number = 2",
     {"event 1", "4 tickets belong to bookings", "own 5"}},
    {"UPDATE tickets SET booking_id = 2 WHERE event_id = 1 AND number = 1",
     {"booking 2", "has 3 tickets", "gives it 2"}},
    {"UPDATE tickets SET booking_id = 99 WHERE event_id = 1 AND number = 1",
     {"booking 99", "has 1 tickets", "gives it 0"}},
    {"UPDATE tickets SET is_booked = 0 WHERE event_id = 1 AND number = 1",
     {"booking 1 is confirmed", "its tickets are"}},
    {"UPDATE tickets SET is_booked = 1 WHERE event_id = 1 AND booking_id IS NULL",
     {"event 1", "ticket 6", "booked by nobody"}},
    {"UPDATE tickets SET booking_id = 1 WHERE event_id = 2 AND number = 1",
     {"booking 1", "has tickets of event 2"}},
    /* holders */
    {"UPDATE holders SET quantity = 3", {"event 2", "user 7 is counted with 3", "have 2"}},
    {"DELETE FROM holders", {"event 2", "user 7 is counted with 0", "have 2"}},
    {"INSERT INTO holders VALUES (2, 8, 1)", {"event 2", "user 8 is counted with 1", "have 0"}},
    /* places in the journal */
    {"UPDATE sequences SET next = 2 WHERE sequence = 100",
     {"the journal has a row", "the last one is said to be 1"}},
};

static void the_check_finds_what_was_planted(void **state)
{
    struct box_office *box = *state;
    plant_box(box);
    for (size_t i = 0; i < sizeof(plants) / sizeof(plants[0]); i++) {
        const char *error = NULL, *path = file_of(box, "planted.db");
        OK(store_backup(box->reader, path, &box->arena, &error));
        raw(path, plants[i].sql);
        struct store *store =
            store_open(url_of(box, "planted.db"), STORE_READ, false, &box->arena, &error);
        assert_non_null(store);
        struct breaches breaches = {0};
        memcpy(breaches.words, plants[i].words, sizeof(breaches.words));
        struct check_figures figures;
        OK(store_check(store, &figures, note_breach, &breaches));
        store_close(store);
        assert_int_equal(figures.breaches, breaches.count);
        if (!breaches.matching)
            fail_msg("%s: %zu breaches, but not that; the first is \"%s\"", plants[i].sql,
                     breaches.count, breaches.first);
        assert_int_equal(unlink(path), 0);
    }
    expect_sound(box);
}

/* ---- while somebody writes ---- */

struct busy_writer {
    struct box_office *box;
    uint64_t event_id;
    atomic_bool stop;
    size_t batches;
};

static void *write_busily(void *data)
{
    struct busy_writer *writer = data;
    /* An arena and a batch of its own: the test goes on using the box's. */
    struct box_office box = {.writer = writer->box->writer, .now = NOW};
    box.keep_cancelled_ms = DAY;
    struct command commands[32];
    struct result results[32];
    while (!atomic_load(&writer->stop)) {
        for (int i = 0; i < 32; i++)
            commands[i] = booking_command((uint64_t)(1 + i * 7 % 50), writer->event_id, 0,
                                          (uint32_t)(1 + i % 3));
        if (run(&box, commands, 32, results) != STORE_OK) break;
        store_tidy(box.writer);
        writer->batches++;
        arena_reset(&box.arena);
    }
    arena_free(&box.arena);
    return NULL;
}

static void a_backup_is_one_state_while_somebody_writes(void **state)
{
    struct box_office *box = *state;
    struct busy_writer writer = {.box = box, .event_id = NEW_EVENT(box, 1000000)->id};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_busily, &writer), 0);
    uint64_t before = 0;
    for (int i = 0; i < 10; i++) {
        const char *error = NULL, *path = file_of(box, "copy.db");
        usleep(20000);
        if (store_backup(box->reader, path, &box->arena, &error) != STORE_OK) fail_msg("%s", error);
        assert_int_equal(file_size(file_of(box, "copy.db.part")), -1);
        struct store *store =
            store_open(url_of(box, "copy.db"), STORE_READ, false, &box->arena, &error);
        assert_non_null(store);
        struct check_figures figures;
        OK(store_check(store, &figures, print_breach, NULL));
        store_close(store);
        assert_int_equal(figures.breaches, 0);
        assert_true(figures.bookings >= before);
        assert_int_equal(figures.bookings % 32, 0);
        before = figures.bookings;
        assert_int_equal(unlink(path), 0);
    }
    atomic_store(&writer.stop, true);
    pthread_join(thread, NULL);
    assert_true(before > 0);
    assert_true(writer.batches * 32 >= before);
    expect_sound(box);
}

static void a_backup_replaces_nothing_and_leaves_nothing(void **state)
{
    struct box_office *box = *state;
    const char *error = NULL, *path = file_of(box, "precious");
    write_file(path, "precious");
    assert_int_equal(store_backup(box->reader, path, &box->arena, &error), STORE_REFUSED);
    assert_non_null(strstr(error, path));
    assert_int_equal(file_size(path), 8);
    assert_int_equal(file_size(file_of(box, "precious.part")), -1);

    path = file_of(box, "no/such/place");
    assert_int_equal(store_backup(box->reader, path, &box->arena, &error), STORE_DOWN);
    assert_non_null(strstr(error, path));

    /* Not enough room: the limit is on the size of a file here. */
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 30000;
    signal(SIGXFSZ, SIG_IGN);
    path = file_of(box, "copy.db");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum store_status status = store_backup(box->reader, path, &box->arena, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, STORE_DOWN);
    assert_int_equal(file_size(path), -1);
    assert_int_equal(file_size(file_of(box, "copy.db.part")), -1);
    OK(store_backup(box->reader, path, &box->arena, &error));
}

/* 'batches' of 50 tickets and as many journal rows. */
static void write_batches(struct box_office *box, uint64_t event_id, int batches)
{
    for (int i = 0; i < batches; i++) {
        struct command commands[50];
        struct result results[50];
        for (int j = 0; j < 50; j++)
            commands[j] =
                booking_command((uint64_t)(1 + (i * 50 + j) * 7919 % 100003), event_id, 0, 1);
        OK(run(box, commands, 50, results));
        store_tidy(box->writer);
    }
}

static void the_log_does_not_grow_without_end(void **state)
{
    struct box_office *box = *state;
    const char *wal = file_of(box, "admit.db-wal");
    uint64_t event_id = NEW_EVENT(box, 1000000)->id;
    write_batches(box, event_id, 500);
    long size = file_size(wal);
    assert_in_range(size, 1, 8 << 20);

    /* A reader that stays where it is keeps the log from beginning anew, but not the writer. */
    sqlite3 *reader;
    assert_int_equal(sqlite3_open(file_of(box, "admit.db"), &reader), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM bookings", NULL, NULL, NULL),
                     SQLITE_OK);
    write_batches(box, event_id, 1000);
    long long_size = file_size(wal);
    assert_true(long_size > size);
    sqlite3_close(reader);
    write_batches(box, event_id, 1000);
    assert_in_range(file_size(wal), 1, long_size + (8 << 20));
    expect_sound(box);
}

/* ---- histories ---- */

enum { HISTORY_BUCKETS = 200, HISTORY_EVERY = 40, SOMEBODY = 7 };

/* The buckets of the bookings that somebody is shown, the newest first. */
static size_t history_of(struct box_office *box, uint64_t user_id, int64_t *ret_buckets)
{
    struct booking_query query = {.user_id = user_id, .status = -1, .limit = HISTORY_BUCKETS};
    struct booking_list list;
    OK(store_list_bookings(box->reader, &query, &box->arena, &list));
    for (size_t i = 0; i < list.count; i++) {
        assert_int_equal(list.items[i]->row.user_id, user_id);
        ret_buckets[i] = (int64_t)(list.items[i]->row.id / 8192);
    }
    return list.count;
}

/* A history is the same before the buckets are described, meanwhile and afterwards, and after it
 * few are left to look into. */
static void a_long_history_is_found_through_few_buckets(void **state)
{
    struct box_office *box = *state;
    const struct event *event = NEW_EVENT(box, 1000);
    const char *path = file_of(box, "admit.db");
    raw(path,
        arena_printf(&box->arena,
                     "INSERT INTO users (id, name, password_hash, role, created_at, erased_at) "
                     "VALUES (%d, 'Somebody', '', 0, 1, 0), (8, 'Another', '', 0, 1, 0);"
                     "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n "
                     "WHERE i < %d) INSERT INTO bookings SELECT 8192 * i + 5, "
                     "iif(i %% %d = 3, %d, 8), %ju, %ju, 1, 3, 0, 0, 1, 1, 0 FROM n",
                     SOMEBODY, HISTORY_BUCKETS - 1, HISTORY_EVERY, SOMEBODY, (uintmax_t)event->id,
                     (uintmax_t)event->types[0].id)
            .data);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    struct bucket_filter *filter = bucket_filter_open(status.st_dev, status.st_ino);
    int64_t seen[HISTORY_BUCKETS] = {0}, unknown;
    do {
        unknown = bucket_filter_unknown(filter, 0, HISTORY_BUCKETS - 2);
        assert_int_equal(history_of(box, SOMEBODY, seen), HISTORY_BUCKETS / HISTORY_EVERY);
        for (int i = 0; i < HISTORY_BUCKETS / HISTORY_EVERY; i++)
            assert_int_equal(seen[i], 163 - HISTORY_EVERY * i);
        assert_int_equal(history_of(box, 8, seen),
                         HISTORY_BUCKETS - HISTORY_BUCKETS / HISTORY_EVERY);
    } while (bucket_filter_unknown(filter, 0, HISTORY_BUCKETS - 2) < unknown);

    /* Until a walk is short enough; the newest bucket may still grow. */
    size_t left = 0;
    for (int64_t at = HISTORY_BUCKETS - 1; (at = bucket_filter_next(filter, 0, at, SOMEBODY)) >= 0;
         at--)
        left++;
    assert_in_range(left, 1 + HISTORY_BUCKETS / HISTORY_EVERY, 32);
    assert_int_equal(bucket_filter_unknown(filter, 0, HISTORY_BUCKETS - 1), HISTORY_BUCKETS - 1);
    bucket_filter_close(filter);
    raw(path,
        arena_printf(
            &box->arena,
            "INSERT INTO bookings VALUES (8192 * %d + 9, %d, %ju, %ju, 1, 3, 0, 0, 1, 1, 0)",
            HISTORY_BUCKETS - 1, SOMEBODY, (uintmax_t)event->id, (uintmax_t)event->types[0].id)
            .data);
    assert_int_equal(history_of(box, SOMEBODY, seen), 1 + HISTORY_BUCKETS / HISTORY_EVERY);
    assert_int_equal(seen[0], HISTORY_BUCKETS - 1);
}

/* ---- statements ---- */

static const char *plan_of(struct box_office *box, sqlite3 *db, const char *text)
{
    sqlite3_stmt *rows;
    const char *plan = "";
    text = arena_printf(&box->arena, "EXPLAIN QUERY PLAN %s", text).data;
    if (sqlite3_prepare_v2(db, text, -1, &rows, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    while (sqlite3_step(rows) == SQLITE_ROW)
        plan = arena_printf(&box->arena, "%s%s\n", plan, sqlite3_column_text(rows, 3)).data;
    sqlite3_finalize(rows);
    return plan;
}

/* "SCAN 16 CONSTANT ROWS" */
static bool is_rows_of_statement(const char *plan)
{
    const char *number = plan + strlen("SCAN ");
    size_t digits = strspn(number, "0123456789");
    return digits && strncmp(number + digits, " CONSTANT ROWS", strlen(" CONSTANT ROWS")) == 0;
}

/* What a batch or a page runs finds its rows by a key, and in the order that is wanted. */
static void no_statement_scans_a_table_that_grows(void **state)
{
    struct box_office *box = *state;
    static const struct {
        const char *name, *text;
    } statements[] = {
#define X(name, text) {#name, text},
        SQLITE_LOAD_STATEMENTS(X) SQLITE_COMMIT_STATEMENTS(X) SQLITE_READ_STATEMENTS(X)
            SQLITE_SEARCH_STATEMENTS(X)
#undef X
    };
    /* At the start of the program only; what is sorted is a handful, or a whole event. */
    static const char *const may_scan[] = {"REVOCATIONS"};
    static const char *const may_sort[] = {"NEWEST",
                                           "FEED", /* a bucket */
                                           "FEED_OF_EVENTS",
                                           "HOLDERS_FILL",
                                           "BOOKINGS_OF_USERS",
                                           "PRIVILEGED",
                                           "SEARCH_DAY_EARLIER",
                                           "SEARCH_ORGANIZER_EARLIER",
                                           "SEARCH_WORD_EARLIER",
                                           "SEARCH_WORDS_EARLIER"};
    sqlite3 *db;
    assert_int_equal(sqlite3_open(file_of(box, "admit.db"), &db), SQLITE_OK);
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        const char *plan = plan_of(box, db, statements[i].text);
        bool scans = false, sorts = strstr(plan, "TEMP B-TREE");
        for (const char *at = plan; (at = strstr(at, "SCAN ")); at++)
            scans = scans ||
                    !(strstr(at, "SCAN w VIRTUAL") == at || strstr(at, "SCAN json_each") == at ||
                      strstr(at, "SCAN (subquery") == at || strstr(at, "SCAN CONSTANT ROW") == at ||
                      is_rows_of_statement(at) || strstr(at, "SCAN f\n") == at); /* a found page */
        for (size_t j = 0; j < sizeof(may_scan) / sizeof(may_scan[0]); j++)
            scans = scans && strcmp(statements[i].name, may_scan[j]) != 0;
        for (size_t j = 0; j < sizeof(may_sort) / sizeof(may_sort[0]); j++)
            sorts = sorts && strcmp(statements[i].name, may_sort[j]) != 0;
        if (scans || sorts) fail_msg("%s:\n%s", statements[i].name, plan);
    }
    sqlite3_close(db);
}

/* Both ways of searching (sqlite_search.c) must find the same, whichever a count chooses. */
/* Does a word of the text begin with the word? */
static bool begins_one(const char *text, const char *word)
{
    for (const char *at = text; at; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, word, strlen(word)) == 0) return true;
    }
    return false;
}

static void many_and_few_matches_are_paged_alike(void **state)
{
    struct box_office *box = *state;
    enum { EVENTS = 1300 };
    static const char *names[EVENTS + 1];
    for (int i = 0; i < EVENTS; i++) {
        names[i + 1] = arena_printf(&box->arena, "jazz %s %s %d", i % 100 ? "night" : "brunch",
                                    i % 13 % 2 ? "odd"
                                    : i % 7    ? "even"
                                               : "evening",
                                    i * 7919 % EVENTS)
                           .data;
        NEW_EVENT(box, 10, .name = str_of(names[i + 1]), .organizer_id = (uint64_t)(1 + i % 3),
                  .starts_at = i % 10 ? NOW + DAY * (1 + i * 31 % 40) : 0);
    }
    /* One word, two that are walked together, beginnings of several, and what there is not. */
    static const char *const searches[][3] = {
        {"jazz"},         {"brunch"},         {"nig"},       {"jazz", "brunch"},
        {"odd", "night"}, {"evening", "odd"}, {"eve"},       {"eve", "night"},
        {"1", "even"},    {"12", "jazz"},     {"1299"},      {"night", "odd", "jazz"},
        {"jazz", "tuba"}, {"eve", "1", "ja"}, {"odd", "eve"}};
    for (size_t i = 0; i < sizeof(searches) / sizeof(searches[0]) * 3; i++) {
        const char *const *wanted = searches[i / 3];
        struct str items[3];
        struct event_query query = {.q = {items, 0}, .status = -1, .limit = 37};
        query.sort = (enum event_sort)(i % 3);
        for (; query.q.count < 3 && wanted[query.q.count]; query.q.count++)
            items[query.q.count] = str_of(wanted[query.q.count]);
        size_t expected = 0, found = 0;
        for (int id = 1; id <= EVENTS; id++) {
            size_t has = 0;
            for (size_t j = 0; j < query.q.count; j++)
                has += begins_one(names[id], wanted[j]);
            expected += has == query.q.count;
        }
        char *seen = ARENA_ARRAY(&box->arena, char, EVENTS + 1);
        for (struct event_list list = {.count = 37}; list.count == query.limit;) {
            OK(store_search_events(box->reader, &query, &box->arena, &list));
            for (size_t j = 0; j < list.count; j++, found++) {
                const struct event *event = list.items[j];
                assert_false(seen[event->id]++);
                for (size_t k = 0; k < query.q.count; k++)
                    assert_true(begins_one(names[event->id], wanted[k]));
                query.after = (struct page_after){true, event->id, event->starts_at,
                                                  text_fold(&box->arena, event->name)};
            }
        }
        assert_int_equal(found, expected);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        STORE_TEST(a_newer_version_is_refused),
        STORE_TEST(an_older_version_is_for_migrate_only),
        STORE_TEST(a_file_of_the_first_version_is_brought_up_to_date),
        STORE_TEST(a_foreign_file_is_refused_and_left_alone),
        STORE_TEST(a_path_that_cannot_be_is_explained),
        STORE_TEST(a_relative_path_is_fine_whatever_it_looks_like),
        STORE_TEST(nobody_else_may_read_the_file),
        STORE_TEST(what_may_not_be_written_is_explained),
        STORE_TEST(the_second_writer_is_told_who_is_the_first),
        STORE_TEST(a_lock_is_gone_with_its_process),
        STORE_TEST(migrations_are_applied_once),
        STORE_TEST(a_reader_writes_nothing),
        STORE_TEST(settings_survive_a_kill),
        STORE_TEST(a_batch_is_whole_or_nothing_after_a_kill),
        STORE_TEST(a_locked_database_is_busy_and_works_again),
        STORE_TEST(a_full_disk_is_no_success),
        STORE_TEST(rows_that_went_missing_refuse_the_batch),
        STORE_TEST(the_check_finds_what_was_planted),
        STORE_TEST(a_backup_is_one_state_while_somebody_writes),
        STORE_TEST(a_backup_replaces_nothing_and_leaves_nothing),
        STORE_TEST(the_log_does_not_grow_without_end),
        STORE_TEST(a_long_history_is_found_through_few_buckets),
        STORE_TEST(no_statement_scans_a_table_that_grows),
        STORE_TEST(many_and_few_matches_are_paged_alike),
    };
    kind_named("sqlite");
    return _cmocka_run_group_tests("sqlite", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
