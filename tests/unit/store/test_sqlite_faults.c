/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite on a disk that fails: at each call of each kind, once or for good, and when the power
 * goes. Whatever happens, what was acknowledged is there when the store is opened again, what was
 * refused is whole or not there, and the store works again when the disk does. */
#include "testing.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "faulty_vfs.h"

enum {
    CAPACITY = 100000,
    BATCHES = 4, /* under one fault */
    NTH_MOST = 24,
};

/* What may fail, how, and what the store may then say. BUSY is for locks alone. */
static const struct fault_kind {
    const char *name;
    enum vfs_operation operation;
    int code;
    bool is_busy;
} fault_kinds[] = {
    {"a read", VFS_READ, SQLITE_IOERR_READ, false},
    {"a write", VFS_WRITE, SQLITE_IOERR_WRITE, false},
    {"a full disk", VFS_WRITE, SQLITE_FULL, false},
    {"a sync", VFS_SYNC, SQLITE_IOERR_FSYNC, false},
    {"a truncation", VFS_TRUNCATE, SQLITE_IOERR_TRUNCATE, false},
    {"a size", VFS_SIZE, SQLITE_IOERR_FSTAT, false},
    {"an open", VFS_OPEN, SQLITE_CANTOPEN, false},
    {"a removal", VFS_DELETE, SQLITE_IOERR_DELETE, false},
    {"a lock", VFS_LOCK, SQLITE_IOERR_LOCK, false},
    {"a busy lock", VFS_LOCK, SQLITE_BUSY, true},
    {"the index of the log", VFS_SHM_MAP, SQLITE_IOERR_SHMMAP, false},
    {"a lock of the log", VFS_SHM_LOCK, SQLITE_IOERR_SHMLOCK, false},
    {"a busy lock of the log", VFS_SHM_LOCK, SQLITE_BUSY, true},
};
enum { FAULT_KINDS = sizeof(fault_kinds) / sizeof(fault_kinds[0]) };

/* How much of the event is booked, as opening anew finds it. */
static uint32_t booked_after_reopening(struct box_office *box, uint64_t event_id)
{
    store_close(box->writer);
    store_close(box->reader);
    box->writer = open_or_fail(box, STORE_WRITE);
    box->reader = open_or_fail(box, STORE_READ);
    return find_event(box, event_id)->types[0].booked;
}

/* One booking of one ticket in a batch of its own. */
static enum store_status try_to_book(struct box_office *box, uint64_t event_id)
{
    struct command command = booking_command(1, event_id, 0, 1);
    struct result result;
    enum store_status status = run(box, &command, 1, &result);
    if (status != STORE_OK) assert_true(strlen(store_error(box->writer)) > 10);
    return status;
}

static void expect_status(const struct fault_kind *fault, enum store_status status)
{
    if (status == STORE_OK || status == STORE_DOWN || (fault->is_busy && status == STORE_BUSY))
        return;
    fail_msg("%s failed and the store said \"%s\"", fault->name, store_status_text(status));
}

/* Books with the nth call failing. Returns how many were acknowledged and, by pointer, refused. */
static uint32_t book_under(struct box_office *box, uint64_t event_id,
                           const struct fault_kind *fault, uint32_t *ret_refused)
{
    uint32_t acknowledged = 0;
    for (int i = 0; i < BATCHES; i++) {
        enum store_status status = try_to_book(box, event_id);
        expect_status(fault, status);
        status == STORE_OK ? acknowledged++ : (*ret_refused)++;
        if (i % 2) store_tidy(box->writer);
        struct event *event;
        expect_status(fault, store_find_event(box->reader, event_id, &box->arena, &event));
        expect_status(fault, store_ping(box->reader));
    }
    return acknowledged;
}

/* Every nth of one kind. In the process that met the fault exactly the acknowledged is there; after
 * a commit whose sync failed and a death, SQLite may find it in the log, whole: it was not
 * acknowledged, and not denied either. */
static void fail_each(struct box_office *box, uint64_t event_id, const struct fault_kind *fault,
                      bool stays)
{
    uint32_t booked = find_event(box, event_id)->types[0].booked;
    unsigned fired = 0;
    for (unsigned nth = 1; nth <= NTH_MOST; nth++) {
        uint32_t refused = 0;
        vfs_fail(fault->operation, nth, fault->code, stays);
        booked += book_under(box, event_id, fault, &refused);
        bool met = vfs.failed > 0;
        fired += met;
        vfs_heal();

        assert_int_equal(find_event(box, event_id)->types[0].booked, booked);
        if (nth % 3 == 0) { /* service again, in the same process */
            OK(try_to_book(box, event_id));
            booked++;
        }
        uint32_t now = booked_after_reopening(box, event_id);
        assert_in_range(now, booked, booked + (refused ? 1 : 0));
        booked = now;
        if (!met) break; /* it does not come to so many calls */
    }
    expect_sound(box);
    print_message("# %s%s: met %u times\n", fault->name, stays ? ", for good" : "", fired);
}

