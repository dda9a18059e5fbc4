/* SPDX-License-Identifier: Apache-2.0 */
#include "store/faulty.h"

#include <assert.h>
#include <stdlib.h>

#include "base/wait.h"
#include "store/driver.h"

struct faulty_store {
    struct store store;
    struct store *inner;
    const struct fault_plan *plan;
    const char *error;       /* of the last fault; NULL: what the inner store says */
    bool begun;              /* the inner store has a transaction open */
    bool unknown, committed; /* after a commit of which nobody was told how it ended */
};

static struct faulty_store *faulty(struct store *store)
{
    return (struct faulty_store *)store;
}

/* What is to happen here; being slow has happened when this returns. */
static enum fault ask(struct faulty_store *store, enum fault_point point)
{
    store->error = NULL;
    enum fault fault = store->plan->next ? store->plan->next(store->plan->data, point) : FAULT_NONE;
    if (fault != FAULT_SLOW) return fault;
    if (store->plan->pass)
        store->plan->pass(store->plan->data, store->plan->slow_ms);
    else
        sleep_ms(store->plan->slow_ms);
    return FAULT_NONE;
}

static enum store_status fail(struct faulty_store *store, enum fault fault)
{
    switch (fault) {
    case FAULT_BUSY: store->error = "injected: busy"; return STORE_BUSY;
    case FAULT_REFUSED: store->error = "injected: refused"; return STORE_REFUSED;
    case FAULT_DOWN:
    case FAULT_UNKNOWN_DONE:
    case FAULT_UNKNOWN_LOST: store->error = "injected: down"; return STORE_DOWN;
    case FAULT_NONE:
    case FAULT_SLOW: break;
    }
    assert(!"a fault that is none");
    return STORE_DOWN;
}

static void faulty_close(struct store *store)
{
    store_close(faulty(store)->inner);
    free(store);
}

static const char *faulty_error(const struct store *store)
{
    const struct faulty_store *self = (const struct faulty_store *)store;
    return self->error ? self->error : store_error(self->inner);
}

/* ---- the writer ---- */

static void faulty_abandon(struct store *store)
{
    if (faulty(store)->begun) store_abandon(faulty(store)->inner);
    faulty(store)->begun = false;
}

static enum store_status faulty_load(struct store *store, struct working_set *set)
{
    struct faulty_store *self = faulty(store);
    enum fault fault = ask(self, FAULT_AT_LOAD);
    if (fault != FAULT_NONE) {
        faulty_abandon(store);
        return fail(self, fault);
    }
    enum store_status status = store_load(self->inner, set);
    self->begun = status == STORE_OK;
    return status;
}

static bool is_poisoned(const struct fault_plan *plan, const struct working_set *set)
{
    if (!plan->poison_user_id && !plan->poison_event_id) return false;
    for (size_t i = 0; i < set->changes.count; i++) {
        const struct change *change = &set->changes.items[i];
        if (change->kind == CHANGE_BOOKING_INSERT &&
            (!plan->poison_user_id || change->booking->user_id == plan->poison_user_id) &&
            (!plan->poison_event_id || change->booking->event_id == plan->poison_event_id))
            return true;
    }
    return false;
}

static enum store_status faulty_commit(struct store *store, struct working_set *set)
{
    struct faulty_store *self = faulty(store);
    enum fault fault = ask(self, FAULT_AT_COMMIT);
    if (fault == FAULT_NONE && is_poisoned(self->plan, set)) fault = FAULT_REFUSED;
    self->unknown = false;

    if (fault == FAULT_NONE || fault == FAULT_UNKNOWN_DONE) {
        enum store_status status = store_commit(self->inner, set);
        self->begun = false;
        if (fault == FAULT_NONE || status != STORE_OK) return status;
    } else {
        faulty_abandon(store);
        if (fault != FAULT_UNKNOWN_LOST) return fail(self, fault);
    }
    self->unknown = true;
    self->committed = fault == FAULT_UNKNOWN_DONE;
    self->error = "injected: lost during COMMIT";
    return STORE_UNKNOWN;
}

