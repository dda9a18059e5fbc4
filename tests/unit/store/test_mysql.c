/* SPDX-License-Identifier: Apache-2.0 */
/* What is the MariaDB driver's own: URLs, opening and what can be wrong with it, migrations that
 * were interrupted, connections that are lost, rows where the server takes no arrays. What it has
 * in common with other stores is in test_contract.c and test_contract_read.c. */
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include "base/log.h"
#include "store/bulk.h"
#include "store/schema.h"
#include "testing.h"

/* ---- URLs ---- */

static struct maria_url parsed(struct arena *arena, const char *rest)
{
    struct maria_url url;
    const char *error = NULL;
    if (!maria_url_parse(rest, arena, &url, &error)) fail_msg("%s: %s", rest, error);
    return url;
}

static void a_url_is_taken_apart(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct maria_url url = parsed(&arena, "//ana:s%40c%3a%2f%25@db.example.org:3307/tickets");
    assert_string_equal(url.hosts[0].name, "db.example.org");
    assert_string_equal(url.user, "ana");
    assert_string_equal(url.password, "s@c:/%");
    assert_string_equal(url.database, "tickets");
    assert_int_equal(url.hosts[0].port, 3307);
    assert_int_equal(url.tls, TLS_PREFERRED);
    assert_null(url.socket);
    assert_true(url.arrays);

    url =
        parsed(&arena, "//ana@[::1]/t?ssl-mode=VERIFY_IDENTITY&ssl-ca=/etc/ca%20s.pem&arrays=off");
    assert_string_equal(url.hosts[0].name, "::1");
    assert_string_equal(url.password, "");
    assert_int_equal(url.hosts[0].port, 3306);
    assert_int_equal(url.tls, TLS_VERIFY_IDENTITY);
    assert_string_equal(url.ca, "/etc/ca s.pem");
    assert_false(url.arrays);

    url = parsed(&arena, "//ana:a,b@db1.example.org:3307,db2.example.org,[::1]:3308/t");
    assert_string_equal(url.password, "a,b");
    assert_int_equal(url.host_count, 3);
    assert_string_equal(url.hosts[0].name, "db1.example.org");
    assert_int_equal(url.hosts[0].port, 3307);
    assert_string_equal(url.hosts[1].name, "db2.example.org");
    assert_int_equal(url.hosts[1].port, 3306);
    assert_string_equal(url.hosts[2].name, "::1");
    assert_int_equal(url.hosts[2].port, 3308);

    assert_int_equal(parsed(&arena, "//ana@h/t?ssl-ca=ca.pem").tls, TLS_VERIFY_IDENTITY);
    assert_int_equal(parsed(&arena, "//ana@h/t?ssl-ca=ca.pem&ssl-mode=required").tls, TLS_REQUIRED);

    url = parsed(&arena, "//ana:a@b@/t?socket=/run/mysqld/mysqld.sock&ssl-mode=disabled");
    assert_string_equal(url.password, "a@b");
    assert_string_equal(url.hosts[0].name, "127.0.0.1");
    assert_string_equal(url.socket, "/run/mysqld/mysqld.sock");
    arena_free(&arena);
}

static void a_url_that_makes_no_sense_is_explained(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"", "mysql://user"},
        {"tickets", "mysql://user"},
        {"//ana:secret@h", "no database"},
        {"//ana:secret@h/", "no database"},
        {"//ana:secret@h/a/b", "no database"},
        {"//h/tickets", "no user"},
        {"//ana:secret@h:port/t", "from 1 to 65535"},
        {"//ana:secret@h:70000/t", "from 1 to 65535"},
        {"//ana:secret@h,g:0/t", "from 1 to 65535"},
        {"//ana:secret@1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17/t", "more than 16 hosts"},
        {"//ana:secret%@h/t", "in the password"},
        {"//ana:secret%4@h/t", "in the password"},
        {"//ana:secret%00@h/t", "in the password"},
        {"//ana:secret@[::1/t", "no ]"},
        {"//ana:secret@h/t?ssl-mode=maybe", "ssl-mode must be"},
        {"//ana:secret@h/t?arrays=maybe", "on or off"},
        {"//ana:secret@h/t?timeout=1", "\"timeout\""},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct arena arena = {0};
        char url[200];
        const char *error = NULL;
        snprintf(url, sizeof(url), "mysql:%s", wrong[i][0]);
        assert_null(store_open(url, STORE_WRITE, true, &arena, &error));
        if (!strstr(error, wrong[i][1])) fail_msg("%s: %s", url, error);
        assert_non_null(strstr(error, "DATABASE_URL"));
        assert_null(strstr(error, "secret"));
        arena_free(&arena);
    }
}