static void nothing_is_acknowledged_that_is_not_there(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, CAPACITY)->id;
    for (int i = 0; i < FAULT_KINDS; i++) {
        fail_each(box, event_id, &fault_kinds[i], false);
        /* A lock that stays taken is waited for, for seconds, each time. */
        if (!fault_kinds[i].is_busy) fail_each(box, event_id, &fault_kinds[i], true);
    }
}

/* What failed while a store is opened is a sentence, and what was half made is made up later. */
static void opening_fails_with_a_sentence(void **state)
{
    struct box_office *box = *state;
    for (int i = 0; i < FAULT_KINDS; i++) {
        unsigned fired = 0;
        for (unsigned nth = 1; nth <= NTH_MOST; nth += 4) {
            char name[64];
            snprintf(name, sizeof(name), "fresh-%d-%u.db", i, nth);
            const char *error = NULL,
                       *url =
                           arena_printf(&box->arena, "sqlite:%s/%s", tested.directory, name).data;
            vfs_fail(fault_kinds[i].operation, nth, fault_kinds[i].code, !fault_kinds[i].is_busy);
            struct store *store = store_open(url, STORE_WRITE, true, &box->arena, &error);
            if (!store) assert_true(vfs.failed > 0 && strlen(error) > 20);
            store_close(store); /* with the disk as it is */
            bool met = vfs.failed > 0;
            fired += met;
            vfs_heal();
            store = store_open(url, STORE_WRITE, true, &box->arena, &error);
            if (!store) fail_msg("%s, %u: %s", fault_kinds[i].name, nth, error);
            OK(store_ping(store));
            store_close(store);
            if (!met) break;
        }
        print_message("# %s: met %u times\n", fault_kinds[i].name, fired);
    }
}

/* The log is moved into the database while the disk fails, and nothing is lost. */
static void moving_the_log_may_fail(void **state)
{
    struct box_office *box = *state;
    uint64_t event_id = NEW_EVENT(box, CAPACITY)->id;
    uint32_t booked = 0;
    const enum vfs_operation operations[] = {VFS_WRITE, VFS_SYNC, VFS_TRUNCATE, VFS_SHM_LOCK};
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        for (unsigned nth = 1; nth <= 3; nth++) {
            /* Enough for the log to be moved: a thousand pages. */
            for (int batch = 0; batch < 150; batch++) {
                struct command command = booking_command(1, event_id, 0, 20);
                struct result result;
                OK(run(box, &command, 1, &result));
                booked += 20;
            }
            vfs_fail(operations[i], nth, SQLITE_IOERR, true);
            store_tidy(box->writer);
            vfs_heal();
            OK(try_to_book(box, event_id));
            assert_int_equal(find_event(box, event_id)->types[0].booked, ++booked);
        }
        assert_int_equal(booked_after_reopening(box, event_id), booked);
    }
    expect_sound(box);
}

/* ---- the power goes ---- */

static struct {
    _Atomic uint32_t acknowledged;
    unsigned seed;
} * shared; /* with the process that ends */

static void power_goes(void)
{
    vfs_power_cut(shared->seed);
    _exit(0);
}

/* Sells until the power goes, before the nth operation of that kind. */
static void sell_until_dark(struct box_office *box, uint64_t event_id, enum vfs_operation operation,
                            unsigned nth)
{
    vfs_watch();
    box->writer = open_or_fail(box, STORE_WRITE);
    vfs_fail(operation, nth, SQLITE_IOERR, true);
    vfs.instead = power_goes;
    for (int i = 0; i < 400; i++) {
        if (try_to_book(box, event_id) != STORE_OK) _exit(1);
        shared->acknowledged++;
        store_tidy(box->writer);
    }
    _exit(2); /* it never came to that */
}

static void what_was_acknowledged_outlives_the_power(void **state)
{
    struct box_office *box = *state;
    const enum vfs_operation operations[] = {VFS_WRITE, VFS_SYNC};
    uint64_t event_id = NEW_EVENT(box, CAPACITY)->id;
    uint32_t booked = 0, in_flight = 0;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    for (unsigned cut = 0; cut < 40; cut++) {
        store_close(box->writer);
        store_close(box->reader);
        shared->acknowledged = 0;
        shared->seed = cut % 5; /* all lost, nothing lost, and three of some lost */
        if (shared->seed > 1) shared->seed += cut;
        pid_t child = fork();
        if (child == 0)
            sell_until_dark(box, event_id, operations[cut % 2],
                            cut % 2 ? 1 + cut / 4 : 1 + cut * cut / 3);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        box->writer = open_or_fail(box, STORE_WRITE);
        box->reader = open_or_fail(box, STORE_READ);
        uint32_t now = find_event(box, event_id)->types[0].booked;
        booked += shared->acknowledged;
        assert_in_range(now, booked, booked + 1);
        in_flight += now - booked;
        booked = now;
        expect_sound(box);
    }
    print_message("# %u sold, %u of them in flight when the power went\n", booked, in_flight);
    munmap(shared, sizeof(*shared));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(nothing_is_acknowledged_that_is_not_there),
        STORE_TEST(opening_fails_with_a_sentence),
        STORE_TEST(moving_the_log_may_fail),
        STORE_TEST(what_was_acknowledged_outlives_the_power),
    };
    vfs_install();
    kind_named("sqlite");
    return cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
}