static enum store_status faulty_was_committed(struct store *store, bool *ret_committed)
{
    struct faulty_store *self = faulty(store);
    enum fault fault = ask(self, FAULT_AT_WAS_COMMITTED);
    if (fault != FAULT_NONE) return fail(self, fault);
    if (!self->unknown) return store_was_committed(self->inner, ret_committed);
    *ret_committed = self->committed;
    return STORE_OK;
}

static enum store_status faulty_setting(struct store *store, const char *name, struct str fallback,
                                        struct arena *arena, struct str *ret_value)
{
    faulty(store)->error = NULL;
    return store_setting(faulty(store)->inner, name, fallback, arena, ret_value);
}

static void faulty_tidy(struct store *store)
{
    store_tidy(faulty(store)->inner);
}

/* ---- readers ---- */

/* Asks the plan, and hands the call on when it says nothing. */
#define READ(function, store, ...)                                                                 \
    do {                                                                                           \
        enum fault fault_ = ask(faulty(store), FAULT_AT_READ);                                     \
        if (fault_ != FAULT_NONE) return fail(faulty(store), fault_);                              \
        return function(faulty(store)->inner __VA_OPT__(, ) __VA_ARGS__);                          \
    } while (0)

static enum store_status faulty_ping(struct store *store)
{
    READ(store_ping, store);
}

static enum store_status faulty_find_event(struct store *store, uint64_t id, struct arena *arena,
                                           struct event **ret_event)
{
    READ(store_find_event, store, id, arena, ret_event);
}

static enum store_status faulty_search_events(struct store *store, const struct event_query *query,
                                              struct arena *arena, struct event_list *ret_list)
{
    READ(store_search_events, store, query, arena, ret_list);
}

static enum store_status faulty_find_booking(struct store *store, uint64_t id, struct arena *arena,
                                             struct booking_view **ret_booking)
{
    READ(store_find_booking, store, id, arena, ret_booking);
}

static enum store_status faulty_list_bookings(struct store *store,
                                              const struct booking_query *query,
                                              struct arena *arena, struct booking_list *ret_list)
{
    READ(store_list_bookings, store, query, arena, ret_list);
}

static enum store_status faulty_list_tickets(struct store *store, uint64_t event_id, uint32_t after,
                                             size_t limit, struct arena *arena,
                                             struct ticket_list *ret_list)
{
    READ(store_list_tickets, store, event_id, after, limit, arena, ret_list);
}

static enum store_status faulty_booking_history(struct store *store, uint64_t booking_id,
                                                struct arena *arena, struct journal_list *ret_list)
{
    READ(store_booking_history, store, booking_id, arena, ret_list);
}

static enum store_status faulty_list_journal(struct store *store, const struct journal_query *query,
                                             struct arena *arena, struct journal_page *ret_page)
{
    READ(store_list_journal, store, query, arena, ret_page);
}

static enum store_status faulty_booking_payments(struct store *store, uint64_t booking_id,
                                                 struct arena *arena, struct payment_list *ret_list)
{
    READ(store_booking_payments, store, booking_id, arena, ret_list);
}

static enum store_status faulty_find_user(struct store *store, uint64_t id, struct str folded_email,
                                          struct str folded_username, struct arena *arena,
                                          struct user **ret_user)
{
    READ(store_find_user, store, id, folded_email, folded_username, arena, ret_user);
}

static enum store_status faulty_list_users(struct store *store, const struct user_query *query,
                                           struct arena *arena, struct user_list *ret_list)
{
    READ(store_list_users, store, query, arena, ret_list);
}

static enum store_status faulty_load_directory(struct store *store, struct arena *arena,
                                               struct directory_rows *ret_rows)
{
    READ(store_load_directory, store, arena, ret_rows);
}

static enum store_status faulty_directory_version(struct store *store, uint64_t *ret_version)
{
    READ(store_directory_version, store, ret_version);
}