/* ---- opening ---- */

static void server_do(const char *format, ...)
{
    char text[1000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    mysql_statement(kind_server(), text);
}

/* Without its scheme. */
static struct maria_url place_of(struct box_office *box)
{
    return parsed(&box->arena, strchr(box->url, ':') + 1);
}

static const char *url_with(struct box_office *box, const char *user, const char *password,
                            const char *database)
{
    struct maria_url url = place_of(box);
    return arena_printf(&box->arena, "mysql://%s:%s@%s:%u/%s", user, password, url.hosts[0].name,
                        url.hosts[0].port, database)
        .data;
}

/* The error names each of the words. */
#define EXPECT_REFUSAL(box, url, mode, migrate, ...)                                               \
    expect_refusal((box), (url), (mode), (migrate), (const char *const[]){__VA_ARGS__, NULL})

static void expect_refusal(struct box_office *box, const char *url, enum store_mode mode,
                           bool migrate, const char *const *words)
{
    const char *error = NULL;
    struct store *store = store_open(url, mode, migrate, &box->arena, &error);
    if (store) fail_msg("it opens %s", url);
    for (; *words; words++)
        if (!strstr(error, *words)) fail_msg("\"%s\" is not in: %s", *words, error);
    assert_null(strstr(error, "pass+word"));
}

static void who_may_not_come_in_is_told_so(void **state)
{
    struct box_office *box = *state;
    const char *database = place_of(box).database;
    EXPECT_REFUSAL(box, url_with(box, "nobody", "pass+word", database), STORE_WRITE, true, "nobody",
                   "password in DATABASE_URL");
    struct maria_url url = place_of(box);
    const char *root = url_with(box, url.user, "only%20for%20tests", "no_such_database");
    EXPECT_REFUSAL(box, root, STORE_WRITE, true, "no database no_such_database", "CREATE DATABASE");
    EXPECT_REFUSAL(box, "mysql://u:pass+word@127.0.0.1:1/t", STORE_WRITE, true, "127.0.0.1:1",
                   "cannot be reached", "DATABASE_URL");
    EXPECT_REFUSAL(box, "mysql://u:pass+word@no-such-host.invalid/t", STORE_WRITE, true,
                   "no-such-host.invalid", "cannot be reached");
    EXPECT_REFUSAL(box, "mysql://u:pass+word@127.0.0.1:1,127.0.0.1:2/t", STORE_WRITE, true,
                   "127.0.0.1:1, 127.0.0.1:2 cannot be reached");
    EXPECT_REFUSAL(box, "mysql://u:pass+word@h/t?socket=/no/such.sock", STORE_READ, false,
                   "/no/such.sock", "cannot be reached");
}

static void what_a_user_may_not_do_is_named(void **state)
{
    struct box_office *box = *state;
    const char *database = place_of(box).database;
    char user[40];
    snprintf(user, sizeof(user), "weak%d", (int)getpid());
    server_do("CREATE USER %s@'%%' IDENTIFIED BY 'pass+word'", user);
    const char *url = url_with(box, user, "pass%2Bword", database);
    EXPECT_REFUSAL(box, url, STORE_WRITE, true, user, database, "GRANT ALL");
    server_do("GRANT SELECT ON %s.* TO %s@'%%'", database, user);
    EXPECT_REFUSAL(box, url, STORE_WRITE, true, user, "lacks rights", "GRANT ALL");
    const char *error = NULL;
    struct store *reader = store_open(url, STORE_READ, false, &box->arena, &error);
    if (!reader) fail_msg("%s", error); /* it may read */
    store_close(reader);

    server_do("GRANT ALL ON %s.* TO %s@'%%'", database, user);
    server_do("SET GLOBAL read_only = 1");
    const char *refused = NULL;
    struct store *writer = store_open(url, STORE_WRITE, true, &box->arena, &refused);
    server_do("SET GLOBAL read_only = 0");
    assert_null(writer);
    assert_non_null(strstr(refused, "read-only"));
    server_do("DROP USER %s@'%%'", user);
}

static void a_schema_that_is_not_ours_is_refused(void **state)
{
    struct box_office *box = *state;
    const char *database = place_of(box).database;
    EXPECT_REFUSAL(box, arena_printf(&box->arena, "%s-not", box->url).data, STORE_READ, false,
                   "no database");
    server_do("UPDATE %s.admit_version SET version = 99", database);
    EXPECT_REFUSAL(box, box->url, STORE_WRITE, true, database, "newer admit", "99");
    EXPECT_REFUSAL(box, box->url, STORE_READ, false, database, "newer admit", "99");
    server_do("UPDATE %s.admit_version SET version = 0, done = 3", database);
    EXPECT_REFUSAL(box, box->url, STORE_WRITE, false, database, "admit migrate");
    EXPECT_REFUSAL(box, box->url, STORE_READ, false, database, "admit migrate");
    server_do("DROP TABLE %s.admit_version", database);
    EXPECT_REFUSAL(box, box->url, STORE_WRITE, true, database, "another program");
    char url[URL_SIZE];
    database_make(url, "empty");
    EXPECT_REFUSAL(box, url, STORE_READ, false, "is empty", "admit migrate");
    EXPECT_REFUSAL(box, url, STORE_WRITE, false, "is empty", "admit migrate");
}

/* ---- a server of an older time: greets, and lets everybody in ---- */

struct old_server {
    int file;
    const char *version;
};

static void send_packet(int file, unsigned char number, const void *data, size_t len)
{
    unsigned char packet[200] = {(unsigned char)len, 0, 0, number};
    memcpy(packet + 4, data, len);
    assert_int_equal(send(file, packet, len + 4, MSG_NOSIGNAL), (ssize_t)len + 4);
}

static void *serve_as_of_old(void *data)
{
    const struct old_server *server = data;
    static const char ok[] = {0, 0, 0, 2, 0, 0, 0};
    int file = accept(server->file, NULL, NULL);
    char greeting[160] = {10}, answer[1000];
    size_t len = 1 + strlen(server->version) + 1;
    memcpy(greeting + 1, server->version, len - 1);
    memcpy(greeting + len, "\1\0\0\0abcdefgh\0\xff\xf7\x2d\2\0\x0f\x80\x15", 21);
    len += 21 + 10;
    memcpy(greeting + len, "ijklmnopqrst\0mysql_native_password", 35);
    send_packet(file, 0, greeting, len + 35);
    for (unsigned char number = 2; recv(file, answer, sizeof(answer), 0) > 0; number = 1)
        send_packet(file, number, ok, sizeof(ok));
    close(file);
    return NULL;
}

static void a_server_that_is_too_old_is_refused(void **state)
{
    struct box_office *box = *state;
    static const char *const versions[][2] = {
        {"5.5.5-10.5.29-MariaDB-0+deb11u1", "MariaDB 10.5.29"}, {"8.0.18", "MySQL 8.0.18"}};
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof(address);
        struct old_server server = {socket(AF_INET, SOCK_STREAM, 0), versions[i][0]};
        assert_int_equal(bind(server.file, (struct sockaddr *)&address, size), 0);
        assert_int_equal(listen(server.file, 1), 0);
        assert_int_equal(getsockname(server.file, (struct sockaddr *)&address, &size), 0);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, serve_as_of_old, &server), 0);
        const char *url =
            arena_printf(&box->arena, "mysql://u:p@127.0.0.1:%u/t", ntohs(address.sin_port)).data;
        EXPECT_REFUSAL(box, url, STORE_WRITE, true, versions[i][1], "too old", "MariaDB 10.6");
        pthread_join(thread, NULL);
        close(server.file);
    }
}

