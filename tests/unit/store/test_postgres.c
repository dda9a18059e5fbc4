/* SPDX-License-Identifier: Apache-2.0 */
/* What is special to PostgreSQL: opening, and what is said when that fails; a connection that goes
 * away; several writers. What every store promises is in test_contract.c. */
#include "testing.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "store/postgres_statements.h"

static const char *server_of(const char *name)
{
    static char url[URL_SIZE];
    server_url(url, kind_server(), name);
    return url;
}

/* Opening is refused with a sentence that holds all of these words, and no password. */
static void expect_refusal(struct box_office *box, const char *url, enum store_mode mode,
                           bool migrate, const char *const words[4])
{
    const char *error = NULL;
    struct store *store = store_open(url, mode, migrate, &box->arena, &error);
    if (store) fail_msg("%s was opened", url);
    assert_non_null(error);
    for (int i = 0; i < 4 && words[i]; i++)
        if (!strstr(error, words[i])) fail_msg("\"%s\" lacks \"%s\"", error, words[i]);
    static const char *const secrets[] = {"only for tests", "only%20for", "s3cret"};
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
        if (strstr(error, secrets[i])) fail_msg("\"%s\" tells a password", error);
}

#define EXPECT_REFUSAL(box, url, mode, ...)                                                        \
    expect_refusal((box), (url), (mode), (mode) == STORE_WRITE, (const char *const[4]){__VA_ARGS__})

/* The URL of this test's database with another user in it. */
static const char *as_user(struct box_office *box, const char *user_and_password)
{
    return arena_printf(&box->arena, "postgres://%s%s", user_and_password, strchr(box->url, '@'))
        .data;
}

/* A role of this test, with the password s3cret. */
static const char *make_role(struct box_office *box)
{
    static unsigned number;
    const char *role = arena_printf(&box->arena, "admit_role_%d_%u", (int)getpid(), number++).data;
    postgres_do(box->url,
                arena_printf(&box->arena, "CREATE ROLE %s LOGIN PASSWORD 's3cret'", role).data);
    return role;
}

static void drop_role(struct box_office *box, const char *role)
{
    postgres_do(box->url,
                arena_printf(&box->arena, "DROP OWNED BY %s; DROP ROLE %s", role, role).data);
}

static const char *database_of(struct box_office *box)
{
    const char *name = strrchr(box->url, '/') + 1;
    return arena_cstr(&box->arena, (struct str){name, strcspn(name, "?")});
}

static void close_both(struct box_office *box)
{
    store_close(box->writer);
    store_close(box->reader);
    box->writer = box->reader = NULL;
}

/* ---- what is in the way of opening ---- */

