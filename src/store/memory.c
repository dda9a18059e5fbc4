/* SPDX-License-Identifier: Apache-2.0 */
/* The memory store: a database that lives as long as somebody has it open. "memory:" and
 * "memory:NAME" name databases of this process.
 *
 * A writer owns the database from the first load of its batch to the end of it. So nothing can
 * change between its load and its commit, and a batch needs the lock only to read rows out and to
 * write: readers never wait for a decision.
 *
 * There is one writer at most; "memory:NAME?shared" has as many as like, as a networked store has,
 * and who comes while another one's batch is under way is told STORE_BUSY. */
#include <assert.h>
#include <stdlib.h>

#include "base/array.h"
#include "store/memory_internal.h"

/* ---- databases ---- */

static pthread_mutex_t databases_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct database *databases;

static int row_compare(const void *left, const void *right, void *unused)
{
    (void)unused;
    const struct row *one = left, *two = right;
    if (one->a != two->a) return one->a < two->a ? -1 : 1;
    if (one->b != two->b) return one->b < two->b ? -1 : 1;
    size_t common = one->text.len < two->text.len ? one->text.len : two->text.len;
    int order = common ? memcmp(one->text.data, two->text.data, common) : 0;
    return order ? order : (one->text.len > two->text.len) - (one->text.len < two->text.len);
}

static struct database *database_new(const char *name)
{
    size_t len = strlen(name) + 1;
    struct database *database = calloc(1, sizeof(*database) + len);
    if (!database) out_of_memory();
    memcpy(database->name, name, len);
    for (int i = 0; i < TABLE_COUNT; i++)
        database->tables[i] = g_tree_new_full(row_compare, NULL, NULL, NULL);

    /* Or else a crowd of readers would keep a commit waiting for ever. */
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&database->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);

    database->next = databases;
    databases = database;
    return database;
}

static void database_free(struct database *database)
{
    struct database **at = &databases;
    while (*at != database)
        at = &(*at)->next;
    *at = database->next;

    for (int i = 0; i < TABLE_COUNT; i++) {
        struct rows rows = rows_all(database, i);
        for (struct row *row; (row = rows_next(&rows));)
            free(row);
        g_tree_destroy(database->tables[i]);
    }
    pthread_rwlock_destroy(&database->lock);
    free(database);
}

/* "memory:NAME?shared" and "memory:NAME" are two databases. */
static bool name_is_shared(const char *name)
{
    static const char suffix[] = "?shared";
    size_t len = strlen(name), end = sizeof(suffix) - 1;
    return len >= end && strcmp(name + len - end, suffix) == 0;
}

static const struct store_driver memory_shared_driver;

static struct store *memory_open(const char *rest, enum store_mode mode, bool migrate,
                                 struct arena *arena, const char **ret_error)
{
    (void)migrate; /* what lives in this process has this process' tables */
    struct memory_store *memory = NULL;
    pthread_mutex_lock(&databases_mutex);
    struct database *database = databases;
    while (database && strcmp(database->name, rest) != 0)
        database = database->next;

    if (!database && mode == STORE_READ) {
        *ret_error = arena_printf(arena,
                                  "memory:%s does not exist in this process: open it for writing "
                                  "first, and keep it open",
                                  rest)
                         .data;
        goto out;
    }
    bool shared = name_is_shared(rest);
    if (database && mode == STORE_WRITE && database->has_writer && !shared) {
        *ret_error =
            arena_printf(arena, "memory:%s has a writer already: close that one first", rest).data;
        goto out;
    }
    if (!database) database = database_new(rest);
    database->handles++;
    if (mode == STORE_WRITE) database->has_writer = true;

    memory = calloc(1, sizeof(*memory));
    if (!memory) out_of_memory();
    memory->store.driver = shared ? &memory_shared_driver : &memory_driver;
    memory->database = database;
    memory->mode = mode;
    memory->error = "";
out:
    pthread_mutex_unlock(&databases_mutex);
    return memory ? &memory->store : NULL;
}

static void memory_close(struct store *store)
{
    struct memory_store *memory = (struct memory_store *)store;
    pthread_mutex_lock(&databases_mutex);
    if (memory->mode == STORE_WRITE) memory->database->has_writer = false;
    memory_end(memory);
    if (--memory->database->handles == 0) database_free(memory->database);
    pthread_mutex_unlock(&databases_mutex);
    arena_free(&memory->scratch);
    free(memory);
}

