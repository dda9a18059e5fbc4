/* SPDX-License-Identifier: Apache-2.0 */
#include "store/driver.h"

#include <assert.h>
#include <stdatomic.h>

static const struct store_driver *const drivers[] = {
    &sqlite_driver,
    &memory_driver,
    &postgres_driver,
    &mysql_driver,
};
enum { DRIVER_COUNT = sizeof(drivers) / sizeof(drivers[0]) };

const char *store_status_text(enum store_status status)
{
    switch (status) {
#define X(name, text)                                                                              \
    case name: return text;
        STORE_STATUSES(X)
#undef X
    }
    return "?";
}

/* Names what there is, but not the URL: it may hold a password. */
static const char *no_such_driver(struct arena *arena)
{
    const char *known = "";
    for (size_t i = 0; i < DRIVER_COUNT; i++)
        known = arena_printf(arena, "%s%s%s:", known, i ? ", " : "", drivers[i]->scheme).data;
    return arena_printf(arena,
                        "DATABASE_URL names no store that this admit knows. Begin it with one of "
                        "%s as in sqlite:admit.db",
                        known)
        .data;
}

static bool is_named(const struct store_driver *driver, struct str scheme)
{
    return str_equal(scheme, str_of(driver->scheme)) ||
           (driver->alias && str_equal(scheme, str_of(driver->alias)));
}

struct store *store_open(const char *url, enum store_mode mode, bool migrate, struct arena *arena,
                         const char **ret_error)
{
    struct str rest = str_of(url);
    struct str scheme = str_cut(&rest, ':');
    for (size_t i = 0; i < DRIVER_COUNT; i++)
        if (rest.data && is_named(drivers[i], scheme))
            return drivers[i]->open(arena_cstr(arena, rest), mode, migrate, arena, ret_error);
    *ret_error = no_such_driver(arena);
    return NULL;
}

void store_close(struct store *store)
{
    if (store) store->driver->close(store);
}

const char *store_error(const struct store *store)
{
    return store->driver->error(store);
}

bool store_is_shared(const struct store *store)
{
    return store->driver->shared;
}

static atomic_bool hurried;

void store_hurry(void)
{
    atomic_store_explicit(&hurried, true, memory_order_relaxed);
}

bool store_is_hurried(void)
{
    return atomic_load_explicit(&hurried, memory_order_relaxed);
}

enum store_status store_load(struct store *store, struct working_set *set)
{
    return store->driver->load(store, set);
}

enum store_status store_commit(struct store *store, struct working_set *set)
{
    return store->driver->commit(store, set);
}

void store_abandon(struct store *store)
{
    store->driver->abandon(store);
}

enum store_status store_was_committed(struct store *store, bool *ret_committed)
{
    return store->driver->was_committed(store, ret_committed);
}

enum store_status store_setting(struct store *store, const char *name, struct str fallback,
                                struct arena *arena, struct str *ret_value)
{
    return store->driver->setting(store, name, fallback, arena, ret_value);
}

void store_tidy(struct store *store)
{
    if (store->driver->tidy) store->driver->tidy(store);
}

enum store_status store_ping(struct store *store)
{
    return store->driver->ping(store);
}

enum store_status store_find_event(struct store *store, uint64_t id, struct arena *arena,
                                   struct event **ret_event)
{
    return store->driver->find_event(store, id, arena, ret_event);
}

enum store_status store_search_events(struct store *store, const struct event_query *query,
                                      struct arena *arena, struct event_list *ret_list)
{
    assert(query->limit > 0);
    return store->driver->search_events(store, query, arena, ret_list);
}

enum store_status store_find_booking(struct store *store, uint64_t id, struct arena *arena,
                                     struct booking_view **ret_booking)
{
    return store->driver->find_booking(store, id, arena, ret_booking);
}

enum store_status store_list_bookings(struct store *store, const struct booking_query *query,
                                      struct arena *arena, struct booking_list *ret_list)
{
    assert(query->limit > 0 && (query->user_id || query->event_id));
    return store->driver->list_bookings(store, query, arena, ret_list);
}

enum store_status store_list_tickets(struct store *store, uint64_t event_id, uint32_t after,
                                     size_t limit, struct arena *arena,
                                     struct ticket_list *ret_list)
{
    return store->driver->list_tickets(store, event_id, after, limit, arena, ret_list);
}

enum store_status store_booking_history(struct store *store, uint64_t booking_id,
                                        struct arena *arena, struct journal_list *ret_list)
{
    return store->driver->booking_history(store, booking_id, arena, ret_list);
}

enum store_status store_list_journal(struct store *store, const struct journal_query *query,
                                     struct arena *arena, struct journal_page *ret_page)
{
    assert(query->limit > 0 && query->after <= INT64_MAX);
    assert(!query->event_id || !query->organizer_id);
    return store->driver->list_journal(store, query, arena, ret_page);
}

enum store_status store_booking_payments(struct store *store, uint64_t booking_id,
                                         struct arena *arena, struct payment_list *ret_list)
{
    return store->driver->booking_payments(store, booking_id, arena, ret_list);
}

enum store_status store_find_user(struct store *store, uint64_t id, struct str folded_email,
                                  struct str folded_username, struct arena *arena,
                                  struct user **ret_user)
{
    return store->driver->find_user(store, id, folded_email, folded_username, arena, ret_user);
}

enum store_status store_list_users(struct store *store, const struct user_query *query,
                                   struct arena *arena, struct user_list *ret_list)
{
    return store->driver->list_users(store, query, arena, ret_list);
}

enum store_status store_load_directory(struct store *store, struct arena *arena,
                                       struct directory_rows *ret_rows)
{
    return store->driver->load_directory(store, arena, ret_rows);
}

enum store_status store_directory_version(struct store *store, uint64_t *ret_version)
{
    *ret_version = 0;
    return store->driver->shared ? store->driver->directory_version(store, ret_version) : STORE_OK;
}

enum store_status store_list_notices(struct store *store, size_t limit, struct arena *arena,
                                     struct notice_list *ret_list)
{
    return store->driver->list_notices(store, limit, arena, ret_list);
}

enum store_status store_outbox_position(struct store *store, struct outbox_position *ret_position)
{
    return store->driver->outbox_position(store, ret_position);
}

enum store_status store_list_messages(struct store *store, const struct message_query *query,
                                      struct arena *arena, struct message_list *ret_list)
{
    assert(query->limit > 0);
    return store->driver->list_messages(store, query, arena, ret_list);
}

enum store_status store_due_ways(struct store *store, int64_t now, struct arena *arena,
                                 struct way_list *ret_list)
{
    return store->driver->due_ways(store, now, arena, ret_list);
}

enum store_status store_list_webhooks(struct store *store, uint64_t user_id, struct arena *arena,
                                      struct webhook_list *ret_list)
{
    return store->driver->list_webhooks(store, user_id, arena, ret_list);
}

enum store_status store_find_webhook(struct store *store, uint64_t id, struct arena *arena,
                                     struct webhook **ret_webhook)
{
    return store->driver->find_webhook(store, id, arena, ret_webhook);
}

enum store_status store_backup(struct store *store, const char *path, struct arena *arena,
                               const char **ret_error)
{
    return store->driver->backup(store, path, arena, ret_error);
}

enum store_status store_check(struct store *store, struct check_figures *ret_figures,
                              void (*breach)(const char *sentence, void *data), void *data)
{
    return store->driver->check(store, ret_figures, breach, data);
}