/* ---- what the operator should know ---- */

static void settings_that_lose_bookings_are_warned_of(void **state)
{
    (void)state;
    char url[URL_SIZE], path[] = "/tmp/admit-log-XXXXXX", text[4000] = "";
    struct arena arena = {0};
    int file = mkstemp(path);
    database_make(url, "warned");
    server_do("SET GLOBAL innodb_flush_log_at_trx_commit = 2");
    assert_true(log_start(LOG_INFO, LOG_JSON, path));
    const char *error = NULL;
    store_close(store_open(url, STORE_WRITE, true, &arena, &error));
    log_stop();
    server_do("SET GLOBAL innodb_flush_log_at_trx_commit = 0");
    assert_true(read(file, text, sizeof(text) - 1) > 0);
    close(file);
    unlink(path);
    assert_non_null(strstr(text, "\"setting\":\"innodb_flush_log_at_trx_commit\",\"value\":\"2\""));
    assert_non_null(strstr(text, "innodb_doublewrite")); /* off, as nobody cuts power of a test */
    assert_null(strstr(text, "sync_binlog"));            /* there is no log */
    arena_free(&arena);
    databases_remove();
}

/* ---- migrations ---- */

/* The first 'count' statements of the schema, and what is noted of them. */
static void begin_migration(const char *database, int count, int noted)
{
    server_do("CREATE TABLE %s.admit_version (id TINYINT NOT NULL PRIMARY KEY, "
              "version INT NOT NULL, done INT NOT NULL)",
              database);
    const char *at = mysql_migrations[0].sql;
    struct buf text = {0};
    buf_printf(&text, "USE %s;", database);
    for (int i = 0; i < count; i++) {
        const char *end = strstr(at, ";\n") + 2;
        buf_add(&text, at, (size_t)(end - at));
        at = end;
    }
    buf_add_char(&text, '\0');
    mysql_statement(kind_server(), text.data);
    server_do("INSERT INTO %s.admit_version VALUES (1, 0, %d)", database, noted);
    buf_free(&text);
}