static const char *memory_error(const struct store *store)
{
    return ((const struct memory_store *)store)->error;
}

struct memory_store *memory_writer(struct store *store)
{
    struct memory_store *memory = (struct memory_store *)store;
    assert(memory->mode == STORE_WRITE);
    return memory;
}

void memory_end(struct memory_store *memory)
{
    struct memory_store *owner = memory;
    atomic_compare_exchange_strong(&memory->database->owner, &owner, NULL);
}

/* ---- rows out of the database ---- */

struct event memory_event(const struct database *database, const struct event_row *row,
                          struct arena *arena)
{
    const struct counters_row *counters = row_at(database, COUNTERS, row->row.id, 0);
    struct event event = row->row;
    event.name = arena_str(arena, event.name);
    event.description = arena_str(arena, event.description);
    event.venue = arena_str(arena, event.venue);
    event.timezone = arena_str(arena, event.timezone);
    event.next_number = counters->next_number;
    event.ever_booked = counters->ever_booked;
    return event;
}

struct ticket_type *memory_types(const struct database *database, uint64_t event_id,
                                 struct arena *arena, size_t *ret_count)
{
    struct {
        struct ticket_type *items;
        size_t count, size;
    } types = {0};
    struct rows rows = rows_of(database, TYPES, event_id, 0);
    for (const struct type_row *row; (row = rows_next(&rows));) {
        struct ticket_type *type = ARRAY_PUSH(arena, &types);
        *type = row->row;
        type->name = arena_str(arena, type->name);
    }
    *ret_count = types.count;
    return types.items;
}

struct booking memory_booking(const struct database *database, const struct booking_row *row,
                              struct arena *arena)
{
    struct {
        uint32_t *items;
        size_t count, size;
    } numbers = {0};
    struct rows rows = rows_of(database, NUMBERS_OF, row->row.id, 0);
    for (const struct row *number; (number = rows_next(&rows));)
        *ARRAY_PUSH(arena, &numbers) = (uint32_t)number->b;
    struct booking booking = row->row;
    booking.numbers = numbers.items;
    booking.number_count = numbers.count;
    return booking;
}

struct user memory_user(const struct user_row *row, struct arena *arena)
{
    struct user user = row->row;
    user.email = arena_str(arena, user.email);
    user.username = arena_str(arena, user.username);
    user.name = arena_str(arena, user.name);
    user.password_hash = arena_str(arena, user.password_hash);
    return user;
}

/* ---- loading ---- */

static void load_events(const struct database *database, struct working_set *set)
{
    size_t at = 0;
    for (struct event_entry *entry; (entry = map_each(&set->events, &at));) {
        if (entry->loaded) continue;
        const struct event_row *row = row_at(database, EVENTS, entry->id, 0);
        if (!row) {
            entry->loaded = true;
            continue;
        }
        struct event event = memory_event(database, row, set->arena);
        size_t count;
        struct ticket_type *types = memory_types(database, entry->id, set->arena, &count);
        working_set_put_event(set, entry, &event, types, count);
    }
}

static void load_bookings(const struct database *database, struct working_set *set)
{
    size_t at = 0;
    for (struct booking_entry *entry; (entry = map_each(&set->bookings, &at));) {
        if (entry->loaded) continue;
        const struct booking_row *row = row_at(database, BOOKINGS, entry->id, 0);
        if (!row) {
            entry->loaded = true;
            continue;
        }
        struct booking booking = memory_booking(database, row, set->arena);
        working_set_put_booking(set, &booking);
    }
}

/* The line from its head on. What was loaded of it before is dropped: nothing is decided yet. */
static void load_line(const struct database *database, struct working_set *set,
                      struct type_entry *type)
{
    type->line_count = type->line_at = 0;
    type->line_live = 0;
    struct rows rows = rows_of(database, WAITING_FOR_TYPE, type->row.id, 0);
    const struct row *place;
    while (type->line_count < type->line_needed && (place = rows_next(&rows))) {
        const struct booking_row *row = row_at(database, BOOKINGS, place->b, 0);
        struct booking booking = memory_booking(database, row, set->arena);
        working_set_put_waiting(set, type, &booking);
    }
}

static void load_numbers(const struct database *database, struct working_set *set,
                         struct event_entry *event)
{
    event->returned.count = 0;
    struct rows rows = rows_of(database, RETURNED, event->id, 0);
    const struct row *number;
    while (event->returned.count < event->numbers_needed && (number = rows_next(&rows)))
        numbers_push(&event->returned, set->arena, (uint32_t)number->b);
}