static void a_url_that_cannot_be_is_not_shown(void **state)
{
    struct box_office *box = *state;
    static const char *const wrong[] = {
        "postgres:admit",
        "postgres://user:s3cret@host:port/admit",
        "postgres://user:pa@s3cret@127.0.0.1/admit",
        "postgres://user:s3cret@127.0.0.1/admit?no_such_parameter=1",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        EXPECT_REFUSAL(box, wrong[i], STORE_WRITE, "DATABASE_URL", "postgres://user:password@host");
}

static void a_wrong_password_is_told(void **state)
{
    struct box_office *box = *state;
    EXPECT_REFUSAL(box, as_user(box, "postgres:s3cret"), STORE_WRITE, "password", "\"postgres\"",
                   "DATABASE_URL");
    EXPECT_REFUSAL(box, as_user(box, "nobody_at_all:s3cret"), STORE_READ, "password",
                   "\"nobody_at_all\"");
}

static void a_missing_database_is_told(void **state)
{
    struct box_office *box = *state;
    EXPECT_REFUSAL(box, server_of("no_such_place"), STORE_WRITE, "no database \"no_such_place\"",
                   "CREATE DATABASE", "DATABASE_URL");
}

static void a_host_that_is_not_there_is_told(void **state)
{
    struct box_office *box = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int bound = socket(AF_INET, SOCK_STREAM, 0); /* and does not listen */
    assert_int_equal(bind(bound, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(bound, (struct sockaddr *)&address, &len), 0);
    const char *url =
        arena_printf(&box->arena, "postgres://u:s3cret@127.0.0.1:%d/admit", ntohs(address.sin_port))
            .data;
    EXPECT_REFUSAL(box, url, STORE_WRITE, "127.0.0.1", "cannot be reached", "refused",
                   "DATABASE_URL");
    close(bound);
    EXPECT_REFUSAL(box, "postgres://u:s3cret@no-such-host.invalid/admit", STORE_WRITE,
                   "no-such-host.invalid", "cannot be reached", "DATABASE_URL");
}

static void missing_rights_are_told(void **state)
{
    struct box_office *box = *state;
    const char *role = make_role(box), *database = database_of(box);
    const char *url = as_user(box, arena_printf(&box->arena, "%s:s3cret", role).data);
    EXPECT_REFUSAL(box, url, STORE_READ, role, "rights", "OWNER", "DATABASE_URL");

    postgres_do(
        box->url,
        arena_printf(&box->arena, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO %s", role).data);
    EXPECT_REFUSAL(box, url, STORE_WRITE, role, "may not write", "OWNER", "DATABASE_URL");
    const char *error = NULL;
    struct store *reader = store_open(url, STORE_READ, false, &box->arena, &error);
    if (!reader) fail_msg("%s", error);
    store_close(reader);

    postgres_do(
        box->url,
        arena_printf(&box->arena, "REVOKE CONNECT ON DATABASE %s FROM PUBLIC", database).data);
    EXPECT_REFUSAL(box, url, STORE_READ, role, "may not connect", "GRANT CONNECT");

    /* An empty database of somebody else. */
    char empty[URL_SIZE];
    database_make(empty, "empty");
    postgres_do(empty, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    const char *other =
        arena_printf(&box->arena, "postgres://%s:s3cret%s", role, strchr(empty, '@')).data;
    postgres_do(empty, arena_printf(&box->arena, "GRANT USAGE ON SCHEMA public TO %s", role).data);
    EXPECT_REFUSAL(box, other, STORE_WRITE, role, "rights", "OWNER", "DATABASE_URL");
    postgres_do(empty, arena_printf(&box->arena, "DROP OWNED BY %s", role).data);
    drop_role(box, role);
}

static void a_read_only_server_is_told(void **state)
{
    struct box_office *box = *state;
    close_both(box);
    postgres_do(box->url, arena_printf(&box->arena,
                                       "ALTER DATABASE %s SET default_transaction_read_only = on",
                                       database_of(box))
                              .data);
    EXPECT_REFUSAL(box, box->url, STORE_WRITE, "read-only", "primary", "DATABASE_URL");
}

static void another_encoding_is_told(void **state)
{
    struct box_office *box = *state;
    postgres_do(kind_server(), "DROP DATABASE IF EXISTS admit_latin");
    postgres_do(kind_server(), "CREATE DATABASE admit_latin ENCODING 'LATIN1' LOCALE 'C' "
                               "TEMPLATE template0");
    EXPECT_REFUSAL(box, server_of("admit_latin"), STORE_WRITE, "LATIN1", "UTF8");
    postgres_do(kind_server(), "DROP DATABASE admit_latin");
}

/* ---- TLS ---- */

static const char *with(struct box_office *box, const char *parameters)
{
    return arena_printf(&box->arena, "%.*s?%s", (int)strcspn(box->url, "?"), box->url, parameters)
        .data;
}

static void tls_is_as_the_url_says(void **state)
{
    struct box_office *box = *state;
    static const char encrypted[] = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity "
                                    "USING (pid) WHERE ssl AND datname = current_database() "
                                    "AND application_name = 'admit'";
    close_both(box);
    assert_int_equal(postgres_do(box->url, encrypted), 0);
    box->url = with(box, "sslmode=require");
    box->writer = open_or_fail(box, STORE_WRITE);
    box->reader = open_or_fail(box, STORE_READ);
    assert_int_equal(postgres_do(box->url, encrypted), 2);
    book(box, 1, NEW_EVENT(box, 1)->id, 1);
    expect_sound(box);
    EXPECT_REFUSAL(box, with(box, "sslmode=verify-full&sslrootcert=/etc/hostname"), STORE_READ,
                   "127.0.0.1", "certificate", "DATABASE_URL");
}

/* ---- versions ---- */

static void a_newer_version_is_refused(void **state)
{
    struct box_office *box = *state;
    close_both(box);
    postgres_do(box->url, "UPDATE admit_schema SET version = 1000");
    EXPECT_REFUSAL(box, box->url, STORE_WRITE, "newer admit", "1000");
    EXPECT_REFUSAL(box, box->url, STORE_READ, "newer admit", "1000");
    assert_int_equal(postgres_do(box->url, "SELECT version FROM admit_schema"), 1000);
}

static void an_older_version_is_for_migrate_only(void **state)
{
    struct box_office *box = *state;
    static const char *const words[4] = {"version -1", "admit migrate"},
                             *const none[4] = {"no tables of admit yet", "admit migrate"};
    close_both(box);
    postgres_do(box->url, "UPDATE admit_schema SET version = -1");
    expect_refusal(box, box->url, STORE_WRITE, false, words);
    expect_refusal(box, box->url, STORE_READ, false, words);

    postgres_do(box->url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    expect_refusal(box, box->url, STORE_WRITE, false, none);
    expect_refusal(box, box->url, STORE_READ, false, none);
    box->writer = open_or_fail(box, STORE_WRITE);
    box->reader = open_or_fail(box, STORE_READ);
    NEW_EVENT(box, 1);
}

static void the_tables_of_another_program_are_left_alone(void **state)
{
    struct box_office *box = *state;
    close_both(box);
    postgres_do(box->url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public; "
                          "CREATE TABLE recipes (id INTEGER); INSERT INTO recipes VALUES (7)");
    EXPECT_REFUSAL(box, box->url, STORE_WRITE, "another program", "DATABASE_URL");
    EXPECT_REFUSAL(box, box->url, STORE_READ, "another program", "DATABASE_URL");
    assert_int_equal(postgres_do(box->url, "SELECT id FROM recipes"), 7);
    assert_int_equal(postgres_do(box->url, "SELECT count(*) FROM pg_tables "
                                           "WHERE schemaname = 'public'"),
                     1);
}

struct opening {
    const char *url;
    struct store *store;
    struct arena arena;
    const char *error;
};

static void *open_in_thread(void *data)
{
    struct opening *opening = data;
    opening->store = store_open(opening->url, STORE_WRITE, true, &opening->arena, &opening->error);
    return NULL;
}

static void processes_that_start_at_once_migrate_once(void **state)
{
    enum { MANY = 6 };
    struct box_office *box = *state;
    struct opening openings[MANY] = {0};
    pthread_t threads[MANY];
    close_both(box);
    postgres_do(box->url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    for (int i = 0; i < MANY; i++) {
        openings[i].url = box->url;
        assert_int_equal(pthread_create(&threads[i], NULL, open_in_thread, &openings[i]), 0);
    }
    for (int i = 0; i < MANY; i++) {
        pthread_join(threads[i], NULL);
        if (!openings[i].store) fail_msg("%s", openings[i].error);
        store_close(openings[i].store);
        arena_free(&openings[i].arena);
    }
}

/* ---- a connection that goes away ---- */

/* All connections to this test's database but the one that says so. */
static void end_connections(struct box_office *box)
{
    postgres_do(kind_server(),
                arena_printf(&box->arena,
                             "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                             "WHERE datname = '%s'",
                             database_of(box))
                    .data);
    const char *left =
        arena_printf(&box->arena, "SELECT count(*) FROM pg_stat_activity WHERE datname = '%s'",
                     database_of(box))
            .data;
    while (postgres_do(kind_server(), left)) {
    }
}

static void a_lost_connection_is_opened_again(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 5)->id;
    for (int i = 1; i <= 3; i++) {
        end_connections(box);
        book(box, 1, event_id, 1);
        assert_int_equal(find_event(box, event_id)->types[0].booked, i);
    }
    expect_sound(box);
}

static void a_batch_is_lost_with_its_connection(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, 5)->id;
    struct command command = booking_command(1, event_id, 0, 1);
    struct result result;
    OK(prepare(box, &command, 1));
    decide(&box->set, &command, &result);
    end_connections(box);
    enum store_status status = commit(box);
    assert_true(status == STORE_UNKNOWN || status == STORE_DOWN);
    bool committed = true;
    OK(store_was_committed(box->writer, &committed));
    assert_false(committed);
    assert_int_equal(find_event(box, event_id)->types[0].booked, 0);

    book(box, 1, event_id, 1);
    OK(store_was_committed(box->writer, &committed));
    assert_true(committed);
    expect_sound(box);
}

static void a_server_that_is_away_is_asked_now_and_then(void **state)
{
    struct box_office *box = *state;
    struct event *event;
    const char *deny =
        arena_printf(&box->arena, "ALTER DATABASE %s ALLOW_CONNECTIONS false", database_of(box))
            .data;
    postgres_do(kind_server(), deny);
    end_connections(box);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(store_find_event(box->reader, 1, &box->arena, &event), STORE_DOWN);
        assert_true(strlen(store_error(box->reader)) > 10);
        assert_null(strstr(store_error(box->reader), "only for tests"));
    }
    postgres_do(kind_server(), arena_printf(&box->arena, "ALTER DATABASE %s ALLOW_CONNECTIONS true",
                                            database_of(box))
                                   .data);
    enum store_status status;
    while ((status = store_find_event(box->reader, 1, &box->arena, &event)) == STORE_DOWN) {
    }
    OK(status);
}

/* ---- several writers ---- */

static void *book_in_thread(void *data)
{
    struct box_office *box = data;
    for (int turn = 0; turn < 40; turn++) {
        struct command commands[8];
        struct result results[8];
        for (uint32_t i = 0; i < 8; i++)
            commands[i] = booking_command(1 + i, 1 + i % 3, 0, 1);
        enum store_status status;
        while ((status = run(box, commands, 8, results)) == STORE_BUSY) {
        }
        OK(status);
    }
    return NULL;
}

static void writers_take_turns_and_ids_rise_in_the_order_of_commit(void **state)
{
    enum { WRITERS = 4 };
    struct box_office *box = *state, others[WRITERS];
    pthread_t threads[WRITERS];
    for (int i = 0; i < 3; i++)
        NEW_EVENT(box, 300);
    for (int i = 0; i < WRITERS; i++)
        box_open(&others[i], box->url);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, book_in_thread, &others[i]), 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < WRITERS; i++)
        box_close(&others[i]);
    expect_sound(box);
    /* Numbers are given in the order of decisions: a later booking has a higher one. */
    assert_int_equal(postgres_do(box->url, "SELECT count(*) FROM (SELECT number, lag(number) OVER "
                                           "(PARTITION BY event_id ORDER BY booking_id) AS before "
                                           "FROM tickets) AS t WHERE number < before"),
                     0);
    assert_int_equal(postgres_do(box->url, "SELECT count(*) FROM bookings"), WRITERS * 40 * 8);
    assert_int_equal(postgres_do(box->url, "SELECT count(*) FROM batches WHERE at > 0") > 0, 1);
}

/* ---- the feed ---- */

static PGconn *session(struct box_office *box, const char *statements)
{
    PGconn *connection = PQconnectdb(box->url);
    PGresult *result = PQexec(connection, statements);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", statements, PQerrorMessage(connection));
    PQclear(result);
    return connection;
}

static struct journal_page feed_after(struct box_office *box, uint64_t after)
{
    struct journal_query query = {.after = after, .limit = 10};
    struct journal_page page;
    OK(store_list_journal(box->reader, &query, &box->arena, &page));
    return page;
}

struct late_batch {
    struct box_office *box;
    uint64_t event_id, booking_id;
    enum store_status status;
};

static void *book_late(void *data)
{
    struct late_batch *late = data;
    struct command command = booking_command(7, late->event_id, 0, 1);
    struct result result;
    late->status = run(late->box, &command, 1, &result);
    if (late->status == STORE_OK) late->booking_id = result.booking->id;
    return NULL;
}

/* A batch that has drawn its id of the journal, and stands still before its COMMIT, as a ticket
 * type is locked by the session that is returned. */
static PGconn *hold_batch(struct late_batch *late, pthread_t *ret_thread)
{
    PGconn *holder = session(
        late->box, arena_printf(&late->box->arena,
                                "BEGIN; SELECT 1 FROM ticket_types WHERE event_id = %d FOR UPDATE",
                                (int)late->event_id)
                       .data);
    assert_int_equal(pthread_create(ret_thread, NULL, book_late, late), 0);
    while (!postgres_do(late->box->url, "SELECT is_called::int FROM journal_ids")) {
    }
    return holder;
}

static void what_is_committed_late_is_not_passed_over(void **state)
{
    struct box_office *box = *state, other;
    box_open(&other, box->url);
    struct late_batch late = {.box = box, .event_id = NEW_EVENT(box, 10)->id};
    uint64_t event_id = NEW_EVENT(box, 10)->id;
    pthread_t thread;
    PGconn *holder = hold_batch(&late, &thread);
    uint64_t early = book(&other, 8, event_id, 1)->id; /* nobody waits for the late one */
    struct journal_page page = feed_after(&other, 0);
    assert_int_equal(page.count, 0);
    assert_int_equal(page.next, 0);
    assert_int_equal(page.end, 0);
    assert_int_equal(page.last, 2);

    PQfinish(holder);
    pthread_join(thread, NULL);
    OK(late.status);
    page = feed_after(&other, page.next);
    assert_int_equal(page.count, 2);
    assert_int_equal(page.items[0].booking_id, late.booking_id);
    assert_int_equal(page.items[1].booking_id, early);
    assert_int_equal(page.next, page.last);
    box_close(&other);
}

static void what_is_never_committed_holds_nothing_up(void **state)
{
    struct box_office *box = *state, other;
    box_open(&other, box->url);
    struct late_batch late = {.box = box, .event_id = NEW_EVENT(box, 10)->id};
    uint64_t event_id = NEW_EVENT(box, 10)->id;
    pthread_t thread;
    PGconn *holder = hold_batch(&late, &thread);
    uint64_t early = book(&other, 8, event_id, 1)->id;
    while (!postgres_do(box->url, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                                  "WHERE datname = current_database() AND "
                                  "wait_event_type = 'Lock'")) {
    }
    pthread_join(thread, NULL);
    assert_int_not_equal(late.status, STORE_OK);
    PQfinish(holder);
    struct journal_page page;
    do /* the server says goodbye before it lets the locks go */
        page = feed_after(&other, 0);
    while (page.count == 0);
    assert_int_equal(page.count, 1);
    assert_int_equal(page.items[0].booking_id, early);
    box_close(&other);
}

/* A transaction that writes, one that looks, and locks of other programs. */
static void foreign_transactions_hold_nothing_up(void **state)
{
    struct box_office *box = *state;
    PGconn *sessions[] = {
        session(box, "BEGIN; SELECT pg_current_xact_id(), pg_advisory_xact_lock(1)"),
        session(box, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM journal"),
        session(box, "BEGIN; SELECT pg_advisory_lock(19046, 0), pg_advisory_lock_shared(0, 0)"),
    };
    uint64_t event_id = NEW_EVENT(box, 10)->id;
    book(box, 7, event_id, 1);
    struct journal_page page = feed_after(box, 0);
    assert_int_equal(page.count, 1);
    assert_int_equal(page.next, page.last);
    for (size_t i = 0; i < sizeof(sessions) / sizeof(sessions[0]); i++)
        PQfinish(sessions[i]);
}

/* As where the tables were restored, and the sequences were not. */
static void a_sequence_that_was_left_behind_is_found(void **state)
{
    struct box_office *box = *state;
    struct check_figures figures;
    book(box, 7, NEW_EVENT(box, 10)->id, 1);
    expect_sound(box);
    postgres_do(box->url, "SELECT setval('journal_ids', 1, false)");
    OK(store_check(box->reader, &figures, print_breach, NULL));
    assert_int_equal(figures.breaches, 1);
}

static void the_directory_s_version_moves_with_roles_and_revocations(void **state)
{
    struct box_office *box = *state;
    uint64_t versions[5];
    uint64_t user_id = new_user(box, "One", NULL, "one")->id;
    OK(store_directory_version(box->reader, &versions[0]));
    new_user(box, "Two", NULL, "two");
    OK(store_directory_version(box->reader, &versions[1]));
    assert_int_equal(versions[0], versions[1]); /* a user like everybody */
    for (int i = 0; i < 3; i++) {
        struct command command = {.kind = i < 2 ? COMMAND_SET_ROLE : COMMAND_SIGN_OUT};
        command.user.user.id = user_id;
        command.user.user.role = i == 0 ? ROLE_ORGANIZER : ROLE_USER;
        run_one(box, command);
        OK(store_directory_version(box->reader, &versions[2 + i]));
        assert_true(versions[2 + i] > versions[1 + i]);
    }
}

/* What another process took at the same moment is no fault, and is seen by the next try. */
static void who_comes_second_is_told_to_try_again(void **state)
{
    struct box_office *box = *state, other;
    box_open(&other, box->url);
    struct command command = {.kind = COMMAND_REGISTER};
    command.user.fields = FIELD_NAME | FIELD_EMAIL | FIELD_PASSWORD;
    command.user.user = (struct user){
        .name = STR("Ana"), .email = STR("ana@example.org"), .password_hash = STR("hash")};
    struct result result;
    OK(prepare(box, &command, 1));
    decide(&box->set, &command, &result);
    new_user(&other, "Ana", "ANA@example.org", NULL);
    assert_int_equal(commit(box), STORE_BUSY);
    assert_int_equal(run_one(box, command).outcome, EMAIL_TAKEN);
    box_close(&other);
}

/* ---- plans ---- */

static const struct {
    const char *name, *types, *text;
} planned[] = {
#define X(name, types, text) {#name, types, text},
    POSTGRES_LOAD_STATEMENTS(X) POSTGRES_COMMIT_STATEMENTS(X) POSTGRES_READ_STATEMENTS(X)
        POSTGRES_SEARCH_STATEMENTS(X)
#undef X
};

/* These are read whole: one row; what is short and wanted whole; what is swept. */
static bool may_be_read_whole(const char *line)
{
    static const char *const tables[] = {"Seq Scan on directory", "Seq Scan on journal_ids",
                                         "Seq Scan on revocations", "Seq Scan on batches"};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        if (strstr(line, tables[i])) return true;
    return false;
}

static void expect_no_scan(PGconn *connection, size_t which)
{
    static const char *const names[128] = {['n'] = "bigint",   ['t'] = "text",   ['b'] = "bytea",
                                           ['N'] = "bigint[]", ['T'] = "text[]", ['B'] = "bytea[]"};
    struct buf text = {0}, values = {0};
    buf_printf(&text, "PREPARE s%d", (int)which);
    for (const char *type = planned[which].types; *type; type++) {
        bool is_first = type == planned[which].types;
        buf_printf(&text, "%s%s", is_first ? " (" : ", ", names[(unsigned char)*type]);
        buf_printf(&values, "%sNULL", is_first ? " (" : ", ");
        if (!type[1]) buf_printf(&text, ")"), buf_printf(&values, ")");
    }
    buf_printf(&text, " AS %s; EXPLAIN EXECUTE s%d%.*s", planned[which].text, (int)which,
               STR_FMT(buf_str(&values)));
    buf_add_char(&text, '\0');
    PGresult *plan = PQexec(connection, text.data);
    if (PQresultStatus(plan) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", planned[which].name, PQerrorMessage(connection));
    for (int row = 0; row < PQntuples(plan); row++) {
        const char *line = PQgetvalue(plan, row, 0);
        if (strstr(line, "Seq Scan on ") && !may_be_read_whole(line))
            fail_msg("%s: %s", planned[which].name, line);
    }
    PQclear(plan);
    buf_free(&text);
    buf_free(&values);
}

static void no_statement_reads_a_table_whole_that_grows(void **state)
{
    struct box_office *box = *state;
    PGconn *connection = PQconnectdb(box->url);
    PQclear(PQexec(connection, "SET enable_seqscan = off; SET enable_hashjoin = off; "
                               "SET enable_mergejoin = off; SET enable_sort = off; "
                               "SET plan_cache_mode = force_generic_plan"));
    for (size_t i = 0; i < sizeof(planned) / sizeof(planned[0]); i++)
        expect_no_scan(connection, i);
    PQfinish(connection);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        STORE_TEST(a_url_that_cannot_be_is_not_shown),
        STORE_TEST(a_wrong_password_is_told),
        STORE_TEST(a_missing_database_is_told),
        STORE_TEST(a_host_that_is_not_there_is_told),
        STORE_TEST(missing_rights_are_told),
        STORE_TEST(a_read_only_server_is_told),
        STORE_TEST(another_encoding_is_told),
        STORE_TEST(tls_is_as_the_url_says),
        STORE_TEST(a_newer_version_is_refused),
        STORE_TEST(an_older_version_is_for_migrate_only),
        STORE_TEST(the_tables_of_another_program_are_left_alone),
        STORE_TEST(processes_that_start_at_once_migrate_once),
        STORE_TEST(a_lost_connection_is_opened_again),
        STORE_TEST(a_batch_is_lost_with_its_connection),
        STORE_TEST(a_server_that_is_away_is_asked_now_and_then),
        STORE_TEST(writers_take_turns_and_ids_rise_in_the_order_of_commit),
        STORE_TEST(what_is_committed_late_is_not_passed_over),
        STORE_TEST(what_is_never_committed_holds_nothing_up),
        STORE_TEST(foreign_transactions_hold_nothing_up),
        STORE_TEST(a_sequence_that_was_left_behind_is_found),
        STORE_TEST(the_directory_s_version_moves_with_roles_and_revocations),
        STORE_TEST(who_comes_second_is_told_to_try_again),
        STORE_TEST(no_statement_reads_a_table_whole_that_grows),
    };
    if (!kind_named("postgres")) return 0;
    return _cmocka_run_group_tests("postgres", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