static void a_migration_that_was_interrupted_goes_on(void **state)
{
    struct box_office *box = *state;
    static const int counts[][2] = {{1, 0}, {1, 1}, {5, 4}, {5, 5}};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        char url[URL_SIZE];
        database_make(url, "halfway");
        begin_migration(parsed(&box->arena, strchr(url, ':') + 1).database, counts[i][0],
                        counts[i][1]);
        struct box_office other;
        box_open(&other, url);
        book(&other, 1, NEW_EVENT(&other, 3)->id, 2);
        expect_sound(&other);
        box_close(&other);
    }
}

/* What is there and was not noted as done is taken for done once, not again and again. */
static void a_migration_does_not_pass_over_what_it_did_not_do(void **state)
{
    struct box_office *box = *state;
    char url[URL_SIZE];
    database_make(url, "foreign");
    begin_migration(parsed(&box->arena, strchr(url, ':') + 1).database, 5, 3);
    EXPECT_REFUSAL(box, url, STORE_WRITE, true, "already exists");
}

static void *open_it(void *data)
{
    struct arena arena = {0};
    const char *error = "";
    struct store *store = store_open(data, STORE_WRITE, true, &arena, &error);
    if (!store) print_message("%s\n", error);
    store_close(store);
    arena_free(&arena);
    return store;
}

static void several_migrate_at_once(void **state)
{
    (void)state;
    enum { PROCESSES = 4 };
    char url[URL_SIZE];
    database_make(url, "at_once");
    pthread_t threads[PROCESSES];
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_it, url), 0);
    for (int i = 0; i < PROCESSES; i++) {
        void *opened;
        pthread_join(threads[i], &opened);
        assert_non_null(opened);
    }
}