static void load_lines_and_numbers(const struct database *database, struct working_set *set)
{
    size_t at = 0;
    for (struct type_entry *type; (type = map_each(&set->types, &at));) {
        if (type->line_needed <= type->line_loaded) continue;
        if (type->row.waiting > 0) load_line(database, set, type);
        type->line_loaded = type->line_needed;
    }
    at = 0;
    for (struct event_entry *event; (event = map_each(&set->events, &at));) {
        if (!event->found || event->numbers_needed <= event->numbers_loaded) continue;
        if (event_returned_total(event) > 0) load_numbers(database, set, event);
        event->numbers_loaded = event->numbers_needed;
    }
}

static void load_users(const struct database *database, struct working_set *set)
{
    size_t at = 0;
    for (struct user_entry *entry; (entry = map_each(&set->users, &at));) {
        if (entry->loaded) continue;
        const struct user_row *row = row_at(database, USERS, entry->id, 0);
        entry->loaded = true;
        entry->found = row != NULL;
        if (row) entry->row = memory_user(row, set->arena);
    }
    for (size_t i = 0; i < set->logins.count; i++) {
        struct login_entry *entry = set->logins.items[i];
        if (entry->loaded) continue;
        const struct login_row *row = row_named(database, LOGINS, entry->is_email, entry->folded);
        entry->loaded = true;
        entry->user_id = row ? row->user_id : 0;
    }
}

static void load_holders(const struct database *database, struct working_set *set)
{
    size_t at = 0;
    for (struct holder_entry *entry; (entry = map_each(&set->holders, &at));) {
        if (entry->loaded) continue;
        const struct holder_row *row = row_at(database, HOLDERS, entry->event_id, entry->user_id);
        entry->loaded = true;
        entry->quantity = row ? row->quantity : 0;
    }
}

static uint64_t newest_booking(const struct database *database, uint64_t event_id, uint64_t user_id)
{
    uint64_t waiting = 0;
    struct rows rows = rows_below(database, ACTIVE_OF_USER, user_id, UINT64_MAX);
    for (const struct row *active; (active = rows_previous(&rows));) {
        const struct booking_row *booking = row_at(database, BOOKINGS, active->b, 0);
        if (booking->row.event_id != event_id) continue;
        if (booking->row.status != BOOKING_WAITING) return booking->row.id;
        if (!waiting) waiting = booking->row.id;
    }
    return waiting;
}

static void load_user_bookings(const struct database *database, struct working_set *set,
                               struct user_bookings_entry *entry)
{
    struct {
        uint64_t *items;
        size_t count, size;
    } ids = {0};
    struct rows rows = rows_of(database, ACTIVE_OF_USER, entry->user_id, 0);
    for (const struct row *active; (active = rows_next(&rows));) {
        const struct booking_row *booking = row_at(database, BOOKINGS, active->b, 0);
        const struct event_row *event = row_at(database, EVENTS, booking->row.event_id, 0);
        if (event->row.status != EVENT_IS_CANCELLED &&
            (event->row.starts_at == 0 || event->row.starts_at > set->now))
            *ARRAY_PUSH(set->arena, &ids) = booking->row.id;
    }
    entry->loaded = true;
    entry->booking_ids = ids.items;
    entry->count = ids.count;
}

static void load_searches(const struct database *database, struct working_set *set)
{
    size_t at = 0;
    for (struct newest_entry *entry; (entry = map_each(&set->newest, &at));) {
        if (entry->loaded) continue;
        entry->loaded = true;
        entry->booking_id = newest_booking(database, entry->event_id, entry->user_id);
    }
    at = 0;
    for (struct user_bookings_entry *entry; (entry = map_each(&set->user_bookings, &at));)
        if (!entry->loaded) load_user_bookings(database, set, entry);
}

