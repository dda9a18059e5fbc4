/* SPDX-License-Identifier: Apache-2.0 */
/* shared.h -- a store that several lanes and followers share, for tests of the engine: many handles
 * on one memory store, whose lock is held from load to commit as a database's row locks are. */
#ifndef TESTS_SHARED_H
#define TESTS_SHARED_H

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "store/driver.h"

struct shared_database {
    struct store *writer, *reader; /* the memory store's */
    pthread_mutex_t mutex;
    _Atomic uint64_t directory_version;
    _Atomic bool is_down;
};

struct shared_store {
    struct store store;
    struct shared_database *database;
    bool holds;
};

static inline void shared_release(struct shared_store *self)
{
    if (self->holds) pthread_mutex_unlock(&self->database->mutex);
    self->holds = false;
}

static enum store_status shared_load(struct store *store, struct working_set *set)
{
    struct shared_store *self = (struct shared_store *)store;
    if (self->database->is_down) return STORE_DOWN;
    if (!self->holds) pthread_mutex_lock(&self->database->mutex);
    self->holds = true;
    return store_load(self->database->writer, set);
}

static bool changes_directory(const struct change *change)
{
    return change->kind == CHANGE_REVOKE || change->kind == CHANGE_USER_UPDATE ||
           (change->kind == CHANGE_USER_INSERT && change->user->role != ROLE_USER);
}

static enum store_status shared_commit(struct store *store, struct working_set *set)
{
    struct shared_store *self = (struct shared_store *)store;
    bool moves = false;
    for (size_t i = 0; i < set->changes.count; i++)
        moves |= changes_directory(&set->changes.items[i]);
    enum store_status status = store_commit(self->database->writer, set);
    if (status == STORE_OK && moves) self->database->directory_version++;
    shared_release(self);
    return status;
}

static void shared_abandon(struct store *store)
{
    struct shared_store *self = (struct shared_store *)store;
    store_abandon(self->database->writer);
    shared_release(self);
}

static enum store_status shared_load_directory(struct store *store, struct arena *arena,
                                               struct directory_rows *ret_rows)
{
    struct shared_store *self = (struct shared_store *)store;
    if (self->database->is_down) return STORE_DOWN;
    return store_load_directory(self->database->reader, arena, ret_rows);
}

static enum store_status shared_directory_version(struct store *store, uint64_t *ret_version)
{
    struct shared_store *self = (struct shared_store *)store;
    if (self->database->is_down) return STORE_DOWN;
    *ret_version = self->database->directory_version;
    return STORE_OK;
}

static enum store_status shared_find_event(struct store *store, uint64_t id, struct arena *arena,
                                           struct event **ret_event)
{
    struct shared_store *self = (struct shared_store *)store;
    if (self->database->is_down) return STORE_DOWN;
    return store_find_event(self->database->reader, id, arena, ret_event);
}

static const char *shared_error(const struct store *store)
{
    (void)store;
    return "";
}

static void shared_close(struct store *store)
{
    free(store);
}

/* What lanes and followers need of a store. */
static const struct store_driver shared_driver = {
    .scheme = "shared", /* there is no URL for it */
    .shared = true,
    .close = shared_close,
    .error = shared_error,
    .load = shared_load,
    .commit = shared_commit,
    .abandon = shared_abandon,
    .load_directory = shared_load_directory,
    .directory_version = shared_directory_version,
    .find_event = shared_find_event,
};

/* Another handle. */
static inline struct store *shared_open(struct shared_database *database)
{
    struct shared_store *store = calloc(1, sizeof(*store));
    assert_non_null(store);
    store->store.driver = &shared_driver;
    store->database = database;
    return &store->store;
}

#endif