/* ---- connections ---- */

/* Ends every connection to this database. */
static void cut(struct box_office *box)
{
    const char *database = place_of(box).database;
    struct maria_url url = parsed(&box->arena, strchr(kind_server(), ':') + 1);
    MYSQL *db = mysql_init(NULL);
    assert_non_null(mysql_real_connect(db, url.hosts[0].name, url.user, url.password, NULL,
                                       url.hosts[0].port, NULL, 0));
    char text[200];
    snprintf(text, sizeof(text), "SELECT id FROM information_schema.processlist WHERE db = '%s'",
             database);
    assert_int_equal(mysql_query(db, text), 0);
    MYSQL_RES *rows = mysql_store_result(db);
    for (MYSQL_ROW row; (row = mysql_fetch_row(rows));) {
        snprintf(text, sizeof(text), "KILL CONNECTION %s", row[0]);
        mysql_query(db, text);
    }
    mysql_free_result(rows);
    mysql_close(db);
}

static void a_connection_that_was_lost_between_batches_is_set_up_again(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 10)->id;
    for (int i = 0; i < 3; i++) {
        cut(box);
        book(box, 1, event_id, 1);
        cut(box);
        assert_int_equal(find_event(box, event_id)->types[0].booked, i + 1);
    }
    expect_sound(box);
}

static void a_batch_whose_connection_is_lost_is_not_written(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 10)->id;
    struct command command = booking_command(1, event_id, 0, 1);
    struct result result;
    OK(prepare(box, &command, 1));
    decide(&box->set, &command, &result);
    cut(box);
    assert_int_equal(commit(box), STORE_DOWN);
    assert_true(strlen(store_error(box->writer)) > 10);
    assert_int_equal(find_event(box, event_id)->types[0].booked, 0);
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL); /* not all at once */
    book(box, 1, event_id, 1);
    assert_int_equal(find_event(box, event_id)->types[0].booked, 1);
    expect_sound(box);
}

static void it_is_known_whether_a_batch_was_committed(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 1)->id;
    bool committed = false;
    OK(store_was_committed(box->writer, &committed));
    assert_true(committed);
    cut(box);
    OK(store_was_committed(box->writer, &committed));
    assert_true(committed);

    struct command command = booking_command(1, event_id, 0, 1);
    struct result result;
    OK(prepare(box, &command, 1));
    decide(&box->set, &command, &result);
    working_set_event(&box->set, event_id)->types[0]->row.booked = 2;
    assert_int_equal(commit(box), STORE_REFUSED);
    OK(store_was_committed(box->writer, &committed));
    assert_false(committed);
}

/* ---- two writers ---- */

static void who_finds_an_event_locked_waits_for_it(void **state)
{
    struct box_office *box = *state, other;
    uint64_t event_id = NEW_EVENT(box, 10)->id;
    box_open(&other, box->url);
    struct command command = booking_command(1, event_id, 0, 1);
    struct result result;
    OK(prepare(box, &command, 1));
    decide(&box->set, &command, &result);
    OK(commit(box));
    uint64_t first = result.booking->id;
    OK(run(&other, &command, 1, &result));
    assert_true(result.booking->id > first);
    assert_int_equal(find_event(&other, event_id)->types[0].booked, 2);
    box_close(&other);
}

struct seller {
    struct box_office *box;
    uint64_t event_id, booking_id;
    enum store_status status;
};

static void *sell(void *data)
{
    struct seller *seller = data;
    struct command command = booking_command(7, seller->event_id, 0, 1);
    struct result result;
    enum store_status status;
    while ((status = run(seller->box, &command, 1, &result)) == STORE_BUSY) {
    }
    seller->status = status;
    if (status == STORE_OK) seller->booking_id = result.booking->id;
    return NULL;
}