static void load_replays(const struct database *database, struct working_set *set)
{
    size_t at = 0;
    for (struct replay_entry *entry; (entry = map_each(&set->replays, &at));) {
        if (entry->loaded) continue;
        entry->loaded = true;
        struct replay_name name = replay_name(&entry->key, INT64_MAX);
        struct str text = {(const char *)&name, sizeof(name)};
        GTree *tree = database->tables[REPLAYS];
        GTreeNode *end =
            g_tree_upper_bound(tree, &(struct row){.a = entry->key.user_id, .text = text});
        GTreeNode *node = end ? g_tree_node_previous(end) : g_tree_node_last(tree);
        const struct replay_row *row = node ? g_tree_node_value(node) : NULL;
        if (!row || row->key.a != entry->key.user_id ||
            memcmp(row->key.text.data, name.key, sizeof(name.key)) != 0 ||
            hour_of(row->answer.at) < hour_of(set->now) - REPLAY_HOURS)
            continue;
        entry->found = true;
        entry->answer = row->answer;
        entry->answer.body = arena_str(set->arena, row->answer.body);
    }
}

static void load_ids(const struct database *database, struct working_set *set)
{
    for (int i = 0; i < SEQUENCE_COUNT; i++) {
        struct id_supply *supply = &set->ids[i];
        if (supply->needed <= supply->count) continue;
        supply->ids = ARENA_ARRAY(set->arena, uint64_t, supply->needed);
        supply->count = supply->needed;
        for (size_t j = 0; j < supply->count; j++)
            supply->ids[j] = database->sequences[i] + 1 + j;
    }
}

static enum store_status memory_load(struct store *store, struct working_set *set)
{
    struct memory_store *memory = memory_writer(store);
    struct database *database = memory->database;
    struct memory_store *owner = NULL;
    if (!atomic_compare_exchange_strong(&database->owner, &owner, memory) && owner != memory) {
        memory->error = "another writer's batch is under way";
        return STORE_BUSY;
    }
    pthread_rwlock_rdlock(&database->lock);
    load_events(database, set);
    load_bookings(database, set);
    load_lines_and_numbers(database, set);
    load_users(database, set);
    load_holders(database, set);
    load_searches(database, set);
    load_replays(database, set);
    memory_load_outbox(database, set);
    memory_load_webhooks(database, set);
    load_ids(database, set);
    pthread_rwlock_unlock(&database->lock);
    set->wants = false;
    return STORE_OK;
}

static void memory_abandon(struct store *store)
{
    memory_end(memory_writer(store));
}

static enum store_status memory_was_committed(struct store *store, bool *ret_committed)
{
    *ret_committed = memory_writer(store)->committed;
    return STORE_OK;
}

static enum store_status memory_ping(struct store *store)
{
    (void)store;
    return STORE_OK;
}

static enum store_status memory_backup(struct store *store, const char *path, struct arena *arena,
                                       const char **ret_error)
{
    (void)path;
    struct memory_store *memory = (struct memory_store *)store;
    memory->error = "a memory store cannot be backed up";
    *ret_error = arena_printf(arena,
                              "memory:%s lives in memory only and cannot be backed up: use a "
                              "sqlite: store",
                              memory->database->name)
                     .data;
    return STORE_REFUSED;
}

static enum store_status memory_directory_version(struct store *store, uint64_t *ret_version)
{
    struct database *database = ((struct memory_store *)store)->database;
    pthread_rwlock_rdlock(&database->lock);
    *ret_version = database->directory_version;
    pthread_rwlock_unlock(&database->lock);
    return STORE_OK;
}

#define MEMORY_DRIVER(is_shared)                                                                   \
    {                                                                                              \
        .scheme = "memory", .shared = (is_shared), .open = memory_open, .close = memory_close,     \
        .error = memory_error, .load = memory_load, .commit = memory_commit,                       \
        .abandon = memory_abandon, .was_committed = memory_was_committed,                          \
        .setting = memory_setting, .ping = memory_ping, .find_event = memory_find_event,           \
        .search_events = memory_search_events, .find_booking = memory_find_booking,                \
        .list_bookings = memory_list_bookings, .list_tickets = memory_list_tickets,                \
        .booking_history = memory_booking_history, .booking_payments = memory_booking_payments,    \
        .find_user = memory_find_user, .list_users = memory_list_users,                            \
        .load_directory = memory_load_directory, .directory_version = memory_directory_version,    \
        .list_notices = memory_list_notices, .outbox_position = memory_outbox_position,            \
        .list_messages = memory_list_messages, .due_ways = memory_due_ways,                        \
        .list_webhooks = memory_list_webhooks, .find_webhook = memory_find_webhook,                \
        .list_journal = memory_list_journal, .backup = memory_backup, .check = memory_check,       \
    }
const struct store_driver memory_driver = MEMORY_DRIVER(false);
static const struct store_driver memory_shared_driver = MEMORY_DRIVER(true);