static enum store_status faulty_list_notices(struct store *store, size_t limit, struct arena *arena,
                                             struct notice_list *ret_list)
{
    READ(store_list_notices, store, limit, arena, ret_list);
}

static enum store_status faulty_outbox_position(struct store *store,
                                                struct outbox_position *ret_position)
{
    READ(store_outbox_position, store, ret_position);
}

static enum store_status faulty_list_messages(struct store *store,
                                              const struct message_query *query,
                                              struct arena *arena, struct message_list *ret_list)
{
    READ(store_list_messages, store, query, arena, ret_list);
}

static enum store_status faulty_due_ways(struct store *store, int64_t now, struct arena *arena,
                                         struct way_list *ret_list)
{
    READ(store_due_ways, store, now, arena, ret_list);
}

static enum store_status faulty_list_webhooks(struct store *store, uint64_t user_id,
                                              struct arena *arena, struct webhook_list *ret_list)
{
    READ(store_list_webhooks, store, user_id, arena, ret_list);
}

static enum store_status faulty_find_webhook(struct store *store, uint64_t id, struct arena *arena,
                                             struct webhook **ret_webhook)
{
    READ(store_find_webhook, store, id, arena, ret_webhook);
}

static enum store_status faulty_backup(struct store *store, const char *path, struct arena *arena,
                                       const char **ret_error)
{
    enum fault fault = ask(faulty(store), FAULT_AT_READ);
    if (fault == FAULT_NONE) return store_backup(faulty(store)->inner, path, arena, ret_error);
    enum store_status status = fail(faulty(store), fault);
    *ret_error = faulty(store)->error;
    return status;
}

static enum store_status faulty_check(struct store *store, struct check_figures *ret_figures,
                                      void (*breach)(const char *sentence, void *data), void *data)
{
    READ(store_check, store, ret_figures, breach, data);
}

/* There is no URL for it. */
#define FAULTY_DRIVER(is_shared)                                                                   \
    {                                                                                              \
        .scheme = "faulty", .shared = (is_shared), .close = faulty_close, .error = faulty_error,   \
        .load = faulty_load, .commit = faulty_commit, .abandon = faulty_abandon,                   \
        .was_committed = faulty_was_committed, .setting = faulty_setting, .tidy = faulty_tidy,     \
        .ping = faulty_ping, .find_event = faulty_find_event,                                      \
        .search_events = faulty_search_events, .find_booking = faulty_find_booking,                \
        .list_bookings = faulty_list_bookings, .list_tickets = faulty_list_tickets,                \
        .booking_history = faulty_booking_history, .booking_payments = faulty_booking_payments,    \
        .find_user = faulty_find_user, .list_users = faulty_list_users,                            \
        .load_directory = faulty_load_directory, .directory_version = faulty_directory_version,    \
        .list_notices = faulty_list_notices, .outbox_position = faulty_outbox_position,            \
        .list_messages = faulty_list_messages, .due_ways = faulty_due_ways,                        \
        .list_webhooks = faulty_list_webhooks, .find_webhook = faulty_find_webhook,                \
        .list_journal = faulty_list_journal, .backup = faulty_backup, .check = faulty_check,       \
    }
static const struct store_driver faulty_driver = FAULTY_DRIVER(false);
static const struct store_driver faulty_shared_driver = FAULTY_DRIVER(true);

struct store *store_faulty(struct store *inner, const struct fault_plan *plan)
{
    struct faulty_store *store = calloc(1, sizeof(*store));
    if (!store) out_of_memory();
    store->store.driver = store_is_shared(inner) ? &faulty_shared_driver : &faulty_driver;
    store->inner = inner;
    store->plan = plan;
    return &store->store;
}

enum fault fault_nth_commit(void *fault_nth, enum fault_point point)
{
    struct fault_nth *plan = fault_nth;
    if (point != FAULT_AT_COMMIT) return FAULT_NONE;
    return ++plan->commits == plan->nth ? plan->fault : FAULT_NONE;
}