/* Until somebody in this database is at such a statement, and does not get on with it. */
static void await_statement(MYSQL *db, const char *database, const char *beginning)
{
    char text[300];
    snprintf(text, sizeof(text),
             "SELECT count(*) FROM information_schema.processlist WHERE db = '%s' "
             "AND command = 'Execute' AND info LIKE '%s%%'",
             database, beginning);
    for (int count = 0; count == 0;) {
        assert_int_equal(mysql_query(db, text), 0);
        MYSQL_RES *rows = mysql_store_result(db);
        count = atoi(mysql_fetch_row(rows)[0]);
        mysql_free_result(rows);
    }
}

/* The first batch has taken its id of the journal and stands still before its COMMIT, as its ticket
 * type is locked: so the second one gets none. */
static void batches_are_committed_in_the_order_of_the_journal(void **state)
{
    struct box_office *box = *state, other;
    box_open(&other, box->url);
    struct seller first = {.box = box, .event_id = NEW_EVENT(box, 10)->id},
                  second = {.box = &other, .event_id = NEW_EVENT(box, 10)->id};
    struct maria_url url = place_of(box);
    MYSQL *db = mysql_init(NULL), *holder = mysql_init(NULL);
    assert_non_null(mysql_real_connect(db, url.hosts[0].name, url.user, url.password, url.database,
                                       url.hosts[0].port, NULL, 0));
    assert_non_null(mysql_real_connect(holder, url.hosts[0].name, url.user, url.password,
                                       url.database, url.hosts[0].port, NULL, 0));
    assert_int_equal(mysql_query(holder, "BEGIN"), 0);
    assert_int_equal(mysql_query(holder, "UPDATE ticket_types SET price = price + 1 WHERE id = 1"),
                     0);

    pthread_t threads[2];
    assert_int_equal(pthread_create(&threads[0], NULL, sell, &first), 0);
    await_statement(db, url.database, "UPDATE ticket_types");
    assert_int_equal(pthread_create(&threads[1], NULL, sell, &second), 0);
    await_statement(db, url.database, "SELECT sequence, next FROM sequences FOR UPDATE");
    struct journal_query query = {.limit = 10};
    struct journal_page page;
    OK(store_list_journal(box->reader, &query, &box->arena, &page));
    assert_int_equal(page.count, 0);
    assert_int_equal(page.next, 0);

    mysql_close(holder);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    mysql_close(db);
    OK(first.status);
    OK(second.status);
    OK(store_list_journal(box->reader, &query, &box->arena, &page));
    assert_int_equal(page.count, 2);
    assert_int_equal(page.items[0].booking_id, first.booking_id);
    assert_int_equal(page.items[1].booking_id, second.booking_id);
    assert_int_equal(page.next, page.end);
    box_close(&other);
}

static void a_sequence_that_was_left_behind_is_found(void **state)
{
    struct box_office *box = *state;
    struct check_figures figures;
    book(box, 7, NEW_EVENT(box, 10)->id, 1);
    expect_sound(box);
    mysql_statement(box->url, "UPDATE sequences SET next = 1 WHERE sequence = 100");
    OK(store_check(box->reader, &figures, print_breach, NULL));
    assert_int_equal(figures.breaches, 1);
}

static void a_change_of_roles_is_noticed_elsewhere(void **state)
{
    struct box_office *box = *state;
    uint64_t before, after;
    struct command command = {.kind = COMMAND_SET_ROLE, .actor = {.role = ROLE_ADMIN}};
    OK(store_directory_version(box->reader, &before));
    command.user.user.id = new_user(box, "Ana", NULL, "ana")->id;
    OK(store_directory_version(box->reader, &after));
    assert_int_equal(after, before); /* one more user changes nobody's rights */
    command.user.user.role = ROLE_ORGANIZER;
    assert_int_equal(run_one(box, command).outcome, OUTCOME_OK);
    OK(store_directory_version(box->reader, &after));
    assert_int_not_equal(after, before);
    before = after;
    command.user.user.role = ROLE_USER;
    assert_int_equal(run_one(box, command).outcome, OUTCOME_OK);
    OK(store_directory_version(box->reader, &after));
    assert_int_not_equal(after, before);
}

/* ---- rows where the server takes no arrays ---- */

static void batches_of_any_size_are_written_without_arrays(void **state)
{
    struct box_office *box = *state, other;
    static const size_t sizes[] = {1, 2, 3, 63, 64, 65, 127, 130};
    uint64_t event_id = NEW_EVENT(box, 400, .max_per_user = 2)->id;
    box_open(&other, arena_printf(&box->arena, "%s?arrays=off", box->url).data);
    uint64_t user_id = 1;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct command commands[130];
        struct result results[130];
        for (size_t j = 0; j < sizes[i]; j++)
            commands[j] = booking_command(user_id++, event_id, 0, 1 + j % 2);
        OK(run(&other, commands, sizes[i], results));
    }
    struct event *event = find_event(box, event_id);
    assert_int_equal(event->types[0].booked, 400);
    assert_true(event->types[0].waiting > 100);
    expect_sound(&other);
    box_close(&other);
}

/* ---- what ended ---- */

static size_t bookings_left(struct store *store, struct arena *arena, struct bulk_rows *ret_rows)
{
    OK(bulk_read(store, bulk_table("bookings"), NULL, 100, arena, ret_rows));
    return ret_rows->count;
}

/* Where they stand is a table that other stores do not have. */
static void bookings_that_ended_are_dropped_after_a_move_too(void **state)
{
    struct box_office *box = *state, other;
    uint64_t event_id = NEW_EVENT(box, 2)->id;
    for (int i = 0; i < 3; i++)
        book(box, 1, event_id, 1);
    cancel(box, 1);
    struct bulk_part part = {.table = bulk_table("bookings")};
    assert_int_equal(bookings_left(box->reader, &box->arena, &part.rows), 3);
    char url[URL_SIZE];
    database_make(url, "moved");
    box_open(&other, url);
    OK(bulk_write(other.writer, &part, 1));

    struct command command = {.kind = COMMAND_PRUNE};
    command.prune.most = 100;
    other.keep_cancelled_ms = HOUR;
    struct bulk_rows rows;
    run_one(&other, command);
    assert_int_equal(bookings_left(other.reader, &other.arena, &rows), 3);
    other.now += 2 * HOUR;
    run_one(&other, command);
    assert_int_equal(bookings_left(other.reader, &other.arena, &rows), 2);
    box_close(&other);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_that_lose_bookings_are_warned_of), /* once in a process */
        cmocka_unit_test(a_url_is_taken_apart),
        cmocka_unit_test(a_url_that_makes_no_sense_is_explained),
        STORE_TEST(who_may_not_come_in_is_told_so),
        STORE_TEST(what_a_user_may_not_do_is_named),
        STORE_TEST(a_schema_that_is_not_ours_is_refused),
        STORE_TEST(a_server_that_is_too_old_is_refused),
        STORE_TEST(a_migration_that_was_interrupted_goes_on),
        STORE_TEST(a_migration_does_not_pass_over_what_it_did_not_do),
        STORE_TEST(several_migrate_at_once),
        STORE_TEST(a_connection_that_was_lost_between_batches_is_set_up_again),
        STORE_TEST(a_batch_whose_connection_is_lost_is_not_written),
        STORE_TEST(it_is_known_whether_a_batch_was_committed),
        STORE_TEST(who_finds_an_event_locked_waits_for_it),
        STORE_TEST(batches_are_committed_in_the_order_of_the_journal),
        STORE_TEST(a_sequence_that_was_left_behind_is_found),
        STORE_TEST(a_change_of_roles_is_noticed_elsewhere),
        STORE_TEST(batches_of_any_size_are_written_without_arrays),
        STORE_TEST(bookings_that_ended_are_dropped_after_a_move_too),
    };
    if (!kind_named("mysql")) return 0;
    return _cmocka_run_group_tests("mysql", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
